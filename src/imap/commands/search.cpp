// SEARCH and UID SEARCH (RFC 9051 §6.4.4), answered with SEARCH (RFC 3501 §7.2.5) or ESEARCH (RFC 4731); SEARCHRES (RFC 5182).
#include <algorithm>

#include "base/bytes.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/search_match.hpp"
#include "imap/commands/search_program.hpp"
#include "imap/object_id.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::size_t slice = 64;
constexpr std::size_t index_slice = 4096;

struct search_args {
    bool extended = false;  ///< RETURN was said
    bool min = false, max = false, all = false, count = false, save = false;
    search_program program;
};

// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
result<void> parse_return(wire::scanner& in, search_args& a, extension_set const& on)
{
    a.extended = true;
    if (auto sp = in.space(); !sp) return sp;
    if (auto open = in.expect('('); !open) return open;
    while (!in.take(')')) {
        struct {
            std::string_view name;
            bool search_args::* on;
        } constexpr options[] = {
            {"MIN", &search_args::min}, {"MAX", &search_args::max}, {"ALL", &search_args::all}, {"COUNT", &search_args::count}, {"SAVE", &search_args::save}};
        bool known = false;
        for (auto const& o : options) {
            if (o.on == &search_args::save && !on.has(extension::searchres)) continue;
            if (known || !in.take_word(o.name)) continue;
            a.*o.on = known = true;
        }
        if (!known) return fail(fault::kind::syntax, "there is no such RETURN option");
        if (in.peek() == ')') continue;
        if (auto sp = in.space(); !sp) return sp;
    }
    if (!a.min && !a.max && !a.count && !a.save) a.all = true;  // RETURN () is RETURN (ALL)
    return in.space();
}

// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
result<search_args> parse_search(wire::scanner& in, base::limits const& l, extension_set const& on)
{
    search_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (on.has(extension::esearch) && in.take_word("RETURN"))
        if (auto opts = parse_return(in, a, on); !opts) return fail(opts);
    if (in.take_word("CHARSET")) {
        if (auto sp = in.space(); !sp) return fail(sp);
        auto const charset = in.astring();
        if (!charset) return fail(charset);
        if (!base::equal_ignoring_case(*charset, "UTF-8") && !base::equal_ignoring_case(*charset, "US-ASCII"))
            return fail(fault::kind::refused, "[BADCHARSET (US-ASCII UTF-8)] that charset is not known here");
        if (auto sp = in.space(); !sp) return fail(sp);
    }
    auto program = search_program::parse(in, l.imap_search_keys, on);
    if (!program) return fail(program);
    a.program = std::move(*program);
    return a;
}

/// One SEARCH under way.
struct searching {
    session& s;
    selected_mailbox& m;
    search_args const& args;
    store::mailbox_view_ptr latest;
    search_match match;
    std::vector<std::uint32_t> found;  // positions
    std::vector<std::pair<std::uint32_t, store::mod_seq>> modseqs = {};  // of those found, when MODSEQ was a key

    void take(std::uint32_t position, store::message_entry const& e)
    {
        found.push_back(position);
        if (s.condstore()) modseqs.emplace_back(position, e.modseq);
    }
};

/// Positions whose answer wants more than the index: tried with their summaries, and with the message when that is still not enough.
task<result<void>> try_records(searching& f, std::vector<std::pair<std::uint32_t, store::message_entry>> open)
{
    std::vector<store::email_id> ids;
    for (auto const& [position, entry] : open) ids.push_back(entry.email);
    auto const emails = co_await f.s.account().emails(f.m.info.id, std::move(ids));
    if (!emails) co_return fail(emails);
    for (std::size_t i = 0; i < open.size(); ++i) {
        if (!(*emails)[i]) continue;
        auto t = f.match.try_index(open[i].first, open[i].second);
        t = f.match.try_summary(*(*emails)[i]);
        if (t == search_program::truth::unknown) {
            auto const read = co_await f.match.try_message(f.s, (*emails)[i]);
            if (!read && ends_conversation(read.error())) co_return fail(read);
            if (!read && read.error().what != fault::kind::not_found) co_return fail(read);
            if (read) t = *read;
            co_await base::yield_now{};
        }
        if (t == search_program::truth::yes) f.take(open[i].first, open[i].second);
    }
    co_return result<void>{};
}

task<result<void>> search_all(searching& f)
{
    std::vector<std::pair<std::uint32_t, store::message_entry>> open;
    std::uint32_t place = 0;  // in latest
    for (std::uint32_t position = 0; position < f.m.announced->size(); ++position) {
        auto entry = f.m.announced->at(position);
        if (f.latest != f.m.announced) {
            while (place < f.latest->size() && f.latest->uid_at(place) < entry.uid) ++place;
            if (place == f.latest->size() || f.latest->uid_at(place) != entry.uid) continue;  // expunged; not yet told
            entry = f.latest->at(place);
        }
        auto const t = f.match.try_index(position, entry);
        if (t == search_program::truth::yes) f.take(position, entry);
        if (t == search_program::truth::unknown) open.emplace_back(position, std::move(entry));
        if (open.size() == slice) {
            auto const done = co_await try_records(f, std::exchange(open, {}));
            if (!done) co_return fail(done);
            co_await base::yield_now{};
        }
        if (position % index_slice == index_slice - 1) co_await base::yield_now{};
    }
    if (!open.empty()) {
        auto const done = co_await try_records(f, std::move(open));
        if (!done) co_return fail(done);
    }
    std::ranges::sort(f.found);
    std::ranges::sort(f.modseqs);
    co_return result<void>{};
}

/// The highest of what is told of (RFC 7162 §3.1.5, §3.1.10: of the first and the last alone when only MIN and MAX are). 0: say nothing.
store::mod_seq highest_told(searching const& f)
{
    if (!f.args.program.has(search_key::kind::modseq) || f.modseqs.empty()) return 0;
    auto const& a = f.args;
    if (a.extended && !a.all && !a.count && (a.min || a.max)) return std::max(a.min ? f.modseqs.front().second : 0, a.max ? f.modseqs.back().second : 0);
    return std::ranges::max(f.modseqs, {}, &std::pair<std::uint32_t, store::mod_seq>::second).second;
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
std::string new_answer(invocation const& c, search_args const& a, std::vector<std::uint32_t> const& numbers, store::mod_seq highest)
{
    std::string out = "* ESEARCH (TAG ";
    wire::append_string(out, c.tag);
    out += c.by_uid ? ") UID" : ")";
    auto const say = [&out](char const* name, std::uint64_t n) {
        out += name;
        wire::append_number(out, n);
    };
    if (a.min && !numbers.empty()) say(" MIN ", numbers.front());
    if (a.max && !numbers.empty()) say(" MAX ", numbers.back());
    if (a.count) say(" COUNT ", numbers.size());
    if ((a.all || !a.extended) && !numbers.empty()) {
        out += " ALL ";
        wire::append_numbers(out, numbers);
    }
    if (highest != 0) say(" MODSEQ ", highest);
    return out += "\r\n";
}

/// What "$" means from now on (RFC 5182 §2.1, §2.4).
void save(selected_mailbox& m, search_args const& a, std::vector<std::uint32_t> const& uids)
{
    std::vector<std::uint32_t> kept = uids;
    if ((a.min || a.max) && !a.all && !a.count) {
        kept.clear();
        if (a.min && !uids.empty()) kept.push_back(uids.front());
        if (a.max && !uids.empty() && (kept.empty() || uids.back() != kept.front())) kept.push_back(uids.back());
    }
    m.saved = wire::to_ranges(kept);
}

}  // namespace

task<result<reply>> search(invocation& c)
{
    auto args = parse_search(c.in, c.s.limits(), c.s.on());
    if (!args) co_return fail(args);
    auto& m = *c.s.selected();
    auto const account = c.s.account().number();
    for (auto& k : args->program.keys()) {
        // An id of nothing here is no error (RFC 8474 §6): it matches nothing. No object has the number 0.
        if (k.what == search_key::kind::email_id) k.number = object_number(k.field, object_kind::email, account).value_or(0);
        if (k.what == search_key::kind::thread_id) k.number = object_number(k.field, object_kind::thread, account).value_or(0);
        if (k.what != search_key::kind::set && k.what != search_key::kind::uid_set) continue;
        auto positions = m.find(k.set, k.what == search_key::kind::uid_set);
        if (!positions) co_return fail(positions);
        k.positions = std::move(*positions);
    }
    if (args->program.has(search_key::kind::modseq)) c.s.enable_condstore();
    if (args->save) m.saved.clear();  // also when the search fails (RFC 5182 §2.1)
    auto latest = co_await c.s.account().view(m.info.id);
    if (!latest) co_return fail(latest);
    auto const now = std::chrono::floor<std::chrono::seconds>(c.s.srv().clock.wall()).time_since_epoch().count();
    searching f{c.s, m, *args, *latest, search_match{args->program, m, **latest, now}, {}};
    auto const done = co_await search_all(f);
    if (!done) co_return fail(done);
    std::vector<std::uint32_t> uids;
    std::vector<std::uint32_t> numbers;
    for (auto const p : f.found) {
        if (c.by_uid || args->save) uids.push_back(m.announced->uid_at(p));
        if (!c.by_uid) numbers.push_back(p + 1);
    }
    if (args->save) save(m, *args, uids);
    auto const& answer = c.by_uid ? uids : numbers;
    bool const says_something = !args->extended || args->min || args->max || args->count || args->all;
    if (says_something) {
        auto const text = args->extended || c.s.rev2() ? new_answer(c, *args, answer, highest_told(f)) : old_answer(answer, highest_told(f));
        auto const sent = co_await c.s.send(text);
        if (!sent) co_return fail(sent);
    }
    auto answer_reply = reply::ok("SEARCH completed");
    answer_reply.numbers_used = args->program.has(search_key::kind::set);  // UID SEARCH 2:4: RFC 9051 §7.5.1
    co_return answer_reply;
}

}  // namespace mansio::imap::commands
