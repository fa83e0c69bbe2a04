// What POP3 asks of an account beside its mailbox: names that stay, when a message was first fetched, when somebody last signed in.
#include <algorithm>

#include "base/log.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/pop3_rows.hpp"

namespace mansio::store {

bool is_pop3_unique_id(std::string_view id) noexcept
{
    if (id.empty() || id.size() > 70 || id.starts_with(pop3_number_prefix)) return false;
    return std::ranges::all_of(id, [](char c) { return c >= '!' && c <= '~'; });
}

std::string pop3_marks::unique_id(message_entry const& e) const
{
    auto const* const mark = find(e.email);
    if (mark != nullptr && !mark->unique_id.empty()) return mark->unique_id;
    if (e.email >= numbered_from) return std::string{pop3_number_prefix} + std::to_string(e.email);
    return std::to_string(uid_validity) + "." + std::to_string(e.uid);
}

pop3_mark const* pop3_marks::find(email_id e) const noexcept
{
    auto const at = std::ranges::lower_bound(marks, e, {}, &pop3_mark::email);
    return at == marks.end() || at->email != e ? nullptr : &*at;
}

task<result<rows::pop3_state>> account_core::pop3_state_of(account_batch& b, mailbox_id inbox)
{
    auto const row = co_await b.get(keys::pop3());
    if (!row) co_return fail(row);
    if (*row) co_return rows::decode_pop3_state(**row);
    // An account of an older version: what clients have seen keeps its name, what comes gets the new kind.
    rows::pop3_state s;
    s.numbered_from = b.head.next_email;
    s.uid_validity = b.find(inbox)->meta->uid_validity;
    b.put(keys::pop3(), rows::encode(s));
    co_return s;
}

task<result<void>> account_core::prepare_pop3_open(account_batch& b, principal const& who, mailbox_id m, std::uint32_t delay_seconds, rows::pop3_state& out)
{
    auto const allowed = admit(who, b.find(m), only(right::read));
    if (!allowed) co_return fail(allowed);
    auto state = co_await pop3_state_of(b, m);
    if (!state) co_return fail(state);
    if (delay_seconds > 0) {
        // A clock that was set back must lock nobody out.
        bool const early = state->last_sign_in != 0 && b.wall >= state->last_sign_in && b.wall - state->last_sign_in < delay_seconds;
        if (early) co_return fail(fault::kind::refused, "signed in too recently", "login_delay");
        state->last_sign_in = b.wall;
        b.put(keys::pop3(), rows::encode(*state));
    }
    out = *state;
    co_return result<void>{};
}

task<result<pop3_marks>> account_core::pop3_open(principal const& who, mailbox_id m, std::uint32_t delay_seconds)
{
    rows::pop3_state state;
    operation op;
    op.note = "pop3";
    op.prepare = [&](account_batch& b) { return prepare_pop3_open(b, who, m, delay_seconds, state); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    pop3_marks out;
    out.numbered_from = state.numbered_from;
    out.uid_validity = state.uid_validity;
    constexpr std::size_t at_once = 1000;
    auto range = key_range::prefix(keys::pop3());
    while (true) {
        auto const some = co_await services_.storage.scan(where_, range, at_once);
        if (!some) co_return fail(some);
        for (auto const& r : *some) {
            pop3_mark mark;
            std::string_view rest;
            if (r.key == keys::pop3() || !keys::parse_be64(r.key, mark.email, rest) || !rest.empty()) continue;
            auto row = rows::decode_pop3_mark(r.value);
            if (!row) {
                // Counted as never fetched: nothing is deleted for it. Its name is the computed one.
                services_.log.error("row_damaged", {{"account", number_}, {"email", mark.email}, {"fault", row.error()}});
                continue;
            }
            mark.fetched = row->fetched;
            mark.unique_id = std::move(row->unique_id);
            out.marks.push_back(std::move(mark));
        }
        if (some->size() < at_once) break;
        range.from = some->back().key + '\0';
    }
    if (!out.marks.empty()) pop3_marked_ = true;
    co_return out;
}

task<result<void>> account_core::prepare_pop3_fetched(account_batch& b, principal const& who, mailbox_id m, std::vector<email_id> const& which)
{
    // Who may not remove a message may not start the clock that will.
    auto const allowed = admit(who, b.find(m), right::delete_message | right::expunge);
    if (!allowed) co_return fail(allowed);
    for (auto const e : which) {
        auto const row = co_await b.get(keys::pop3_mark(e));
        if (!row) co_return fail(fault::kind::broken, row.error().say, row.error().detail);
        rows::pop3_mark_row mark;
        if (*row) {
            if (auto const before = rows::decode_pop3_mark(**row)) mark = *before;
            if (mark.fetched != 0) continue;
        }
        auto const there = co_await b.get(keys::email(e));
        if (!there) co_return fail(fault::kind::broken, there.error().say, there.error().detail);
        if (!*there) continue;  // gone meanwhile
        mark.fetched = b.wall;
        put_pop3_mark(b, e, mark);
    }
    co_return result<void>{};
}

task<result<void>> account_core::pop3_fetched(principal const& who, mailbox_id m, std::vector<email_id> which)
{
    operation op;
    op.note = "pop3 fetched";
    std::vector<email_id> some;
    op.prepare = [&](account_batch& b) { return prepare_pop3_fetched(b, who, m, some); };
    for (std::size_t at = 0; at < which.size(); at += services_.options.slice_messages) {
        auto const end = std::min<std::size_t>(which.size(), at + services_.options.slice_messages);
        some.assign(which.begin() + static_cast<std::ptrdiff_t>(at), which.begin() + static_cast<std::ptrdiff_t>(end));
        auto const done = co_await submit(op);
        if (!done) co_return fail(done);
    }
    co_return result<void>{};
}

void account_core::put_pop3_mark(account_batch& b, email_id e, rows::pop3_mark_row const& mark)
{
    b.put(keys::pop3_mark(e), rows::encode(mark));
    pop3_marked_ = true;
}

task<result<void>> account_core::forget_pop3_mark(account_batch& b, email_id e)
{
    if (!pop3_marked_) {
        // One look for the whole life of the account in memory: most have none, and an EXPUNGE of many should not pay for it.
        auto const some = co_await b.keys(keys::pop3(), 2);
        if (!some) co_return fail(some);
        pop3_marked_ = std::ranges::any_of(*some, [](auto const& k) { return k != keys::pop3(); });
    }
    if (*pop3_marked_) b.erase(keys::pop3_mark(e));
    co_return result<void>{};
}

}  // namespace mansio::store
