#include "imap/notify.hpp"

#include <algorithm>

#include "imap/session.hpp"
#include "imap/commands/listing.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap {
namespace {

std::string parent_of(std::string const& name)
{
    auto const slash = name.rfind('/');
    return slash == std::string::npos ? std::string{} : name.substr(0, slash);
}

}  // namespace

bool notify_group::covers(std::string const& name, bool subscribed) const
{
    switch (of) {
    case filter::personal: return true;
    case filter::subscribed: return subscribed;
    case filter::mailboxes: return std::ranges::find(names, name) != names.end();
    case filter::subtree: return std::ranges::any_of(names, [&](auto const& n) { return name == n || name.starts_with(n + "/"); });
    default: return false;
    }
}

notifier::notifier(session& s, std::vector<notify_group> groups) : s_(s), groups_(std::move(groups)) {}

notify_events notifier::events_of(std::string const& name, bool subscribed) const
{
    notify_events out = 0;
    for (auto const& g : groups_)
        if (g.covers(name, subscribed)) out |= g.events;
    return out;
}

bool notifier::wants(notify_events of) const noexcept
{
    return std::ranges::any_of(groups_, [of](auto const& g) { return !g.of_selected() && (g.events & of) != 0; });
}

notify_group const* notifier::selected_group() const noexcept
{
    auto const it = std::ranges::find_if(groups_, &notify_group::of_selected);
    return it == groups_.end() ? nullptr : &*it;
}

notify_events notifier::selected_events() const noexcept { return selected_group() != nullptr ? selected_group()->events : notify_events{0}; }
bool notifier::immediate() const noexcept { return selected_group() != nullptr && selected_group()->of == notify_group::filter::selected; }
commands::fetch_items const* notifier::arrivals() const noexcept
{
    auto const* const g = selected_group();
    return g != nullptr && g->arrivals ? &*g->arrivals : nullptr;
}

bool notifier::is_selected(store::mailbox_id own) const noexcept
{
    auto const* const open = s_.selected();
    return open != nullptr && open->account.own() && open->info.id == own;
}

task<result<void>> notifier::begin(bool status)
{
    auto const looked = co_await look(false);
    if (!looked) co_return fail(looked);
    std::string out;
    for (auto const& [id, w] : boxes_)
        if (status && !is_selected(id)) append_counts(out, w, w.events);
    auto const sent = co_await s_.send(out);
    if (!sent) co_return fail(sent);
    co_return co_await follow();
}

task<result<void>> notifier::follow()
{
    std::pair<store::account_number, store::mailbox_id> now;
    if (s_.selected() != nullptr && selected_events() != 0) now = {s_.selected()->account.number(), s_.selected()->info.id};
    if (now == selected_) co_return result<void>{};
    selected_ = now;
    selected_watch_.reset();
    if (now.second == 0) co_return result<void>{};
    auto watching = co_await s_.selected()->account.watch(now.second, [this] { s_.woken(); });
    if (watching) selected_watch_ = std::move(*watching);
    s_.woken();  // what changed before the watch began
    co_return result<void>{};
}

task<result<void>> notifier::look(bool telling)
{
    if (groups_.empty()) co_return result<void>{};
    if (!list_watch_) {
        auto watching = co_await s_.own_account().watch(0, [this] {
            list_dirty_ = true;
            s_.woken();
        });
        if (!watching) co_return fail(watching);
        list_watch_ = std::move(*watching);
    }
    list_dirty_ = false;
    auto now = co_await s_.own_account().list_mailboxes();
    if (!now) co_return fail(now);
    auto const names = co_await s_.own_account().subscriptions();
    if (!names) co_return fail(names);
    co_return co_await look_at_list(std::move(*now), std::set<std::string>{names->begin(), names->end()}, telling);
}

void notifier::append_listed(std::string& out, store::mailbox_info const* m, std::string const& name, std::string_view old_name) const
{
    store::mailbox_info info;
    std::vector<std::string> attributes;
    if (m != nullptr) info = *m;
    if (m == nullptr) {
        info.name = name;
        attributes.emplace_back("\\NonExistent");
        info.has_children = std::ranges::any_of(list_, [&](auto const& b) { return b.second.name.starts_with(name + "/"); });
    }
    if (subscribed_.contains(name)) attributes.emplace_back("\\Subscribed");
    std::string extra;
    if (!old_name.empty()) {
        extra = "(\"OLDNAME\" (";
        append_mailbox(extra, old_name, s_.names());
        extra += "))";
    }
    commands::append_list_line(out, "LIST", info, std::move(attributes), s_, extra);
}

/// Works out by their numbers, which stay, what became of mailboxes (RFC 5465 §5.4, §5.5).
task<result<void>> notifier::look_at_list(std::vector<store::mailbox_info> now, std::set<std::string> subscribed, bool telling)
{
    auto const before = std::exchange(list_, {});
    auto const subscribed_before = std::exchange(subscribed_, std::move(subscribed));
    std::map<std::string, store::mailbox_info const*> by_name;
    for (auto& m : now) list_.emplace(m.id, std::move(m));
    for (auto const& [id, m] : list_) by_name.emplace(m.name, &m);
    auto const at = [&](std::string const& name) {
        auto const it = by_name.find(name);
        return it == by_name.end() ? nullptr : it->second;
    };
    std::map<std::string, std::string> affected;  // name, and the old one of those renamed
    auto const affect = [&](std::string const& name, bool parent) {
        affected.try_emplace(name);
        if (auto up = parent_of(name); parent && !up.empty()) affected.try_emplace(std::move(up));
    };
    std::map<std::string, std::string> renamed;
    for (auto const& [id, m] : list_) {
        auto const old = before.find(id);
        if (old == before.end()) affect(m.name, true);
        if (old != before.end() && old->second.name != m.name) renamed.emplace(old->second.name, m.name);
    }
    for (auto const& [id, m] : before)
        if (!list_.contains(id) && at(m.name) == nullptr) affect(m.name, true);
    for (auto const& [from, to] : renamed) {
        // Children go along without a word.
        auto const up = renamed.find(parent_of(from));
        if (up != renamed.end() && up->second == parent_of(to)) continue;
        affected[to] = from;
    }
    std::string out;
    std::set<std::string> said;
    for (auto const& [name, old_name] : affected) {
        bool const marked = subscribed_.contains(name);
        if (((events_of(name, marked) | (old_name.empty() ? notify_events{0} : events_of(old_name, marked))) & event::mailbox_name) == 0) continue;
        append_listed(out, at(name), name, old_name);
        said.insert(name);
    }
    std::vector<std::string> changed;
    std::ranges::set_symmetric_difference(subscribed_before, subscribed_, std::back_inserter(changed));
    for (auto const& name : changed)
        if (!said.contains(name) && (events_of(name, true) & event::subscription_change) != 0) append_listed(out, at(name), name, {});
    if (telling) {
        auto const sent = co_await s_.send(out);
        if (!sent) co_return fail(sent);
    }
    co_return co_await watch_messages();
}

task<result<void>> notifier::watch_messages()
{
    std::erase_if(boxes_, [this](auto const& b) { return !list_.contains(b.first); });
    for (auto const& [id, m] : list_) {
        auto const events = static_cast<notify_events>(events_of(m.name, subscribed_.contains(m.name)) & event::of_messages);
        if (events == 0 || !store::has(m.my_rights, store::right::read)) {
            boxes_.erase(id);
            continue;
        }
        auto const [place, fresh] = boxes_.try_emplace(id);
        place->second.info = m;
        place->second.events = events;
        if (!fresh) continue;
        if (boxes_.size() > s_.limits().imap_notify_mailboxes) {
            boxes_.erase(place);
            co_return fail(fault::kind::over_limit, "[NOTIFICATIONOVERFLOW] too many mailboxes to be watched");
        }
        auto watching = co_await s_.own_account().watch(id, [this, w = &place->second] {
            w->dirty = true;
            s_.woken();
        });
        auto const counts = watching ? co_await s_.own_account().counts(id) : result<store::mailbox_counts>{fail(watching)};
        if (!counts) {
            boxes_.erase(place);  // gone meanwhile: the list tells
            continue;
        }
        place->second.watch = std::move(*watching);
        place->second.told = *counts;
    }
    co_return result<void>{};
}

/// `* STATUS name (…)` with what the events are about (RFC 5465 §3.1, §5.1–5.3).
void notifier::append_counts(std::string& out, watched const& w, notify_events which) const
{
    out += "* STATUS ";
    append_mailbox(out, w.info.name, s_.names());
    out += " (";
    auto const item = [&out](std::string_view name, std::uint64_t value) {
        if (out.back() != '(') out += ' ';
        out += name;
        out += ' ';
        wire::append_number(out, value);
    };
    if ((which & (event::message_new | event::message_expunge)) != 0) {
        item("MESSAGES", w.told.messages);
        item("UIDNEXT", w.told.uid_next);
    }
    item("UIDVALIDITY", w.told.uid_validity);
    if ((which & event::flag_change) != 0) item("UNSEEN", w.told.unseen);
    if (s_.offers(extension::condstore) && (s_.condstore() || (which & event::flag_change) != 0)) item("HIGHESTMODSEQ", w.told.highest_modseq);
    out += ")\r\n";
}

task<result<void>> notifier::tell_counts(watched& w)
{
    w.dirty = false;
    auto const now = co_await s_.own_account().counts(w.info.id);
    if (!now) co_return result<void>{};  // deleted: the list tells
    auto const before = std::exchange(w.told, *now);
    // The selected mailbox is told of by itself.
    if (is_selected(w.info.id)) co_return result<void>{};
    notify_events which = 0;
    if (now->uid_next != before.uid_next) which |= event::message_new;
    auto const arrived = now->uid_next - before.uid_next;
    if (before.messages + arrived != now->messages) which |= event::message_expunge;
    if (now->uid_validity != before.uid_validity || (now->highest_modseq != before.highest_modseq && (which == 0 || now->unseen != before.unseen)))
        which |= event::flag_change;
    which &= w.events;
    if (which == 0) co_return result<void>{};
    std::string out;
    append_counts(out, w, which);
    co_return co_await s_.send(out);
}

task<result<void>> notifier::tell()
{
    if (list_dirty_) {
        auto const looked = co_await look(true);
        if (!looked && looked.error().what == fault::kind::over_limit) {
            // RFC 5465 §5.8: as if NOTIFY NONE had been said.
            groups_.clear();
            boxes_.clear();
            list_watch_.reset();
            s_.untagged("OK [NOTIFICATIONOVERFLOW] there are too many mailboxes to be watched");
            co_return co_await follow();
        }
        if (!looked && (looked.error().what == fault::kind::closed || looked.error().what == fault::kind::timeout)) co_return fail(looked);
    }
    std::vector<store::mailbox_id> dirty;
    for (auto const& [id, w] : boxes_)
        if (w.dirty) dirty.push_back(id);
    for (auto const id : dirty) {
        auto const told = co_await tell_counts(boxes_.at(id));
        if (!told) co_return fail(told);
    }
    co_return result<void>{};
}

}  // namespace mansio::imap
