#include "pop3/maildrop.hpp"

#include <algorithm>
#include <utility>

namespace mansio::pop3 {
namespace {
constexpr std::uint32_t slice = 8192;         // messages looked at between two turns of the shard
constexpr std::size_t notes_at_once = 256;    // dates of first fetches that one commit writes
constexpr std::uint32_t records_ahead = 32;   // the store keeps the records it read for a while: at most 4 MiB an account
}

std::shared_ptr<void> maildrop_locks::take(store::account_number n)
{
    {
        std::lock_guard const lock{mutex_};
        if (!held_.insert(n).second) return nullptr;
    }
    return {this, [self = shared_from_this(), n](void*) {
                std::lock_guard const lock{self->mutex_};
                self->held_.erase(n);
            }};
}

task<result<std::unique_ptr<maildrop>>> maildrop::open(store::account_ref account, std::shared_ptr<void> lock, auth::pop3_policy policy)
{
    auto const inbox = co_await account.find_mailbox("INBOX");
    if (!inbox) co_return fail(inbox);
    auto marks = co_await account.pop3_open(inbox->id, policy.login_delay);
    if (!marks) co_return fail(std::move(marks));
    auto const view = co_await account.view(inbox->id);
    if (!view) co_return fail(view);
    auto drop = std::make_unique<maildrop>();
    drop->policy_ = policy;
    drop->marks_ = std::move(*marks);
    drop->mailbox_ = inbox->id;
    drop->view_ = *view;
    drop->deleted_.resize(drop->size());
    drop->fetched_.resize(drop->size());
    // RFC 4314 §4: removing a message takes the rights t and e; a read-only app password has neither.
    drop->may_delete_ = store::has(inbox->my_rights, store::right::delete_message) && store::has(inbox->my_rights, store::right::expunge);
    for (std::uint32_t i = 0; i < drop->size(); ++i) {
        drop->octets_ += drop->view_->at(i).size;
        if (i % slice == slice - 1) co_await base::yield_now{};
    }
    drop->octets_left_ = drop->octets_;
    drop->account_ = std::move(account);
    drop->lock_ = std::move(lock);
    co_return std::move(drop);
}

void maildrop::mark(std::uint32_t number)
{
    deleted_[number - 1] = true;
    ++marked_;
    octets_left_ -= octets(number);
}

void maildrop::unmark_all()
{
    deleted_.assign(size(), false);
    marked_ = 0;
    octets_left_ = octets_;
}

std::uint32_t maildrop::going() const noexcept
{
    if (!may_delete_ || policy_.keep.what != auth::pop3_keep::rule::until_fetched) return marked_;
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i < size(); ++i) n += deleted_[i] || fetched_[i] ? 1U : 0U;
    return n;
}

task<result<store::email_record_ptr>> maildrop::email(std::uint32_t number)
{
    // Who goes on where he stopped gets more read at once each time: records of neighbours cost one scan.
    bool const next = ahead_from_ != 0 && number >= ahead_from_ && number <= ahead_from_ + ahead_.size();
    if (!next || number == ahead_from_ + ahead_.size()) {
        ahead_most_ = next ? std::min(ahead_most_ * 2, records_ahead) : 1;
        std::vector<store::email_id> which;
        for (auto n = number; n <= size() && which.size() < ahead_most_; ++n) which.push_back(view_->at(n - 1).email);
        auto found = co_await account_.emails(mailbox_, std::move(which));
        if (!found) co_return fail(std::move(found));
        ahead_ = std::move(*found);
        ahead_from_ = number;
    }
    ahead_.erase(ahead_.begin(), ahead_.begin() + (number - ahead_from_));
    auto record = std::move(ahead_.front());
    ahead_.erase(ahead_.begin());
    ahead_from_ = number + 1;
    if (!record) co_return fail(fault::kind::not_found, "the message is gone");
    co_return std::move(record);
}

task<void> maildrop::fetched(std::uint32_t number)
{
    if (fetched_[number - 1]) co_return;
    fetched_[number - 1] = true;
    if (!may_delete_ || policy_.keep.what != auth::pop3_keep::rule::after_fetch) co_return;
    auto const email = view_->at(number - 1).email;
    auto const* const mark = marks_.find(email);
    if (mark != nullptr && mark->fetched != 0) co_return;
    to_note_.push_back(email);
    if (to_note_.size() < notes_at_once) co_return;
    auto const noted = co_await note_fetched();
    static_cast<void>(noted);  // tried again with the next ones, and at the end
}

task<result<void>> maildrop::note_fetched()
{
    if (to_note_.empty()) co_return result<void>{};
    auto which = std::exchange(to_note_, {});
    auto done = co_await account_.pop3_fetched(mailbox_, which);
    if (!done) to_note_ = std::move(which);
    co_return done;
}

task<result<std::string>> maildrop::read(store::email_record_ptr email, std::uint64_t offset, std::uint64_t length) const
{
    return account_.read(std::move(email), offset, length);
}

task<result<void>> maildrop::update()
{
    if (going() == 0) co_return result<void>{};
    bool const takes_fetched = may_delete_ && policy_.keep.what == auth::pop3_keep::rule::until_fetched;
    // Neighbours become one range: a UID between two of this snapshot that is not in it is gone for good, UIDs are never given twice.
    store::uid_set which;
    bool open = false;
    for (std::uint32_t i = 0; i < size(); ++i) {
        bool const goes = deleted_[i] || (takes_fetched && fetched_[i]);
        if (goes && open) which.back().second = view_->uid_at(i);
        if (goes && !open) which.emplace_back(view_->uid_at(i), view_->uid_at(i));
        open = goes;
    }
    auto const gone = co_await account_.expunge(mailbox_, std::move(which), true);
    if (!gone) co_return fail(gone);
    co_return result<void>{};
}

}  // namespace mansio::pop3
