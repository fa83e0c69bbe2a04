// An account's mailboxes and messages. Protocol code holds an account_ref and values, never account state.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "mime/message.hpp"
#include "store/engine.hpp"
#include "store/principal.hpp"

namespace mansio::store {

using mailbox_id = std::uint32_t;
using uid = std::uint32_t;
using mod_seq = std::uint64_t;   ///< incarnation (15 bits) · counter (48 bits); RFC 7162 wants 63
using email_id = std::uint64_t;  ///< EMAILID within the account; survives COPY and MOVE

/// System flags; keywords follow from index 8 on, by the mailbox's keyword table.
enum class system_flag : std::uint8_t { answered = 0, flagged = 1, deleted = 2, seen = 3, draft = 4 };
inline constexpr unsigned first_keyword = 8;

/// A message's flags: bits by index. Value type; up to 56 keywords cost nothing extra.
class flag_set {
public:
    [[nodiscard]] bool has(unsigned index) const noexcept;
    [[nodiscard]] bool has(system_flag f) const noexcept { return has(static_cast<unsigned>(f)); }
    void set(unsigned index, bool on = true);
    void set(system_flag f, bool on = true) { set(static_cast<unsigned>(f), on); }
    [[nodiscard]] bool empty() const noexcept;
    [[nodiscard]] std::vector<unsigned> indexes() const;
    bool operator==(flag_set const& o) const noexcept;
    void add(flag_set const& o);      ///< union
    void remove(flag_set const& o);   ///< difference
    /// Bits 0..63, and the words after them (often none): how rows and columns keep a set.
    [[nodiscard]] std::uint64_t low() const noexcept { return low_; }
    [[nodiscard]] std::shared_ptr<std::vector<std::uint64_t> const> const& high() const noexcept { return high_; }
    [[nodiscard]] static flag_set from_words(std::uint64_t low, std::shared_ptr<std::vector<std::uint64_t> const> high = {});

private:
    std::uint64_t low_ = 0;
    std::shared_ptr<std::vector<std::uint64_t> const> high_;
};

/// One message in a mailbox, as the index has it.
struct message_entry {
    store::uid uid = 0;
    flag_set flags;
    mod_seq modseq = 0;
    std::uint64_t size = 0;              ///< prefix and blob
    mime::date_time internal_date;
    std::int64_t save_date = 0;          ///< unix seconds (RFC 8514)
    email_id email = 0;
    mod_seq added = 0;                   ///< modseq of its arrival in this mailbox
};

/// An immutable picture of one mailbox at one version. Threads: safe to read on any. Cheap to hold: shares its chunks with its neighbours in time.
class mailbox_view {
public:
    virtual ~mailbox_view() = default;
    [[nodiscard]] virtual mailbox_id mailbox() const noexcept = 0;
    [[nodiscard]] virtual std::uint32_t uid_validity() const noexcept = 0;
    [[nodiscard]] virtual store::uid uid_next() const noexcept = 0;
    [[nodiscard]] virtual mod_seq highest_modseq() const noexcept = 0;
    [[nodiscard]] virtual std::uint32_t size() const noexcept = 0;                          ///< messages
    /// False: the messages are still being read (account_ref::open()). Only what stands above, and keywords(), may be asked; account_ref::whole() has
    /// the rest.
    [[nodiscard]] virtual bool whole() const noexcept { return true; }
    /// `position` is the sequence number − 1.
    [[nodiscard]] virtual message_entry at(std::uint32_t position) const = 0;
    [[nodiscard]] virtual store::uid uid_at(std::uint32_t position) const noexcept = 0;
    /// First position whose UID is ≥ `u`; size() when none.
    [[nodiscard]] virtual std::uint32_t lower_bound(store::uid u) const noexcept = 0;
    /// Position of exactly that UID.
    [[nodiscard]] std::optional<std::uint32_t> find(store::uid u) const noexcept;
    /// Keyword names; a flag_set's index first_keyword + i means keywords()[i]. Only grows.
    [[nodiscard]] virtual std::vector<std::string> const& keywords() const noexcept = 0;
    /// Names of a set: "\\Seen", "$Forwarded" …
    [[nodiscard]] std::vector<std::string> names(flag_set const& f) const;
    /// Calls `each(position)` for messages whose modseq is > `since`, in order; skips whole chunks that are older.
    virtual void changed_since(mod_seq since, std::move_only_function<void(std::uint32_t)> each) const = 0;
};
using mailbox_view_ptr = std::shared_ptr<mailbox_view const>;

/// Special use (RFC 6154), at most one each.
enum class special_use : std::uint8_t { none, all, archive, drafts, flagged, junk, sent, trash };
[[nodiscard]] std::string_view special_use_name(special_use u) noexcept;  ///< "\\Sent"; empty for none

struct mailbox_info {
    mailbox_id id = 0;
    std::string name;                ///< UTF-8, NFC, levels by '/'; INBOX in capitals
    store::special_use use = special_use::none;
    bool subscribed = false;
    bool has_children = false;
    std::uint32_t uid_validity = 0;
    store::rights my_rights = 0;
};
struct mailbox_counts {
    std::uint32_t messages = 0, unseen = 0, deleted = 0;
    store::uid uid_next = 1;
    std::uint32_t uid_validity = 0;
    mod_seq highest_modseq = 0;
    std::uint64_t octets = 0;
};

/// A part with its transfer encoding undone.
struct decoded_part {
    std::uint64_t octets = 0;
    bool has_nul = false;
};

/// A message's stored facts. The ready wire texts are slices of the stored row: a FETCH of them opens no blob.
class email_record {
public:
    virtual ~email_record() = default;
    [[nodiscard]] virtual email_id id() const noexcept = 0;
    [[nodiscard]] virtual blob_id blob() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t thread() const noexcept = 0;
    [[nodiscard]] virtual std::string_view prefix() const noexcept = 0;      ///< header fields before the blob's octets
    [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;           ///< prefix and blob
    [[nodiscard]] virtual std::string_view envelope_text() const noexcept = 0;
    [[nodiscard]] virtual std::string_view body_text() const noexcept = 0;
    [[nodiscard]] virtual std::string_view bodystructure_text() const noexcept = 0;
    /// Decoded on first use. Offsets count from the blob's start: add prefix().size() for those of the whole.
    [[nodiscard]] virtual mime::summary const& summary() const = 0;
    /// What somebody found decoding part `index` of summary().parts, while the record is loaded. Threads: any.
    [[nodiscard]] virtual std::optional<decoded_part> decoded(std::uint32_t index) const = 0;
    virtual void remember_decoded(std::uint32_t index, decoded_part what) const = 0;
};
using email_record_ptr = std::shared_ptr<email_record const>;

/// A message to be stored.
struct new_message {
    std::string prefix;                              ///< ≤ 16 KiB, whole header fields with CRLF
    std::shared_ptr<staged_blob const> blob;         ///< staged, not yet committed anywhere; or null with `stored`
    std::optional<blob_id> stored;                   ///< a blob committed before (queue fan-out): a holder is added
    std::shared_ptr<mime::summary const> summary;
    std::vector<std::string> flags;                  ///< names
    mime::date_time internal_date;
    std::string pop3_id;                             ///< its UIDL at the server it comes from; ignored unless is_pop3_unique_id()
};
/// A delivery's name: the same one twice changes nothing the second time, for 30 days.
using delivery_id = std::string;

struct appended {
    std::uint32_t uid_validity = 0;
    std::vector<store::uid> uids;
    bool already = false;  ///< this delivery id was seen before; nothing was done
};
struct copied {
    std::uint32_t uid_validity = 0;          ///< of the destination
    std::vector<store::uid> from, to;        ///< pairwise
};

/// How the UIDL of an email begins that is named by its number.
inline constexpr std::string_view pop3_number_prefix = "m.";
/// RFC 1939 §7: 1 to 70 octets from 0x21 to 0x7E; and not of the form of our own.
[[nodiscard]] bool is_pop3_unique_id(std::string_view id) noexcept;

/// What POP3 knows of an email beside what the mailbox has.
struct pop3_mark {
    email_id email = 0;
    std::int64_t fetched = 0;  ///< first sent whole by RETR, unix seconds; 0: never
    std::string unique_id;     ///< from an import; empty: the computed one
};
struct pop3_marks {
    email_id numbered_from = 1;
    std::uint32_t uid_validity = 0;
    std::vector<pop3_mark> marks;  ///< by email
    /// Stays with the email: through restarts, moves to another mailbox and back, RENAME of INBOX, a new UIDVALIDITY. Copies of one email in
    /// one mailbox share it (RFC 1939 §7 lets identical messages do so). Emails of before this was stored keep "UIDVALIDITY.UID".
    [[nodiscard]] std::string unique_id(message_entry const& e) const;
    [[nodiscard]] pop3_mark const* find(email_id e) const noexcept;
};

enum class flag_operation : std::uint8_t { replace, add, remove };
struct flag_change {
    flag_operation how = flag_operation::add;
    std::vector<std::string> names;                  ///< "\\Seen", keywords; "\\Recent" is refused by the grammar
    std::optional<mod_seq> unchanged_since;          ///< RFC 7162 §3.1.3
};
struct flags_changed {
    std::vector<store::uid> changed, conflicts, unchanged;  ///< changed: those that really changed; conflicts: MODIFIED
    mailbox_view_ptr after;
    mod_seq before = 0;  ///< highest_modseq() of the mailbox when nothing but this change lies between that and `after`; else 0
};
/// Sorted, disjoint ranges of UIDs, both ends included.
using uid_set = std::vector<std::pair<store::uid, store::uid>>;

struct quota {
    std::uint64_t used_octets = 0, limit_octets = 0;    ///< limit 0: none
    std::uint64_t messages = 0, limit_messages = 0;     ///< an email counts once, however many mailboxes hold it
};
struct acl_entry {
    account_number who = 0;
    store::rights granted = 0;
};

/// What people note beside their mail (RFC 5464): an entry of a mailbox, or of mailbox 0: of the server as its owner sees it. A name begins with
/// "/private/" (the asker's own, also in another person's mailbox) or "/shared/" (one for all who may use the mailbox) and is in lower case.
struct annotation {
    std::string name;
    std::string value;  ///< any octets, also none
    bool operator==(annotation const&) const = default;
};
struct annotation_change {
    std::string name;
    std::optional<std::string> value;  ///< nullopt: the entry goes
};
/// Which entries changed, for those who watch them.
struct annotation_news {
    struct item {
        mailbox_id mailbox = 0;
        std::string mailbox_name;   ///< empty: of the server
        bool subscribed = false;
        std::string name;
        std::uint64_t by = 0;       ///< who changed it, as annotate() was told
    };
    std::uint64_t now = 0;          ///< where the next question begins; counts from when the account was opened
    std::vector<item> changed;      ///< each once; after too many changes all there are, and those that went in between are not among them
};
/// The longest name of an entry.
inline constexpr std::size_t longest_annotation_name = 255;
/// To watch(): changes of annotations in the whole account.
inline constexpr mailbox_id all_annotations = ~mailbox_id{0};

/// Something protocol code made of a mailbox's messages and would make again: kept beside its index, dropped when memory is short.
class derived {
public:
    virtual ~derived() = default;
    [[nodiscard]] virtual std::uint64_t octets() const noexcept = 0;
};
using derived_ptr = std::shared_ptr<derived const>;

/// Ends when dropped. At most one wake-up is pending at a time: who is woken reads the latest state.
using subscription = std::shared_ptr<void>;

class accounts;

/// The handle protocol code works with: an account and the principal who asks. Copyable, cheap. Calls may be made on any executor: they run on
/// the account's owner and answer on the caller's. Rights are checked by the owner inside each call; without the right to look up, a mailbox does
/// not exist (not_found, same words, same work: trust.md I8); with it but without the needed right: refused.
/// Errors of all: not_found, refused, over_limit (quota, named limits), conflict, try_later, broken.
/// Everything that changes returns after the synced commit.
class account_ref {
public:
    account_ref() = default;
    [[nodiscard]] account_number number() const noexcept { return number_; }
    [[nodiscard]] store::principal const& who() const noexcept { return *who_; }
    [[nodiscard]] bool own() const noexcept { return who_->who() == number_; }

    [[nodiscard]] task<result<std::vector<mailbox_info>>> list_mailboxes() const;  ///< those who() may look up, by name
    [[nodiscard]] task<result<mailbox_info>> find_mailbox(std::string name) const;
    /// Makes missing parents too (RFC 9051 §6.3.4). Errors: refused with detail "already_exists", refused with detail "cannot", over_limit.
    [[nodiscard]] task<result<mailbox_info>> create_mailbox(std::string name, special_use use = special_use::none) const;
    [[nodiscard]] task<result<void>> delete_mailbox(std::string name) const;       ///< RFC 9051 §6.3.5; INBOX refused
    [[nodiscard]] task<result<void>> rename_mailbox(std::string from, std::string to) const;  ///< children too; INBOX: its messages move (RFC 9051 §6.3.6)
    [[nodiscard]] task<result<void>> subscribe_mailbox(std::string name, bool on) const;      ///< a name that no longer exists may be unsubscribed
    [[nodiscard]] task<result<std::vector<std::string>>> subscriptions() const;    ///< names, existing or not

    [[nodiscard]] task<result<mailbox_view_ptr>> view(mailbox_id m) const;         ///< the latest; not_found once the mailbox is deleted
    /// The latest too, but without waiting for an index that is not in memory: then the picture is not whole() yet, and is read meanwhile.
    [[nodiscard]] task<result<mailbox_view_ptr>> open(mailbox_id m) const;
    /// What open() answered, with its messages, exactly as it was then. Errors: also broken when its pages are damaged, conflict when it cannot be had
    /// any more.
    [[nodiscard]] task<result<mailbox_view_ptr>> whole(mailbox_view_ptr opened) const;
    [[nodiscard]] task<result<mailbox_counts>> counts(mailbox_id m) const;         ///< from its counters, without loading the index
    /// UIDs ≥ the answer are \Recent for the caller; later callers get the rest (RFC 3501 §2.3.2). `take`: no for EXAMINE.
    [[nodiscard]] task<result<store::uid>> claim_recent(mailbox_id m, bool take) const;

    /// All of it in one commit. `delivery` non-empty: idempotent.
    [[nodiscard]] task<result<appended>> append(mailbox_id m, std::vector<new_message> messages, delivery_id delivery = {}) const;
    /// Server principals only (transfer): one message with the UID it had elsewhere. Errors: also refused with detail "uid" when the mailbox has given
    /// that UID, or one above it, before.
    [[nodiscard]] task<result<appended>> append_as(mailbox_id m, store::uid as, new_message message, delivery_id delivery = {}) const;
    /// Whether each of these deliveries was seen before (at most 1,000 at once).
    [[nodiscard]] task<result<std::vector<bool>>> delivered(std::vector<delivery_id> which) const;
    /// Server principals only (transfer): a mailbox that never held a message takes the UIDVALIDITY it had elsewhere; the one it has already is no change.
    /// Errors: refused with detail "uid_validity" when this account may have used that number before (it must be above all that were given out:
    /// trust.md D5) or is too high to leave room for others, refused with detail "not_fresh" when the mailbox has had messages.
    [[nodiscard]] task<result<void>> adopt_uid_validity(mailbox_id m, std::uint32_t validity) const;
    /// Server principals only (transfer): no message gets a UID below `next` from now on. Never lowers it.
    [[nodiscard]] task<result<void>> raise_uid_next(mailbox_id m, store::uid next) const;
    /// In one commit: `message` comes into `to`, and `old` leaves `from` for good, whatever its flags (RFC 8508). Quota counts the difference.
    /// Errors: not_found too when there is no message `old`.
    [[nodiscard]] task<result<appended>> replace(mailbox_id from, store::uid old, mailbox_id to, new_message message) const;
    [[nodiscard]] task<result<flags_changed>> change_flags(mailbox_id m, uid_set which, flag_change what) const;
    /// Removes messages for good: those of `which` (nullopt: all) that have \Deleted, or with `even_undeleted` just those. Answers the UIDs removed.
    [[nodiscard]] task<result<std::vector<store::uid>>> expunge(mailbox_id m, std::optional<uid_set> which, bool even_undeleted = false) const;
    [[nodiscard]] task<result<copied>> copy(mailbox_id from, uid_set which, mailbox_id to) const;
    [[nodiscard]] task<result<copied>> move(mailbox_id from, uid_set which, mailbox_id to) const;
    /// The same into another account, at most `between_accounts` (base/limits.def) messages: they count for its owner. A crash in a move leaves a message
    /// in one of the two or in both, never in none (docs/formats/account.md). Their email ids are new. `there`: a handle of the same person.
    [[nodiscard]] task<result<copied>> copy_to(mailbox_id from, uid_set which, account_ref there, mailbox_id to) const;
    [[nodiscard]] task<result<copied>> move_to(mailbox_id from, uid_set which, account_ref there, mailbox_id to) const;

    /// In the order asked; a null pointer where the email is gone.
    [[nodiscard]] task<result<std::vector<email_record_ptr>>> emails(mailbox_id m, std::vector<email_id> which) const;
    /// Octets [offset, offset + length) of prefix and blob together, cut at the end. Counted in mansio_store_blob_reads_total.
    [[nodiscard]] task<result<std::string>> read(email_record_ptr email, std::uint64_t offset, std::uint64_t length) const;

    /// The whole messages, in the order asked, each as read() gives it; an empty one is gone or longer than `most`. One call for many small ones: they are
    /// read together, on a pool. Counted like read().
    [[nodiscard]] task<result<std::vector<std::string>>> read_all(std::vector<email_record_ptr> which, std::uint64_t most) const;

    /// What keep() was last given for that mailbox; null: nothing, or it was dropped.
    [[nodiscard]] task<result<derived_ptr>> kept(mailbox_id m) const;
    /// Keeps it for everybody who may read the mailbox, as long as memory lasts (options.cache_octets); too large a thing is not kept.
    [[nodiscard]] task<result<void>> keep(mailbox_id m, derived_ptr what) const;

    /// The entries of that mailbox that who() sees, by name: what is shared and their own. Needs lookup and one of r, s, w, i, p (RFC 5464 §3.3).
    [[nodiscard]] task<result<std::vector<annotation>>> annotations(mailbox_id m) const;
    /// All of it in one commit, or nothing. `use`: the mailbox's special use, changed with it; of one's own mailboxes alone. What is shared needs `w` besides,
    /// and so does everything in one's own account: a sign-in that may only read changes nothing. `by`: told in annotation_news, to know one's own changes.
    /// Errors: over_limit with detail "metadata_value" (one value is too long) or "metadata_entries" (too many, or too much in all); refused with detail
    /// "use_attr" (another mailbox has that use).
    [[nodiscard]] task<result<void>> annotate(mailbox_id m, std::vector<annotation_change> changes, std::optional<special_use> use, std::uint64_t by) const;
    /// What changed after `since` that who() may see; nullopt: nothing, only where to begin. Needs no rights: what may not be seen is left out.
    [[nodiscard]] task<result<annotation_news>> annotation_news_since(std::optional<std::uint64_t> since) const;

    /// Wakes the caller's executor after each change of that mailbox (or, with 0, of the list of mailboxes; with all_annotations, of those).
    [[nodiscard]] task<result<subscription>> watch(mailbox_id m, std::move_only_function<void()> changed) const;

    /// For a POP3 session of `m`, or whoever wants to know its names and dates. `delay_seconds` > 0: notes a sign-in. Errors: refused with detail
    /// "login_delay" when the last one was less than that ago.
    [[nodiscard]] task<result<pop3_marks>> pop3_open(mailbox_id m, std::uint32_t delay_seconds = 0) const;
    /// Those sent whole for the first time just now. Needs delete_message and expunge: the date may end a message's life.
    [[nodiscard]] task<result<void>> pop3_fetched(mailbox_id m, std::vector<email_id> which) const;

    [[nodiscard]] task<result<store::quota>> get_quota() const;
    /// 0: no limit. Server principals only.
    [[nodiscard]] task<result<void>> set_quota(std::uint64_t limit_octets, std::uint64_t limit_messages = 0) const;
    [[nodiscard]] task<result<std::vector<acl_entry>>> get_acl(mailbox_id m) const;
    /// 0 removes; needs `administer`. The guest's account learns of it first (sharers()). Errors: refused with detail "no_account" when there is no such guest.
    /// `add`, `remove`: of what the guest has; by itself, whoever else changes the list at the same time.
    [[nodiscard]] task<result<void>> set_acl(mailbox_id m, account_number who, store::rights granted, flag_operation how = flag_operation::replace) const;
    /// Accounts that share mailboxes with this one, or did; by number. Own accounts only.
    [[nodiscard]] task<result<std::vector<account_number>>> sharers() const;
    /// `other` was found to show nothing: forgets it if it grants nothing at all and has not lately.
    [[nodiscard]] task<result<void>> forget_sharer(account_number other) const;
    [[nodiscard]] task<result<store::rights>> my_rights(mailbox_id m) const;
    /// UIDs expunged after `since` (RFC 7162 §3.2.5.2 VANISHED EARLIER); perhaps more, when that is more than a year ago.
    [[nodiscard]] task<result<uid_set>> vanished_since(mailbox_id m, mod_seq since) const;

private:
    friend class accounts;
    accounts* service_ = nullptr;
    account_number number_ = 0;
    std::shared_ptr<store::principal const> who_;
};

/// All accounts of this process. Lifetime: outlives every account_ref and ends after their calls have ended.
class accounts {
public:
    struct options {
        bool default_folders = true;  ///< new accounts get Drafts, Sent, Junk, Trash, Archive with their special uses, all subscribed
        std::uint64_t cache_octets = 128ULL << 20U;  ///< loaded mailboxes, evicted by bytes when no session holds them
        /// Where small becomes large; tests make them small (docs/formats/account.md).
        std::uint32_t fold_rows = 256;  ///< log rows of a mailbox before it is folded
        std::uint32_t page_entries = 4096;  ///< index entries of a page
        std::uint32_t slice_messages = 1000;  ///< messages that one commit copies, moves or removes; more are done in slices
    };
    /// `owner_of`: the executor that owns an account's partition.
    accounts(engine& e, std::function<base::executor&(partition_id)> owner_of, base::limits const& l, base::random& r, base::log& log, base::metrics& m,
             options o);
    ~accounts();
    accounts(accounts const&) = delete;
    accounts& operator=(accounts const&) = delete;
    [[nodiscard]] base::executor& owner_of(account_number n) const;
    [[nodiscard]] engine& storage() noexcept;
    /// Writes the first rows of a new account (INBOX, folders). Idempotent. `folders`: override of options.default_folders.
    [[nodiscard]] task<result<void>> create(account_number n, std::uint64_t quota_octets, std::optional<bool> folders = {});
    [[nodiscard]] task<result<void>> remove(account_number n);  ///< all mail with it, in slices
    /// Never fails for a stranger's account: rights show in the calls.
    [[nodiscard]] account_ref open(account_number n, principal who);
    /// Somebody will ask for this account in a moment: what is not in memory is read in the background. Threads: the account's owner.
    void expect(account_number n);
    /// Folds, ends background work, closes. Calls after it answer try_later.
    [[nodiscard]] task<void> stop();
    struct impl;

private:
    friend class account_ref;
    std::unique_ptr<impl> impl_;
};

/// A mailbox name as a client gives it, checked and brought to its one form: NFC, INBOX in capitals, no empty level, no control or bidi-control
/// characters, within limits (trust.md I7). Errors: refused, with words for the client ("[CANNOT]").
[[nodiscard]] result<std::string> canonical_mailbox_name(std::string_view utf8, base::limits const& l);

}  // namespace mansio::store
