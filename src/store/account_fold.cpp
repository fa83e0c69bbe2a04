// The background of one account, between its commits: folding logs into pages, working off intents, sweeping what has expired.
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_uids.hpp"

namespace mansio::store {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t log_octets_least = 64U << 10U;
constexpr std::uint64_t octets_of_entry = 40;               ///< of pages, about
constexpr std::size_t tombstones_of_page = 8192;
constexpr std::int64_t year_seconds = 366LL * 24 * 3600;
constexpr std::int64_t month_seconds = 30LL * 24 * 3600;
constexpr std::uint64_t history_least = 100'000;
constexpr std::size_t release_slice = 200;
constexpr std::size_t sweep_slice = 1000;
constexpr auto sweep_first = 5min;
constexpr auto sweep_every = 24h;

std::vector<page_id> pages_of(rows::log_row const& l)
{
    std::vector<page_id> out;
    for (auto const& a : l.actions)
        for (auto const& p : a.pages) out.push_back(p.first);
    return out;
}

}  // namespace

bool account_core::wants_fold(mailbox_state const& m) const
{
    if (!m.damage.empty()) return false;
    auto const pages = m.tally.messages * octets_of_entry;
    return m.tally.log_rows > services_.options.fold_rows || m.tally.log_octets > std::max(log_octets_least, pages / 4);
}

task<bool> account_core::maintain()
{
    if (!loaded_ || !exists_ || closing_ || failing_) co_return false;
    auto const next = std::find_if(intents_.begin(), intents_.end(), [](auto const& i) { return !i.second.active; });
    result<void> done;
    if (next != intents_.end()) {
        done = co_await work_off(next->first);
    } else if (!fold_wanted_.empty()) {
        done = co_await fold(*fold_wanted_.begin());
    } else {
        auto const now = base::executor::current().clock().monotonic();
        if (sweep_due_ == base::monotonic_time{}) sweep_due_ = now + sweep_first;
        if (now < sweep_due_ && !sweeping_) co_return false;
        done = co_await sweep();
        sweep_due_ = now + sweep_every;
    }
    if (!done) {
        // Tried again after the next change that succeeds: a store that cannot write is not asked in a circle.
        failing_ = true;
        services_.log.warning("account_background_failed", {{"account", number_}, {"fault", done.error()}});
    }
    co_await base::yield_now{};
    co_return true;
}

/// Writes what changed since the last fold; pages whose entries are the same are named again.
task<result<void>> account_core::fold_pages(account_batch& b, mailbox_id m, rows::page_table& table)
{
    auto const* const columns = b.look(m);
    auto const most = services_.options.page_entries;
    std::vector<rows::page_part> out;
    std::vector<message_entry> open;
    auto const newest_of = [](std::vector<message_entry> const& entries) {
        mod_seq newest = 0;
        for (auto const& e : entries) newest = std::max(newest, e.modseq);
        return newest;
    };
    std::uint32_t position = 0;
    for (std::size_t i = 0; i <= table.pages.size(); ++i) {
        bool const rest = i == table.pages.size();
        auto const end = rest ? columns->size() : columns->positions({table.pages[i].first, table.pages[i].last}).second;
        auto const count = end - position;
        bool const is_last = i + 1 == table.pages.size();
        bool const grows = is_last && end < columns->size();
        // Small pages are gathered, so that a mailbox never ends as many of them.
        bool const same = !rest && count == table.pages[i].entries && !(grows && count < most) && count >= most / 8;
        auto const newest = same ? columns->newest_in(position, end, table.pages[i].newest) : 0;
        std::vector<message_entry> entries;
        if (!same || newest != table.pages[i].newest)
            for (auto p = position; p < end; ++p) entries.push_back(columns->at(p));
        position = end;
        co_await base::yield_now{};
        if (!same) {
            if (!rest) {
                b.drop_page(table.pages[i].statics);
                b.drop_page(table.pages[i].flags);
            }
            open.insert(open.end(), std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end()));
        }
        // Gathered entries are written when a page is full, and before one that stays.
        while (!open.empty() && (same || rest || open.size() >= most)) {
            auto const n = std::min<std::size_t>(open.size(), most);
            std::vector<message_entry> const some{open.begin(), open.begin() + static_cast<std::ptrdiff_t>(n)};
            open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(n));
            auto const statics = co_await b.put_page(rows::encode_static_page(m, some));
            if (!statics) co_return fail(statics);
            auto const flags = co_await b.put_page(rows::encode_flag_page(m, some));
            if (!flags) co_return fail(flags);
            rows::page_part p;
            p.statics = *statics;
            p.flags = *flags;
            p.entries = static_cast<std::uint32_t>(n);
            p.first = some.front().uid;
            p.last = some.back().uid;
            p.newest = newest_of(some);
            out.push_back(p);
            co_await base::yield_now{};
        }
        if (!same) continue;
        auto p = table.pages[i];
        if (newest != p.newest) {
            b.drop_page(p.flags);
            auto const flags = co_await b.put_page(rows::encode_flag_page(m, entries));
            if (!flags) co_return fail(flags);
            p.flags = *flags;
            p.newest = newest;
        }
        out.push_back(p);
    }
    table.pages = std::move(out);
    co_return result<void>{};
}

task<result<std::vector<rows::tombstone>>> account_core::tombstones_in(rows::log_row const& l)
{
    std::vector<rows::tombstone> out;
    for (auto const& a : l.actions) {
        uid_set which;
        if (a.what == rows::log_action::kind::expunge) {
            which = a.which;
        } else if (a.what == rows::log_action::kind::expunge_page) {
            auto const page = co_await services_.storage.get_page(where_, a.pages.at(0).first);
            if (!page) co_return fail(page);
            auto set = rows::decode_set_page(*page);
            if (!set) co_return fail(set);
            which = std::move(*set);
        }
        for (auto const& range : which) out.push_back(rows::tombstone{.first = range.first, .last = range.second, .when = l.when});
    }
    co_return out;
}

/// The log's expunges go into tombstone pages, its rows and their pages go.
task<result<void>> account_core::fold_tombstones(account_batch& b, mailbox_id m, rows::page_table& table, mod_seq& through)
{
    auto const log = co_await scan_all(keys::log_of(m));
    if (!log) co_return fail(log);
    std::vector<rows::tombstone> fresh;
    for (auto const& r : *log) {
        auto const l = rows::decode_log_row(r.value);
        if (!l) co_return fail(l);
        auto const some = co_await tombstones_in(*l);
        if (!some) co_return fail(some);
        fresh.insert(fresh.end(), some->begin(), some->end());
        for (auto const& p : pages_of(*l)) b.drop_page(p);
        b.erase(r.key);
        through = std::max(through, l->when);
    }
    while (!table.tombstones.empty() && table.tombstones.front().written < b.wall - year_seconds) {
        table.lost_through = std::max(table.lost_through, table.tombstones.front().newest);
        b.drop_page(table.tombstones.front().page);
        table.tombstones.erase(table.tombstones.begin());
    }
    if (fresh.empty()) co_return result<void>{};
    if (!table.tombstones.empty() && table.tombstones.back().ranges + fresh.size() <= tombstones_of_page) {
        auto const page = co_await services_.storage.get_page(where_, table.tombstones.back().page);
        if (!page) co_return fail(page);
        auto known = rows::decode_tombstone_page(*page, m);
        if (!known) co_return fail(known);
        known->insert(known->end(), fresh.begin(), fresh.end());
        fresh = std::move(*known);
        b.drop_page(table.tombstones.back().page);
        table.tombstones.pop_back();
    }
    for (std::size_t from = 0; from < fresh.size(); from += tombstones_of_page) {
        auto const to = std::min(from + tombstones_of_page, fresh.size());
        std::vector<rows::tombstone> const some{fresh.begin() + static_cast<std::ptrdiff_t>(from), fresh.begin() + static_cast<std::ptrdiff_t>(to)};
        auto const page = co_await b.put_page(rows::encode_tombstone_page(m, some));
        if (!page) co_return fail(page);
        rows::tombstone_part part;
        part.page = *page;
        part.ranges = static_cast<std::uint32_t>(some.size());
        part.newest = some.back().when;
        part.written = b.wall;
        table.tombstones.push_back(part);
    }
    co_return result<void>{};
}

task<result<void>> account_core::fold(mailbox_id m)
{
    fold_wanted_.erase(m);
    co_await load_index(m);
    auto const* const s = find(m);
    if (s == nullptr || !s->index) co_return result<void>{};  // gone, or damaged: the log of what is known stays as it is
    services_.folds.add();
    account_batch b{*this};
    b.note = "fold";
    auto table = *s->pages;
    table.mailbox = m;
    auto through = s->tally.folded;
    auto const buried = co_await fold_tombstones(b, m, table, through);
    if (!buried) co_return fail(buried);
    auto const paged = co_await fold_pages(b, m, table);
    if (!paged) co_return fail(paged);
    b.put(keys::page_table(m), rows::encode(table));
    auto& state = b.edit(m);
    state.tally.folded = through;
    state.tally.log_rows = 0;
    state.tally.log_octets = 0;
    state.pages = std::make_shared<rows::page_table const>(std::move(table));
    co_return co_await commit_alone(b);
}

task<result<void>> account_core::work_off(std::uint64_t op)
{
    if (intents_.at(op).what.what == rows::intent::kind::leaving) co_return co_await settle_leaving(op);
    auto const& open = intents_.at(op);
    if (!open.list) {
        auto all = co_await list_of(open.what);
        if (!all) co_return fail(all);
        intents_.at(op).list = std::make_shared<std::vector<email_id> const>(std::move(*all));
    }
    auto const list = intents_.at(op).list;
    auto i = intents_.at(op).what;
    account_batch b{*this};
    b.note = "release";
    bool const forward = i.what == rows::intent::kind::release;
    i.done = std::min<std::uint64_t>(i.done, list->size());
    for (std::size_t n = 0; n < release_slice && (forward ? i.done < list->size() : i.done > 0); ++n) {
        auto const at = forward ? i.done++ : --i.done;
        auto const freed = co_await release_now(b, i.mailbox, (*list)[static_cast<std::size_t>(at)]);
        if (!freed) co_return fail(freed);
    }
    if (forward ? i.done == list->size() : i.done == 0) {
        end_list(b, op);
    } else {
        b.put_intent(op, std::move(i), false);
    }
    co_return co_await commit_alone(b);
}

/// One step of what is due daily: pages nobody names, history and deliveries that are old enough.
task<result<void>> account_core::sweep()
{
    if (!sweeping_) {
        sweeping_ = true;
        sweep_from_ = "D";
        auto const pages = co_await sweep_pages();
        if (!pages) {
            sweeping_ = false;
            co_return fail(pages);
        }
        co_return result<void>{};
    }
    auto const more_history = co_await sweep_history();
    if (!more_history) co_return fail(more_history);
    auto const more_deliveries = co_await sweep_deliveries();
    if (!more_deliveries) co_return fail(more_deliveries);
    sweeping_ = *more_history || *more_deliveries;
    co_return result<void>{};
}

task<result<void>> account_core::sweep_pages()
{
    auto const there = co_await services_.storage.list_pages(where_);
    if (!there) co_return fail(there);
    if (there->empty()) co_return result<void>{};
    std::set<page_id> named;
    auto const tables = co_await scan_all("G");
    if (!tables) co_return fail(tables);
    for (auto const& r : *tables) {
        auto const table = rows::decode_page_table(r.value);
        if (!table) co_return fail(table);  // what cannot be read may name any page: nothing is removed
        for (auto const& p : table->pages) {
            named.insert(p.statics);
            named.insert(p.flags);
        }
        for (auto const& t : table->tombstones) named.insert(t.page);
    }
    auto const logs = co_await scan_all("L");
    if (!logs) co_return fail(logs);
    for (auto const& r : *logs) {
        auto const l = rows::decode_log_row(r.value);
        if (!l) co_return fail(l);
        for (auto const& p : pages_of(*l)) named.insert(p);
    }
    auto const intents = co_await scan_all("X");
    if (!intents) co_return fail(intents);
    for (auto const& r : *intents) {
        auto const i = rows::decode_intent(r.value);
        if (!i) co_return fail(i);
        named.insert(i->pages.begin(), i->pages.end());
    }
    auto const people = co_await scan_all("P");
    if (!people) co_return fail(people);
    for (auto const& r : *people) {
        auto const marks = rows::decode_seen_marks(r.value);
        if (!marks) co_return fail(marks);
        named.insert(marks->pages.begin(), marks->pages.end());
    }
    auto const emails = co_await scan_all("Z");
    if (!emails) co_return fail(emails);
    for (auto const& r : *emails)
        if (auto const id = page_id::from_octets(std::string_view{r.key}.substr(1))) named.insert(*id);
    account_batch b{*this};
    b.note = "sweep";
    std::size_t unnamed = 0;
    for (auto const& p : *there) {
        if (named.contains(p)) continue;
        b.drop_page(p);
        ++unnamed;
    }
    if (unnamed == 0) co_return result<void>{};
    services_.log.info("pages_swept", {{"account", number_}, {"pages", std::uint64_t{unnamed}}});
    co_return co_await commit_alone(b);
}

task<result<bool>> account_core::sweep_history()
{
    if (head_.counter < history_least) co_return false;
    key_range range;
    range.from = keys::history(head_.oldest_history);
    range.to = keys::history(head_.counter - history_least);
    if (range.from >= range.to) co_return false;
    auto const old = co_await services_.storage.scan(where_, range, sweep_slice);
    if (!old) co_return fail(old);
    account_batch b{*this};
    b.note = "sweep";
    std::size_t n = 0;
    for (auto const& r : *old) {
        auto const h = rows::decode_history(r.value);
        if (h && h->wall >= b.wall - month_seconds) break;
        std::uint64_t counter = 0;
        std::string_view rest;
        if (!keys::parse_be64(r.key, counter, rest)) break;
        b.head.oldest_history = counter + 1;
        b.erase(r.key);
        ++n;
    }
    if (n == 0) co_return false;
    auto const done = co_await commit_alone(b);
    if (!done) co_return fail(done);
    co_return n == sweep_slice;
}

task<result<bool>> account_core::sweep_deliveries()
{
    if (sweep_from_.empty()) co_return false;
    key_range range;
    range.from = sweep_from_;
    range.to = key_range::prefix("D").to;
    auto const some = co_await services_.storage.scan(where_, range, sweep_slice);
    if (!some) co_return fail(some);
    account_batch b{*this};
    b.note = "sweep";
    std::size_t n = 0;
    for (auto const& r : *some) {
        auto const d = rows::decode_delivered(r.value);
        // A damaged row answers `broken` to its delivery for ever; without it the delivery is repeated once at most.
        if (d && d->wall >= b.wall - month_seconds) continue;
        b.erase(r.key);
        ++n;
    }
    bool const more = some->size() == sweep_slice;
    sweep_from_ = more ? some->back().key + '\0' : std::string{};
    if (n != 0) {
        auto const done = co_await commit_alone(b);
        if (!done) co_return fail(done);
    }
    co_return more;
}

task<result<uid_set>> account_core::vanished_since(principal const& who, mailbox_id m, mod_seq since)
{
    uid_set out;
    auto const ask = [](account_core& a, account_batch& b, principal const& asker, mailbox_id box, mod_seq from, uid_set& into) -> task<result<void>> {
        into.clear();
        auto const* const s = b.find(box);
        auto const allowed = a.admit(asker, s, only(right::read));
        if (!allowed) co_return fail(allowed);
        if (!s->index) co_return rows::damaged(s->index_damage);
        if (from < s->pages->lost_through) {
            // RFC 7162 §3.2.5.2 allows more UIDs than needed: every one that is not there.
            store::uid next = 1;
            for (std::uint32_t p = 0; p < s->index->size(); ++p) {
                auto const u = s->index->uid_at(p);
                if (u > next) into.emplace_back(next, u - 1);
                next = u + 1;
            }
            if (s->tally.uid_next > next) into.emplace_back(next, s->tally.uid_next - 1);
            co_return result<void>{};
        }
        for (auto const& t : s->pages->tombstones) {
            if (t.newest <= from) continue;
            auto const page = co_await a.services_.storage.get_page(a.where_, t.page);
            if (!page) co_return fail(page);
            auto const all = rows::decode_tombstone_page(*page, box);
            if (!all) co_return fail(all);
            for (auto const& one : *all)
                if (one.when > from) into.emplace_back(one.first, one.last);
        }
        auto const log = co_await a.scan_all(keys::log_of(box));
        if (!log) co_return fail(log);
        for (auto const& r : *log) {
            auto const l = rows::decode_log_row(r.value);
            if (!l) co_return fail(l);
            if (l->when <= from) continue;
            auto const some = co_await a.tombstones_in(*l);
            if (!some) co_return fail(some);
            for (auto const& one : *some) into.emplace_back(one.first, one.last);
        }
        into = normalized(std::move(into));
        co_return result<void>{};
    };
    operation op;
    op.alone = true;  // it reads what is committed: nobody's pending work may stand before it
    op.needs.push_back(m);
    op.prepare = [&](account_batch& b) { return ask(*this, b, who, m, since, out); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return out;
}

/// Everything goes, in slices; the head last, so that a crash finds the account still marked and goes on.
task<result<void>> account_core::remove_slices()
{
    auto const commit_rows = [](account_core& a, change c) -> task<result<void>> {
        c.where = a.where_;
        c.id = change_id::make(a.services_.random);
        c.expected = a.version_;
        c.note = "remove account";
        auto const id = c.id;
        auto const done = co_await a.services_.storage.commit(std::move(c));
        if (done) {
            a.version_ = *done;
            co_return result<void>{};
        }
        auto const as = co_await a.services_.storage.committed_as(a.where_, id);
        if (!as || !*as) co_return fail(done);
        a.version_ = **as;
        co_return result<void>{};
    };
    while (true) {
        auto const emails = co_await services_.storage.scan(where_, key_range::prefix("E"), release_slice);
        if (!emails) co_return fail(emails);
        if (emails->empty()) break;
        change c;
        for (auto const& r : *emails) {
            c.rows.push_back(row_change{r.key, std::nullopt});
            std::uint64_t e = 0;
            std::string_view rest;
            if (!keys::parse_be64(r.key, e, rest)) continue;
            auto const record = co_await read_email(e, r.value);
            if (!record) continue;
            blob_change drop;
            drop.blob = (*record)->blob();
            drop.who = holder{.where = where_, .name = keys::holder_name(e)};
            c.drop_holders.push_back(std::move(drop));
        }
        auto const done = co_await commit_rows(*this, std::move(c));
        if (!done) co_return fail(done);
    }
    for (bool last = false; !last;) {
        key_range range;
        range.from = std::string{};
        auto const some = co_await services_.storage.scan(where_, range, sweep_slice);
        if (!some) co_return fail(some);
        last = some->size() < sweep_slice;
        change c;
        for (auto const& r : *some)
            if (last || r.key != keys::head()) c.rows.push_back(row_change{r.key, std::nullopt});
        if (last) {
            auto const pages = co_await services_.storage.list_pages(where_);
            if (!pages) co_return fail(pages);
            c.drop_pages = *pages;
        }
        auto const done = co_await commit_rows(*this, std::move(c));
        if (!done) co_return fail(done);
    }
    co_return result<void>{};
}

task<result<void>> account_core::remove_all()
{
    operation mark;
    mark.alone = true;
    auto const prepare_mark = [](account_core& a, account_batch& b) -> task<result<void>> {
        if (!a.exists_) co_return result<void>{};
        b.head.stage = rows::account_stage::removing;
        b.restructure_all();
        b.afterwards([&a] {
            for (auto const& [m, s] : a.mailboxes_) a.tell(m);
            a.drop_state();
        });
        co_return result<void>{};
    };
    mark.prepare = [&](account_batch& b) { return prepare_mark(*this, b); };
    auto const marked = co_await submit(mark);
    if (!marked) co_return fail(marked);
    operation rest;
    rest.alone = true;
    // It makes its own commits and leaves the batch empty: while it runs, it is the account's only writer.
    auto const sweep_away = [](account_core& a) -> task<result<void>> {
        if (a.exists_ || a.head_.stage != rows::account_stage::removing) co_return result<void>{};
        auto const done = co_await a.remove_slices();
        a.drop_state();
        co_return done;
    };
    rest.prepare = [&](account_batch&) { return sweep_away(*this); };
    co_return co_await submit(rest);
}

}  // namespace mansio::store
