// The list of mailboxes: CREATE, DELETE, RENAME, SUBSCRIBE, LIST. RFC 9051 §6.3.4–6.3.9, rights by RFC 4314 §4.
#include "base/bytes.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"

namespace mansio::store {
namespace {

std::unexpected<fault> exists_already() { return fail(fault::kind::refused, "a mailbox of that name exists", "already_exists"); }
std::unexpected<fault> cannot(std::string why) { return fail(fault::kind::refused, std::move(why), "cannot"); }

std::string_view parent_of(std::string_view name)
{
    auto const slash = name.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : name.substr(0, slash);
}
std::string_view leaf_of(std::string_view name) { return name.substr(name.rfind('/') + 1); }
bool below(std::string_view name, std::string_view ancestor)
{
    return name.size() > ancestor.size() && name.starts_with(ancestor) && name[ancestor.size()] == '/';
}

struct folder {
    char const* name;
    special_use use;
};
/// Counters of our own reach it only after an import has taken over a UIDVALIDITY from elsewhere.
constexpr std::uint32_t first_taken_over = 1'000'000;

constexpr std::array default_folders{folder{"Drafts", special_use::drafts}, folder{"Sent", special_use::sent}, folder{"Junk", special_use::junk},
                                     folder{"Trash", special_use::trash}, folder{"Archive", special_use::archive}};

void set_uid_validity(account_batch& b, mailbox_id m, std::uint32_t validity)
{
    auto meta = std::make_shared<rows::meta>(*b.find(m)->meta);
    meta->uid_validity = validity;
    b.put_meta(m, std::move(meta));
    b.restructure(m);
}

}  // namespace

task<result<std::vector<mailbox_info>>> account_core::list_mailboxes(principal const& who)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    // A stranger's list is empty whether the account exists or not.
    if (!exists_ && !guest(who)) co_return no_such_mailbox();
    std::vector<mailbox_info> out;
    for (auto const& [name, id] : names_) {
        auto const& s = mailboxes_.at(id);
        if (has(rights_of(who, s), right::lookup)) out.push_back(info_of(who, s));
    }
    co_return out;
}

task<result<mailbox_info>> account_core::find_mailbox(principal const& who, std::string name)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const canonical = canonical_mailbox_name(name, services_.limits);
    // A name that no mailbox can have is simply not there.
    if (!canonical) co_return no_such_mailbox();
    auto const* const s = find(*canonical);
    if (s == nullptr || !has(rights_of(who, *s), right::lookup)) co_return no_such_mailbox();
    co_return info_of(who, *s);
}

result<void> account_core::may_create(principal const& who, std::string const& name) const
{
    if (!exists_) return no_such_mailbox();
    if (who.is_server()) return {};
    if (!guest(who)) return has(who.scope(), right::create) ? result<void>{} : no_right();
    // RFC 4314 §4: k on the parent. The nearest that exists stands for it; without l on it nothing is there.
    mailbox_state const* nearest = nullptr;
    for (auto parent = parent_of(name); !parent.empty() && nearest == nullptr; parent = parent_of(parent)) nearest = find(parent);
    return admit(who, nearest, only(right::create));
}

/// Makes the levels of a name that are missing; answers the last. Checks have been made.
result<mailbox_id> account_core::make_levels(account_batch& b, std::string const& name, special_use use)
{
    mailbox_id parent = 0;
    std::vector<acl_entry> acl;
    for (std::size_t end = 0; end < name.size();) {
        end = std::min(name.find('/', end + 1), name.size());
        auto const path = name.substr(0, end);
        mailbox_state const* known = find(path);
        if (known != nullptr && b.find(known->meta->id) == nullptr) known = nullptr;
        if (known != nullptr) {
            parent = known->meta->id;
            acl = known->meta->acl;
            continue;
        }
        auto meta = std::make_shared<rows::meta>();
        meta->id = b.head.next_mailbox++;
        meta->parent = parent;
        meta->leaf = leaf_of(path);
        meta->use = end == name.size() ? use : special_use::none;
        meta->uid_validity = ++b.head.last_uid_validity;
        meta->made = b.when;
        meta->acl = acl;  // who may use the parent may use what is made in it
        mailbox_state s;
        s.name = path;
        s.tally.mailbox = meta->id;
        parent = meta->id;
        s.meta = std::move(meta);
        b.make(std::move(s));
    }
    b.touch(rows::data_type::mailboxes);
    return parent;
}

task<result<void>> account_core::prepare_create(account_batch& b, principal const& who, std::string const& name, special_use use)
{
    auto const allowed = may_create(who, name);
    if (!allowed) co_return fail(allowed);
    if (auto const* const known = find(name)) {
        if (!has(rights_of(who, *known), right::lookup)) co_return cannot("this mailbox name cannot be used");
        co_return exists_already();
    }
    if (use != special_use::none)
        for (auto const& [id, s] : mailboxes_)
            if (s.meta->use == use) co_return fail(fault::kind::refused, "another mailbox has this use", "use_attr");  // RFC 6154 §3
    auto const missing = 1 + static_cast<std::uint64_t>(std::count(name.begin(), name.end(), '/'));
    if (mailboxes_.size() + missing > services_.limits.mailboxes) {
        services_.limit_refusals.add();
        co_return fail(fault::kind::over_limit, "there are too many mailboxes", "mailboxes");
    }
    auto const made = make_levels(b, name, use);
    if (!made) co_return fail(made);
    co_return result<void>{};
}

task<result<mailbox_info>> account_core::create_mailbox(principal const& who, std::string name, special_use use)
{
    auto const canonical = canonical_mailbox_name(name, services_.limits);
    if (!canonical) co_return fail(canonical);
    operation op;
    op.note = "create mailbox";
    op.alone = true;
    mailbox_info info;
    op.prepare = [&](account_batch& b) {
        b.afterwards([&] {
            if (auto const* const s = find(*canonical)) info = info_of(who, *s);
        });
        return prepare_create(b, who, *canonical, use);
    };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return info;
}

/// A number that this mailbox's name had before with other messages must not come back (D5). One above all that were given out cannot have been there.
/// Nor can a high one when the mailbox's own is low: it has had its name since before numbers were taken over in this account, for a RENAME after that
/// gives a new number. So several mailboxes may bring the same number (Cyrus and others number by the second of their making).
task<result<void>> account_core::prepare_adopt(account_batch& b, principal const& who, mailbox_id m, std::uint32_t validity)
{
    auto const* const s = b.find(m);
    auto const allowed = admit(who, s, only(right::administer));
    if (!allowed) co_return fail(allowed);
    if (!who.is_server()) co_return no_right();
    if (s->meta->uid_validity == validity) co_return result<void>{};
    if (b.next_uid(m) != 1) co_return fail(fault::kind::refused, "the mailbox has had messages: its UIDVALIDITY stays", "not_fresh");
    // Mailboxes that are made later need numbers above it.
    constexpr std::uint32_t highest = 0xF0000000U;
    if (validity > highest) co_return fail(fault::kind::refused, "this UIDVALIDITY is too high to be kept", "uid_validity");
    bool const name_is_new_to_it = validity >= first_taken_over && s->meta->uid_validity < first_taken_over;
    if (validity <= b.head.last_uid_validity && !name_is_new_to_it)
        co_return fail(fault::kind::refused, "this UIDVALIDITY may have been used in this account before", "uid_validity");
    b.head.last_uid_validity = std::max(b.head.last_uid_validity, validity);
    set_uid_validity(b, m, validity);
    b.touch(rows::data_type::mailboxes);
    co_return result<void>{};
}

task<result<void>> account_core::adopt_uid_validity(principal const& who, mailbox_id m, std::uint32_t validity)
{
    operation op;
    op.note = "adopt UIDVALIDITY";
    op.alone = true;
    op.prepare = [&](account_batch& b) { return prepare_adopt(b, who, m, validity); };
    co_return co_await submit(op);
}

task<result<void>> account_core::prepare_raise(account_batch& b, principal const& who, mailbox_id m, store::uid next)
{
    auto const allowed = admit(who, b.find(m), only(right::administer));
    if (!allowed) co_return fail(allowed);
    if (!who.is_server()) co_return no_right();
    if (next > b.next_uid(m)) b.skip_to(m, next);
    co_return result<void>{};
}

task<result<void>> account_core::raise_uid_next(principal const& who, mailbox_id m, store::uid next)
{
    operation op;
    op.note = "raise UIDNEXT";
    op.alone = true;
    op.prepare = [&](account_batch& b) { return prepare_raise(b, who, m, next); };
    co_return co_await submit(op);
}

task<result<void>> account_core::prepare_delete(account_batch& b, principal const& who, mailbox_id m)
{
    auto const* const s = b.find(m);
    auto const allowed = admit(who, s, only(right::remove_mailbox));
    if (!allowed) co_return fail(allowed);
    if (s->name == "INBOX") co_return cannot("INBOX cannot be deleted");  // RFC 9051 §6.3.5
    // RFC 9051 §6.3.5 lets a server refuse while there are inferior names ([HASCHILDREN]); deleting them unasked it forbids.
    auto const child = names_.lower_bound(s->name + "/");
    if (child != names_.end() && below(child->first, s->name)) co_return fail(fault::kind::refused, "this mailbox has others below it", "has_children");
    auto const* const index = b.look(m);
    if (index == nullptr) co_return rows::damaged(s->index_damage);
    std::vector<email_id> emails;
    emails.reserve(index->size());
    for (std::uint32_t p = 0; p < index->size(); ++p) emails.push_back(index->at(p).email);
    auto const log = co_await b.keys(keys::log_of(m), std::size_t{services_.options.fold_rows} * 8 + 64);
    if (!log) co_return fail(log);
    for (auto const& key : *log) b.erase(key);
    if (s->pages) {
        for (auto const& p : s->pages->pages) {
            b.drop_page(p.statics);
            b.drop_page(p.flags);
        }
        for (auto const& t : s->pages->tombstones) b.drop_page(t.page);
    }
    for (auto const& [person, marks] : s->people) {
        b.erase(keys::seen(m, person));
        b.erase(keys::seen_count(m, person));
        for (auto const& p : marks->pages) b.drop_page(p);
    }
    auto const forgotten = co_await forget_annotations(b, m);
    if (!forgotten) co_return fail(fault::kind::broken, forgotten.error().say, forgotten.error().detail);
    b.touch(rows::data_type::mailboxes);
    b.touch(rows::data_type::emails);
    b.remove(m);
    if (emails.empty()) co_return result<void>{};
    auto const freed = co_await release(b, m, std::move(emails));
    if (!freed) co_return fail(fault::kind::broken, freed.error().say, freed.error().detail);
    co_return result<void>{};
}

task<result<void>> account_core::delete_mailbox(principal const& who, std::string name)
{
    auto const found = co_await find_mailbox(who, std::move(name));
    if (!found) co_return fail(found);
    operation op;
    op.note = "delete mailbox";
    op.alone = true;
    op.needs.push_back(found->id);
    op.prepare = [&](account_batch& b) { return prepare_delete(b, who, found->id); };
    co_return co_await submit(op);
}

task<result<void>> account_core::prepare_rename(account_batch& b, principal const& who, std::string const& from, std::string const& to)
{
    auto const* const s = find(from);
    auto const allowed = admit(who, s, only(right::remove_mailbox));  // RFC 4314 §4: x on the old name, k where the new one goes
    if (!allowed) co_return fail(allowed);
    auto const target = may_create(who, to);
    if (!target) co_return fail(target);
    if (auto const* const known = find(to)) {
        if (known == s) co_return exists_already();
        if (!has(rights_of(who, *known), right::lookup)) co_return cannot("this mailbox name cannot be used");
        co_return exists_already();
    }
    if (below(to, from)) co_return cannot("a mailbox cannot be moved into itself");
    // Names below it grow with it: none may pass the limits.
    auto const levels = [](std::string_view n) { return 1 + static_cast<std::uint64_t>(std::count(n.begin(), n.end(), '/')); };
    for (auto it = names_.lower_bound(from + "/"); it != names_.end() && below(it->first, from); ++it)
        if (it->first.size() - from.size() + to.size() > services_.limits.mailbox_name ||
            levels(it->first) - levels(from) + levels(to) > services_.limits.mailbox_depth)
            co_return cannot("a mailbox below it would get too long a name");
    if (mailboxes_.size() + levels(to) > services_.limits.mailboxes + 1) co_return fail(fault::kind::over_limit, "there are too many mailboxes", "mailboxes");
    mailbox_id parent = 0;
    if (auto const above = parent_of(to); !above.empty()) {
        auto const made = make_levels(b, std::string{above}, special_use::none);
        if (!made) co_return fail(made);
        parent = *made;
    }
    b.rename(s->meta->id, parent, std::string{leaf_of(to)});
    if (b.head.last_uid_validity >= first_taken_over) {
        // Two may have the same number, and a name that one of them had must not get it again by way of the other.
        set_uid_validity(b, s->meta->id, ++b.head.last_uid_validity);
        for (auto it = names_.lower_bound(from + "/"); it != names_.end() && below(it->first, from); ++it)
            set_uid_validity(b, it->second, ++b.head.last_uid_validity);
    }
    b.touch(rows::data_type::mailboxes);
    co_return result<void>{};
}

/// RFC 9051 §6.3.6: the messages of INBOX move to a new mailbox, INBOX stays and is empty; names below it do not change.
task<result<void>> account_core::rename_inbox(principal const& who, std::string const& to)
{
    auto const inbox = find("INBOX")->meta->id;  // the caller has just seen it
    operation op;
    op.note = "rename mailbox";
    op.alone = true;
    op.prepare = [&](account_batch& b) { return prepare_inbox_twin(b, who, to); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    auto const made = co_await find_mailbox(who, to);
    if (!made) co_return fail(made);
    uid_set const all{{1, ~store::uid{0}}};
    auto const moved = co_await transfer(who, inbox, all, made->id, true);
    if (!moved) co_return fail(moved);
    co_return result<void>{};
}

task<result<void>> account_core::rename_mailbox(principal const& who, std::string from, std::string to)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const old = canonical_mailbox_name(from, services_.limits);
    if (!old) co_return no_such_mailbox();
    auto const fresh = canonical_mailbox_name(to, services_.limits);
    auto const allowed = admit(who, find(*old), only(right::remove_mailbox));
    if (!allowed) co_return fail(allowed);
    if (!fresh) co_return fail(fresh);
    if (*old == "INBOX") co_return co_await rename_inbox(who, *fresh);
    operation op;
    op.note = "rename mailbox";
    op.alone = true;
    op.prepare = [&](account_batch& b) { return prepare_rename(b, who, *old, *fresh); };
    co_return co_await submit(op);
}

task<result<void>> account_core::prepare_subscribe(account_batch& b, principal const& who, std::string const& name, bool on)
{
    auto const person = guest(who) ? who.who() : number_;
    auto const* const s = find(name);
    bool const visible = s != nullptr && has(rights_of(who, *s), right::lookup);
    auto const marks = subscriptions_.find(person);
    bool const now = marks != subscriptions_.end() && marks->second.contains(name);
    // RFC 9051 §6.3.8: a name that is gone may still be unsubscribed; others must be there.
    if (on ? !visible : !now && !visible) co_return no_such_mailbox();
    if (on == now) co_return result<void>{};
    if (on && marks != subscriptions_.end() && marks->second.size() >= services_.limits.mailboxes * 2)
        co_return fail(fault::kind::over_limit, "there are too many subscriptions", "mailboxes");
    auto const key = keys::subscription(person, name);
    if (on) {
        b.put(key, rows::encode_mark());
    } else {
        b.erase(key);
    }
    b.touch(rows::data_type::subscriptions);
    b.afterwards([this, person, name, on] {
        if (on) {
            subscriptions_[person].insert(name);
        } else {
            subscriptions_[person].erase(name);
        }
    });
    co_return result<void>{};
}

task<result<void>> account_core::subscribe_mailbox(principal const& who, std::string name, bool on)
{
    auto const canonical = canonical_mailbox_name(name, services_.limits);
    if (!canonical) co_return no_such_mailbox();
    operation op;
    op.alone = true;
    op.prepare = [&](account_batch& b) { return prepare_subscribe(b, who, *canonical, on); };
    co_return co_await submit(op);
}

task<result<std::vector<std::string>>> account_core::subscriptions(principal const& who)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    if (!exists_ && !guest(who)) co_return no_such_mailbox();
    auto const it = subscriptions_.find(guest(who) ? who.who() : number_);
    if (it == subscriptions_.end()) co_return std::vector<std::string>{};
    co_return std::vector<std::string>{it->second.begin(), it->second.end()};
}

task<result<void>> account_core::create(std::uint64_t quota_octets, bool folders)
{
    operation op;
    op.note = "create account";
    op.alone = true;
    auto const prepare = [](account_core& a, account_batch& b, std::uint64_t quota, bool with_folders) -> task<result<void>> {
        if (a.exists_) co_return result<void>{};
        if (a.head_.stage == rows::account_stage::removing) co_return fail(fault::kind::refused, "this account is being removed", "removing");
        b.head.quota_limit = quota;
        b.put(keys::pop3(), rows::encode(rows::pop3_state{}));
        auto const subscribe = [&](std::string const& name) {
            b.put(keys::subscription(a.number_, name), rows::encode_mark());
            b.afterwards([&a, name] { a.subscriptions_[a.number_].insert(name); });
        };
        auto const inbox = a.make_levels(b, "INBOX", special_use::none);
        if (!inbox) co_return fail(inbox);
        subscribe("INBOX");
        for (auto const& f : default_folders) {
            if (!with_folders) break;
            auto const made = a.make_levels(b, f.name, f.use);
            if (!made) co_return fail(made);
            subscribe(f.name);
        }
        b.touch(rows::data_type::subscriptions);
        b.touch(rows::data_type::quota);
        co_return result<void>{};
    };
    op.prepare = [&](account_batch& b) { return prepare(*this, b, quota_octets, folders); };
    co_return co_await submit(op);
}

task<result<store::quota>> account_core::get_quota(principal const& who)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    // A guest may ask who may look at something here (GETQUOTAROOT of a shared mailbox).
    bool const visible = exists_ && (!guest(who) || std::any_of(mailboxes_.begin(), mailboxes_.end(),
                                                                [&](auto const& m) { return has(rights_of(who, m.second), right::lookup); }));
    if (!visible) co_return no_such_mailbox();
    store::quota q;
    q.used_octets = head_.quota_used;
    q.limit_octets = head_.quota_limit;
    q.messages = head_.emails;
    q.limit_messages = head_.quota_emails;
    co_return q;
}

task<result<void>> account_core::set_quota(principal const& who, std::uint64_t limit_octets, std::uint64_t limit_messages)
{
    operation op;
    op.alone = true;
    auto const prepare = [](account_core& a, account_batch& b, principal const& asker, std::uint64_t limit, std::uint64_t emails) -> task<result<void>> {
        if (!a.exists_ || (a.guest(asker))) co_return no_such_mailbox();
        if (!asker.is_server()) co_return no_right();
        if (a.head_.quota_limit == limit && a.head_.quota_emails == emails) co_return result<void>{};
        b.head.quota_limit = limit;
        b.head.quota_emails = emails;
        b.touch(rows::data_type::quota);
        b.restructure_all();
        co_return result<void>{};
    };
    op.prepare = [&](account_batch& b) { return prepare(*this, b, who, limit_octets, limit_messages); };
    co_return co_await submit(op);
}

}  // namespace mansio::store
