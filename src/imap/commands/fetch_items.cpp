#include "imap/commands/fetch_items.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::size_t most_sections = 100;
constexpr std::size_t most_fields = 200;
constexpr std::size_t deepest_path = 70;

// header-list = "(" header-fld-name *(SP header-fld-name) ")"
result<void> parse_header_list(wire::scanner& in, fetch_section& s)
{
    if (auto sp = in.space(); !sp) return sp;
    if (auto open = in.expect('('); !open) return open;
    s.label += " (";
    do {
        auto const name = in.astring();
        if (!name) return fail(name);
        if (s.fields.size() == most_fields) return fail(fault::kind::over_limit, "[LIMIT] too many field names");
        if (!s.fields.empty()) s.label += ' ';
        wire::append_astring(s.label, *name);
        s.fields.push_back(base::to_lower_ascii(*name));
    } while (in.take(' '));
    s.label += ')';
    return in.expect(')');
}

// section-spec = section-msgtext / (section-part ["." section-text])
result<void> parse_section_spec(wire::scanner& in, fetch_section& s)
{
    while (in.peek() >= '0' && in.peek() <= '9') {
        auto const number = in.nz_number();
        if (!number) return fail(number);
        if (s.path.size() == deepest_path) return fail(fault::kind::over_limit, "[LIMIT] the section is nested too deep");
        s.path.push_back(*number);
        s.label += std::to_string(*number);
        if (!in.take('.')) return {};
        s.label += '.';
    }
    if (in.peek() == ']') {
        if (s.path.empty()) return {};
        return fail(fault::kind::syntax, "a section is malformed");
    }
    using filter = fetch_section::filter;
    struct {
        std::string_view name;
        mime::section_kind what;
        filter choice;
    } constexpr texts[] = {
        {"HEADER.FIELDS.NOT", mime::section_kind::header, filter::fields_not},
        {"HEADER.FIELDS", mime::section_kind::header, filter::fields},
        {"HEADER", mime::section_kind::header, filter::none},
        {"TEXT", mime::section_kind::text, filter::none},
        {"MIME", mime::section_kind::mime, filter::none},
    };
    for (auto const& t : texts) {
        if (!in.take_text(t.name)) continue;
        if (t.what == mime::section_kind::mime && s.path.empty()) break;  // only parts have a MIME header of their own
        s.what = t.what;
        s.choice = t.choice;
        s.label += t.name;
        return t.choice == filter::none ? result<void>{} : parse_header_list(in, s);
    }
    return fail(fault::kind::syntax, "there is no such section");
}

// partial = "<" number64 "." nz-number64 ">"
result<void> parse_partial(wire::scanner& in, fetch_section& s)
{
    if (!in.take('<')) return {};
    auto const offset = in.number64();
    if (!offset) return fail(offset);
    if (auto dot = in.expect('.'); !dot) return dot;
    auto const octets = in.number64();
    if (!octets) return fail(octets);
    if (*octets == 0) return fail(fault::kind::syntax, "a partial of no octets");
    s.partial.emplace(*offset, *octets);
    s.label += '<' + std::to_string(*offset) + '>';
    return in.expect('>');
}

// section-binary = "[" [section-part] "]"; BINARY.SIZE has no partial   (RFC 9051 §9)
result<void> parse_binary(wire::scanner& in, fetch_items& items, fetch_section::form how, bool peek)
{
    fetch_section s;
    s.how = how;
    s.peek = peek;
    s.label = how == fetch_section::form::decoded ? "BINARY[" : "BINARY.SIZE[";
    if (auto spec = parse_section_spec(in, s); !spec) return spec;
    if (s.what != mime::section_kind::body) return fail(fault::kind::syntax, "BINARY takes a part's number only");
    if (auto close = in.expect(']'); !close) return close;
    s.label += ']';
    if (how == fetch_section::form::decoded) {
        if (auto partial = parse_partial(in, s); !partial) return partial;
    }
    items.sections.push_back(std::move(s));
    return {};
}

result<void> parse_section(wire::scanner& in, fetch_items& items, bool peek)
{
    fetch_section s;
    s.peek = peek;
    s.label = "BODY[";
    if (auto spec = parse_section_spec(in, s); !spec) return spec;
    if (auto close = in.expect(']'); !close) return close;
    s.label += ']';
    if (auto partial = parse_partial(in, s); !partial) return partial;
    items.sections.push_back(std::move(s));
    return {};
}

fetch_section old_name(char const* label, mime::section_kind what, bool peek)
{
    fetch_section s;
    s.what = what;
    s.peek = peek;
    s.label = label;
    return s;
}

result<void> parse_item(wire::scanner& in, fetch_items& items, extension_set const& on)
{
    if (items.sections.size() == most_sections) return fail(fault::kind::over_limit, "[LIMIT] too many sections");
    if (in.take_text("BODY.PEEK[")) return parse_section(in, items, true);
    if (in.take_text("BODY[")) return parse_section(in, items, false);
    if (on.has(extension::binary)) {
        using form = fetch_section::form;
        if (in.take_text("BINARY.SIZE[")) return parse_binary(in, items, form::decoded_size, true);
        if (in.take_text("BINARY.PEEK[")) return parse_binary(in, items, form::decoded, true);
        if (in.take_text("BINARY[")) return parse_binary(in, items, form::decoded, false);
    }
    struct {
        std::string_view name;
        bool fetch_items::* wanted;
        extension part_of = extension::none;
    } constexpr plain[] = {
        {"FLAGS", &fetch_items::flags},
        {"UID", &fetch_items::uid},
        {"INTERNALDATE", &fetch_items::internal_date},
        {"RFC822.SIZE", &fetch_items::size},
        {"ENVELOPE", &fetch_items::envelope},
        {"BODY", &fetch_items::body},
        {"BODYSTRUCTURE", &fetch_items::bodystructure},
        {"SAVEDATE", &fetch_items::save_date, extension::savedate},
        {"MODSEQ", &fetch_items::modseq, extension::condstore},
        {"EMAILID", &fetch_items::email_id, extension::objectid},
        {"THREADID", &fetch_items::thread_id, extension::objectid},
    };
    for (auto const& p : plain) {
        if (!on.has(p.part_of) || !in.take_word(p.name)) continue;
        items.*p.wanted = true;
        return {};
    }
    if (on.has(extension::preview) && in.take_word("PREVIEW")) {
        items.preview = true;
        // preview-mod = "LAZY": ours are made when the message comes, so that it changes nothing
        if (!in.take_text(" (")) return {};
        if (!in.take_word("LAZY")) return fail(fault::kind::syntax, "the only modifier of PREVIEW is LAZY");
        return in.expect(')');
    }
    if (in.take_word("RFC822"))
        items.sections.push_back(old_name("RFC822", mime::section_kind::body, false));
    else if (in.take_word("RFC822.HEADER"))
        items.sections.push_back(old_name("RFC822.HEADER", mime::section_kind::header, true));
    else if (in.take_word("RFC822.TEXT"))
        items.sections.push_back(old_name("RFC822.TEXT", mime::section_kind::text, false));
    else
        return fail(fault::kind::syntax, "there is no such FETCH item");
    return {};
}

}  // namespace

bool fetch_section::in_summary() const
{
    if (!path.empty() || choice != filter::fields) return false;
    return std::ranges::all_of(fields, [](auto const& f) { return std::ranges::binary_search(mime::kept_fields(), std::string_view{f}); });
}

bool fetch_items::sets_seen() const noexcept
{
    return std::ranges::any_of(sections, [](auto const& s) { return !s.peek; });
}

result<fetch_section> parse_section_text(std::string_view text)
{
    fetch_section s;
    s.peek = true;
    wire::scanner in{text};
    if (auto spec = parse_section_spec(in, s); !spec) return fail(spec);
    if (auto end = in.end(); !end) return fail(end);
    return s;
}

result<fetch_items> parse_fetch_items(wire::scanner& in, extension_set const& on)
{
    fetch_items items;
    bool const fast = in.take_word("FAST");
    bool const full = !fast && in.take_word("FULL");
    if (fast || full || in.take_word("ALL")) {
        items.flags = items.internal_date = items.size = true;
        items.envelope = !fast;
        items.body = full;
        return items;
    }
    if (!in.take('(')) {
        if (auto one = parse_item(in, items, on); !one) return fail(one);
        return items;
    }
    do {
        if (auto one = parse_item(in, items, on); !one) return fail(one);
    } while (in.take(' '));
    if (auto close = in.expect(')'); !close) return fail(close);
    return items;
}

}  // namespace mansio::imap::commands
