#include <algorithm>
#include <array>
#include <chrono>

#include "base/bytes.hpp"
#include "deliver/deliver.hpp"
#include "mime/build.hpp"

namespace mansio::deliver {
namespace {

constexpr std::size_t largest_prefix = 16U * 1024U;

/// What the steps work on.
struct job {
    delivery what;
    store::account_ref account;
    store::mailbox_id mailbox = 0;
    std::string mailbox_name;
    std::string prefix;
    bool already = false;
};

/// "+detail" names a mailbox, letter case ignored; one that does not exist, or cannot be a name, is INBOX.
task<result<void>> place(local_delivery::options const& set, job& j)
{
    if (set.detail_mailboxes && !j.what.detail.empty()) {
        auto const all = co_await j.account.list_mailboxes();
        if (!all) co_return fail(all);
        auto const exact = std::ranges::find(*all, j.what.detail, &store::mailbox_info::name);
        auto const found =
            exact != all->end() ? exact : std::ranges::find_if(*all, [&](auto const& m) { return base::equal_ignoring_case(m.name, j.what.detail); });
        if (found != all->end()) {
            j.mailbox = found->id;
            j.mailbox_name = found->name;
            co_return result<void>{};
        }
    }
    auto const inbox = co_await j.account.find_mailbox("INBOX");
    if (!inbox) co_return fail(inbox);
    j.mailbox = inbox->id;
    j.mailbox_name = inbox->name;
    co_return result<void>{};
}

/// The recipient's own fields, before the octets that all recipients share (RFC 5321 §4.4: Return-Path first, by whom makes the final delivery).
task<result<void>> prefix(local_delivery::options const&, job& j)
{
    auto const from = mime::make_field("Return-Path", "<" + j.what.sender + ">");
    if (!from) co_return fail(from);
    auto const to = mime::make_field("Delivered-To", j.what.address);
    if (!to) co_return fail(to);
    j.prefix = *from + *to + j.what.trace;
    if (j.prefix.size() > largest_prefix) co_return fail(fault::kind::broken, "internal error", "prefix over 16 KiB");
    co_return result<void>{};
}

/// Our own Delivered-To for this account: it was here, left, and came back (trust.md R3).
task<result<void>> loop(local_delivery::options const&, job& j)
{
    if (j.what.fresh) co_return result<void>{};
    for (auto const& [name, body] : j.what.summary->fields)
        if (base::equal_ignoring_case(name, "Delivered-To") && base::equal_ignoring_case(base::trim_blanks(body), j.what.address))
            co_return fail(fault::kind::refused, "the message was delivered here before: it is in a loop", "5.4.6");
    co_return result<void>{};
}

/// Quota, the delivery id and the synced write are one call of the account's owner.
task<result<void>> commit(local_delivery::options const&, job& j)
{
    store::new_message m;
    m.prefix = std::move(j.prefix);
    m.blob = j.what.blob;
    m.stored = j.what.stored;
    m.summary = j.what.summary;
    auto const now = base::executor::current().clock().wall();
    m.internal_date.unix_seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    std::vector<store::new_message> one;
    one.push_back(std::move(m));
    auto const done = co_await j.account.append(j.mailbox, std::move(one), j.what.id);
    if (!done) co_return fail(done);
    j.already = done->already;
    co_return result<void>{};
}

struct step {
    std::string_view name;
    task<result<void>> (*run)(local_delivery::options const&, job&);
};
constexpr std::array steps{step{"place", &place}, step{"prefix", &prefix}, step{"loop", &loop}, step{"commit", &commit}};

}  // namespace

struct local_delivery::impl {
    store::accounts& accounts;
    base::log& log;
    options set;
    base::counter& delivered;
    base::counter& repeated;
    base::counter& refused;
    impl(store::accounts& a, base::log& l, base::metrics& m, options o)
        : accounts(a),
          log(l),
          set(o),
          delivered(m.get_counter("mansio_deliveries_total", "messages delivered to accounts here")),
          repeated(m.get_counter("mansio_deliveries_repeated_total", "deliveries that had been made before and changed nothing")),
          refused(m.get_counter("mansio_deliveries_refused_total", "deliveries that an account did not take"))
    {}
};

local_delivery::local_delivery(store::accounts& a, base::log& log, base::metrics& m) : local_delivery(a, log, m, options{}) {}
local_delivery::local_delivery(store::accounts& a, base::log& log, base::metrics& m, options o) : impl_(std::make_unique<impl>(a, log, m, o)) {}
local_delivery::~local_delivery() = default;

task<result<void>> local_delivery::deliver(delivery d)
{
    MANSIO_ASSERT(d.summary && (d.blob || d.stored));
    job j;
    j.account = impl_->accounts.open(d.account, store::principal::server("delivery"));
    j.what = std::move(d);
    for (auto const& s : steps) {
        auto const done = co_await s.run(impl_->set, j);
        if (done) continue;
        impl_->refused.add();
        impl_->log.info("delivery_refused",
                        {{"delivery", j.what.id}, {"account", j.what.account}, {"address", j.what.address}, {"step", s.name}, {"fault", done.error()}});
        co_return fail(done);
    }
    (j.already ? impl_->repeated : impl_->delivered).add();
    impl_->log.info(
        "delivered",
        {{"delivery", j.what.id}, {"account", j.what.account}, {"address", j.what.address}, {"mailbox", j.mailbox_name}, {"again", j.already ? "yes" : "no"}});
    co_return result<void>{};
}

}  // namespace mansio::deliver
