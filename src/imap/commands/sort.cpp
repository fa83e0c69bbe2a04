// SORT and UID SORT (RFC 5256 §3; SORT=DISPLAY RFC 5957), answered with SORT or, with RETURN, with ESEARCH (ESORT and CONTEXT=SORT, RFC 5267).
#include "imap/commands/filters.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/search_options.hpp"
#include "imap/commands/search_run.hpp"
#include "imap/commands/sort_run.hpp"
#include "imap/contexts.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {

task<result<std::vector<std::uint32_t>>> sort_positions(session& s, store::mailbox_view_ptr view, std::vector<std::uint32_t> positions, sort_order const& order)
{
    auto const facts = co_await load_facts(s, s.selected()->account, view, positions);
    if (!facts) co_return fail(facts);
    auto const& table = **facts;
    std::vector<sort_item> items;
    auto const sort_all = [&] {
        items.reserve(positions.size());
        for (auto const p : positions) {
            auto const e = view->at(p);
            items.push_back({p, table.find(e.uid), e.internal_date.unix_seconds, e.size, 0});
        }
        sort_items(items, order);
    };
    auto const done = co_await run_aside(s.srv().heavy, positions.size() <= short_work, sort_all);
    if (!done) co_return fail(done);
    for (std::size_t i = 0; i < items.size(); ++i) positions[i] = items[i].position;
    co_return positions;
}

namespace {

struct sort_args {
    search_options options;
    sort_order order;
    search_program program;
};

// sort = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria SP charset 1*(SP search-key)
result<sort_args> parse_sort(invocation& c, named_filters const& filters)
{
    auto& in = c.in;
    sort_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (c.s.offers(extension::esort) && in.take_word("RETURN")) {
        if (auto sp = in.space(); !sp) return fail(sp);
        if (auto opts = parse_return_options(in, searcher::sort, c.s.on(), a.options); !opts) return fail(opts);
    }
    auto order = parse_sort_order(in, c.s.on());
    if (!order) return fail(order);
    a.order = std::move(*order);
    if (auto sp = in.space(); !sp) return fail(sp);
    if (auto charset = parse_charset(in, c.s.on()); !charset) return fail(charset);
    auto program = search_program::parse(in, c.s.limits().imap_search_keys, c.s.on(), filters);
    if (!program) return fail(program);
    a.program = std::move(*program);
    return a;
}

std::string answer(invocation const& c, sort_args const& a, std::vector<std::uint32_t> const& results, store::mod_seq highest)
{
    std::string out;
    if (!a.options.extended) {
        out = "* SORT";
        for (auto const n : results) {
            out += ' ';
            wire::append_number(out, n);
        }
    } else {
        out = "* ESEARCH (TAG ";
        wire::append_string(out, c.tag);
        out += c.by_uid ? ") UID" : ")";
        append_return_data(out, a.options, results, true);
    }
    if (highest != 0 && a.program.has(search_key::kind::modseq)) {  // RFC 7162 §3.1.5, §3.1.10
        out += a.options.extended ? " MODSEQ " : " (MODSEQ ";
        wire::append_number(out, highest);
        if (!a.options.extended) out += ')';
    }
    return out + "\r\n";
}

}  // namespace

task<result<reply>> sort(invocation& c)
{
    auto const filters = co_await filters_for(c);
    if (!filters) co_return fail(filters);
    auto args = parse_sort(c, *filters);
    if (!args) co_return fail(args);
    auto& m = *c.s.selected();
    auto const& o = args->options;
    if (o.update && has_context(m, c.tag)) co_return fail(fault::kind::syntax, "that tag names a search whose changes are told");
    auto const resolved = resolve_keys(m, args->program);
    if (!resolved) co_return fail(resolved);
    if (args->program.has(search_key::kind::modseq)) c.s.enable_condstore();
    if (o.save) m.saved.clear();
    auto latest = co_await m.account.view(m.info.id);
    if (!latest) co_return fail(latest);
    auto const place = search_place_of(m, *latest);
    auto found = co_await run_search(c.s, place, args->program);
    if (!found) co_return fail(found);
    auto const highest = found->highest();
    auto const sorted = co_await sort_positions(c.s, m.announced, std::move(found->positions), args->order);
    if (!sorted) co_return fail(sorted);
    std::vector<std::uint32_t> uids, numbers;
    for (auto const p : *sorted) {
        uids.push_back(m.announced->uid_at(p));
        numbers.push_back(p + 1);
    }
    if (o.save) m.saved = wire::to_ranges(saved_of(o, uids));
    if (!o.extended || o.tells() || o.update || o.context) {
        auto const sent = co_await c.s.send(answer(c, *args, c.by_uid ? uids : numbers, highest));
        if (!sent) co_return fail(sent);
    }
    auto done = reply::ok("SORT completed");
    done.numbers_used = args->program.has(search_key::kind::set);  // UID SORT … 2:4: RFC 9051 §7.5.1
    if (o.update) begin_context(c.s, {std::string{c.tag}, c.by_uid, std::move(args->program), std::move(args->order), std::move(uids)});
    co_return done;
}

}  // namespace mansio::imap::commands
