// The calls of protocol code: each goes to the account's owner, does its work there and comes back.
// None of these is a coroutine itself: the handle may be gone before the task is awaited, so everything it needs goes along by value.
#include "store/accounts_impl.hpp"

namespace mansio::store {

task<result<std::vector<mailbox_info>>> account_ref::list_mailboxes() const
{
    return on_owner<result<std::vector<mailbox_info>>>(*service_->impl_, number_, who_,
                                                       [](account_core& a, principal const& p) { return a.list_mailboxes(p); });
}
task<result<mailbox_info>> account_ref::find_mailbox(std::string name) const
{
    return on_owner<result<mailbox_info>>(*service_->impl_, number_, who_,
                                          [name = std::move(name)](account_core& a, principal const& p) { return a.find_mailbox(p, name); });
}
task<result<mailbox_info>> account_ref::create_mailbox(std::string name, special_use use) const
{
    return on_owner<result<mailbox_info>>(*service_->impl_, number_, who_,
                                          [name = std::move(name), use](account_core& a, principal const& p) { return a.create_mailbox(p, name, use); });
}
task<result<void>> account_ref::delete_mailbox(std::string name) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_,
                                  [name = std::move(name)](account_core& a, principal const& p) { return a.delete_mailbox(p, name); });
}
task<result<void>> account_ref::rename_mailbox(std::string from, std::string to) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_,
                                  [from = std::move(from), to = std::move(to)](account_core& a, principal const& p) { return a.rename_mailbox(p, from, to); });
}
task<result<void>> account_ref::subscribe_mailbox(std::string name, bool on) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_,
                                  [name = std::move(name), on](account_core& a, principal const& p) { return a.subscribe_mailbox(p, name, on); });
}
task<result<std::vector<std::string>>> account_ref::subscriptions() const
{
    return on_owner<result<std::vector<std::string>>>(*service_->impl_, number_, who_, [](account_core& a, principal const& p) { return a.subscriptions(p); });
}
task<result<mailbox_view_ptr>> account_ref::view(mailbox_id m) const
{
    return on_owner<result<mailbox_view_ptr>>(*service_->impl_, number_, who_, [m](account_core& a, principal const& p) { return a.view(p, m); });
}
task<result<std::vector<std::string>>> account_ref::read_all(std::vector<email_record_ptr> which, std::uint64_t most) const
{
    return on_owner<result<std::vector<std::string>>>(
        *service_->impl_, number_, who_,
        [which = std::move(which), most](account_core& a, principal const& p) mutable { return a.read_all(p, std::move(which), most); });
}
task<result<derived_ptr>> account_ref::kept(mailbox_id m) const
{
    return on_owner<result<derived_ptr>>(*service_->impl_, number_, who_, [m](account_core& a, principal const& p) { return a.kept(p, m); });
}
task<result<void>> account_ref::keep(mailbox_id m, derived_ptr what) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_,
                                  [m, what = std::move(what)](account_core& a, principal const& p) mutable { return a.keep(p, m, std::move(what)); });
}
task<result<mailbox_view_ptr>> account_ref::open(mailbox_id m) const
{
    return on_owner<result<mailbox_view_ptr>>(*service_->impl_, number_, who_, [m](account_core& a, principal const& p) { return a.open(p, m); });
}
task<result<mailbox_view_ptr>> account_ref::whole(mailbox_view_ptr opened) const
{
    return on_owner<result<mailbox_view_ptr>>(*service_->impl_, number_, who_,
                                              [opened = std::move(opened)](account_core& a, principal const&) { return a.whole(opened); });
}
task<result<mailbox_counts>> account_ref::counts(mailbox_id m) const
{
    return on_owner<result<mailbox_counts>>(*service_->impl_, number_, who_, [m](account_core& a, principal const& p) { return a.counts(p, m); });
}
task<result<store::uid>> account_ref::claim_recent(mailbox_id m, bool take) const
{
    return on_owner<result<store::uid>>(*service_->impl_, number_, who_, [m, take](account_core& a, principal const& p) { return a.claim_recent(p, m, take); });
}
task<result<appended>> account_ref::append(mailbox_id m, std::vector<new_message> messages, delivery_id delivery) const
{
    return on_owner<result<appended>>(*service_->impl_, number_, who_,
                                      [m, messages = std::move(messages), delivery = std::move(delivery)](account_core& a, principal const& p) mutable {
                                          return a.append(p, m, std::move(messages), std::move(delivery));
                                      });
}
task<result<appended>> account_ref::append_as(mailbox_id m, store::uid as, new_message message, delivery_id delivery) const
{
    return on_owner<result<appended>>(*service_->impl_, number_, who_,
                                      [m, as, message = std::move(message), delivery = std::move(delivery)](account_core& a, principal const& p) mutable {
                                          return a.append_as(p, m, as, std::move(message), std::move(delivery));
                                      });
}
task<result<std::vector<bool>>> account_ref::delivered(std::vector<delivery_id> which) const
{
    return on_owner<result<std::vector<bool>>>(
        *service_->impl_, number_, who_, [which = std::move(which)](account_core& a, principal const& p) mutable { return a.delivered(p, std::move(which)); });
}
task<result<void>> account_ref::adopt_uid_validity(mailbox_id m, std::uint32_t validity) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_,
                                  [m, validity](account_core& a, principal const& p) { return a.adopt_uid_validity(p, m, validity); });
}
task<result<void>> account_ref::raise_uid_next(mailbox_id m, store::uid next) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_, [m, next](account_core& a, principal const& p) { return a.raise_uid_next(p, m, next); });
}
task<result<appended>> account_ref::replace(mailbox_id from, store::uid old, mailbox_id to, new_message message) const
{
    return on_owner<result<appended>>(
        *service_->impl_, number_, who_,
        [from, old, to, message = std::move(message)](account_core& a, principal const& p) mutable { return a.replace(p, from, old, to, std::move(message)); });
}
task<result<flags_changed>> account_ref::change_flags(mailbox_id m, uid_set which, flag_change what) const
{
    return on_owner<result<flags_changed>>(*service_->impl_, number_, who_,
                                           [m, which = std::move(which), what = std::move(what)](account_core& a, principal const& p) mutable {
                                               return a.change_flags(p, m, std::move(which), std::move(what));
                                           });
}
task<result<std::vector<store::uid>>> account_ref::expunge(mailbox_id m, std::optional<uid_set> which, bool even_undeleted) const
{
    return on_owner<result<std::vector<store::uid>>>(*service_->impl_, number_, who_,
                                                     [m, which = std::move(which), even_undeleted](account_core& a, principal const& p) mutable {
                                                         return a.expunge(p, m, std::move(which), even_undeleted);
                                                     });
}
task<result<copied>> account_ref::copy(mailbox_id from, uid_set which, mailbox_id to) const
{
    return on_owner<result<copied>>(*service_->impl_, number_, who_, [from, which = std::move(which), to](account_core& a, principal const& p) mutable {
        return a.transfer(p, from, std::move(which), to, false);
    });
}
task<result<copied>> account_ref::move(mailbox_id from, uid_set which, mailbox_id to) const
{
    return on_owner<result<copied>>(*service_->impl_, number_, who_, [from, which = std::move(which), to](account_core& a, principal const& p) mutable {
        return a.transfer(p, from, std::move(which), to, true);
    });
}
task<result<std::vector<email_record_ptr>>> account_ref::emails(mailbox_id m, std::vector<email_id> which) const
{
    return on_owner<result<std::vector<email_record_ptr>>>(
        *service_->impl_, number_, who_,
        [m, which = std::move(which)](account_core& a, principal const& p) mutable { return a.emails(p, m, std::move(which)); });
}
task<result<std::string>> account_ref::read(email_record_ptr email, std::uint64_t offset, std::uint64_t length) const
{
    return on_owner<result<std::string>>(*service_->impl_, number_, who_, [email = std::move(email), offset, length](account_core& a, principal const& p) {
        return a.read(p, email, offset, length);
    });
}
namespace {
/// The subscriber's executor is the one that awaits, not the one that made the task.
template <class S> task<result<subscription>> watch_from_here(S& s, account_number n, std::shared_ptr<principal const> who, mailbox_id m,
                                                              std::move_only_function<void()> changed)
{
    auto& where_to = base::executor::current();
    auto on_it = [m, &where_to, changed = std::move(changed)](account_core& a, principal const& p) mutable {
        return a.watch(p, m, where_to, std::move(changed));
    };
    co_return co_await on_owner<result<subscription>>(s, n, std::move(who), std::move(on_it));
}
}  // namespace
task<result<subscription>> account_ref::watch(mailbox_id m, std::move_only_function<void()> changed) const
{
    return watch_from_here(*service_->impl_, number_, who_, m, std::move(changed));
}
task<result<pop3_marks>> account_ref::pop3_open(mailbox_id m, std::uint32_t delay_seconds) const
{
    return on_owner<result<pop3_marks>>(*service_->impl_, number_, who_,
                                        [m, delay_seconds](account_core& a, principal const& p) { return a.pop3_open(p, m, delay_seconds); });
}
task<result<void>> account_ref::pop3_fetched(mailbox_id m, std::vector<email_id> which) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_, [m, which = std::move(which)](account_core& a, principal const& p) mutable {
        return a.pop3_fetched(p, m, std::move(which));
    });
}
task<result<std::vector<annotation>>> account_ref::annotations(mailbox_id m) const
{
    return on_owner<result<std::vector<annotation>>>(*service_->impl_, number_, who_, [m](account_core& a, principal const& p) { return a.annotations(p, m); });
}
task<result<void>> account_ref::annotate(mailbox_id m, std::vector<annotation_change> changes, std::optional<special_use> use, std::uint64_t by) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_, [m, changes = std::move(changes), use, by](account_core& a, principal const& p) mutable {
        return a.annotate(p, m, std::move(changes), use, by);
    });
}
task<result<annotation_news>> account_ref::annotation_news_since(std::optional<std::uint64_t> since) const
{
    return on_owner<result<annotation_news>>(*service_->impl_, number_, who_,
                                             [since](account_core& a, principal const& p) { return a.annotation_news(p, since); });
}
task<result<store::quota>> account_ref::get_quota() const
{
    return on_owner<result<store::quota>>(*service_->impl_, number_, who_, [](account_core& a, principal const& p) { return a.get_quota(p); });
}
task<result<void>> account_ref::set_quota(std::uint64_t limit_octets, std::uint64_t limit_messages) const
{
    return on_owner<result<void>>(*service_->impl_, number_, who_,
                                  [limit_octets, limit_messages](account_core& a, principal const& p) { return a.set_quota(p, limit_octets, limit_messages); });
}
task<result<std::vector<acl_entry>>> account_ref::get_acl(mailbox_id m) const
{
    return on_owner<result<std::vector<acl_entry>>>(*service_->impl_, number_, who_, [m](account_core& a, principal const& p) { return a.get_acl(p, m); });
}
task<result<store::rights>> account_ref::my_rights(mailbox_id m) const
{
    return on_owner<result<store::rights>>(*service_->impl_, number_, who_, [m](account_core& a, principal const& p) { return a.my_rights(p, m); });
}
task<result<uid_set>> account_ref::vanished_since(mailbox_id m, mod_seq since) const
{
    return on_owner<result<uid_set>>(*service_->impl_, number_, who_,
                                     [m, since](account_core& a, principal const& p) { return a.vanished_since(p, m, since); });
}

}  // namespace mansio::store
