// LIST with its extensions (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590) and LSUB (RFC 3501 §6.3.9).
#include <algorithm>
#include <map>

#include "imap/commands/handlers.hpp"
#include "imap/commands/acl_text.hpp"
#include "imap/commands/listing.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/commands/metadata.hpp"
#include "imap/commands/status.hpp"
#include "imap/session.hpp"
#include "imap/wire/utf7.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {

void append_list_line(std::string& out, std::string_view verb, store::mailbox_info const& m, std::vector<std::string> attributes, session const& s,
                      std::string_view extra)
{
    if (s.offers(extension::children)) attributes.emplace_back(m.has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (s.offers(extension::special_use) && m.use != store::special_use::none) attributes.emplace_back(store::special_use_name(m.use));
    out += "* ";
    out += verb;
    out += ' ';
    wire::append_list(out, attributes);
    out += " \"/\" ";
    append_mailbox(out, m.name, s.names());
    if (!extra.empty()) out += ' ';
    out += extra;
    out += "\r\n";
}

namespace {

struct list_args {
    bool subscribed = false, special_use = false, recursive = false;  // selection
    std::string reference;
    std::vector<std::string> patterns;
    bool return_subscribed = false, rights = false;
    status_items status = 0;
    std::vector<std::string> entries;  ///< METADATA
};

/// What LIST goes through: mailboxes, names subscribed but gone, and levels above either that are no mailbox.
struct listed {
    store::account_ref account;
    store::mailbox_info info;
    bool exists = false;
    bool child_subscribed = false;
};
using listing = std::map<std::string, listed>;

// list-select-opts = "(" [(*(list-select-opt SP) list-select-base-opt *(SP list-select-opt)) / …] ")"
result<void> parse_selection(wire::scanner& in, list_args& a, extension_set const& on)
{
    if (auto open = in.expect('('); !open) return open;
    while (!in.take(')')) {
        if (in.take_word("SUBSCRIBED"))
            a.subscribed = true;
        else if (on.has(extension::special_use) && in.take_word("SPECIAL-USE"))
            a.special_use = true;
        else if (in.take_word("RECURSIVEMATCH"))
            a.recursive = true;
        else if (!in.take_word("REMOTE"))  // there are no others than ours
            return fail(fault::kind::syntax, "there is no such selection option");
        if (in.peek() == ')') continue;
        if (auto sp = in.space(); !sp) return sp;
    }
    // RFC 9051 §6.3.9.1: RECURSIVEMATCH alone selects nothing
    if (a.recursive && !a.subscribed) return fail(fault::kind::syntax, "RECURSIVEMATCH goes with SUBSCRIBED");
    return in.space();
}

result<void> parse_patterns(wire::scanner& in, list_args& a, bool many)
{
    if (!many || !in.take('(')) {
        auto p = in.list_pattern();
        if (!p) return fail(p);
        a.patterns.push_back(std::move(*p));
        return {};
    }
    do {
        auto p = in.list_pattern();
        if (!p) return fail(p);
        a.patterns.push_back(std::move(*p));
        if (a.patterns.size() > 100) return fail(fault::kind::over_limit, "[LIMIT] too many patterns");
    } while (in.take(' '));
    return in.expect(')');
}

// list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"
result<void> parse_return(wire::scanner& in, list_args& a, extension_set const& on)
{
    if (!in.take_word("RETURN")) return fail(fault::kind::syntax, "RETURN is missing");
    if (auto sp = in.space(); !sp) return sp;
    if (auto open = in.expect('('); !open) return open;
    while (!in.take(')')) {
        if (in.take_word("SUBSCRIBED")) {
            a.return_subscribed = true;
        } else if (on.has(extension::list_status) && in.take_word("STATUS")) {
            if (auto sp = in.space(); !sp) return sp;
            auto const items = parse_status_items(in, on);
            if (!items) return fail(items);
            a.status = *items;
        } else if (on.has(extension::list_myrights) && in.take_word("MYRIGHTS")) {
            a.rights = true;
        } else if (on.has(extension::list_metadata) && in.take_word("METADATA")) {
            if (auto sp = in.space(); !sp) return sp;
            if (auto entries = parse_entries(in, a.entries); !entries) return entries;
        } else if (!in.take_word("CHILDREN") && !(on.has(extension::special_use) && in.take_word("SPECIAL-USE"))) {  // both are always told
            return fail(fault::kind::syntax, "there is no such return option");
        }
        if (in.peek() == ')') continue;
        if (auto sp = in.space(); !sp) return sp;
    }
    return {};
}

// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
/// `extended`: LIST, and not LSUB.
result<list_args> parse_list(wire::scanner& in, bool extended, extension_set const& on)
{
    extended = extended && on.has(extension::list_extended);
    list_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (extended && in.peek() == '(')
        if (auto opts = parse_selection(in, a, on); !opts) return fail(opts);
    auto reference = in.astring();
    if (!reference) return fail(reference);
    a.reference = std::move(*reference);
    if (auto sp = in.space(); !sp) return fail(sp);
    if (auto patterns = parse_patterns(in, a, extended); !patterns) return fail(patterns);
    if (extended && in.take(' '))
        if (auto opts = parse_return(in, a, on); !opts) return fail(opts);
    if (auto end = in.end(); !end) return fail(end);
    return a;
}

/// Patterns in UTF-8 with the reference before them; those that can match nothing are left out.
std::vector<std::string> full_patterns(list_args const& a, session const& s)
{
    std::vector<std::string> out;
    for (auto const& p : a.patterns) {
        auto full = a.reference + p;
        if (s.names() == name_form::utf7) {
            auto decoded = wire::from_utf7(full);
            if (!decoded) continue;
            full = std::move(*decoded);
        }
        if (full.size() <= s.limits().mailbox_name) out.push_back(std::move(full));
    }
    return out;
}

bool matches_any(std::vector<std::string> const& patterns, std::string_view name)
{
    return std::ranges::any_of(patterns, [&](auto const& p) { return matches(p, name); });
}

/// Makes sure every level above `name` is there; marks them when `subscribed`.
void add_parents(listing& all, std::string_view name, bool subscribed)
{
    for (auto slash = name.rfind('/'); slash != std::string_view::npos && slash != 0; slash = name.rfind('/', slash - 1)) {
        auto& parent = all[std::string{name.substr(0, slash)}];
        if (!parent.exists) parent.info.name = name.substr(0, slash);
        parent.info.has_children = true;
        parent.child_subscribed = parent.child_subscribed || subscribed;
    }
}

/// Adds what `place` shows to this person; false: nothing.
task<result<bool>> add_account(listing& all, mailbox_place place, bool with_subscriptions)
{
    bool const mine = place.before.empty();
    auto boxes = co_await place.account.list_mailboxes();
    if (!boxes) co_return fail(boxes);
    bool const shows = !boxes->empty();
    for (auto& b : *boxes) {
        auto const name = b.name.insert(0, place.before);
        if (!mine) b.use = store::special_use::none;  // it is the owner's Sent, not this person's
        auto& entry = all[name];
        b.has_children = b.has_children || entry.info.has_children;
        entry.info = std::move(b);
        entry.account = place.account;
        entry.exists = true;
        add_parents(all, name, entry.info.subscribed);
    }
    if (!with_subscriptions) co_return shows;
    auto const names = co_await place.account.subscriptions();
    if (!names) co_return fail(names);
    for (auto const& n : *names) {
        auto const name = place.before + n;
        auto& entry = all[name];
        if (!entry.exists) entry.info.name = name;
        entry.info.subscribed = true;
        add_parents(all, name, true);
    }
    co_return shows;
}

/// Whether a pattern can match another person's mailbox, or a level above one: what stands before its first wildcard decides.
bool may_be_others(std::vector<std::string> const& patterns)
{
    return std::ranges::any_of(patterns, [](auto const& p) {
        auto const wild = p.find_first_of("*%");
        auto const fixed = std::string_view{p}.substr(0, wild);
        return others_prefix.starts_with(fixed) || fixed.starts_with(others_prefix);
    });
}

task<result<listing>> gather(session& s, std::vector<std::string> const& patterns, bool with_subscriptions)
{
    listing all;
    mailbox_place own;
    own.account = s.own_account();
    auto const mine = co_await add_account(all, std::move(own), with_subscriptions);
    if (!mine) co_return fail(mine);
    if (!s.offers(extension::acl) || !may_be_others(patterns)) co_return all;
    auto const sharers = co_await s.own_account().sharers();
    if (!sharers) co_return fail(sharers);
    for (auto const number : *sharers) {
        auto const owner = co_await s.srv().people->with_number(number);
        if (!owner) co_return fail(owner);
        if (!*owner) continue;  // removed
        mailbox_place theirs;
        theirs.account = s.account_of(number);
        theirs.before = std::string{others_prefix} + (*owner)->address + '/';
        auto const shows = co_await add_account(all, std::move(theirs), with_subscriptions);
        // Another's broken account must not hide one's own mailboxes.
        if (!shows) s.srv().log.warning("imap_list_of_others", {{"session", s.id()}, {"account", number}, {"fault", shows.error()}});
        if (!shows || *shows) continue;
        auto const forgotten = co_await s.own_account().forget_sharer(number);
        if (!forgotten && ends_conversation(forgotten.error())) co_return fail(forgotten);
    }
    co_return all;
}

task<result<void>> list_one(session& s, listed const& one, list_args const& a)
{
    std::string out;
    std::vector<std::string> attributes;
    if (!one.exists) attributes.emplace_back("\\NonExistent");  // implies \Noselect (RFC 9051 §7.3.1); said too for older clients
    if (!one.exists) attributes.emplace_back("\\Noselect");
    if ((a.subscribed || a.return_subscribed) && one.info.subscribed) attributes.emplace_back("\\Subscribed");
    bool const child_info = a.recursive && one.child_subscribed;
    append_list_line(out, "LIST", one.info, std::move(attributes), s, child_info ? "(\"CHILDINFO\" (\"SUBSCRIBED\"))" : "");
    if (a.rights && one.exists) append_my_rights(out, one.info.name, one.info.my_rights, s.names());
    if (a.status != 0 && one.exists) {
        auto const told = co_await append_status(s, out, one.account, one.info, a.status);
        if (!told && ends_conversation(told.error())) co_return fail(told);  // else: no right to read it, no STATUS (RFC 5819 §2)
    }
    if (!a.entries.empty() && one.exists) {
        auto const all = co_await read_entries(s, one.account, one.info);
        if (!all && ends_conversation(all.error())) co_return fail(all);
        // Who may not see them is told nothing of them, and of the mailbox all the same (RFC 9590 §3).
        if (all) append_metadata(out, one.info.name, choose_entries(*all, a.entries, {}), s.names());
    }
    co_return co_await s.send(out);
}

}  // namespace

task<result<reply>> list(invocation& c)
{
    auto const args = parse_list(c.in, true, c.s.on());
    if (!args) co_return fail(args);
    // An empty pattern asks for the delimiter (RFC 9051 §6.3.9).
    if (args->patterns.size() == 1 && args->patterns.front().empty()) {
        c.s.untagged("LIST (\\Noselect) \"/\" \"\"");
        co_return reply::ok("LIST completed");
    }
    auto const patterns = full_patterns(*args, c.s);
    auto const all = co_await gather(c.s, patterns, args->subscribed);
    if (!all) co_return fail(all);
    unsigned seen = 0;
    for (auto const& [name, one] : *all) {
        if (++seen % 512 == 0) co_await base::yield_now{};
        if (args->subscribed && !one.info.subscribed && !(args->recursive && one.child_subscribed)) continue;
        if (args->special_use && one.info.use == store::special_use::none) continue;
        if (!matches_any(patterns, name)) continue;
        auto const sent = co_await list_one(c.s, one, *args);
        if (!sent) co_return fail(sent);
    }
    co_return reply::ok("LIST completed");
}

task<result<reply>> lsub(invocation& c)
{
    auto const args = parse_list(c.in, false, c.s.on());
    if (!args) co_return fail(args);
    auto const patterns = full_patterns(*args, c.s);
    auto const all = co_await gather(c.s, patterns, true);
    if (!all) co_return fail(all);
    for (auto const& [name, one] : *all) {
        if ((!one.info.subscribed && !one.child_subscribed) || !matches_any(patterns, name)) continue;
        // RFC 3501 §6.3.9: with "%", a level that is not subscribed but has subscribed names below is told, with \Noselect.
        if (!one.info.subscribed && !args->patterns.front().ends_with('%')) continue;
        std::string line;
        std::vector<std::string> attributes;
        if (!one.info.subscribed) attributes.emplace_back("\\Noselect");
        append_list_line(line, "LSUB", one.info, std::move(attributes), c.s);
        auto const sent = co_await c.s.send(line);
        if (!sent) co_return fail(sent);
    }
    co_return reply::ok("LSUB completed");
}

}  // namespace mansio::imap::commands
