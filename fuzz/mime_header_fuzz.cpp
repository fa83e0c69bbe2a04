// links: mime
// Header fields and what stands in them: addresses, dates, encoded words, parameters, ids, subjects; and our own writers read back.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "mime/address.hpp"
#include "mime/build.hpp"
#include "mime/date.hpp"
#include "mime/header.hpp"
#include "mime/message.hpp"
#include "mime/unicode.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
void require(bool holds)
{
    if (!holds) std::abort();
}

/// The fields before a field do not depend on what follows it, and every view lies where it says.
void check_header(std::string_view text, base::limits const& limits)
{
    auto const h = parse_header(text, limits);
    require(h.body_offset <= text.size() && h.fields.size() <= limits.header_fields);
    std::size_t end = 0;
    for (auto const& f : h.fields) {
        require(f.offset >= end && f.length <= text.size() - f.offset);
        end = f.offset + f.length;
        require(f.name.data() == text.data() + f.offset && f.body.data() + f.body.size() <= text.data() + end);
    }
    if (h.fields.empty() || h.over_limit) return;
    auto const& last = h.fields.back();
    auto const before = parse_header(text.substr(0, last.offset), limits);
    require(before.fields.size() + 1 == h.fields.size());
}

void check_addresses(std::string_view text)
{
    base::budget most{20};
    auto const list = parse_address_list(text, most);
    require(list.size() <= 20);
    bool group = false;
    for (auto const& a : list) {
        if (a.what == address::kind::group_start) require(!std::exchange(group, true));
        if (a.what == address::kind::group_end) require(std::exchange(group, false));
    }
    require(!group);
    for (bool const utf8 : {false, true}) {
        auto const m = parse_mailbox(text, utf8);
        if (!m) continue;
        auto const same = parse_mailbox(m->text(), utf8);
        require(same.has_value() && *same == *m);
        auto const key = canonical(*m);
        if (!key) continue;
        require(base::is_utf8(key->text()));
        auto const twice = canonical(*key);
        require(twice.has_value() && *twice == *key);
    }
}

void check_writers(std::string_view text)
{
    if (auto const f = make_field("X-Test", text)) {
        require(f->find("\r\n\r\n") == std::string::npos);
        auto const whole = *f + "\r\n";
        auto const h = parse_header(whole, {});
        if (!h.over_limit) require(h.fields.size() == 1 && base::trim_blanks(unfold(h.fields[0].body)) == base::trim_blanks(text));
    }
    if (!base::is_utf8(text)) return;
    std::string clean;
    for (char const c : text) clean += (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127 ? ' ' : c;
    auto const encoded = encode_words(text);
    require(decode_encoded_words(encoded) == clean);
    for (char const c : encoded) require(static_cast<unsigned char>(c) < 128 && c != '\r' && c != '\n');
    require(format_address(text, "a@b").find_first_of("\r\n") == std::string::npos);
    auto const folded = fold_case(text);
    require(base::is_utf8(folded) && fold_case(folded) == folded && to_nfc(folded) == folded);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    base::limits limits;
    if (size % 2 == 1) {
        limits.header_fields = 4;
        limits.header_field_size = 64;
        limits.header_size = 256;
        limits.mime_parameters = 4;
    }
    check_header(text, limits);
    check_addresses(text);
    check_writers(text);
    require(base::is_utf8(decode_encoded_words(text)));
    auto const p = parse_parameterized(text, limits);
    require(base::is_utf8(p.value) && p.parameters.size() <= limits.mime_parameters);
    for (auto const& [name, value] : p.parameters) require(base::is_utf8(name) && base::is_utf8(value) && p.get(name).has_value());
    if (auto const d = parse_date(text)) {
        require(parse_date(format_date(*d)) == d);
        require(parse_imap_date_time(format_imap_date_time(*d)) == d);
    }
    for (auto const& id : message_ids(text, 10)) require(id.starts_with('<') && id.ends_with('>') && base::is_utf8(id));
    require(base_subject(text).size() <= size);
    (void)html_to_text(text);
    auto const first = text.substr(0, size / 2);
    for (auto const* charset : {"", "utf-8", "iso-2022-jp", "gb18030", "utf-16", "utf-7", "euc-kr", "koi8-r", "hz"})
        require(base::is_utf8(to_utf8(first, charset)));
    require(base::is_utf8(to_utf8(first, text.substr(size / 2).substr(0, 40))));
    return 0;
}
