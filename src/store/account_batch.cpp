// The work of everybody who waits, on its way to one commit.
#include "base/bytes.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"

namespace mansio::store {
namespace {
/// A change may hold 1 MiB of rows and keys; one call adds at most about half of that to a batch that is not full yet.
constexpr std::uint64_t rows_enough = 384ULL << 10U;
constexpr std::uint64_t blobs_enough = 8ULL << 20U;
constexpr std::uint64_t row_overhead = 16;
constexpr std::size_t runs_inline = 2048;
constexpr std::size_t runs_of_page = 32'768;
}  // namespace

account_batch::account_batch(account_core& a) : head(a.head_), account_(a)
{
    // What a failed commit may have used stays used.
    auto const& floor = a.floor_;
    head.counter = std::max(head.counter, floor.counter) + 1;
    head.next_mailbox = std::max(head.next_mailbox, floor.next_mailbox);
    head.next_email = std::max(head.next_email, floor.next_email);
    head.last_uid_validity = std::max(head.last_uid_validity, floor.last_uid_validity);
    when = rows::make_modseq(head.incarnation, head.counter);
    wall = std::chrono::duration_cast<std::chrono::seconds>(base::executor::current().clock().wall().time_since_epoch()).count();
}

task<result<std::optional<std::string>>> account_batch::get(std::string key)
{
    if (auto const it = rows_.find(key); it != rows_.end()) co_return it->second;
    co_return co_await account_.services_.storage.get(account_.where_, std::move(key));
}

task<result<std::vector<std::string>>> account_batch::keys(std::string prefix, std::size_t most)
{
    std::set<std::string> found;
    auto const range = key_range::prefix(prefix);
    auto from = range.from;
    auto pending = rows_.lower_bound(prefix);
    for (; pending != rows_.end() && pending->first.starts_with(prefix); ++pending)
        if (pending->second) found.insert(pending->first);
    while (found.size() < most) {
        constexpr std::size_t at_once = 16;
        auto const got = co_await account_.services_.storage.scan(account_.where_, key_range{from, range.to}, at_once);
        if (!got) co_return fail(got);
        for (auto const& r : *got) {
            auto const it = rows_.find(r.key);
            if (it == rows_.end() || it->second) found.insert(r.key);
        }
        if (got->size() < at_once) break;
        from = got->back().key + '\0';
    }
    std::vector<std::string> out{found.begin(), found.end()};
    if (out.size() > most) out.resize(most);
    co_return out;
}

void account_batch::put(std::string key, std::string value)
{
    octets_ += key.size() + value.size() + row_overhead;
    rows_.insert_or_assign(std::move(key), std::move(value));
}

void account_batch::erase(std::string key)
{
    octets_ += key.size() + row_overhead;
    rows_.insert_or_assign(std::move(key), std::nullopt);
}

task<result<page_id>> account_batch::put_page(std::string octets)
{
    page p;
    p.id = page_id::make(account_.services_.random);
    p.octets = std::move(octets);
    auto const id = p.id;
    std::vector<page> pages;
    pages.push_back(std::move(p));
    auto const ok = co_await account_.services_.storage.put_pages(account_.where_, std::move(pages));
    if (!ok) co_return fail(ok);
    co_return id;
}

void account_batch::add_blob(new_message const& m, email_id e)
{
    blob_change c;
    c.who = holder{.where = account_.where_, .name = keys::holder_name(e)};
    if (m.blob) {
        c.blob = m.blob->id();
        bool const known = std::any_of(blobs_.begin(), blobs_.end(), [&](auto const& b) { return b->id() == c.blob; });
        if (!known) {
            blobs_.push_back(m.blob);
            // Larger ones are in files already.
            blob_octets_ += std::min<std::uint64_t>(m.blob->size(), 256U << 10U);
        }
    } else {
        MANSIO_ASSERT(m.stored.has_value());
        c.blob = *m.stored;
    }
    add_holders_.push_back(std::move(c));
}

void account_batch::drop_blob(blob_id b, email_id e)
{
    blob_change c;
    c.blob = b;
    c.who = holder{.where = account_.where_, .name = keys::holder_name(e)};
    // An email that came and goes within one batch never held its blob.
    auto const it = std::find_if(add_holders_.begin(), add_holders_.end(), [&](blob_change const& x) { return x.blob == c.blob && x.who == c.who; });
    if (it == add_holders_.end()) {
        drop_holders_.push_back(std::move(c));
        return;
    }
    add_holders_.erase(it);
    bool const wanted = std::any_of(add_holders_.begin(), add_holders_.end(), [&](blob_change const& x) { return x.blob == b; });
    if (!wanted) std::erase_if(blobs_, [&](auto const& x) { return x->id() == b; });
}

mailbox_state const* account_batch::find(mailbox_id m) const
{
    if (auto const it = edited_.find(m); it != edited_.end()) return it->second.removed ? nullptr : &it->second.state;
    return account_.find(m);
}

account_batch::edited& account_batch::editing(mailbox_id m)
{
    if (auto const it = edited_.find(m); it != edited_.end()) return it->second;
    auto const* const base = account_.find(m);
    MANSIO_ASSERT(base != nullptr);
    edited e;
    e.state = *base;
    if (e.state.index) e.columns = e.state.index->branch();
    return edited_.emplace(m, std::move(e)).first->second;
}

mailbox_state& account_batch::edit(mailbox_id m)
{
    auto& e = editing(m);
    e.tally_changed = true;
    return e.state;
}

mailbox_columns* account_batch::columns(mailbox_id m) { return editing(m).columns.get(); }

mailbox_columns const* account_batch::look(mailbox_id m) const
{
    if (auto const it = edited_.find(m); it != edited_.end()) return it->second.columns.get();
    auto const* const base = account_.find(m);
    return base == nullptr ? nullptr : base->index.get();
}

mailbox_state& account_batch::make(mailbox_state s)
{
    auto const id = s.meta->id;
    edited e;
    e.state = std::move(s);
    e.state.index = std::make_shared<mailbox_columns const>();
    e.state.pages = std::make_shared<rows::page_table const>();
    e.columns = e.state.index->branch();
    e.structure = true;
    e.tally_changed = true;
    auto& made = edited_.insert_or_assign(id, std::move(e)).first->second;
    put(keys::meta(id), rows::encode(*made.state.meta));
    return made.state;
}

void account_batch::remove(mailbox_id m)
{
    auto& e = editing(m);
    e.removed = true;
    e.structure = true;
    e.tally_changed = false;
    e.log.actions.clear();
    erase(keys::meta(m));
    erase(keys::tally(m));
    erase(keys::page_table(m));
}

void account_batch::rename(mailbox_id m, mailbox_id parent, std::string leaf)
{
    auto& e = editing(m);
    auto meta = std::make_shared<rows::meta>(*e.state.meta);
    meta->parent = parent;
    meta->leaf = std::move(leaf);
    e.structure = true;
    renamed_ = true;
    put_meta(m, std::move(meta));
}

void account_batch::log(mailbox_id m, rows::log_action a)
{
    auto& e = editing(m);
    e.tally_changed = true;
    octets_ += 32 + 48 * a.entries.size() + 6 * a.which.size();
    e.log.actions.push_back(std::move(a));
}

std::size_t account_batch::actions(mailbox_id m) const
{
    auto const it = edited_.find(m);
    return it == edited_.end() ? 0 : it->second.log.actions.size();
}

void account_batch::put_meta(mailbox_id m, std::shared_ptr<rows::meta const> meta)
{
    put(keys::meta(m), rows::encode(*meta));
    editing(m).state.meta = std::move(meta);
}

task<result<void>> account_batch::put_people(mailbox_id m, account_number who, std::shared_ptr<rows::seen_marks> marks)
{
    for (auto const& p : marks->pages) drop_page(p);
    marks->pages.clear();
    if (marks->runs.size() > runs_inline) {
        for (std::size_t from = 0; from < marks->runs.size(); from += runs_of_page) {
            auto const to = std::min(from + runs_of_page, marks->runs.size());
            std::vector<rows::seen_run> const some{marks->runs.begin() + static_cast<std::ptrdiff_t>(from),
                                                   marks->runs.begin() + static_cast<std::ptrdiff_t>(to)};
            auto const page = co_await put_page(rows::encode_run_page(some));
            if (!page) co_return fail(fault::kind::broken, page.error().say, page.error().detail);
            marks->pages.push_back(*page);
        }
    }
    put(keys::seen(m, who), rows::encode(*marks));
    put_seen_count(m, who, std::move(marks));
    co_return result<void>{};
}

void account_batch::put_seen_count(mailbox_id m, account_number who, std::shared_ptr<rows::seen_marks const> marks)
{
    put(keys::seen_count(m, who), rows::encode_seen_count(marks->seen));
    auto& e = editing(m);
    e.people = true;
    e.state.people[who] = std::move(marks);
}

void account_batch::put_intent(std::uint64_t op, rows::intent i, bool active)
{
    put(keys::intent(op), rows::encode(i));
    std::erase(ended_, op);
    intents_.insert_or_assign(op, std::pair{std::move(i), active});
}

void account_batch::end_intent(std::uint64_t op)
{
    erase(keys::intent(op));
    intents_.erase(op);
    ended_.push_back(op);
}

store::uid account_batch::reserve(mailbox_id m, std::uint32_t n)
{
    auto& s = edit(m);
    auto const floor = account_.uid_floor_.find(m);
    auto first = s.tally.uid_next;
    if (floor != account_.uid_floor_.end()) first = std::max(first, floor->second);
    if (n > ~store::uid{0} - first) return 0;  // the mailbox has used up its UIDs: never wraps round
    s.tally.uid_next = first + n;
    return first;
}

store::uid account_batch::next_uid(mailbox_id m) const
{
    auto const* const s = find(m);
    auto const floor = account_.uid_floor_.find(m);
    return floor == account_.uid_floor_.end() ? s->tally.uid_next : std::max(s->tally.uid_next, floor->second);
}

void account_batch::skip_to(mailbox_id m, store::uid u)
{
    auto const next = std::max(next_uid(m), u);
    auto& e = editing(m);
    e.state.tally.uid_next = next;
    e.tally_changed = true;
}

bool account_batch::full() const noexcept { return octets_ >= rows_enough || blob_octets_ >= blobs_enough; }

change account_batch::finish()
{
    change c;
    c.where = account_.where_;
    c.id = change_id::make(account_.services_.random);
    c.expected = account_.version_;
    rows::history h;
    h.wall = wall;
    h.types = types_;
    h.id = c.id;
    for (auto& [m, e] : edited_) {
        h.mailboxes.push_back(m);
        if (e.removed) continue;
        if (!e.log.actions.empty()) {
            e.log.mailbox = m;
            e.log.when = when;
            auto row = rows::encode(e.log);
            ++e.state.tally.log_rows;
            e.state.tally.log_octets += row.size();
            put(keys::log(m, when), std::move(row));
        }
        if (e.tally_changed) {
            // A mailbox's highest modseq rises with what its readers can see, not with a tally that a fold rewrites.
            if (!e.log.actions.empty() || e.structure) e.state.tally.highest = when;
            put(keys::tally(m), rows::encode(e.state.tally));
        }
    }
    for (std::size_t t = 0; t < rows::data_types; ++t)
        if ((types_ >> t & 1U) != 0) head.last_change[t] = head.counter;
    put(keys::history(head.counter), rows::encode(h));
    put(keys::head(), rows::encode(head));
    c.rows.reserve(rows_.size());
    for (auto const& [key, value] : rows_) c.rows.push_back(row_change{key, value});
    c.new_blobs = blobs_;
    c.add_holders = add_holders_;
    c.drop_holders = drop_holders_;
    c.drop_pages = drop_pages_;
    return c;
}

}  // namespace mansio::store
