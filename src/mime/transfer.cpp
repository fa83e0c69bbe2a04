#include "mime/transfer.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mime/decode.hpp"
#include "mime/header.hpp"

namespace mansio::mime {
namespace {

constexpr std::size_t longest_line = 64U * 1024U;  // of quoted-printable, held until its end shows which blanks count

/// Where a line that is too long may be cut: not inside "=41", nor after the "=" of one.
std::size_t safe_cut(std::string_view line) noexcept
{
    auto const cut = line.size() - (line.ends_with('\r') ? 1U : 0U);
    for (std::size_t const back : {1U, 2U})
        if (cut >= back && line[cut - back] == '=') return cut - back;
    return cut;
}

}  // namespace

std::optional<transfer_encoding> find_encoding(std::string_view name) noexcept
{
    for (std::string_view const same : {"", "7bit", "8bit", "binary"})
        if (base::equal_ignoring_case(name, same)) return transfer_encoding::identity;
    if (base::equal_ignoring_case(name, "base64")) return transfer_encoding::base64;
    if (base::equal_ignoring_case(name, "quoted-printable")) return transfer_encoding::quoted_printable;
    return std::nullopt;
}

void transfer_decoder::decode(std::string_view octets, std::string& out)
{
    switch (how_) {
    case transfer_encoding::identity: out += octets; return;
    case transfer_encoding::base64: detail::decode_base64_some(octets, group_, have_, out); return;
    case transfer_encoding::quoted_printable: return decode_lines(octets, out);
    }
}

void transfer_decoder::decode_lines(std::string_view octets, std::string& out)
{
    auto const last = octets.rfind('\n');
    if (last != std::string_view::npos) {
        line_ += octets.substr(0, last + 1);
        octets.remove_prefix(last + 1);
        out += detail::decode_quoted_printable(line_);
        line_.clear();
    }
    line_ += octets;
    if (line_.size() <= longest_line) return;
    auto const cut = safe_cut(line_);
    out += detail::decode_quoted_printable(std::string_view{line_}.substr(0, cut));
    line_.erase(0, cut);
}

void transfer_decoder::finish(std::string& out)
{
    if (how_ == transfer_encoding::base64) detail::finish_base64(group_, have_, out);
    if (how_ == transfer_encoding::quoted_printable) out += detail::decode_quoted_printable(line_);
    line_.clear();
}

bool is_portable(std::string_view message) noexcept
{
    if (message.contains('\0')) return false;
    for (auto lf = message.find('\n'); lf != std::string_view::npos; lf = message.find('\n', lf + 1))
        if (lf == 0 || message[lf - 1] != '\r') return false;
    for (auto cr = message.find('\r'); cr != std::string_view::npos; cr = message.find('\r', cr + 1))
        if (cr + 1 == message.size() || message[cr + 1] != '\n') return false;
    return true;
}

namespace {

/// Appends the octets between `at` and `end`, which are not encoded.
result<void> copy(std::vector<portable_piece>& plan, std::string_view message, std::uint64_t at, std::uint64_t end)
{
    if (at >= end) return {};
    if (message.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(end - at)).contains('\0'))
        return fail(fault::kind::refused, "[UNKNOWN-CTE] a NUL stands outside the parts whose encoding is binary");
    plan.push_back({{at, end - at}, false, {}});
    return {};
}

}  // namespace

result<std::vector<portable_piece>> plan_portable(octets const& message, std::vector<part> const& parts, base::limits const& limits)
{
    auto const all = message.view();
    std::vector<portable_piece> plan;
    std::uint64_t done = 0;
    for (auto const& p : parts) {
        if (p.encoding != "binary" || p.header_offset < done) continue;
        auto const header =
            parse_header(all.substr(static_cast<std::size_t>(p.header_offset), static_cast<std::size_t>(p.body_offset - p.header_offset)), limits);
        auto const* const field = find_field(header, "content-transfer-encoding");
        if (field == nullptr) continue;
        auto const at = p.header_offset + field->offset;
        if (auto ok = copy(plan, all, done, at); !ok) return fail(ok);
        bool const leaf = p.what == part::kind::leaf;
        // What holds other parts may not be encoded itself (RFC 2045 §6.4).
        plan.push_back({{}, false, leaf ? "Content-Transfer-Encoding: base64\r\n" : "Content-Transfer-Encoding: 8bit\r\n"});
        done = at + field->length;
        if (!leaf) continue;
        if (auto ok = copy(plan, all, done, p.body_offset); !ok) return fail(ok);
        if (p.end_offset > p.body_offset) plan.push_back({{p.body_offset, p.end_offset - p.body_offset}, true, {}});
        if (p.end_offset == all.size()) plan.push_back({{}, false, "\r\n"});
        done = p.end_offset;
    }
    if (auto ok = copy(plan, all, done, all.size()); !ok) return fail(ok);
    return plan;
}

void append_base64_lines(std::string& out, std::string_view octets, bool more)
{
    while (!octets.empty()) {
        auto const line = octets.substr(0, base64_line_octets);
        octets.remove_prefix(line.size());
        out += base::to_base64(line);
        if (more || !octets.empty()) out += "\r\n";
    }
}

}  // namespace mansio::mime
