// links: store
// Every row and page of an account, from arbitrary octets: a decoder refuses or its value encodes to a row that decodes to the same again.
// The first octet picks the decoder; the rest is sealed with its checksum, so that the fuzzer need not guess it.
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "store/account_rows.hpp"
#include "store/email_record.hpp"
#include "store/mailbox_uids.hpp"
#include "store/pop3_rows.hpp"

using namespace mansio::store;

namespace {

/// decode → encode → decode → encode: the second text must equal the first.
template <class Decode, class Encode> void round(std::string const& row, Decode decode, Encode encode)
{
    auto const value = decode(row);
    if (!value) return;
    auto const once = encode(*value);
    auto const again = decode(once);
    if (!again || encode(*again) != once) std::abort();
}

std::string encode_flags_of(std::vector<message_entry> const& e) { return rows::encode_flag_page(7, e); }

void try_row(unsigned which, std::string const& row)
{
    using namespace rows;
    switch (which) {
    case 0: round(row, decode_head, [](auto const& v) { return encode(v); }); break;
    case 1: round(row, decode_meta, [](auto const& v) { return encode(v); }); break;
    case 2: round(row, decode_tally, [](auto const& v) { return encode(v); }); break;
    case 3: round(row, decode_page_table, [](auto const& v) { return encode(v); }); break;
    case 4: round(row, decode_log_row, [](auto const& v) { return encode(v); }); break;
    case 5: round(row, decode_history, [](auto const& v) { return encode(v); }); break;
    case 6: round(row, decode_members, [](auto const& v) { return encode_members(v); }); break;
    case 7: round(row, decode_thread_link, [](auto const& v) { return encode(v); }); break;
    case 8: round(row, decode_hashes, [](auto const& v) { return encode_hashes(v); }); break;
    case 9: round(row, decode_delivered, [](auto const& v) { return encode(v); }); break;
    case 10: round(row, decode_intent, [](auto const& v) { return encode(v); }); break;
    case 11: round(row, decode_seen_marks, [](auto const& v) { return encode(v); }); break;
    case 12: round(row, [](std::string_view r) { return decode_static_page(r, 7); }, [](auto const& v) { return encode_static_page(7, v); }); break;
    case 13: {
        auto const decode = [](std::string_view r) -> mansio::result<std::vector<message_entry>> {
            std::vector<message_entry> entries(3);
            auto const ok = decode_flag_page(r, 7, entries);
            if (!ok) return mansio::fail(ok);
            return entries;
        };
        round(row, decode, encode_flags_of);
        break;
    }
    case 14: round(row, [](std::string_view r) { return decode_entry_page(r, 7, 9); }, [](auto const& v) { return encode_entry_page(7, v); }); break;
    case 15: round(row, decode_set_page, [](auto const& v) { return encode_set_page(v); }); break;
    case 16: round(row, [](std::string_view r) { return decode_tombstone_page(r, 7); }, [](auto const& v) { return encode_tombstone_page(7, v); }); break;
    case 17: round(row, decode_list_page, [](auto const& v) { return encode_list_page(v); }); break;
    case 18: static_cast<void>(decode_email_pages(row)); break;
    case 20: round(row, decode_run_page, [](auto const& v) { return encode_run_page(v); }); break;
    case 21: round(row, decode_seen_count, [](auto const& v) { return encode_seen_count(v); }); break;
    case 22: round(row, decode_sharer, [](auto const& v) { return encode_sharer(v); }); break;
    case 23: round(row, decode_pop3_state, [](auto const& v) { return encode(v); }); break;
    case 24: round(row, decode_pop3_mark, [](auto const& v) { return encode(v); }); break;
    default: {
        auto const email = stored_email::open(1, row);
        if (email && (*email)->prefix().size() > (*email)->size()) std::abort();
        if (email) static_cast<void>((*email)->summary());
    }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size == 0) return 0;
    std::string_view const octets{reinterpret_cast<char const*>(data) + 1, size - 1};
    unsigned const which = data[0] % 25U;
    // The email's body is checked and unsealed before it is opened; everything else comes sealed.
    if (which == 19) {
        try_row(which, std::string{octets});
        return 0;
    }
    try_row(which, mansio::base::row_writer{}.raw(octets).take_sealed());
    try_row(which, std::string{octets});
    return 0;
}
