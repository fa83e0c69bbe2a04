// The queue and the commit of one account: check, reserve, commit, apply, tell, reply.
#include "store/account_core.hpp"

#include "base/log.hpp"

namespace mansio::store {
namespace {

constexpr std::size_t most_waiting = 10'000;
constexpr std::size_t most_in_batch = 256;
constexpr unsigned most_tries = 3;
constexpr std::uint64_t records_most = 32U << 20U;  ///< octets of records one account keeps, and not more than a fourth of all that is cached

std::unexpected<fault> not_now(std::string detail) { return fail(fault::kind::try_later, "the server cannot do that now, try again later", std::move(detail)); }

struct wait_turn {
    std::deque<operation*>& queue;
    operation& op;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h)
    {
        op.waiter = h;
        queue.push_back(&op);
    }
    void await_resume() const noexcept {}
};

}  // namespace

/// Lives as long as the account; the callback lives with its subscription, on the subscriber's executor.
struct account_core::watcher {
    mailbox_id mailbox = 0;
    base::executor* where_to = nullptr;
    std::weak_ptr<holder_of_watch> held;
    std::atomic<bool> pending{false};
};
struct account_core::holder_of_watch {
    std::move_only_function<void()> changed;
};

std::unexpected<fault> no_such_mailbox() { return fail(fault::kind::not_found, "no such mailbox"); }
std::unexpected<fault> no_right() { return fail(fault::kind::refused, "you have no right to do that", "noperm"); }

account_core::account_core(account_services& s, base::task_group& background, account_number n)
    : services_(s),
      background_(background),
      number_(n),
      records_(std::min(records_most, s.options.cache_octets / 4))
{
    where_.kind = partition_kind::account;
    where_.number = n;
}

account_core::~account_core()
{
    MANSIO_ASSERT(waiting_.empty());
    services_.cached_octets -= counted_octets_;
}

mailbox_state const* account_core::find(mailbox_id m) const
{
    auto const it = mailboxes_.find(m);
    return it == mailboxes_.end() ? nullptr : &it->second;
}

mailbox_state const* account_core::find(std::string_view name) const
{
    auto const it = names_.find(name);
    return it == names_.end() ? nullptr : find(it->second);
}

task<result<void>> account_core::submit(operation& op)
{
    // Bounded: whoever floods an account is told to come back, and nothing grows.
    if (waiting_.size() >= most_waiting) co_return not_now("too many calls wait for this account");
    services_.operations.add();
    start_writer();
    co_await wait_turn{waiting_, op};
    co_return std::move(op.outcome);
}

task<result<void>> account_core::ready()
{
    if (loaded_) co_return result<void>{};
    operation op;
    co_return co_await submit(op);
}

void account_core::expect()
{
    if (loaded_ || writing_) return;
    expected_ = true;
    start_writer();
}

void account_core::start_writer()
{
    if (writing_) return;
    writing_ = true;
    background_.spawn(write());
}

task<void> account_core::write()
{
    auto const self = shared_from_this();
    // A load that fails is logged, and tried again by whoever asks.
    if (std::exchange(expected_, false) && !loaded_) static_cast<void>(co_await load());
    while (true) {
        if (!late_.empty()) co_await load_late();
        if (waiting_.empty()) {
            bool const worked = co_await maintain();
            if (!worked && waiting_.empty() && late_.empty()) break;
            continue;
        }
        // Folding must not be put off for ever by an account that is never quiet.
        for (auto const m : std::set<mailbox_id>{fold_wanted_}) {
            auto const* const s = find(m);
            if (s != nullptr && s->tally.log_rows > std::uint64_t{services_.options.fold_rows} * 4) static_cast<void>(co_await fold(m));
        }
        co_await run(take());
    }
    writing_ = false;
    written_.notify_all();
}

std::vector<operation*> account_core::take()
{
    std::vector<operation*> ops;
    while (!waiting_.empty() && ops.size() < most_in_batch) {
        auto* const op = waiting_.front();
        if (op->alone && !ops.empty()) break;
        waiting_.pop_front();
        ops.push_back(op);
        if (op->alone) break;
    }
    return ops;
}

void account_core::finish(std::vector<operation*> const& ops)
{
    account_memory();
    // Posted, not resumed here: the next commit starts before the callers go on.
    for (auto* const op : ops) base::executor::current().post([h = op->waiter] { h.resume(); });
}

task<void> account_core::run(std::vector<operation*> ops)
{
    for (unsigned attempt = 1;; ++attempt) {
        if (!loaded_) {
            auto const ok = co_await load();
            if (!ok) {
                for (auto* const op : ops) op->outcome = ok;
                finish(ops);
                co_return;
            }
        }
        for (auto* const op : ops)
            for (auto const m : op->needs) co_await load_index(m);
        account_batch batch{*this};
        std::vector<operation*> in;
        std::size_t taken = 0;
        bool spoilt = false;
        for (auto* const op : ops) {
            if (taken != 0 && batch.full()) break;
            ++taken;
            op->outcome = {};
            if (op->prepare) op->outcome = co_await op->prepare(batch);
            if (op->outcome) {
                in.push_back(op);
                batch.note = in.size() == 1 || batch.note == op->note ? op->note : "several";
            } else if (op->outcome.error().what == fault::kind::broken && !batch.empty()) {
                // It may have stopped half-way: nothing of this batch can be used. The others are prepared again without it.
                spoilt = true;
                std::vector<operation*> others = ops;
                std::erase(others, op);
                finish({op});
                ops = std::move(others);
                break;
            }
        }
        if (spoilt) {
            burn(batch);
            if (ops.empty()) co_return;
            --attempt;  // one operation less each time: this ends
            continue;
        }
        waiting_.insert(waiting_.begin(), ops.begin() + static_cast<std::ptrdiff_t>(taken), ops.end());
        ops.resize(taken);
        if (batch.empty()) {
            finish(ops);
            co_return;
        }
        auto const done = co_await commit(batch);
        if (done) {
            apply(batch, *done);
            failing_ = false;
            finish(ops);
            co_return;
        }
        burn(batch);
        auto const& why = done.error();
        // Without room nothing was applied and what we know stays true; after anything else only the rows know.
        if (why.what != fault::kind::over_limit) drop_state();
        if (why.what == fault::kind::conflict && attempt < most_tries) continue;
        if (why.what == fault::kind::conflict && ops.size() > 1) {
            // One of them asks for something that cannot be (a blob that is gone): it must not take the others with it.
            for (auto* const op : ops) co_await run({op});
            co_return;
        }
        services_.log.warning("commit_failed", {{"account", number_}, {"fault", why}});
        for (auto* const op : in) op->outcome = std::unexpected(why);
        finish(ops);
        co_return;
    }
}

task<result<version>> account_core::commit(account_batch& b)
{
    auto c = b.finish();
    c.note = b.note;
    auto const id = c.id;
    services_.commits.add();
    auto done = co_await services_.storage.commit(std::move(c));
    if (done) co_return done;
    if (done.error().what != fault::kind::conflict && done.error().what != fault::kind::timeout) co_return done;
    // The acknowledgement may be what was lost: the change id tells.
    auto const as = co_await services_.storage.committed_as(where_, id);
    if (!as) co_return fail(as);
    if (*as) co_return **as;
    if (done.error().what == fault::kind::timeout) co_return not_now("a commit timed out: " + done.error().detail);
    co_return done;
}

task<result<void>> account_core::commit_alone(account_batch& b)
{
    auto const done = co_await commit(b);
    if (done) {
        apply(b, *done);
        account_memory();
        co_return result<void>{};
    }
    burn(b);
    if (done.error().what != fault::kind::over_limit) drop_state();
    co_return fail(done);
}

void account_core::apply(account_batch& b, version v)
{
    version_ = v;
    head_ = b.head;
    exists_ = head_.stage == rows::account_stage::live;
    bool structure = b.renamed_;
    std::vector<mailbox_id> told;
    for (auto& [m, e] : b.edited_) {
        structure = structure || e.structure;
        structure = structure || e.told;
        if (e.structure || e.people || e.told || !e.log.actions.empty()) told.push_back(m);
        if (e.removed) {
            forget_mailbox(m);
            continue;
        }
        if (e.structure && !b.renamed_) names_.insert_or_assign(e.state.name, m);
        auto& s = mailboxes_[m];
        e.state.index_octets = s.index_octets;
        s = std::move(e.state);
        set_index(s, std::move(e.columns));
        s.view = nullptr;
        recent_.try_emplace(m, 1);
        if (auto const floor = uid_floor_.find(m); floor != uid_floor_.end() && floor->second <= s.tally.uid_next) uid_floor_.erase(floor);
        if (wants_fold(s)) fold_wanted_.insert(m);
    }
    if (b.renamed_) rebuild_names();
    apply_intents(b);
    for (auto const e : b.gone_) records_.forget(e);
    for (auto& f : b.afterwards_) f();
    for (auto const m : told) tell(m);
    if (structure || b.types_ != static_cast<std::uint8_t>(1U << static_cast<unsigned>(rows::data_type::emails))) tell(0);
}

void account_core::forget_mailbox(mailbox_id m)
{
    auto const it = mailboxes_.find(m);
    if (it == mailboxes_.end()) return;
    index_octets_ -= it->second.index_octets;
    names_.erase(it->second.name);
    mailboxes_.erase(it);
    uid_floor_.erase(m);
    recent_.erase(m);
    fold_wanted_.erase(m);
    lose_late(m);
}

void account_core::apply_intents(account_batch& b)
{
    for (auto const op : b.ended_) intents_.erase(op);
    for (auto& [op, i] : b.intents_) {
        auto& open = intents_[op];
        open.what = std::move(i.first);
        open.active = i.second;
    }
}

void account_core::set_index(mailbox_state& s, std::shared_ptr<mailbox_columns const> index)
{
    index_octets_ -= s.index_octets;
    s.index = std::move(index);
    s.index_octets = s.index ? s.index->octets() : 0;
    index_octets_ += s.index_octets;
}

void account_core::burn(account_batch const& b)
{
    floor_.counter = std::max(floor_.counter, b.head.counter);
    floor_.next_mailbox = std::max(floor_.next_mailbox, b.head.next_mailbox);
    floor_.next_email = std::max(floor_.next_email, b.head.next_email);
    floor_.last_uid_validity = std::max(floor_.last_uid_validity, b.head.last_uid_validity);
    for (auto const& [m, e] : b.edited_) {
        if (e.structure) continue;  // a mailbox's number itself is not used again
        auto& floor = uid_floor_[m];
        floor = std::max(floor, e.state.tally.uid_next);
    }
}

/// Forgets everything that rows tell; it is read again at the next use. Watchers, \Recent and the burnt numbers stay.
void account_core::drop_state()
{
    loaded_ = false;
    mailboxes_.clear();
    while (!late_.empty()) lose_late(late_.begin()->first);
    index_octets_ = 0;
    names_.clear();
    subscriptions_.clear();
    sharers_.clear();
    annotations_.reset();
    // Calls that work on an intent find out by their own next step, which fails or goes on; the background waits for them.
    std::erase_if(intents_, [](auto const& i) { return !i.second.active; });
    records_.clear();
    drop_derived();
    account_memory();
}

void account_core::tell(mailbox_id m)
{
    std::erase_if(watchers_, [](auto const& w) { return w->held.expired(); });
    for (auto const& w : watchers_) {
        if (w->mailbox != m || w->pending.exchange(true)) continue;
        w->where_to->post([w] {
            w->pending = false;
            if (auto const held = w->held.lock()) held->changed();
        });
    }
}

task<result<subscription>> account_core::watch(principal const& who, mailbox_id m, base::executor& where_to, std::move_only_function<void()> changed)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    if (m != 0 && m != all_annotations) {
        auto const allowed = admit(who, find(m), only(right::lookup));
        if (!allowed) co_return fail(allowed);
    } else if (!exists_ && !guest(who)) {
        co_return no_such_mailbox();
    }
    std::erase_if(watchers_, [](auto const& w) { return w->held.expired(); });
    auto held = std::make_shared<holder_of_watch>();
    held->changed = std::move(changed);
    auto w = std::make_shared<watcher>();
    w->mailbox = m;
    w->where_to = &where_to;
    w->held = held;
    watchers_.push_back(std::move(w));
    co_return subscription{std::move(held)};
}

void account_core::account_memory()
{
    constexpr std::uint64_t per_mailbox = 600;  // what its rows take, about
    auto const now = static_cast<std::int64_t>(sizeof *this + records_.octets() + index_octets_ + derived_octets_ + per_mailbox * mailboxes_.size() +
                                               (annotations_ ? annotation_octets_ : 0));
    services_.cached_octets += now - counted_octets_;
    counted_octets_ = now;
    services_.cached.set(services_.cached_octets);
}

std::uint64_t account_core::shed()
{
    auto const before = counted_octets_;
    for (auto& [m, s] : mailboxes_) {
        bool watched = false;
        for (auto const& w : watchers_) watched = watched || (w->mailbox == m && !w->held.expired());
        // Held elsewhere means that a session reads it: letting go of ours would free nothing.
        if (writing_ || watched || !s.index || (s.view && s.view.use_count() > 1)) continue;
        s.view = nullptr;
        set_index(s, nullptr);
        s.pages = nullptr;
    }
    records_.clear();
    if (!writing_) annotations_.reset();
    drop_derived();
    account_memory();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, before - counted_octets_));
}

bool account_core::idle() const
{
    bool const watched = std::any_of(watchers_.begin(), watchers_.end(), [](auto const& w) { return !w->held.expired(); });
    // A failed commit's numbers must not be forgotten while its fate may still be open.
    return !writing_ && waiting_.empty() && !watched && uid_floor_.empty() && floor_.counter <= head_.counter && intents_.empty();
}

task<void> account_core::close()
{
    closing_ = true;
    while (writing_) co_await written_.wait();
    if (!loaded_ || !exists_) co_return;
    for (auto const& [m, s] : std::map<mailbox_id, mailbox_state>{mailboxes_}) {
        if (!s.index || !s.damage.empty() || s.tally.log_rows < services_.options.fold_rows / 4) continue;
        static_cast<void>(co_await fold(m));
        if (!loaded_) co_return;
    }
}

}  // namespace mansio::store
