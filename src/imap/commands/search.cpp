// SEARCH and UID SEARCH (RFC 9051 §6.4.4), answered with SEARCH (RFC 3501 §7.2.5) or ESEARCH (RFC 4731); SEARCHRES (RFC 5182), CONTEXT=SEARCH (RFC 5267),
// PARTIAL (RFC 9394).
#include <algorithm>

#include "imap/commands/filters.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/search_options.hpp"
#include "imap/commands/search_run.hpp"
#include "imap/contexts.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

struct search_args {
    search_options options;
    search_program program;
};

// search = "SEARCH" [search-return-opts] SP search-program; search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
result<search_args> parse_search(invocation& c, named_filters const& filters)
{
    auto& in = c.in;
    search_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (c.s.offers(extension::esearch) && in.take_word("RETURN")) {
        if (auto sp = in.space(); !sp) return fail(sp);
        if (auto opts = parse_return_options(in, searcher::search, c.s.on(), a.options); !opts) return fail(opts);
    }
    if (in.take_word("CHARSET")) {
        if (c.s.utf8()) return fail(fault::kind::syntax, "after ENABLE UTF8=ACCEPT a search has no CHARSET");  // RFC 6855 §3
        if (auto sp = in.space(); !sp) return fail(sp);
        if (auto charset = parse_charset(in, c.s.on()); !charset) return fail(charset);
    }
    auto program = search_program::parse(in, c.s.limits().imap_search_keys, c.s.on(), filters);
    if (!program) return fail(program);
    a.program = std::move(*program);
    return a;
}

/// The highest of what is told of (RFC 7162 §3.1.5, §3.1.10: of the first and the last alone when only MIN and MAX are). 0: say nothing.
store::mod_seq highest_told(search_args const& a, search_results const& found)
{
    if (!a.program.has(search_key::kind::modseq) || found.modseqs.empty()) return 0;
    auto const& o = a.options;
    if (o.extended && !o.all && !o.count && !o.partial && (o.min || o.max))
        return std::max(o.min ? found.modseqs.front().second : 0, o.max ? found.modseqs.back().second : 0);
    return found.highest();
}

std::string old_answer(std::vector<std::uint32_t> const& numbers, store::mod_seq highest)
{
    std::string out = "* SEARCH";
    for (auto const n : numbers) {
        out += ' ';
        wire::append_number(out, n);
    }
    if (highest != 0) {
        out += " (MODSEQ ";
        wire::append_number(out, highest);
        out += ')';
    }
    return out += "\r\n";
}

// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
std::string new_answer(invocation const& c, search_options const& o, std::vector<std::uint32_t> const& numbers, store::mod_seq highest)
{
    std::string out = "* ESEARCH (TAG ";
    wire::append_string(out, c.tag);
    out += c.by_uid ? ") UID" : ")";
    append_return_data(out, o, numbers, false);
    if (highest != 0) {
        out += " MODSEQ ";
        wire::append_number(out, highest);
    }
    return out += "\r\n";
}

}  // namespace

task<result<reply>> search(invocation& c)
{
    auto const filters = co_await filters_for(c);
    if (!filters) co_return fail(filters);
    auto args = parse_search(c, *filters);
    if (!args) co_return fail(args);
    auto& m = *c.s.selected();
    auto const& o = args->options;
    if (o.update && has_context(m, c.tag)) co_return fail(fault::kind::syntax, "that tag names a search whose changes are told");
    auto const resolved = resolve_keys(m, args->program);
    if (!resolved) co_return fail(resolved);
    if (args->program.has(search_key::kind::modseq)) c.s.enable_condstore();
    if (o.save) m.saved.clear();  // also when the search fails (RFC 5182 §2.1)
    auto latest = co_await m.account.view(m.info.id);
    if (!latest) co_return fail(latest);
    auto const place = search_place_of(m, *latest);
    auto const found = co_await run_search(c.s, place, args->program);
    if (!found) co_return fail(found);
    std::vector<std::uint32_t> uids, numbers;
    for (auto const p : found->positions) {
        if (c.by_uid || o.save || o.update) uids.push_back(m.announced->uid_at(p));
        if (!c.by_uid) numbers.push_back(p + 1);
    }
    if (o.save) m.saved = wire::to_ranges(saved_of(o, uids));
    if (!o.extended || o.tells() || o.update || o.context) {
        auto const& answer = c.by_uid ? uids : numbers;
        auto const highest = highest_told(*args, *found);
        auto const text = o.extended || c.s.rev2() ? new_answer(c, o, answer, highest) : old_answer(answer, highest);
        auto const sent = co_await c.s.send(text);
        if (!sent) co_return fail(sent);
    }
    auto done = reply::ok("SEARCH completed");
    done.numbers_used = args->program.has(search_key::kind::set);  // UID SEARCH 2:4: RFC 9051 §7.5.1
    if (o.update) begin_context(c.s, {std::string{c.tag}, c.by_uid, std::move(args->program), {}, std::move(uids)});
    co_return done;
}

}  // namespace mansio::imap::commands
