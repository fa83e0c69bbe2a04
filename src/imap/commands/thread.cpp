// THREAD and UID THREAD (RFC 5256 §3). THREAD=REFS: docs/imap-search.md.
#include <algorithm>

#include "imap/commands/filters.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/search_options.hpp"
#include "imap/commands/search_run.hpp"
#include "imap/commands/sort_run.hpp"
#include "imap/mail_facts.hpp"
#include "imap/session.hpp"
#include "imap/threads.hpp"

namespace mansio::imap::commands {
namespace {

constexpr struct {
    std::string_view name;
    thread_algorithm what;
    extension part_of;
} algorithms[] = {{"ORDEREDSUBJECT", thread_algorithm::ordered_subject, extension::thread_orderedsubject},
                  {"REFERENCES", thread_algorithm::references, extension::thread_references},
                  {"REFS", thread_algorithm::refs, extension::thread_refs}};

struct thread_args {
    thread_algorithm how{};
    search_program program;
};

// thread = ["UID" SP] "THREAD" SP thread-alg SP charset 1*(SP search-key)
result<thread_args> parse_thread(invocation& c, named_filters const& filters)
{
    auto& in = c.in;
    if (auto sp = in.space(); !sp) return fail(sp);
    auto const* const known = std::ranges::find_if(algorithms, [&](auto const& a) { return c.s.offers(a.part_of) && in.take_word(a.name); });
    if (known == std::end(algorithms)) return fail(fault::kind::syntax, "there is no such threading algorithm");
    if (auto sp = in.space(); !sp) return fail(sp);
    if (auto charset = parse_charset(in, c.s.on()); !charset) return fail(charset);
    auto program = search_program::parse(in, c.s.limits().imap_search_keys, c.s.on(), filters);
    if (!program) return fail(program);
    return thread_args{known->what, std::move(*program)};
}

task<result<std::string>> thread_text(invocation& c, thread_algorithm how, std::vector<std::uint32_t> positions)
{
    auto const view = c.s.selected()->announced;
    auto const facts = co_await load_facts(c.s, c.s.selected()->account, view, positions);
    if (!facts) co_return fail(facts);
    auto const& table = **facts;
    bool const by_uid = c.by_uid;
    std::string text;
    auto const thread_all = [&] {
        std::vector<thread_message> messages;
        messages.reserve(positions.size());
        for (auto const p : positions) {
            auto const& f = *table.find(view->uid_at(p));
            messages.push_back({by_uid ? f.uid : p + 1, f.sent, f.id, f.references(), f.key(mail_facts::subject), f.reply});
        }
        text = make_threads(how, messages);
    };
    auto const done = co_await run_aside(c.s.srv().heavy, positions.size() <= short_work / 4, thread_all);
    if (!done) co_return fail(done);
    co_return text;
}

}  // namespace

task<result<reply>> thread(invocation& c)
{
    auto const filters = co_await filters_for(c);
    if (!filters) co_return fail(filters);
    auto args = parse_thread(c, *filters);
    if (!args) co_return fail(args);
    auto& m = *c.s.selected();
    auto const resolved = resolve_keys(m, args->program);
    if (!resolved) co_return fail(resolved);
    if (args->program.has(search_key::kind::modseq)) c.s.enable_condstore();
    auto latest = co_await m.account.view(m.info.id);
    if (!latest) co_return fail(latest);
    auto const place = search_place_of(m, *latest);
    auto found = co_await run_search(c.s, place, args->program);
    if (!found) co_return fail(found);
    auto const text = co_await thread_text(c, args->how, std::move(found->positions));
    if (!text) co_return fail(text);
    auto sent = co_await c.s.send(text->empty() ? "* THREAD" : "* THREAD ");
    if (!sent) co_return fail(sent);
    sent = co_await c.s.send(*text);
    if (!sent) co_return fail(sent);
    sent = co_await c.s.send("\r\n");
    if (!sent) co_return fail(sent);
    auto done = reply::ok("THREAD completed");
    done.numbers_used = args->program.has(search_key::kind::set);  // UID THREAD … 2:4: RFC 9051 §7.5.1
    co_return done;
}

}  // namespace mansio::imap::commands
