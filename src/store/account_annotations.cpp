// Annotations of mailboxes and of the server (RFC 5464): rows A. What is private is kept with the mailbox it is about, under the number of the person it
// belongs to, so that it follows a rename and goes with the mailbox, whoever's that is.
#include <algorithm>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"

namespace mansio::store {
namespace {

constexpr std::string_view private_scope = "/private", shared_scope = "/shared";
constexpr std::uint64_t entry_overhead = 256;        ///< counted for each entry: what its key, its place in memory and its removal cost
constexpr std::uint64_t most_at_once = 256U << 10U;  ///< octets of one change: it must fit into one commit
constexpr std::size_t most_of_mailbox = 2000;        ///< everybody's together: DELETE takes them with it in one commit
constexpr std::size_t most_events = 1000;
constexpr std::uint64_t guests_part = 16;            ///< of metadata_octets, for all private ones of one guest

/// RFC 5464 §3.3: one of these besides the right to look up.
constexpr rights any_use = (((right::read | right::keep_seen) | right::write) | right::insert) | right::post;

std::uint64_t charge(std::string_view path, std::string_view value) noexcept { return path.size() + value.size() + entry_overhead; }

std::string full_name(annotation_key const& k) { return std::string{k.person == 0 ? shared_scope : private_scope} + k.path; }

std::unexpected<fault> too_many() { return fail(fault::kind::over_limit, "there are too many annotations", "metadata_entries"); }

}  // namespace

/// One call of annotate().
struct account_core::annotating {
    mailbox_id mailbox = 0;
    std::map<annotation_key, std::optional<std::string>> changes;
    std::optional<special_use> use;
    std::uint64_t by = 0;
    bool shared = false;  ///< touches what is everybody's
};

/// Only while no commit of annotations is under way: inside an operation that is alone.
task<result<void>> account_core::load_annotations()
{
    if (annotations_) co_return result<void>{};
    auto const found = co_await scan_all("A");
    if (!found) co_return fail(found);
    annotations_.emplace();
    annotation_octets_ = 0;
    for (auto const& r : *found) {
        annotation_key k;
        std::string_view rest;
        if (!keys::parse_be32(r.key, k.mailbox, rest)) continue;
        base::row_reader who{rest};
        k.person = who.be64();
        k.path = who.rest();
        if (!who.ok()) continue;
        auto value = rows::decode_annotation(r.value);
        if (!value) {
            // One note is lost; nothing else may suffer for it. Setting it again mends the row.
            services_.log.error("row_damaged", {{"account", number_}, {"mailbox", k.mailbox}, {"fault", value.error()}});
            continue;
        }
        set_annotation(k, std::move(*value));
    }
    co_return result<void>{};
}

void account_core::set_annotation(annotation_key const& key, std::optional<std::string> value)
{
    auto const known = annotations_->find(key);
    if (known != annotations_->end()) {
        annotation_octets_ -= charge(key.path, known->second);
        annotations_->erase(known);
    }
    if (!value) return;
    annotation_octets_ += charge(key.path, *value);
    annotations_->emplace(key, std::move(*value));
}

void account_core::note_annotation(annotation_key key, std::uint64_t by)
{
    ++annotation_count_;
    annotation_events_.push_back({std::move(key), by});
    if (annotation_events_.size() > most_events) annotation_events_.pop_front();
}

result<void> account_core::may_see_annotations(principal const& who, mailbox_id m) const
{
    if (m == 0) return !exists_ || guest(who) ? result<void>{no_such_mailbox()} : result<void>{};
    auto const* const s = find(m);
    if (auto const allowed = admit(who, s, 0); !allowed) return allowed;
    return (rights_of(who, *s) & any_use) == 0 ? result<void>{no_right()} : result<void>{};
}

result<void> account_core::may_annotate(principal const& who, annotating const& a) const
{
    if (auto const seen = may_see_annotations(who, a.mailbox); !seen) return seen;
    if (who.is_server()) return {};
    if (!guest(who)) return has(who.scope(), right::write) ? result<void>{} : no_right();
    // RFC 5464 §3.3 would let whoever may read change what all see; "appropriate access" is w here.
    if (a.shared && !has(rights_of(who, *find(a.mailbox)), right::write)) return no_right();
    return {};
}

/// With the changes made: the limits hold, or nothing grew.
result<void> account_core::annotations_fit(principal const& who, annotating const& a) const
{
    std::uint64_t at_once = 0;
    std::int64_t grown = 0, guests = 0;
    std::map<account_number, std::int64_t> more;
    for (auto const& [k, value] : a.changes) {
        auto const known = annotations_->find(k);
        auto const before = known == annotations_->end() ? 0 : static_cast<std::int64_t>(charge(k.path, known->second));
        auto const after = value ? static_cast<std::int64_t>(charge(k.path, *value)) : 0;
        if (value && value->size() > services_.limits.metadata_value)
            return fail(fault::kind::over_limit, "the annotation's value is too long", "metadata_value");
        if (value) at_once += charge(k.path, *value);
        grown += after - before;
        if (k.person != 0) guests += after - before;
        more[k.person] += (after != 0 ? 1 : 0) - (before != 0 ? 1 : 0);
    }
    if (at_once > most_at_once) return too_many();
    std::map<account_number, std::int64_t> held;
    std::int64_t of_mailbox = 0, of_guest = 0;
    for (auto const& [k, value] : *annotations_) {
        if (guest(who) && k.person == who.who()) of_guest += static_cast<std::int64_t>(charge(k.path, value));
        if (k.mailbox != a.mailbox) continue;
        ++held[k.person];
        ++of_mailbox;
    }
    for (auto const& [person, n] : more) {
        of_mailbox += n;
        if (n > 0 && held[person] + n > static_cast<std::int64_t>(services_.limits.metadata_entries)) return too_many();
        if (n > 0 && of_mailbox > static_cast<std::int64_t>(most_of_mailbox)) return too_many();
    }
    auto const most = static_cast<std::int64_t>(services_.limits.metadata_octets);
    if (grown > 0 && static_cast<std::int64_t>(annotation_octets_) + grown > most) return too_many();
    if (guest(who) && guests > 0 && of_guest + guests > most / static_cast<std::int64_t>(guests_part)) return too_many();
    return {};
}

/// RFC 6154 §4: the special use is an entry too, with the checks of CREATE.
result<void> account_core::change_use(account_batch& b, principal const& who, mailbox_id m, special_use use)
{
    auto const* const s = m == 0 ? nullptr : b.find(m);
    if (s == nullptr || guest(who) || (!who.is_server() && !has(who.scope(), right::create))) return no_right();
    if (s->meta->use == use) return {};
    if (s->name == "INBOX") return fail(fault::kind::refused, "INBOX has no special use", "use_attr");
    for (auto const& [id, other] : mailboxes_)
        if (use != special_use::none && id != m && other.meta->use == use) return fail(fault::kind::refused, "another mailbox has this use", "use_attr");
    auto meta = std::make_shared<rows::meta>(*s->meta);
    meta->use = use;
    b.put_meta(m, std::move(meta));
    b.restructure(m);
    b.touch(rows::data_type::mailboxes);
    return {};
}

task<result<void>> account_core::prepare_annotate(account_batch& b, principal const& who, annotating const& a)
{
    auto const loaded = co_await load_annotations();
    if (!loaded) co_return fail(loaded);
    auto const allowed = may_annotate(who, a);
    if (!allowed) co_return fail(allowed);
    if (auto const fits = annotations_fit(who, a); !fits) {
        services_.limit_refusals.add();
        co_return fail(fits);
    }
    if (a.use) {
        auto const before = b.empty();
        auto const changed = change_use(b, who, a.mailbox, *a.use);
        if (!changed) co_return fail(changed);
        if (before && !b.empty()) b.afterwards([this, m = a.mailbox, by = a.by] { note_annotation({m, number_, "/specialuse"}, by); });
    }
    for (auto const& [k, value] : a.changes) {
        auto const known = annotations_->find(k);
        bool const same = known == annotations_->end() ? !value : value && *value == known->second;
        if (same) continue;
        auto const key = keys::annotation(k.mailbox, k.person, k.path);
        if (value)
            b.put(key, rows::encode_annotation(*value));
        else
            b.erase(key);
        b.afterwards([this, k, value, by = a.by] {
            if (annotations_) set_annotation(k, value);
            note_annotation(k, by);
        });
    }
    if (!b.empty()) b.afterwards([this] { tell(all_annotations); });
    co_return result<void>{};
}

task<result<void>> account_core::annotate(principal const& who, mailbox_id m, std::vector<annotation_change> changes, std::optional<special_use> use,
                                          std::uint64_t by)
{
    annotating a;
    a.mailbox = m;
    a.use = use;
    a.by = by;
    auto const person = guest(who) ? who.who() : number_;
    for (auto& c : changes) {
        bool const shared = c.name.starts_with(shared_scope);
        auto const scope = shared ? shared_scope : private_scope;
        MANSIO_ASSERT(c.name.starts_with(scope) && c.name.size() <= longest_annotation_name);
        a.shared = a.shared || shared;
        a.changes.insert_or_assign(annotation_key{m, shared ? 0 : person, c.name.substr(scope.size())}, std::move(c.value));
    }
    operation op;
    op.note = "annotate";
    op.alone = true;  // the limits count what is there, not what others of the same commit add
    op.prepare = [&](account_batch& b) { return prepare_annotate(b, who, a); };
    co_return co_await submit(op);
}

task<result<std::vector<annotation>>> account_core::annotations(principal const& who, mailbox_id m)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const allowed = may_see_annotations(who, m);
    if (!allowed) co_return fail(allowed);
    std::vector<annotation> out;
    auto const collect = [&] {
        for (auto const person : {guest(who) ? who.who() : number_, account_number{0}}) {
            auto it = annotations_->lower_bound(annotation_key{m, person, {}});
            for (; it != annotations_->end() && it->first.mailbox == m && it->first.person == person; ++it) out.push_back({full_name(it->first), it->second});
        }
    };
    if (annotations_) {
        collect();
        co_return out;
    }
    auto const load_and_collect = [](account_core& core, auto& done) -> task<result<void>> {
        auto const loaded = co_await core.load_annotations();
        if (!loaded) co_return fail(loaded);
        done();
        co_return result<void>{};
    };
    operation op;
    op.alone = true;
    op.prepare = [&](account_batch&) { return load_and_collect(*this, collect); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return out;
}

task<result<annotation_news>> account_core::annotation_news(principal const& who, std::optional<std::uint64_t> since)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    store::annotation_news news;
    news.now = annotation_count_;
    if (!since || *since == annotation_count_) co_return news;
    auto const person = guest(who) ? who.who() : number_;
    std::set<annotation_key> told;
    auto const add = [&](annotation_key const& k, std::uint64_t by) {
        if ((k.person != 0 && k.person != person) || !may_see_annotations(who, k.mailbox) || !told.insert(k).second) return;
        store::annotation_news::item i;
        i.mailbox = k.mailbox;
        i.name = full_name(k);
        i.by = by;
        if (auto const* const s = find(k.mailbox)) {
            i.mailbox_name = s->name;
            auto const marks = subscriptions_.find(person);
            i.subscribed = marks != subscriptions_.end() && marks->second.contains(s->name);
        }
        news.changed.push_back(std::move(i));
    };
    auto const oldest = annotation_count_ - annotation_events_.size();  // what was counted before the first that is kept
    if (*since >= oldest && *since < annotation_count_) {
        // From the latest back: of an entry changed more than once it is the last change that counts.
        for (auto i = annotation_events_.size(); i > *since - oldest; --i) add(annotation_events_[i - 1].key, annotation_events_[i - 1].by);
        std::ranges::reverse(news.changed);
        co_return news;
    }
    // Too long ago to know: everything may have changed.
    auto const all = [](account_core& core, auto& each) -> task<result<void>> {
        auto const loaded = co_await core.load_annotations();
        if (!loaded) co_return fail(loaded);
        for (auto const& [k, value] : *core.annotations_) each(k, 0);
        co_return result<void>{};
    };
    operation op;
    op.alone = true;
    op.prepare = [&](account_batch&) { return all(*this, add); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return news;
}

/// The mailbox goes, and everybody's entries with it.
task<result<void>> account_core::forget_annotations(account_batch& b, mailbox_id m)
{
    auto const gone = co_await b.keys(keys::annotations_of(m), most_of_mailbox);
    if (!gone) co_return fail(gone);
    if (gone->empty()) co_return result<void>{};
    for (auto const& key : *gone) b.erase(key);
    b.afterwards([this, m] {
        if (!annotations_) return;
        std::vector<annotation_key> keys;
        for (auto it = annotations_->lower_bound(annotation_key{m, 0, {}}); it != annotations_->end() && it->first.mailbox == m; ++it)
            keys.push_back(it->first);
        for (auto const& k : keys) set_annotation(k, std::nullopt);
    });
    co_return result<void>{};
}

task<result<void>> account_core::prepare_inbox_twin(account_batch& b, principal const& who, std::string const& name)
{
    auto const loaded = co_await load_annotations();
    if (!loaded) co_return fail(loaded);
    auto const* const inbox = find("INBOX");
    if (inbox == nullptr) co_return no_such_mailbox();
    annotating twin;
    for (auto const& [k, value] : *annotations_)
        // Guests' notes are about INBOX, which stays; the new mailbox may not even be theirs to see.
        if (k.mailbox == inbox->meta->id && (k.person == 0 || k.person == number_)) twin.changes.emplace(annotation_key{0, k.person, k.path}, value);
    std::uint64_t more = 0;
    for (auto const& [k, value] : twin.changes) more += charge(k.path, *value);
    if (more != 0 && annotation_octets_ + more > services_.limits.metadata_octets) co_return too_many();
    auto const made = co_await prepare_create(b, who, name, special_use::none);
    if (!made) co_return fail(made);
    auto const fresh = b.head.next_mailbox - 1;  // the last level is made last
    for (auto const& [k, value] : twin.changes) {
        b.put(keys::annotation(fresh, k.person, k.path), rows::encode_annotation(*value));
        b.afterwards([this, key = annotation_key{fresh, k.person, k.path}, value] {
            if (annotations_) set_annotation(key, value);
        });
    }
    co_return result<void>{};
}

}  // namespace mansio::store
