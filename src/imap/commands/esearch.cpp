// ESEARCH: one search over many mailboxes (MULTISEARCH, RFC 7377).
#include <algorithm>

#include "imap/commands/filters.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/search_options.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/commands/search_run.hpp"
#include "imap/contexts.hpp"
#include "imap/names.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

enum class source_kind : std::uint8_t { selected, inboxes, personal, subscribed, subtree, subtree_one, mailboxes };
struct source {
    source_kind what = source_kind::selected;
    std::vector<std::string> names;
};
constexpr struct {
    std::string_view name;
    source_kind what;
} source_names[] = {{"SELECTED", source_kind::selected},     {"INBOXES", source_kind::inboxes}, {"PERSONAL", source_kind::personal},
                    {"SUBSCRIBED", source_kind::subscribed}, {"SUBTREE", source_kind::subtree}, {"SUBTREE-ONE", source_kind::subtree_one},
                    {"MAILBOXES", source_kind::mailboxes}};

struct esearch_args {
    std::vector<source> sources;
    search_options options;
    search_program program;
    [[nodiscard]] bool wants_selected() const { return std::ranges::find(sources, source_kind::selected, &source::what) != sources.end(); }
    [[nodiscard]] bool only_selected() const
    {
        return std::ranges::all_of(sources, [](auto const& s) { return s.what == source_kind::selected; });
    }
};

// one-or-more-mailbox = mailbox / many-mailboxes; many-mailboxes = "(" mailbox *(SP mailbox) ")"   (RFC 5465 §8)
result<void> parse_names(invocation& c, source& s)
{
    auto& in = c.in;
    if (auto sp = in.space(); !sp) return sp;
    bool const many = in.take('(');
    do {
        auto const name = in.astring();
        if (!name) return fail(name);
        if (s.names.size() == c.s.limits().imap_search_mailboxes) return fail(fault::kind::over_limit, "[LIMIT] too many mailboxes");
        // A name that cannot be one names no mailbox; that is no error here (RFC 7377 §2.2: such are ignored).
        if (auto known = mailbox_from_wire(*name, c.s.names(), name_use::existing, c.s.limits())) s.names.push_back(std::move(*known));
    } while (many && in.take(' '));
    return many ? in.expect(')') : result<void>{};
}

// esearch-source-opts = "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")"; there are no scope options
result<void> parse_sources(invocation& c, esearch_args& a)
{
    auto& in = c.in;
    if (auto sp = in.space(); !sp) return sp;
    if (auto open = in.expect('('); !open) return open;
    do {
        auto const* const known = std::ranges::find_if(source_names, [&in](auto const& s) { return in.take_word(s.name); });
        constexpr std::size_t most = 32;
        if (known == std::end(source_names) || a.sources.size() == most) return fail(fault::kind::syntax, "there is no such source of messages");
        source s{known->what, {}};
        if (s.what >= source_kind::subtree)
            if (auto names = parse_names(c, s); !names) return names;
        a.sources.push_back(std::move(s));
    } while (in.take(' '));
    if (auto close = in.expect(')'); !close) return close;
    return in.space();
}

// esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program
result<esearch_args> parse_esearch(invocation& c, named_filters const& filters)
{
    auto& in = c.in;
    esearch_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (in.take_word("IN"))
        if (auto sources = parse_sources(c, a); !sources) return fail(sources);
    if (a.sources.empty()) a.sources.emplace_back();
    if (in.take_word("RETURN")) {
        if (auto sp = in.space(); !sp) return fail(sp);
        if (auto opts = parse_return_options(in, searcher::search, c.s.on(), a.options); !opts) return fail(opts);
    }
    a.options.all = a.options.all || !a.options.extended;
    a.options.extended = true;
    if (in.take_word("CHARSET")) {
        if (c.s.utf8()) return fail(fault::kind::syntax, "after ENABLE UTF8=ACCEPT a search has no CHARSET");  // RFC 6855 §3
        if (auto sp = in.space(); !sp) return fail(sp);
        if (auto charset = parse_charset(in, c.s.on()); !charset) return fail(charset);
    }
    auto program = search_program::parse(in, c.s.limits().imap_search_keys, c.s.on(), filters);
    if (!program) return fail(program);
    a.program = std::move(*program);
    if (a.options.save && !a.only_selected()) return fail(fault::kind::syntax, "SAVE goes with the selected mailbox alone");
    if ((a.wants_selected() || a.options.update) && c.s.selected() == nullptr) return fail(fault::kind::syntax, "select a mailbox first");
    if (a.options.update && has_context(*c.s.selected(), c.tag)) return fail(fault::kind::syntax, "that tag names a search whose changes are told");
    return a;
}

bool below(std::string_view name, std::string_view top, bool one_level)
{
    if (name == top) return true;
    if (!name.starts_with(top) || name.size() <= top.size() || name[top.size()] != '/') return false;
    return !one_level || name.substr(top.size() + 1).find('/') == std::string_view::npos;
}

bool names_mailbox(source const& s, store::mailbox_info const& m, store::mailbox_id selected)
{
    switch (s.what) {
    case source_kind::selected: return m.id == selected;
    // RFC 5465 §6.3: filters may put mail anywhere, so "inboxes" is all that is personal.
    case source_kind::inboxes:
    case source_kind::personal: return true;
    case source_kind::subscribed: return m.subscribed;
    case source_kind::mailboxes: return std::ranges::find(s.names, m.name) != s.names.end();
    case source_kind::subtree:
    case source_kind::subtree_one: return std::ranges::any_of(s.names, [&](auto const& top) { return below(m.name, top, s.what == source_kind::subtree_one); });
    }
    return false;
}

bool is_selected(session const& s, found_mailbox const& m)
{
    auto const* const open = s.selected();
    return open != nullptr && open->account.number() == m.account.number() && open->info.id == m.info.id;
}

/// Each once, by name; other people's when they are selected or named. Mailboxes without the rights needed are left out.
task<result<std::vector<found_mailbox>>> find_sources(invocation& c, esearch_args const& a)
{
    std::vector<found_mailbox> out;
    auto const* const open = c.s.selected();
    if (open != nullptr && (a.only_selected() || (a.wants_selected() && !open->account.own()))) out.push_back({open->account, open->info});
    if (a.only_selected()) co_return out;
    auto all = co_await c.s.own_account().list_mailboxes();
    if (!all) co_return fail(all);
    auto const selected = open == nullptr || !open->account.own() ? 0 : open->info.id;
    for (auto& m : *all)
        if (std::ranges::any_of(a.sources, [&](auto const& s) { return names_mailbox(s, m, selected); })) out.push_back({c.s.own_account(), std::move(m)});
    for (auto const& source : a.sources) {
        for (auto const& name : source.names) {
            if (source.what != source_kind::mailboxes || !name.starts_with(others_prefix)) continue;
            auto found = co_await find_mailbox(c.s, name);
            auto const same = [&](auto const& o) { return o.account.number() == found->account.number() && o.info.id == found->info.id; };
            if (found && std::ranges::none_of(out, same)) out.push_back(std::move(*found));
        }
    }
    if (out.size() > c.s.limits().imap_search_mailboxes) {
        c.s.counts().searches_refused.add();
        co_return fail(fault::kind::over_limit, "[LIMIT] too many mailboxes");  // RFC 7377 §2.4
    }
    co_return out;
}

// search-correlator = SP "(" one-correlator *(SP one-correlator) ")"
std::string answer(invocation const& c, esearch_args const& a, store::mailbox_info const& m, std::vector<std::uint32_t> const& uids, store::mod_seq highest)
{
    std::string out = "* ESEARCH (TAG ";
    wire::append_string(out, c.tag);
    out += " MAILBOX ";
    append_mailbox(out, m.name, c.s.names());
    out += " UIDVALIDITY ";
    wire::append_number(out, m.uid_validity);
    out += ") UID";
    append_return_data(out, a.options, uids, false);
    if (highest != 0 && a.program.has(search_key::kind::modseq)) {
        out += " MODSEQ ";
        wire::append_number(out, highest);
    }
    return out + "\r\n";
}

/// One of the mailboxes. Errors: closed, timeout, those of the search.
task<result<void>> search_one(invocation& c, esearch_args& a, found_mailbox box)
{
    auto* const m = c.s.selected();
    bool const selected = is_selected(c.s, box);
    auto const latest = co_await box.account.view(box.info.id);
    if (!latest) co_return fail(latest);
    auto place = selected ? search_place_of(*m, *latest) : search_place{box.account, *latest, *latest, {}};
    resolve_keys(box.account, *place.announced, a.program);
    for (auto& k : a.program.keys())
        if (selected && k.set.saved) k.uids = m->saved;
    auto const found = co_await run_search(c.s, place, a.program);
    if (!found) co_return fail(found);
    std::vector<std::uint32_t> uids;
    for (auto const p : found->positions) uids.push_back(place.announced->uid_at(p));
    if (selected && a.options.save) m->saved = wire::to_ranges(saved_of(a.options, uids));
    if (!uids.empty() && (a.options.tells() || a.options.context || a.options.update)) {
        auto const sent = co_await c.s.send(answer(c, a, box.info, uids, found->highest()));
        if (!sent) co_return fail(sent);
    }
    if (selected && a.options.update) begin_context(c.s, {std::string{c.tag}, true, a.program, {}, std::move(uids)});
    co_return result<void>{};
}

}  // namespace

task<result<reply>> esearch(invocation& c)
{
    auto const filters = co_await filters_for(c);
    if (!filters) co_return fail(filters);
    auto args = parse_esearch(c, *filters);
    if (!args) co_return fail(args);
    if (args->program.has(search_key::kind::modseq)) c.s.enable_condstore();
    auto const sources = co_await find_sources(c, *args);
    if (!sources) co_return fail(sources);
    for (auto const& m : *sources) {
        auto const done = co_await search_one(c, *args, m);
        // Deleted meanwhile, or not to be read: as if it were not there (RFC 7377 §2.2).
        bool const ignored = !done && (done.error().what == fault::kind::not_found || done.error().what == fault::kind::refused);
        if (!done && !ignored) co_return fail(done);
        co_await base::yield_now{};
    }
    auto done = reply::ok("ESEARCH completed");
    done.numbers_used = args->wants_selected() && args->program.has(search_key::kind::set);
    co_return done;
}

}  // namespace mansio::imap::commands
