// An account and its indexes come back from rows and pages: the state is a function of them.
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_uids.hpp"
#include "store/mailbox_views.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t scan_at_once = 1000;
constexpr std::size_t pages_at_once = 8;  ///< decoded before other work gets its turn

/// `all`: the first rows of the range, when they are known.
task<result<std::vector<row>>> scan_range(engine& storage, partition_id where, key_range range, std::vector<row> all = {})
{
    if (!all.empty()) range.from = all.back().key + '\0';
    while (true) {
        auto got = co_await storage.scan(where, range, scan_at_once);
        if (!got) co_return fail(got);
        bool const more = got->size() == scan_at_once;
        if (more) range.from = got->back().key + '\0';
        for (auto& r : *got) all.push_back(std::move(r));
        if (!more) co_return all;
    }
}

}  // namespace

task<result<std::vector<row>>> account_core::scan_all(std::string prefix) { return scan_range(services_.storage, where_, key_range::prefix(prefix)); }

task<result<void>> account_core::load()
{
    services_.loads.add();
    auto const done = co_await load_rows();
    if (!done) {
        drop_state();
        services_.log.error("account_load_failed", {{"account", number_}, {"fault", done.error()}});
        co_return fail(done);
    }
    loaded_ = true;
    account_memory();
    co_return result<void>{};
}

task<result<void>> account_core::load_rows()
{
    // One trip for all of it: M, N, O and P lie together.
    std::vector<key_range> const wanted{key_range::prefix(keys::head()), key_range{"M", "Q"}, key_range::prefix("S"), key_range::prefix("X")};
    auto read = co_await services_.storage.read_ranges(where_, wanted, scan_at_once);
    if (!read) co_return fail(read);
    version_ = read->at;
    mailboxes_.clear();
    index_octets_ = 0;
    names_.clear();
    subscriptions_.clear();
    sharers_.clear();
    annotations_.reset();
    head_ = rows::head{};
    exists_ = false;
    auto const& heads = read->rows[0];
    if (heads.empty() || heads.front().key != keys::head()) co_return result<void>{};  // never made, or removed
    auto const head = rows::decode_head(heads.front().value);
    if (!head) co_return fail(head);
    head_ = *head;
    exists_ = head_.stage == rows::account_stage::live;
    if (!exists_) co_return result<void>{};

    std::map<char, std::vector<row>> of;
    for (std::size_t i = 1; i < wanted.size(); ++i) {
        auto& rows = read->rows[i];
        if (rows.size() == scan_at_once) {
            auto all = co_await scan_range(services_.storage, where_, wanted[i], std::move(rows));
            if (!all) co_return fail(all);
            rows = std::move(*all);
        }
        for (auto& r : rows) of[r.key.front()].push_back(std::move(r));
    }
    take_meta(of['M']);
    take_tallies(of['N']);
    if (!of['P'].empty()) {
        auto const taken = co_await take_people(of['P']);
        if (!taken) co_return fail(taken);
        auto const counts = co_await scan_all("C");
        if (!counts) co_return fail(counts);
        take_seen_counts(*counts);
    }
    rebuild_names();
    for (auto const& r : of['S']) {
        std::uint64_t person = 0;
        std::string_view name;
        if (keys::parse_be64(r.key, person, name) && rows::decode_mark(r.value)) subscriptions_[person].emplace(name);
    }
    for (auto const& r : of['O']) {
        std::uint64_t other = 0;
        std::string_view rest;
        auto const since = rows::decode_sharer(r.value);
        if (since && keys::parse_be64(r.key, other, rest)) sharers_.emplace(other, *since);
        if (!since) services_.log.error("row_damaged", {{"account", number_}, {"fault", since.error()}});
    }
    auto const before = std::exchange(intents_, {});
    for (auto const& r : of['X']) {
        std::uint64_t op = 0;
        std::string_view rest;
        auto i = rows::decode_intent(r.value);
        if (!i) {
            services_.log.error("row_damaged", {{"account", number_}, {"fault", i.error()}});
        } else if (keys::parse_be64(r.key, op, rest)) {
            open_intent open;
            open.what = std::move(*i);
            auto const known = before.find(op);
            open.active = known != before.end() && known->second.active;  // a call still works on it
            intents_.insert_or_assign(op, std::move(open));
        }
    }
    co_return result<void>{};
}

void account_core::take_meta(std::vector<row> const& metas)
{
    for (auto const& r : metas) {
        std::uint32_t id = 0;
        std::string_view rest;
        if (!keys::parse_be32(r.key, id, rest)) continue;
        mailbox_state s;
        auto meta = rows::decode_meta(r.value);
        if (meta && meta->id == id) {
            s.meta = std::make_shared<rows::meta const>(std::move(*meta));
        } else {
            // Quarantined under a name of its own: what is lost must be seen, the rest of the account goes on.
            auto unknown = std::make_shared<rows::meta>();
            unknown->id = id;
            unknown->leaf = "Damaged-" + std::to_string(id);
            s.meta = std::move(unknown);
            s.damage = "M " + std::to_string(id);
            services_.log.error("row_damaged", {{"account", number_}, {"row", s.damage}});
        }
        s.tally.mailbox = id;
        s.damage = s.damage.empty() ? "N " + std::to_string(id) + " is missing" : s.damage;
        mailboxes_.emplace(id, std::move(s));
    }
}

void account_core::take_tallies(std::vector<row> const& tallies)
{
    for (auto const& r : tallies) {
        std::uint32_t id = 0;
        std::string_view rest;
        if (!keys::parse_be32(r.key, id, rest)) continue;
        auto const it = mailboxes_.find(id);
        if (it == mailboxes_.end() || it->second.damage.starts_with("M")) continue;
        auto const tally = rows::decode_tally(r.value);
        if (!tally || tally->mailbox != id) {
            it->second.damage = "N " + std::to_string(id);
            services_.log.error("row_damaged", {{"account", number_}, {"row", it->second.damage}});
            continue;
        }
        it->second.tally = *tally;
        it->second.damage.clear();
        recent_.try_emplace(id, tally->uid_next);
        if (wants_fold(it->second)) fold_wanted_.insert(id);
    }
}

task<result<void>> account_core::take_people(std::vector<row> const& people)
{
    for (auto const& r : people) {
        std::uint32_t id = 0;
        std::string_view rest;
        if (!keys::parse_be32(r.key, id, rest)) continue;
        base::row_reader who{rest};
        auto const person = who.be64();
        if (!who.ok() || !mailboxes_.contains(id)) continue;
        auto marks = rows::decode_seen_marks(r.value);
        for (auto const& p : marks ? marks->pages : std::vector<page_id>{}) {
            auto const page = co_await services_.storage.get_page(where_, p);
            if (!page && page.error().what != fault::kind::not_found) co_return fail(page);
            auto const runs = page ? rows::decode_run_page(*page) : rows::decode_run_page({});
            if (!runs) {
                marks = fail(runs);
                break;
            }
            marks->runs.insert(marks->runs.end(), runs->begin(), runs->end());
        }
        if (!marks) {
            // A guest's read marks: losing them is a nuisance; refusing the mailbox would be worse.
            services_.log.error("row_damaged", {{"account", number_}, {"fault", marks.error()}});
            continue;
        }
        mailboxes_.at(id).people[person] = std::make_shared<rows::seen_marks const>(std::move(*marks));
    }
    co_return result<void>{};
}

void account_core::take_seen_counts(std::vector<row> const& counts)
{
    for (auto const& r : counts) {
        std::uint32_t id = 0;
        std::string_view rest;
        if (!keys::parse_be32(r.key, id, rest)) continue;
        base::row_reader who{rest};
        auto const person = who.be64();
        auto const count = rows::decode_seen_count(r.value);
        auto const it = mailboxes_.find(id);
        if (!who.ok() || !count || it == mailboxes_.end()) continue;
        auto const marks = it->second.people.find(person);
        if (marks == it->second.people.end()) continue;
        auto counted = std::make_shared<rows::seen_marks>(*marks->second);
        counted->seen = *count;
        marks->second = std::move(counted);
    }
}

void account_core::rebuild_names()
{
    names_.clear();
    for (auto& [id, s] : mailboxes_) {
        std::string name = s.meta->leaf;
        auto parent = s.meta->parent;
        // Bounded: damaged rows may name each other as parents.
        for (std::uint64_t level = 0; parent != 0 && level <= services_.limits.mailbox_depth; ++level) {
            auto const it = mailboxes_.find(parent);
            if (it == mailboxes_.end()) break;
            name.insert(0, it->second.meta->leaf + "/");
            parent = it->second.meta->parent;
        }
        s.name = std::move(name);
        names_.insert_or_assign(s.name, id);
    }
}

task<result<std::shared_ptr<rows::page_table const>>> account_core::read_page_table(mailbox_id m)
{
    auto const row = co_await services_.storage.get(where_, keys::page_table(m));
    if (!row) co_return fail(row);
    if (!*row) {
        auto none = std::make_shared<rows::page_table>();
        none->mailbox = m;
        co_return none;
    }
    auto table = rows::decode_page_table(**row);
    if (!table) co_return fail(table);
    if (table->mailbox != m) co_return rows::damaged("G of another mailbox");
    co_return std::make_shared<rows::page_table const>(std::move(*table));
}

task<void> account_core::load_index(mailbox_id m)
{
    auto const* const s = find(m);
    if (s == nullptr || s->index || !s->damage.empty()) co_return;
    auto table = co_await read_page_table(m);
    std::shared_ptr<mailbox_columns const> index;
    fault why;
    if (table) {
        auto const tally = find(m)->tally;
        auto const read = co_await read_index(m, **table, tally);
        if (read) {
            index = *read;
        } else {
            why = read.error();
        }
    } else {
        why = table.error();
    }
    // The writer alone loads, between commits: the mailbox is still there.
    auto& now = mailboxes_.at(m);
    now.index_damage = index ? std::string{} : describe(why);
    if (!index) {
        services_.log.error("mailbox_damaged", {{"account", number_}, {"mailbox", m}, {"fault", why}});
        co_return;
    }
    set_index(now, std::move(index));
    now.pages = *table;
    now.view = nullptr;
    account_memory();
}

task<void> account_core::load_late()
{
    co_await base::yield_now{};  // whoever opened goes on first
    while (!late_.empty()) {
        auto const m = late_.begin()->first;
        co_await load_index(m);
        auto const waiting = late_.extract(m);
        auto const* const s = find(m);
        if (waiting.empty() || s == nullptr || !s->index) continue;  // damaged: whole() tries again and says so
        for (auto const& v : waiting.mapped()) v->arrive(s->tally, shared_view(*s));
    }
}

void account_core::lose_late(mailbox_id m)
{
    auto const waiting = late_.extract(m);
    if (waiting.empty()) return;
    for (auto const& v : waiting.mapped()) v->lose();
}

task<result<std::shared_ptr<mailbox_columns>>> account_core::read_index(mailbox_id m, rows::page_table const& table, rows::tally const& tally)
{
    auto columns = std::make_shared<mailbox_columns>();
    for (std::size_t from = 0; from < table.pages.size(); from += pages_at_once) {
        auto const some = std::span{table.pages}.subspan(from, std::min(pages_at_once, table.pages.size() - from));
        std::vector<page_id> ids;
        for (auto const& p : some) ids.insert(ids.end(), {p.statics, p.flags});
        auto const pages = co_await services_.storage.get_pages(where_, std::move(ids));
        if (!pages) co_return fail(pages);
        for (std::size_t i = 0; i < some.size(); ++i) {
            auto const& p = some[i];
            auto entries = rows::decode_static_page((*pages)[2 * i], m);
            if (!entries) co_return fail(entries);
            auto const ok = rows::decode_flag_page((*pages)[2 * i + 1], m, *entries);
            if (!ok) co_return fail(ok);
            if (entries->size() != p.entries || entries->front().uid != p.first || entries->back().uid != p.last)
                co_return rows::damaged("pages that are not what G says");
            for (auto const& e : *entries) columns->append(e);
        }
        co_await base::yield_now{};
    }
    auto range = key_range::prefix(keys::log_of(m));
    range.from = keys::log(m, tally.folded + 1);
    while (true) {
        auto const got = co_await services_.storage.scan(where_, range, scan_at_once);
        if (!got) co_return fail(got);
        for (auto const& r : *got) {
            auto const l = rows::decode_log_row(r.value);
            if (!l) co_return fail(l);
            if (l->mailbox != m || r.key != keys::log(m, l->when)) co_return rows::damaged("L in another's place");
            auto const ok = co_await replay(*columns, *l);
            if (!ok) co_return fail(ok);
        }
        if (got->size() < scan_at_once) break;
        range.from = got->back().key + '\0';
        co_await base::yield_now{};
    }
    // The tally was written with each change: pages and log must agree with it, or something is missing.
    std::uint64_t octets = 0;
    std::uint32_t unseen = 0, deleted = 0;
    for (std::uint32_t i = 0; i < columns->size(); ++i) {
        auto const e = columns->at(i);
        octets += e.size;
        if (!e.flags.has(system_flag::seen)) ++unseen;
        if (e.flags.has(system_flag::deleted)) ++deleted;
    }
    bool const fits = columns->size() == tally.messages && unseen == tally.unseen && deleted == tally.deleted && octets == tally.octets;
    if (!fits || (columns->size() != 0 && columns->uid_at(columns->size() - 1) >= tally.uid_next)) co_return rows::damaged("the index and its tally disagree");
    co_return columns;
}

task<result<void>> account_core::replay(mailbox_columns& into, rows::log_row const& l)
{
    for (auto const& a : l.actions) {
        using kind = rows::log_action::kind;
        auto const last = into.size() == 0 ? 0 : into.uid_at(into.size() - 1);
        uid_set which = a.which;
        std::vector<message_entry> entries = a.entries;
        for (auto const& p : a.pages) {
            auto const page = co_await services_.storage.get_page(where_, p.first);
            if (!page) co_return fail(page);
            if (a.what == kind::append_pages) {
                auto more = rows::decode_entry_page(*page, l.mailbox, l.when);
                if (!more) co_return fail(more);
                if (more->size() != p.second) co_return rows::damaged("an entry page of another length");
                for (auto& e : *more) entries.push_back(std::move(e));
            } else {
                auto set = rows::decode_set_page(*page);
                if (!set) co_return fail(set);
                which = std::move(*set);
            }
        }
        if (a.what == kind::append || a.what == kind::append_pages) {
            auto before = last;
            for (auto const& e : entries) {
                if (e.uid <= before) co_return rows::damaged("UIDs that do not rise");
                before = e.uid;
                into.append(e);
            }
        } else if (a.what == kind::expunge || a.what == kind::expunge_page) {
            into.remove(which);
        } else {
            for (auto const& range : which) {
                auto const span = into.positions(range);
                for (auto p = span.first; p < span.second; ++p) {
                    auto f = a.clear_all ? flag_set{} : into.flags_at(p);
                    f.remove(a.clear);
                    f.add(a.set);
                    into.set_flags(p, f, l.when);
                }
            }
        }
    }
    co_return result<void>{};
}

}  // namespace mansio::store
