#include "imap/commands/metadata.hpp"

#include <algorithm>
#include <set>

#include "base/bytes.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::size_t most_entries = 1000;
using depth = getmetadata_options::depth;

result<std::string> parse_entry(wire::scanner& in, entry_use use)
{
    auto const name = in.astring();
    if (!name) return fail(name);
    return entry_name(*name, use);
}

// getmetadata-option = maxsize-opt / scope-opt
result<void> parse_options(wire::scanner& in, getmetadata_options& o)
{
    if (auto open = in.expect('('); !open) return open;
    do {
        bool const size = in.take_word("MAXSIZE");
        if (!size && !in.take_word("DEPTH")) return fail(fault::kind::syntax, "there is no such option");
        if (auto sp = in.space(); !sp) return sp;
        if (size) {
            auto const n = in.number();
            if (!n) return fail(n);
            o.max_size = *n;
        } else if (in.take_word("0")) {
            o.how_deep = depth::zero;
        } else if (in.take_word("1")) {
            o.how_deep = depth::one;
        } else if (in.take_word("infinity")) {
            o.how_deep = depth::infinity;
        } else {
            return fail(fault::kind::syntax, "DEPTH is 0, 1 or infinity");
        }
    } while (in.take(' '));
    return in.expect(')');
}

bool options_follow(wire::scanner const& in) noexcept
{
    return base::starts_with_ignoring_case(in.rest(), "(MAXSIZE") || base::starts_with_ignoring_case(in.rest(), "(DEPTH");
}

bool below(std::string_view name, std::string_view top, depth d) noexcept
{
    if (d == depth::zero || !name.starts_with(top) || name.size() <= top.size() || name[top.size()] != '/') return false;
    return d == depth::infinity || name.find('/', top.size() + 1) == std::string_view::npos;
}

void append_value(std::string& out, std::optional<std::string> const& value, name_form form)
{
    if (!value) {
        out += "NIL";
    } else if (value->contains('\0')) {
        wire::append_literal_head(out, value->size(), true);  // RFC 5464 §5: a literal8, the only form that may hold NUL
        out += *value;
    } else {
        wire::append_string(out, *value, form == name_form::utf8 && base::is_utf8(*value));
    }
}

}  // namespace

result<void> parse_entries(wire::scanner& in, std::vector<std::string>& into)
{
    bool const many = in.take('(');
    do {
        auto name = parse_entry(in, entry_use::ask);
        if (!name) return fail(name);
        if (into.size() == most_entries) return fail(fault::kind::over_limit, "[LIMIT] too many entries");
        into.push_back(std::move(*name));
    } while (many && in.take(' '));
    return many ? in.expect(')') : result<void>{};
}

// getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries
result<getmetadata_args> parse_getmetadata(wire::scanner& in)
{
    getmetadata_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    bool const first = in.peek() == '(';
    if (first) {
        if (auto options = parse_options(in, a.options); !options) return fail(options);
        if (auto sp = in.space(); !sp) return fail(sp);
    }
    auto mailbox = in.astring();
    if (!mailbox) return fail(mailbox);
    a.mailbox = std::move(*mailbox);
    if (auto sp = in.space(); !sp) return fail(sp);
    // The grammar has the options before the mailbox, all examples of RFC 5464 (§4.2.1, §4.2.2) and most clients after it.
    if (!first && options_follow(in)) {
        if (auto options = parse_options(in, a.options); !options) return fail(options);
        if (auto sp = in.space(); !sp) return fail(sp);
    }
    do {  // not in the grammar, but in the examples of §4.4.1: several without parentheses
        if (auto entries = parse_entries(in, a.entries); !entries) return fail(entries);
    } while (in.take(' '));
    if (auto end = in.end(); !end) return fail(end);
    return a;
}

// setmetadata = "SETMETADATA" SP mailbox SP "(" entry SP value *(SP entry SP value) ")"
result<setmetadata_args> parse_setmetadata(wire::scanner& in)
{
    setmetadata_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    auto mailbox = in.astring();
    if (!mailbox) return fail(mailbox);
    a.mailbox = std::move(*mailbox);
    if (auto sp = in.space(); !sp) return fail(sp);
    if (auto open = in.expect('('); !open) return fail(open);
    do {
        auto name = parse_entry(in, entry_use::set);
        if (!name) return fail(name);
        if (auto sp = in.space(); !sp) return fail(sp);
        auto value = in.nstring8();
        if (!value) return fail(value);
        if (a.changes.size() == most_entries) return fail(fault::kind::over_limit, "[METADATA TOOMANY] too many entries");
        std::erase_if(a.changes, [&](auto const& c) { return c.name == *name; });
        a.changes.push_back({std::move(*name), std::move(*value)});
    } while (in.take(' '));
    if (auto close = in.expect(')'); !close) return fail(close);
    if (auto end = in.end(); !end) return fail(end);
    return a;
}

chosen_entries choose_entries(std::vector<store::annotation> const& all, std::vector<std::string> const& wanted, getmetadata_options const& o)
{
    chosen_entries out;
    std::set<std::string_view> said;
    for (auto const& top : wanted) {
        bool there = false;
        for (auto const& e : all) {
            if (e.name != top && !below(e.name, top, o.how_deep)) continue;
            there = there || e.name == top;
            if (!said.insert(e.name).second) continue;
            if (o.max_size && e.value.size() > *o.max_size)
                out.longest_left_out = std::max<std::uint64_t>(out.longest_left_out, e.value.size());
            else
                out.entries.emplace_back(e.name, e.value);
        }
        if (!there && o.how_deep == depth::zero && said.insert(top).second) out.entries.emplace_back(top, std::nullopt);
    }
    return out;
}

void append_metadata(std::string& out, std::string_view mailbox, chosen_entries const& e, name_form form)
{
    if (e.entries.empty()) return;
    out += "* METADATA ";
    append_mailbox(out, mailbox, form);
    out += " (";
    for (auto const& [name, value] : e.entries) {
        if (&name != &e.entries.front().first) out += ' ';
        wire::append_astring(out, name);
        out += ' ';
        append_value(out, value, form);
    }
    out += ")\r\n";
}

task<result<std::vector<store::annotation>>> read_entries(session& s, store::account_ref account, store::mailbox_info info)
{
    auto all = co_await account.annotations(info.id);
    if (all && info.use != store::special_use::none && s.offers(extension::special_use))
        all->push_back({"/private/specialuse", std::string{store::special_use_name(info.use)}});
    co_return all;
}

task<result<std::vector<store::annotation>>> read_server_entries(session& s)
{
    auto all = co_await s.own_account().annotations(0);
    if (!all) co_return all;
    for (auto const& [name, value] : s.srv().options.entries) all->push_back({name, value});
    co_return all;
}

}  // namespace mansio::imap::commands
