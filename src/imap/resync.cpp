#include "imap/resync.hpp"

#include <algorithm>

#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap {
namespace {

constexpr std::size_t piece = 16U * 1024U;

/// A set of plain numbers: "*" and "$" mean nothing of a mailbox not yet open.
result<wire::sequence_set> parse_plain_set(wire::scanner& in)
{
    auto set = wire::parse_sequence_set(in);
    if (!set) return set;
    bool const star =
        std::ranges::any_of(set->ranges, [](auto const& r) { return r.first == wire::sequence_set::star || r.second == wire::sequence_set::star; });
    if (star || set->saved) return fail(fault::kind::syntax, "this set is of numbers alone");
    return set;
}

/// Walks the numbers of a set one by one, as they were written.
class number_walk {
public:
    explicit number_walk(wire::sequence_set const& s) : set_(s) {}
    [[nodiscard]] std::optional<std::uint32_t> next()
    {
        if (range_ == set_.ranges.size()) return std::nullopt;
        auto const [from, to] = set_.ranges[range_];
        auto const n = from + offset_;
        if (n >= to) {
            ++range_;
            offset_ = 0;
        } else {
            ++offset_;
        }
        return n;
    }

private:
    wire::sequence_set const& set_;
    std::size_t range_ = 0;
    std::uint32_t offset_ = 0;
};

/// The last UID up to which what the client remembers is what is there (RFC 7162 §3.2.5.2).
store::uid matched_through(store::mailbox_view const& view, known_state const& known)
{
    number_walk numbers{known.numbers};
    number_walk uids{known.uids_of_numbers};
    store::uid through = 0;
    for (auto n = numbers.next(), u = uids.next(); n && u; n = numbers.next(), u = uids.next()) {
        if (*n > view.size() || view.uid_at(*n - 1) != *u) break;
        through = *u;
    }
    return through;
}

/// `from` to `to`, but not what is there.
void add_absent(wire::number_ranges& into, store::mailbox_view const& view, store::uid from, store::uid to)
{
    for (auto p = view.lower_bound(from); p < view.size() && view.uid_at(p) <= to; ++p) {
        auto const u = view.uid_at(p);
        if (u > from) into.emplace_back(from, u - 1);
        from = u + 1;
    }
    if (from <= to) into.emplace_back(from, to);
}

}  // namespace

result<known_state> parse_known_state(wire::scanner& in)
{
    known_state k;
    if (auto open = in.expect('('); !open) return fail(open);
    auto const validity = in.nz_number();
    if (!validity) return fail(validity);
    k.uid_validity = *validity;
    if (auto sp = in.space(); !sp) return fail(sp);
    auto const since = in.number64();
    if (!since) return fail(since);
    if (*since == 0) return fail(fault::kind::syntax, "a mod-sequence is a number from 1 on");
    k.since = *since;
    bool const more = in.take(' ');
    if (more && in.peek() != '(') {
        auto uids = parse_plain_set(in);
        if (!uids) return fail(uids);
        k.uids = std::move(*uids);
    }
    bool const match = more && (k.uids ? in.take(' ') : true);
    if (match) {
        if (auto open = in.expect('('); !open) return fail(open);
        auto numbers = parse_plain_set(in);
        if (!numbers) return fail(numbers);
        if (auto sp = in.space(); !sp) return fail(sp);
        auto uids = parse_plain_set(in);
        if (!uids) return fail(uids);
        k.numbers = std::move(*numbers);
        k.uids_of_numbers = std::move(*uids);
        if (auto close = in.expect(')'); !close) return fail(close);
    }
    if (auto close = in.expect(')'); !close) return fail(close);
    return k;
}

task<result<void>> tell_vanished(session& s, selected_mailbox const& m, wire::number_ranges uids, store::mod_seq since, store::uid matched)
{
    auto const gone = co_await m.account.vanished_since(m.info.id, since);
    if (!gone) co_return fail(gone);
    auto const& view = *m.announced;
    wire::number_ranges told;
    auto wanted = uids.begin();
    for (auto [from, to] : *gone) {
        from = std::max(from, matched + 1);
        to = std::min(to, view.uid_next() - 1);  // what came and went after this picture was never announced
        while (wanted != uids.end() && wanted->second < from) ++wanted;
        for (auto w = wanted; w != uids.end() && w->first <= to; ++w)
            if (std::max(from, w->first) <= std::min(to, w->second)) add_absent(told, view, std::max(from, w->first), std::min(to, w->second));
    }
    std::string out;
    for (auto const& [from, to] : told) {
        out += out.empty() ? "* VANISHED (EARLIER) " : ",";
        wire::append_number(out, from);
        if (to != from) {
            out += ':';
            wire::append_number(out, to);
        }
        if (out.size() < piece) continue;
        out += "\r\n";
        auto const sent = co_await s.send(out);
        if (!sent) co_return fail(sent);
        out.clear();
    }
    if (out.empty()) co_return result<void>{};
    out += "\r\n";
    co_return co_await s.send(out);
}

task<result<void>> tell_missed(session& s, selected_mailbox const& m, known_state const& known)
{
    auto const view = m.announced;
    if (known.uid_validity != view->uid_validity() || view->uid_next() == 1) co_return result<void>{};
    wire::number_ranges uids{{1, view->uid_next() - 1}};
    if (known.uids) uids = wire::resolve(*known.uids, 0);
    auto const vanished = co_await tell_vanished(s, m, uids, known.since, matched_through(*view, known));
    if (!vanished) co_return fail(vanished);
    std::vector<std::uint32_t> changed;
    view->changed_since(known.since, [&](std::uint32_t position) {
        if (wire::contains(uids, view->uid_at(position))) changed.push_back(position);
    });
    std::string out;
    for (auto const position : changed) {
        append_flags_fetch(out, s, m, *view, position + 1, view->at(position));
        if (out.size() < piece) continue;
        auto const sent = co_await s.send(out);
        if (!sent) co_return fail(sent);
        out.clear();
    }
    co_return co_await s.send(out);
}

}  // namespace mansio::imap
