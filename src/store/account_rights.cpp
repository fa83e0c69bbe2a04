// The one authorisation gate of an account: every call passes admit() on the owner (trust.md I8).
#include "store/account_core.hpp"
#include "store/mailbox_views.hpp"

namespace mansio::store {

rights account_core::rights_of(principal const& who, mailbox_state const& m) const
{
    if (who.is_server()) return all_rights;
    if (who.who() == number_) return static_cast<rights>(all_rights & who.scope());
    for (auto const& a : m.meta->acl)
        if (a.who == who.who()) return static_cast<rights>(a.granted & who.scope());
    return 0;
}

result<void> account_core::admit(principal const& who, mailbox_state const* m, rights needed) const
{
    // A mailbox that is not there goes through the same steps as one that is hidden.
    static mailbox_state const nobodys = [] {
        mailbox_state s;
        s.meta = std::make_shared<rows::meta const>();
        return s;
    }();
    auto const held = rights_of(who, m != nullptr ? *m : nobodys);
    if (m == nullptr || !has(held, right::lookup)) return no_such_mailbox();
    if ((held & needed) != needed) return no_right();
    if (!m->damage.empty()) return rows::damaged(m->damage);
    return {};
}

mailbox_info account_core::info_of(principal const& who, mailbox_state const& m) const
{
    mailbox_info info;
    info.id = m.meta->id;
    info.name = m.name;
    info.use = m.meta->use;
    info.uid_validity = m.meta->uid_validity;
    info.my_rights = rights_of(who, m);
    auto const person = guest(who) ? who.who() : number_;
    auto const marks = subscriptions_.find(person);
    info.subscribed = marks != subscriptions_.end() && marks->second.contains(m.name);
    // Only children that the asker may look up: others do not exist for them.
    auto const prefix = m.name + "/";
    for (auto it = names_.lower_bound(prefix); it != names_.end() && it->first.starts_with(prefix); ++it) {
        auto const* const child = find(it->second);
        if (child != nullptr && has(rights_of(who, *child), right::lookup)) {
            info.has_children = true;
            break;
        }
    }
    return info;
}

view_facts account_core::facts_of(mailbox_state const& m)
{
    view_facts facts;
    facts.mailbox = m.meta->id;
    facts.uid_validity = m.meta->uid_validity;
    facts.uid_next = m.tally.uid_next;
    facts.highest = m.tally.highest;
    return facts;
}

mailbox_view_ptr account_core::shared_view(mailbox_state const& m) const
{
    MANSIO_ASSERT(m.index != nullptr);
    // Made at the first look and kept: everybody who looks at this version shares it.
    if (!m.view)
        const_cast<mailbox_state&>(m).view = make_view(facts_of(m), m.index, std::shared_ptr<std::vector<std::string> const>(m.meta, &m.meta->keywords));
    return m.view;
}

mailbox_view_ptr account_core::view_for(principal const& who, mailbox_state const& m) const
{
    if (!guest(who)) return shared_view(m);
    auto const marks = m.people.find(who.who());
    return make_guest_view(shared_view(m), marks == m.people.end() ? nullptr : marks->second);
}

task<result<std::vector<acl_entry>>> account_core::get_acl(principal const& who, mailbox_id m)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const* const s = find(m);
    auto const allowed = admit(who, s, only(right::administer));
    if (!allowed) co_return fail(allowed);
    co_return s->meta->acl;
}

task<result<rights>> account_core::my_rights(principal const& who, mailbox_id m)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const* const s = find(m);
    auto const allowed = admit(who, s, 0);
    if (!allowed) co_return fail(allowed);
    co_return rights_of(who, *s);
}

task<result<void>> account_core::set_acl(principal const& who, mailbox_id m, account_number guest_number, rights granted, flag_operation how)
{
    operation op;
    auto const prepare = [](account_core& a, account_batch& b, principal const& asker, mailbox_id box, account_number g, rights change,
                            flag_operation kind) -> task<result<void>> {
        auto const* const s = b.find(box);
        auto const allowed = a.admit(asker, s, only(right::administer));
        if (!allowed) co_return fail(allowed);
        // The owner's own rights are not a matter of the list (RFC 4314 §2 lets an implementation fix them).
        if (g == a.number_ || g == 0) co_return fail(fault::kind::refused, "the owner's rights cannot be changed", "cannot");
        auto meta = std::make_shared<rows::meta>(*s->meta);
        rights before = 0;
        for (auto const& e : meta->acl)
            if (e.who == g) before = e.granted;
        auto r = change;
        if (kind == flag_operation::add) r = static_cast<rights>(before | change);
        if (kind == flag_operation::remove) r = static_cast<rights>(before & ~change);
        std::erase_if(meta->acl, [g](acl_entry const& e) { return e.who == g; });
        constexpr std::size_t most_guests = 1000;
        if (r != 0) {
            if (meta->acl.size() >= most_guests) co_return fail(fault::kind::over_limit, "this mailbox is shared with too many already", "acl");
            acl_entry e;
            e.who = g;
            e.granted = static_cast<rights>(r & all_rights);
            meta->acl.push_back(e);
        }
        b.put_meta(box, std::move(meta));
        b.restructure(box);
        b.touch(rows::data_type::mailboxes);
        co_return result<void>{};
    };
    op.prepare = [&](account_batch& b) { return prepare(*this, b, who, m, guest_number, granted, how); };
    co_return co_await submit(op);
}

}  // namespace mansio::store
