// NOTIFY: the client says of what it wants to hear, without asking (RFC 5465).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "imap/commands/fetch_items.hpp"
#include "store/account.hpp"

namespace mansio::imap {

class session;

/// Events, as bits.
using notify_events = std::uint8_t;
namespace event {
inline constexpr notify_events message_new = 1, message_expunge = 2, flag_change = 4, mailbox_name = 8, subscription_change = 16, mailbox_metadata = 32,
                               server_metadata = 64;
inline constexpr notify_events of_messages = message_new | message_expunge | flag_change;
inline constexpr notify_events of_metadata = mailbox_metadata | server_metadata;
}  // namespace event

/// event-group: which mailboxes, which events.
struct notify_group {
    enum class filter : std::uint8_t { selected, selected_delayed, personal, subscribed, subtree, mailboxes };
    filter of = filter::personal;
    std::vector<std::string> names;                  ///< of subtree and mailboxes; the store's form
    notify_events events = 0;
    std::optional<commands::fetch_items> arrivals;   ///< FETCH of new messages, of selected and selected_delayed
    [[nodiscard]] bool covers(std::string const& name, bool subscribed) const;
    [[nodiscard]] bool of_selected() const noexcept { return of == filter::selected || of == filter::selected_delayed; }
};

/// Watches one's own mailboxes, and whichever is open, for one session and tells. Nothing is told in the middle of a command. Threads, lifetime: its session's.
class notifier {
public:
    notifier(session& s, std::vector<notify_group> groups);
    /// Looks at everything once, so that only what comes after is told. `status`: says STATUS of each mailbox watched for messages (RFC 5465 §3.1).
    /// Errors: over_limit "[NOTIFICATIONOVERFLOW]"; those of the store; closed, timeout.
    [[nodiscard]] task<result<void>> begin(bool status);
    /// After a command: the selected mailbox may be another one.
    [[nodiscard]] task<result<void>> follow();
    /// What happened since, elsewhere than in the selected mailbox. Errors: closed, timeout.
    [[nodiscard]] task<result<void>> tell();
    /// Events asked for of the selected mailbox; 0: none.
    [[nodiscard]] notify_events selected_events() const noexcept;
    /// EXPUNGE at once, message numbers or not (RFC 5465 §6.1.1).
    [[nodiscard]] bool immediate() const noexcept;
    /// What to FETCH of new messages in the selected mailbox; nullptr: nothing.
    [[nodiscard]] commands::fetch_items const* arrivals() const noexcept;

    /// One of these was asked for, of whatever mailboxes.
    [[nodiscard]] bool wants(notify_events of) const noexcept;
    /// Of one mailbox of the person's own account.
    [[nodiscard]] bool wants(notify_events of, std::string const& name, bool subscribed) const { return (events_of(name, subscribed) & of) != 0; }

private:
    struct watched {
        store::mailbox_info info;
        notify_events events = 0;
        store::mailbox_counts told;
        store::subscription watch;
        bool dirty = false;
    };
    [[nodiscard]] notify_events events_of(std::string const& name, bool subscribed) const;
    /// That mailbox of one's own account is the one that is open.
    [[nodiscard]] bool is_selected(store::mailbox_id own) const noexcept;
    [[nodiscard]] notify_group const* selected_group() const noexcept;
    [[nodiscard]] task<result<void>> look(bool telling);
    [[nodiscard]] task<result<void>> look_at_list(std::vector<store::mailbox_info> now, std::set<std::string> subscribed, bool telling);
    [[nodiscard]] task<result<void>> watch_messages();
    [[nodiscard]] task<result<void>> tell_counts(watched& w);
    void append_listed(std::string& out, store::mailbox_info const* m, std::string const& name, std::string_view old_name) const;
    void append_counts(std::string& out, watched const& w, notify_events which) const;

    session& s_;
    std::vector<notify_group> groups_;
    std::map<store::mailbox_id, store::mailbox_info> list_;
    std::set<std::string> subscribed_;
    std::map<store::mailbox_id, watched> boxes_;
    store::subscription list_watch_, selected_watch_;
    std::pair<store::account_number, store::mailbox_id> selected_{};  ///< what selected_watch_ is of
    bool list_dirty_ = false;
};

}  // namespace mansio::imap
