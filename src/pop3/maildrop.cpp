#include "pop3/maildrop.hpp"

namespace mansio::pop3 {
namespace {
constexpr std::uint32_t slice = 8192;  // messages looked at between two turns of the shard
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

task<result<std::unique_ptr<maildrop>>> maildrop::open(store::account_ref account, std::shared_ptr<void> lock)
{
    auto const inbox = co_await account.find_mailbox("INBOX");
    if (!inbox) co_return fail(inbox);
    auto const view = co_await account.view(inbox->id);
    if (!view) co_return fail(view);
    auto drop = std::make_unique<maildrop>();
    drop->mailbox_ = inbox->id;
    drop->view_ = *view;
    drop->deleted_.resize(drop->size());
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

std::string maildrop::unique_id(std::uint32_t number) const { return std::to_string(view_->uid_validity()) + "." + std::to_string(view_->uid_at(number - 1)); }

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

task<result<store::email_record_ptr>> maildrop::email(std::uint32_t number) const
{
    std::vector<store::email_id> which{view_->at(number - 1).email};
    auto found = co_await account_.emails(mailbox_, std::move(which));
    if (!found) co_return fail(std::move(found));
    if (found->empty() || !found->front()) co_return fail(fault::kind::not_found, "the message is gone");
    co_return std::move(found->front());
}

task<result<std::string>> maildrop::read(store::email_record_ptr email, std::uint64_t offset, std::uint64_t length) const
{
    return account_.read(std::move(email), offset, length);
}

task<result<void>> maildrop::update()
{
    if (marked_ == 0) co_return result<void>{};
    // Neighbours become one range: a UID between two of this snapshot that is not in it is gone for good, UIDs are never given twice.
    store::uid_set which;
    bool open = false;
    for (std::uint32_t i = 0; i < size(); ++i) {
        if (deleted_[i] && open) which.back().second = view_->uid_at(i);
        if (deleted_[i] && !open) which.emplace_back(view_->uid_at(i), view_->uid_at(i));
        open = deleted_[i];
    }
    auto const gone = co_await account_.expunge(mailbox_, std::move(which), true);
    if (!gone) co_return fail(gone);
    co_return result<void>{};
}

}  // namespace mansio::pop3
