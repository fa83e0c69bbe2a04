// The values of an account's rows and pages, and their codec (docs/formats/account.md). No I/O.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/account.hpp"
#include "store/engine.hpp"

namespace mansio::store::rows {

/// What a decoder says of a damaged or unknown row; `what` goes to the log.
[[nodiscard]] std::unexpected<fault> damaged(std::string what);

enum class data_type : std::uint8_t { mailboxes = 0, emails = 1, subscriptions = 2, quota = 3 };
inline constexpr std::size_t data_types = 4;
enum class account_stage : std::uint8_t { live = 0, removing = 1 };

struct head {
    account_stage stage = account_stage::live;
    std::uint64_t incarnation = 0;
    std::uint64_t counter = 0;
    mailbox_id next_mailbox = 1;
    email_id next_email = 1;
    std::uint32_t last_uid_validity = 0;
    std::uint64_t quota_used = 0, quota_limit = 0;
    std::uint64_t quota_emails = 0;  ///< most emails; 0: no limit
    std::uint64_t emails = 0;
    std::uint64_t oldest_history = 0;
    std::array<std::uint64_t, data_types> last_change{};
    bool operator==(head const&) const = default;
};
[[nodiscard]] constexpr mod_seq make_modseq(std::uint64_t incarnation, std::uint64_t counter) noexcept { return incarnation << 48U | counter; }
[[nodiscard]] std::string encode(head const& h);
[[nodiscard]] result<head> decode_head(std::string_view row);

struct meta {
    mailbox_id id = 0, parent = 0;
    std::string leaf;
    special_use use = special_use::none;
    std::uint32_t uid_validity = 0;
    mod_seq made = 0;
    std::vector<acl_entry> acl;
    std::vector<std::string> keywords;
};
[[nodiscard]] std::string encode(meta const& m);
[[nodiscard]] result<meta> decode_meta(std::string_view row);

struct tally {
    mailbox_id mailbox = 0;
    store::uid uid_next = 1;
    std::uint32_t messages = 0, unseen = 0, deleted = 0;
    std::uint64_t octets = 0;
    mod_seq highest = 0;
    mod_seq folded = 0;
    std::uint64_t log_rows = 0, log_octets = 0;
    bool operator==(tally const&) const = default;
};
[[nodiscard]] std::string encode(tally const& t);
[[nodiscard]] result<tally> decode_tally(std::string_view row);

struct page_part {
    page_id statics, flags;
    std::uint32_t entries = 0;
    store::uid first = 0, last = 0;
    mod_seq newest = 0;
};
struct tombstone_part {
    page_id page;
    std::uint32_t ranges = 0;
    mod_seq newest = 0;
    std::int64_t written = 0;
};
struct page_table {
    mailbox_id mailbox = 0;
    std::vector<page_part> pages;
    std::vector<tombstone_part> tombstones;
    mod_seq lost_through = 0;
};
[[nodiscard]] std::string encode(page_table const& t);
[[nodiscard]] result<page_table> decode_page_table(std::string_view row);

/// UIDs that went away together.
struct tombstone {
    store::uid first = 0, last = 0;
    mod_seq when = 0;
    bool operator==(tombstone const&) const = default;
};

/// One action of a log row.
struct log_action {
    enum class kind : std::uint8_t { append = 1, flags = 2, expunge = 3, append_pages = 4, flags_page = 5, expunge_page = 6 };
    kind what = kind::append;
    std::vector<message_entry> entries;                       ///< append
    std::vector<std::pair<page_id, std::uint32_t>> pages;     ///< append_pages: with their entries; flags_page, expunge_page: one
    bool clear_all = false;                                   ///< flags
    flag_set clear, set;
    uid_set which;                                            ///< flags, expunge
};
struct log_row {
    mailbox_id mailbox = 0;
    mod_seq when = 0;
    std::vector<log_action> actions;
};
[[nodiscard]] std::string encode(log_row const& l);
/// Entries get the row's modseq, also as their arrival.
[[nodiscard]] result<log_row> decode_log_row(std::string_view row);

struct history {
    std::int64_t wall = 0;
    std::uint8_t types = 0;
    change_id id;
    std::vector<mailbox_id> mailboxes;
};
[[nodiscard]] std::string encode(history const& h);
[[nodiscard]] result<history> decode_history(std::string_view row);

/// An empty value: the key says all.
[[nodiscard]] std::string encode_mark();
[[nodiscard]] result<void> decode_mark(std::string_view row);

/// How often an email is in a mailbox: more than once after a COPY to the same.
struct membership {
    mailbox_id mailbox = 0;
    std::uint32_t times = 1;
    bool operator==(membership const&) const = default;
};
[[nodiscard]] std::string encode_members(std::vector<membership> const& m);
[[nodiscard]] result<std::vector<membership>> decode_members(std::string_view row);

struct thread_link {
    std::uint64_t thread = 0;
    std::uint64_t subject = 0;
};
[[nodiscard]] std::string encode(thread_link const& t);
[[nodiscard]] result<thread_link> decode_thread_link(std::string_view row);
[[nodiscard]] std::string encode_hashes(std::vector<std::string> const& h);
[[nodiscard]] result<std::vector<std::string>> decode_hashes(std::string_view row);

struct delivered {
    std::int64_t wall = 0;
    std::uint32_t uid_validity = 0;
    std::vector<store::uid> uids;
};
[[nodiscard]] std::string encode(delivered const& d);
[[nodiscard]] result<delivered> decode_delivered(std::string_view row);

struct intent {
    enum class kind : std::uint8_t { release = 1, pending = 2, leaving = 3 };
    kind what = kind::release;
    mailbox_id mailbox = 0;
    std::uint64_t done = 0;        ///< so many of the list are worked off (release) or made (pending)
    std::vector<email_id> emails;
    std::vector<page_id> pages;    ///< instead of `emails`
    account_number other = 0;      ///< leaving: the destination's account, and the delivery id there
    std::string delivery;
    uid_set which;
};
[[nodiscard]] std::string encode(intent const& i);
[[nodiscard]] result<intent> decode_intent(std::string_view row);

/// When an account last granted something to this one, unix seconds.
[[nodiscard]] std::string encode_sharer(std::int64_t wall);
[[nodiscard]] result<std::int64_t> decode_sharer(std::string_view row);

/// The value of an annotation: any octets.
[[nodiscard]] std::string encode_annotation(std::string_view value);
[[nodiscard]] result<std::string> decode_annotation(std::string_view row);

/// Another person's \Seen: runs of neighbours that share a mark. A UID in no run: never marked.
struct seen_run {
    store::uid first = 0, last = 0;
    bool seen = false;
    mod_seq when = 0;
    bool operator==(seen_run const&) const = default;
};
struct seen_marks {
    std::uint32_t seen = 0;  ///< messages that exist and are seen: a row of its own, since expunges change it for every guest
    std::vector<seen_run> runs;
    std::vector<page_id> pages;  ///< where the runs are when they are many; not part of their value
};
/// The runs, or when there are `pages` their names.
[[nodiscard]] std::string encode(seen_marks const& s);
[[nodiscard]] result<seen_marks> decode_seen_marks(std::string_view row);
[[nodiscard]] std::string encode_run_page(std::vector<seen_run> const& runs);
[[nodiscard]] result<std::vector<seen_run>> decode_run_page(std::string_view page);
[[nodiscard]] std::string encode_seen_count(std::uint32_t seen);
[[nodiscard]] result<std::uint32_t> decode_seen_count(std::string_view row);

/// The pages. Decoders fill in what their half of an entry holds.
[[nodiscard]] std::string encode_static_page(mailbox_id m, std::vector<message_entry> const& entries);
[[nodiscard]] result<std::vector<message_entry>> decode_static_page(std::string_view page, mailbox_id m);
[[nodiscard]] std::string encode_flag_page(mailbox_id m, std::vector<message_entry> const& entries);
[[nodiscard]] result<void> decode_flag_page(std::string_view page, mailbox_id m, std::vector<message_entry>& entries);
[[nodiscard]] std::string encode_entry_page(mailbox_id m, std::vector<message_entry> const& entries);
[[nodiscard]] result<std::vector<message_entry>> decode_entry_page(std::string_view page, mailbox_id m, mod_seq when);
[[nodiscard]] std::string encode_set_page(uid_set const& set);
[[nodiscard]] result<uid_set> decode_set_page(std::string_view page);
[[nodiscard]] std::string encode_tombstone_page(mailbox_id m, std::vector<tombstone> const& t);
[[nodiscard]] result<std::vector<tombstone>> decode_tombstone_page(std::string_view page, mailbox_id m);
[[nodiscard]] std::string encode_list_page(std::vector<email_id> const& l);
[[nodiscard]] result<std::vector<email_id>> decode_list_page(std::string_view page);

}  // namespace mansio::store::rows
