// Messages go: EXPUNGE, and what happens to an email when a membership ends.
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_uids.hpp"
#include "store/mailbox_views.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t list_inline = 256;        ///< emails of an intent's own row; more go into pages
constexpr std::size_t list_of_page = 65'536;
constexpr std::size_t orphans_most = 64;        ///< message ids a thread remembers of emails that are gone
constexpr std::uint32_t release_most = 256;     ///< memberships that end within the commit itself
}  // namespace

task<result<void>> account_core::take_out(account_batch& b, mailbox_id m, uid_set const& gone)
{
    auto& tally = b.edit(m).tally;
    auto* const columns = b.columns(m);
    MANSIO_ASSERT(columns != nullptr);
    for (auto const& range : gone) {
        auto const span = columns->positions(range);
        for (auto p = span.first; p < span.second; ++p) {
            auto const e = columns->at(p);
            --tally.messages;
            tally.octets -= e.size;
            if (!e.flags.has(system_flag::seen)) --tally.unseen;
            if (e.flags.has(system_flag::deleted)) --tally.deleted;
        }
    }
    auto const people = b.find(m)->people;
    for (auto const& [person, marks] : people) {
        auto left = std::make_shared<rows::seen_marks>(*marks);
        forget_seen(*left, gone, *columns);
        if (left->seen != marks->seen) b.put_seen_count(m, person, std::move(left));
    }
    columns->remove(gone);
    b.touch(rows::data_type::emails);
    rows::log_action a;
    a.what = rows::log_action::kind::expunge;
    a.which = gone;
    co_return co_await log_flags(b, m, std::move(a));
}

task<result<void>> account_core::prepare_expunge(account_batch& b, principal const& who, mailbox_id m, std::optional<uid_set> const& which, bool even_undeleted,
                                                 std::vector<store::uid>& out)
{
    out.clear();
    auto const* const s = b.find(m);
    auto const allowed = admit(who, s, even_undeleted ? right::expunge | right::delete_message : only(right::expunge));
    if (!allowed) co_return fail(allowed);
    auto const* const index = b.look(m);
    if (index == nullptr) co_return rows::damaged(s->index_damage);
    uid_set const all{{1, ~store::uid{0}}};
    uid_set gone;
    std::vector<email_id> emails;
    for (auto const& range : which ? *which : all) {
        auto const span = index->positions(range);
        for (auto p = span.first; p < span.second; ++p) {
            auto const e = index->at(p);
            if (!even_undeleted && !e.flags.has(system_flag::deleted)) continue;
            append_uid(gone, e.uid);
            emails.push_back(e.email);
            out.push_back(e.uid);
        }
    }
    if (gone.empty()) co_return result<void>{};
    auto const taken = co_await take_out(b, m, gone);
    if (!taken) co_return fail(taken);
    co_return co_await release(b, m, std::move(emails));
}

task<result<std::vector<store::uid>>> account_core::expunge(principal const& who, mailbox_id m, std::optional<uid_set> which, bool even_undeleted)
{
    if (which) which = normalized(std::move(*which));
    std::vector<store::uid> out;
    operation op;
    op.note = "expunge";
    op.needs.push_back(m);
    op.prepare = [&](account_batch& b) { return prepare_expunge(b, who, m, which, even_undeleted, out); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return out;
}

task<result<void>> account_core::put_list(account_batch& b, std::uint64_t op, rows::intent i, bool active)
{
    if (i.emails.size() > list_inline) {
        for (std::size_t from = 0; from < i.emails.size(); from += list_of_page) {
            auto const to = std::min(from + list_of_page, i.emails.size());
            std::vector<email_id> const some{i.emails.begin() + static_cast<std::ptrdiff_t>(from), i.emails.begin() + static_cast<std::ptrdiff_t>(to)};
            auto const page = co_await b.put_page(rows::encode_list_page(some));
            if (!page) co_return fail(fault::kind::broken, page.error().say, page.error().detail);
            i.pages.push_back(*page);
        }
        i.emails.clear();
    }
    b.put_intent(op, std::move(i), active);
    co_return result<void>{};
}

void account_core::end_list(account_batch& b, std::uint64_t op)
{
    if (auto const it = intents_.find(op); it != intents_.end())
        for (auto const& p : it->second.what.pages) b.drop_page(p);
    b.end_intent(op);
}

void account_core::abandon(std::uint64_t op)
{
    auto const it = intents_.find(op);
    if (it == intents_.end()) return;
    it->second.active = false;
    start_writer();
}

task<result<std::vector<email_id>>> account_core::list_of(rows::intent const& i)
{
    if (i.pages.empty()) co_return i.emails;
    std::vector<email_id> all;
    for (auto const& p : i.pages) {
        auto const page = co_await services_.storage.get_page(where_, p);
        if (!page) co_return fail(page);
        auto const some = rows::decode_list_page(*page);
        if (!some) co_return fail(some);
        all.insert(all.end(), some->begin(), some->end());
    }
    co_return all;
}

task<result<void>> account_core::release(account_batch& b, mailbox_id m, std::vector<email_id> which)
{
    if (which.size() <= std::min(release_most, services_.options.slice_messages)) {
        for (auto const e : which) {
            auto const done = co_await release_now(b, m, e);
            if (!done) co_return fail(fault::kind::broken, done.error().say, done.error().detail);
        }
        co_return result<void>{};
    }
    rows::intent i;
    i.what = rows::intent::kind::release;
    i.mailbox = m;
    i.emails = std::move(which);
    co_return co_await put_list(b, services_.random.u64(), std::move(i), false);
}

task<result<void>> account_core::release_now(account_batch& b, mailbox_id m, email_id e)
{
    auto const members_row = co_await b.get(keys::members(e));
    if (!members_row) co_return fail(members_row);
    if (*members_row) {
        auto members = rows::decode_members(**members_row);
        if (!members) co_return fail(members);
        auto const it = std::find_if(members->begin(), members->end(), [m](auto const& x) { return x.mailbox == m; });
        if (it == members->end()) co_return result<void>{};
        if (--it->times == 0) members->erase(it);
        if (!members->empty()) {
            b.put(keys::members(e), rows::encode_members(*members));
            co_return result<void>{};
        }
    }
    auto row = co_await b.get(keys::email(e));
    if (!row) co_return fail(row);
    if (!*row) co_return result<void>{};  // gone already
    auto const pages = decode_email_pages(**row);
    // A damaged record cannot be let go in full: its blob keeps a holder, and the operator hears of it. The message itself is gone.
    if (!pages) {
        services_.log.error("row_damaged", {{"account", number_}, {"email", e}, {"fault", pages.error()}});
        b.erase(keys::email(e));
        b.erase(keys::members(e));
        co_return result<void>{};
    }
    auto const record = co_await read_email(e, std::move(**row));
    if (!record) {
        services_.log.error("row_damaged", {{"account", number_}, {"email", e}, {"fault", record.error()}});
        co_return record.error().detail.starts_with("corruption") ? result<void>{} : result<void>{fail(record)};
    }
    if (!*members_row && (*record)->facts().first != m) co_return result<void>{};
    if (*members_row) b.erase(keys::members(e));
    co_return co_await drop_email(b, **record, *pages ? **pages : std::vector<page_id>{});
}

task<result<void>> account_core::drop_email(account_batch& b, stored_email const& e, std::vector<page_id> const& pages)
{
    b.erase(keys::email(e.id()));
    for (auto const& p : pages) {
        b.erase(keys::email_page(p));
        b.drop_page(p);
    }
    b.drop_blob(e.blob(), e.id());
    b.head.quota_used -= std::min(b.head.quota_used, e.size());
    if (b.head.emails > 0) --b.head.emails;
    b.touch(rows::data_type::quota);
    b.forget_email(e.id());
    auto const forgotten = co_await forget_pop3_mark(b, e.id());
    if (!forgotten) co_return fail(forgotten);
    co_return co_await leave_thread(b, e.thread(), e.id());
}

task<result<void>> account_core::leave_thread(account_batch& b, std::uint64_t thread, email_id e)
{
    auto const own = keys::thread_email(thread, e);
    auto const left_over = keys::thread_email(thread, 0);
    auto const hashes_row = co_await b.get(own);
    if (!hashes_row) co_return fail(hashes_row);
    std::vector<std::string> hashes;
    if (*hashes_row) {
        auto const own_hashes = rows::decode_hashes(**hashes_row);
        if (own_hashes) hashes = *own_hashes;
    }
    auto const orphans_row = co_await b.get(left_over);
    if (!orphans_row) co_return fail(orphans_row);
    if (*orphans_row) {
        auto const more = rows::decode_hashes(**orphans_row);
        if (more) hashes.insert(hashes.begin(), more->begin(), more->end());
    }
    b.erase(own);
    auto const others = co_await b.keys(keys::thread_emails(thread), 2);
    if (!others) co_return fail(others);
    bool const empty = std::all_of(others->begin(), others->end(), [&](auto const& k) { return k == left_over; });
    // While others of the thread live, a reply to the one that went still finds them.
    std::size_t const keep = empty ? 0 : std::min(hashes.size(), orphans_most);
    for (std::size_t i = 0; i < hashes.size() - keep; ++i) b.erase(keys::thread_lookup(hashes[i]));
    hashes.erase(hashes.begin(), hashes.end() - static_cast<std::ptrdiff_t>(keep));
    if (!hashes.empty()) {
        b.put(left_over, rows::encode_hashes(hashes));
    } else if (*orphans_row) {
        b.erase(left_over);
    }
    co_return result<void>{};
}

}  // namespace mansio::store
