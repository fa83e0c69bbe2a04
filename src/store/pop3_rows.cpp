#include "store/pop3_rows.hpp"

#include "base/bytes.hpp"
#include "store/account_rows.hpp"

namespace mansio::store::rows {
namespace {
constexpr std::uint8_t format = 1;

/// Checks the seal and the format; a reader of nothing that is spoilt when they are wrong.
base::row_reader open(std::string_view row)
{
    auto const body = base::unseal(row);
    base::row_reader r{body.value_or(std::string_view{})};
    if (!body || r.u8() != format) r.spoil();
    return r;
}
}  // namespace

std::string encode(pop3_state const& s)
{
    return base::row_writer{}.u8(format).varint(s.numbered_from).varint(s.uid_validity).signed_varint(s.last_sign_in).take_sealed();
}

result<pop3_state> decode_pop3_state(std::string_view row)
{
    auto r = open(row);
    pop3_state s;
    s.numbered_from = r.varint();
    auto const validity = r.varint();
    s.uid_validity = static_cast<std::uint32_t>(validity);
    s.last_sign_in = r.signed_varint();
    if (!r.ok() || !r.at_end() || validity > UINT32_MAX) return damaged("U");
    return s;
}

std::string encode(pop3_mark_row const& m) { return base::row_writer{}.u8(format).signed_varint(m.fetched).octets(m.unique_id).take_sealed(); }

result<pop3_mark_row> decode_pop3_mark(std::string_view row)
{
    auto r = open(row);
    pop3_mark_row m;
    m.fetched = r.signed_varint();
    m.unique_id = r.octets();
    if (!r.ok() || !r.at_end()) return damaged("U of an email");
    return m;
}

}  // namespace mansio::store::rows
