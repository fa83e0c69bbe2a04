#include "imap/commands/search_run.hpp"

#include <algorithm>

#include "imap/object_id.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::size_t slice_of_index = 4096;
constexpr std::size_t slice_of_records = 128;
constexpr std::size_t hands = 3;  // slices under way at once: while one is read, another is searched and a third has its records read
constexpr std::uint64_t slice_of_octets = 8U << 20U;

using truth = search_program::truth;

/// A message that the index alone does not decide.
struct candidate {
    std::uint32_t position = 0;
    store::mod_seq modseq = 0;
    search_match::known known;
    store::email_record_ptr email;
};

/// One search under way.
struct searching {
    session& s;
    search_place const& place;
    search_match match;
    search_results found;
    std::vector<std::uint32_t> open;  ///< positions that want more than the index
    std::size_t next = 0;             ///< in `open`
    std::optional<fault> failed;

    void take(std::uint32_t position, store::mod_seq modseq)
    {
        found.positions.push_back(position);
        if (s.condstore()) found.modseqs.emplace_back(position, modseq);
    }
    /// As the index has it now; nullopt: it is expunged, and the client was not told yet.
    [[nodiscard]] std::optional<store::message_entry> entry(std::uint32_t position) const
    {
        if (place.latest == place.announced) return place.announced->at(position);
        auto const now = place.latest->find(place.announced->uid_at(position));
        if (!now) return std::nullopt;
        return place.latest->at(*now);
    }
};

task<void> try_index(searching& f, std::optional<std::vector<std::uint32_t>> const& only)
{
    search_match::known known;
    std::size_t const n = only ? only->size() : f.place.announced->size();
    for (std::size_t i = 0; i < n; ++i) {
        if (i % slice_of_index == slice_of_index - 1) co_await base::yield_now{};
        auto const position = only ? (*only)[i] : static_cast<std::uint32_t>(i);
        auto const entry = f.entry(position);
        if (!entry) continue;
        auto const t = f.match.try_index(known, *entry);
        if (t == truth::yes) f.take(position, entry->modseq);
        if (t == truth::unknown) f.open.push_back(position);
    }
}

/// The next slice with its records; those the summary decides are taken or dropped.
task<result<std::vector<candidate>>> next_slice(searching& f)
{
    std::vector<candidate> slice;
    std::vector<store::email_id> ids;
    for (; f.next < f.open.size() && slice.size() < slice_of_records; ++f.next) {
        auto const entry = f.entry(f.open[f.next]);
        if (!entry) continue;
        candidate c{f.open[f.next], entry->modseq, {}, {}};
        static_cast<void>(f.match.try_index(c.known, *entry));
        slice.push_back(std::move(c));
        ids.push_back(entry->email);
    }
    auto const emails = co_await f.place.account.emails(f.place.announced->mailbox(), std::move(ids));
    if (!emails) co_return fail(emails);
    std::vector<candidate> rest;
    for (std::size_t i = 0; i < slice.size(); ++i) {
        auto& c = slice[i];
        c.email = (*emails)[i];
        if (!c.email) continue;
        auto const t = f.match.try_summary(c.known, *c.email);
        if (t == truth::yes) f.take(c.position, c.modseq);
        if (t == truth::unknown) rest.push_back(std::move(c));
    }
    co_return rest;
}

/// Those that are searched whole: read together, searched on the pool.
task<result<void>> try_small(searching& f, std::vector<candidate> slice)
{
    std::vector<store::email_record_ptr> emails;
    for (auto const& c : slice) emails.push_back(c.email);
    auto octets = co_await f.place.account.read_all(std::move(emails), search_match::whole_message);
    if (!octets) co_return fail(octets);
    auto const& texts = *octets;
    std::vector<truth> found(slice.size(), truth::no);
    auto const search = [&f, &slice, &texts, &found] {
        for (std::size_t i = 0; i < slice.size(); ++i)
            if (!texts[i].empty()) found[i] = f.match.try_octets(slice[i].known, *slice[i].email, texts[i], f.s.limits());
        return true;
    };
    if (auto* const pool = f.s.srv().heavy) {
        auto const done = co_await pool->run(search);
        if (!done) co_return fail(done);
    } else {
        search();
    }
    for (std::size_t i = 0; i < slice.size(); ++i)
        if (found[i] == truth::yes) f.take(slice[i].position, slice[i].modseq);
    co_return result<void>{};
}

task<result<void>> try_slice(searching& f, std::vector<candidate> slice)
{
    std::vector<candidate> small;
    std::uint64_t octets = 0;
    for (auto& c : slice) {
        if (c.email->size() > search_match::whole_message) {
            auto const t = co_await f.match.read_and_match(c.known, f.place.account, c.email, f.s.limits());
            if (!t && t.error().what == fault::kind::not_found) continue;  // expunged meanwhile
            if (!t) co_return fail(t);
            if (*t == truth::yes) f.take(c.position, c.modseq);
            continue;
        }
        octets += c.email->size();
        small.push_back(std::move(c));
        if (octets < slice_of_octets) continue;
        octets = 0;
        auto const done = co_await try_small(f, std::exchange(small, {}));
        if (!done) co_return done;
    }
    if (small.empty()) co_return result<void>{};
    co_return co_await try_small(f, std::move(small));
}

/// One of the hands: slice after slice until all are taken.
task<void> work(searching& f)
{
    while (!f.failed && f.next < f.open.size()) {
        if (!f.s.wanted()) {
            f.failed = fault{fault::kind::closed, "connection closed"};
            co_return;
        }
        auto slice = co_await next_slice(f);
        if (!slice) {
            f.failed = slice.error();
            co_return;
        }
        auto const done = co_await try_slice(f, std::move(*slice));
        if (!done) f.failed = done.error();
        co_await base::yield_now{};
    }
}

void resolve_id(store::account_number account, search_key& k)
{
    // An id of nothing here is no error (RFC 8474 §6): it matches nothing. No object has the number 0.
    if (k.what == search_key::kind::email_id) k.number = object_number(k.field, object_kind::email, account).value_or(0);
    if (k.what == search_key::kind::thread_id) k.number = object_number(k.field, object_kind::thread, account).value_or(0);
}

bool is_set(search_key const& k) { return k.what == search_key::kind::set || k.what == search_key::kind::uid_set; }

}  // namespace

search_place search_place_of(selected_mailbox const& m, store::mailbox_view_ptr latest) { return {m.account, m.announced, std::move(latest), m.recent}; }

store::mod_seq search_results::highest() const noexcept
{
    return modseqs.empty() ? 0 : std::ranges::max(modseqs, {}, &std::pair<std::uint32_t, store::mod_seq>::second).second;
}

result<void> resolve_keys(selected_mailbox const& m, search_program& p)
{
    for (auto& k : p.keys()) {
        resolve_id(m.account.number(), k);
        if (!is_set(k)) continue;
        auto const positions = m.find(k.set, k.what == search_key::kind::uid_set);
        if (!positions) return fail(positions);
        k.uids = m.uids(*positions);
        // Numbers mean what they mean now, "100:*" also messages that are still to come (RFC 5267 §4.3).
        for (auto const& [from, to] : k.set.ranges)
            if (k.what == search_key::kind::uid_set && to == wire::sequence_set::star && from != to && from < m.announced->uid_next())
                k.uids.emplace_back(from, UINT32_MAX);
        wire::normalize(k.uids);
    }
    return {};
}

void resolve_keys(store::account_ref const& account, store::mailbox_view const& view, search_program& p)
{
    auto const size = view.size();
    for (auto& k : p.keys()) {
        resolve_id(account.number(), k);
        if (!is_set(k)) continue;
        k.uids.clear();
        if (size == 0 || k.set.saved) continue;
        if (k.what == search_key::kind::uid_set) {
            k.uids = wire::resolve(k.set, view.uid_at(size - 1));
            continue;
        }
        for (auto const& [from, to] : wire::resolve(k.set, size))
            if (from <= size) k.uids.emplace_back(view.uid_at(from - 1), view.uid_at(std::min(to, size) - 1));
    }
}

task<result<search_results>> run_search(session& s, search_place const& place, search_program const& p, std::optional<std::vector<std::uint32_t>> only)
{
    auto const now = std::chrono::floor<std::chrono::seconds>(s.srv().clock.wall()).time_since_epoch().count();
    searching f{s, place, search_match{p, place.recent, *place.latest, now}, {}, {}, 0, {}};
    co_await try_index(f, only);
    if (!f.open.empty()) {
        base::task_group group{base::executor::current()};
        auto const slices = (f.open.size() + slice_of_records - 1) / slice_of_records;
        for (std::size_t i = 0; i < std::min(hands, slices); ++i) group.spawn(work(f));
        co_await group.join();
        if (f.failed) co_return std::unexpected(*f.failed);
        std::ranges::sort(f.found.positions);
        std::ranges::sort(f.found.modseqs);
    }
    co_return std::move(f.found);
}

}  // namespace mansio::imap::commands
