// One account on its owner: its state in memory, the queue of changes, the commits. Internal to store; protocol code uses account_ref.
#pragma once
#include <atomic>
#include <coroutine>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/executor.hpp"
#include "store/account.hpp"
#include "store/account_rows.hpp"
#include "store/email_record.hpp"
#include "store/mailbox_columns.hpp"
#include "store/pop3_rows.hpp"
#include "store/record_cache.hpp"

namespace mansio::store {

class late_view;
struct view_facts;

/// What all accounts of the process share.
struct account_services {
    engine& storage;
    base::limits const& limits;
    base::random& random;
    base::log& log;
    accounts::options options;
    base::counter& operations;
    base::counter& commits;
    base::counter& folds;
    base::counter& loads;
    base::counter& blob_reads;
    base::counter& limit_refusals;
    base::gauge& cached;
    std::atomic<std::int64_t> cached_octets{0};
};

/// What is known of one mailbox. Copies are cheap: a batch works on one, and it becomes the account's when the commit is durable.
struct mailbox_state {
    std::shared_ptr<rows::meta const> meta;
    std::string name;                                  ///< full, of all levels
    rows::tally tally;
    std::map<account_number, std::shared_ptr<rows::seen_marks const>> people;
    std::shared_ptr<mailbox_columns const> index;      ///< null: not loaded
    std::shared_ptr<rows::page_table const> pages;     ///< loaded with the index
    mailbox_view_ptr view;                             ///< of index; null without
    std::uint64_t index_octets = 0;
    std::string damage;                                ///< not empty: its rows cannot be read; calls answer broken
    std::string index_damage;                          ///< the same of its pages and log; tried again at each use
};

/// Which entry: its mailbox (0: the server), whose it is (0: everybody's), and the name after "/private" or "/shared".
struct annotation_key {
    mailbox_id mailbox = 0;
    account_number person = 0;
    std::string path;
    auto operator<=>(annotation_key const&) const = default;
};

class account_core;

/// The work of everybody who waits, on its way to one commit. Nothing of it is seen by readers before the commit is durable.
/// Those who prepare it check everything first and then change: after the first change only `broken` may be answered,
/// which throws the whole batch away.
class account_batch {
public:
    explicit account_batch(account_core& a);
    std::string_view note = "change";
    rows::head head;
    mod_seq when = 0;        ///< the modseq of all its changes
    std::int64_t wall = 0;   ///< unix seconds

    /// A row as it will be: pending first, then what the engine has.
    [[nodiscard]] task<result<std::optional<std::string>>> get(std::string key);
    /// Keys under a prefix as they will be, at most `most`.
    [[nodiscard]] task<result<std::vector<std::string>>> keys(std::string prefix, std::size_t most);
    void put(std::string key, std::string value);
    void erase(std::string key);
    [[nodiscard]] task<result<page_id>> put_page(std::string octets);
    void drop_page(page_id p) { drop_pages_.push_back(p); }
    void add_blob(new_message const& m, email_id e);
    void drop_blob(blob_id b, email_id e);

    [[nodiscard]] mailbox_state const* find(mailbox_id m) const;
    /// To change; a copy is made at first.
    [[nodiscard]] mailbox_state& edit(mailbox_id m);
    /// Its working columns; null when its index is not loaded.
    [[nodiscard]] mailbox_columns* columns(mailbox_id m);
    /// Read only: the working columns, or the account's.
    [[nodiscard]] mailbox_columns const* look(mailbox_id m) const;
    mailbox_state& make(mailbox_state s);
    void remove(mailbox_id m);
    void rename(mailbox_id m, mailbox_id parent, std::string leaf);
    void log(mailbox_id m, rows::log_action a);
    /// How many changes of a mailbox's messages there are in it.
    [[nodiscard]] std::size_t actions(mailbox_id m) const;
    void put_meta(mailbox_id m, std::shared_ptr<rows::meta const> meta);
    /// Those who watch the list of mailboxes are to hear of it.
    void restructure(mailbox_id m) { editing(m).told = true; }
    void restructure_all() { head_changed_ = true; }
    [[nodiscard]] task<result<void>> put_people(mailbox_id m, account_number who, std::shared_ptr<rows::seen_marks> marks);
    /// The runs stay as they are.
    void put_seen_count(mailbox_id m, account_number who, std::shared_ptr<rows::seen_marks const> marks);
    void put_intent(std::uint64_t op, rows::intent i, bool active = false);
    void end_intent(std::uint64_t op);
    /// So many UIDs in a row; the first. 0: there are no more.
    [[nodiscard]] store::uid reserve(mailbox_id m, std::uint32_t n);
    /// The UID the next message would get.
    [[nodiscard]] store::uid next_uid(mailbox_id m) const;
    /// The next UIDs given will be `u` and above; it lies above next_uid().
    void skip_to(mailbox_id m, store::uid u);
    void touch(rows::data_type t) { types_ |= static_cast<std::uint8_t>(1U << static_cast<unsigned>(t)); }
    /// Runs when the commit is durable, before anybody is told.
    void afterwards(std::move_only_function<void()> f) { afterwards_.push_back(std::move(f)); }
    void forget_email(email_id e) { gone_.push_back(e); }

    [[nodiscard]] bool empty() const noexcept { return rows_.empty() && edited_.empty() && !head_changed_; }
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }
    [[nodiscard]] bool full() const noexcept;
    [[nodiscard]] change finish();

private:
    friend class account_core;
    struct edited {
        mailbox_state state;
        std::shared_ptr<mailbox_columns> columns;
        rows::log_row log;
        bool tally_changed = false, structure = false, removed = false, people = false, told = false;
    };
    edited& editing(mailbox_id m);
    account_core& account_;
    std::map<std::string, std::optional<std::string>> rows_;
    std::map<mailbox_id, edited> edited_;
    std::vector<std::shared_ptr<staged_blob const>> blobs_;
    std::vector<blob_change> add_holders_, drop_holders_;
    std::vector<page_id> drop_pages_;
    std::map<std::uint64_t, std::pair<rows::intent, bool>> intents_;
    std::vector<std::uint64_t> ended_;
    std::vector<std::move_only_function<void()>> afterwards_;
    std::vector<email_id> gone_;
    std::uint64_t octets_ = 0, blob_octets_ = 0;
    std::uint8_t types_ = 0;
    bool renamed_ = false, head_changed_ = false;
};

/// One call that waits for its turn. Lives in the caller's frame; prepare() may run more than once and so moves nothing away.
struct operation {
    std::move_only_function<task<result<void>>(account_batch&)> prepare;  ///< null: the call only wants things loaded
    std::vector<mailbox_id> needs;   ///< indexes it looks at
    bool alone = false;              ///< changes the list of mailboxes: gets a commit of its own
    std::string_view note = "change";  ///< for people who read a dump
    result<void> outcome;
    std::coroutine_handle<> waiter;
};

class account_core : public std::enable_shared_from_this<account_core> {
public:
    account_core(account_services& s, base::task_group& background, account_number n);
    ~account_core();
    account_core(account_core const&) = delete;
    account_core& operator=(account_core const&) = delete;

    // The calls of account_ref; on the owner.
    [[nodiscard]] task<result<std::vector<mailbox_info>>> list_mailboxes(principal const& who);
    [[nodiscard]] task<result<mailbox_info>> find_mailbox(principal const& who, std::string name);
    [[nodiscard]] task<result<mailbox_info>> create_mailbox(principal const& who, std::string name, special_use use);
    [[nodiscard]] task<result<void>> delete_mailbox(principal const& who, std::string name);
    [[nodiscard]] task<result<void>> rename_mailbox(principal const& who, std::string from, std::string to);
    [[nodiscard]] task<result<void>> subscribe_mailbox(principal const& who, std::string name, bool on);
    [[nodiscard]] task<result<std::vector<std::string>>> subscriptions(principal const& who);
    [[nodiscard]] task<result<mailbox_view_ptr>> view(principal const& who, mailbox_id m);
    [[nodiscard]] task<result<mailbox_view_ptr>> open(principal const& who, mailbox_id m);
    [[nodiscard]] task<result<mailbox_view_ptr>> whole(mailbox_view_ptr opened);
    [[nodiscard]] task<result<mailbox_counts>> counts(principal const& who, mailbox_id m);
    [[nodiscard]] task<result<store::uid>> claim_recent(principal const& who, mailbox_id m, bool take);
    [[nodiscard]] task<result<appended>> append(principal const& who, mailbox_id m, std::vector<new_message> messages, delivery_id delivery);
    [[nodiscard]] task<result<appended>> append_as(principal const& who, mailbox_id m, store::uid as, new_message message, delivery_id delivery);
    [[nodiscard]] task<result<std::vector<bool>>> delivered(principal const& who, std::vector<delivery_id> which);
    [[nodiscard]] task<result<void>> adopt_uid_validity(principal const& who, mailbox_id m, std::uint32_t validity);
    [[nodiscard]] task<result<void>> raise_uid_next(principal const& who, mailbox_id m, store::uid next);
    [[nodiscard]] task<result<appended>> replace(principal const& who, mailbox_id from, store::uid old, mailbox_id to, new_message message);
    [[nodiscard]] task<result<flags_changed>> change_flags(principal const& who, mailbox_id m, uid_set which, flag_change what);
    [[nodiscard]] task<result<std::vector<store::uid>>> expunge(principal const& who, mailbox_id m, std::optional<uid_set> which, bool even_undeleted);
    [[nodiscard]] task<result<copied>> transfer(principal const& who, mailbox_id from, uid_set which, mailbox_id to, bool moving);
    [[nodiscard]] task<result<std::vector<email_record_ptr>>> emails(principal const& who, mailbox_id m, std::vector<email_id> which);
    [[nodiscard]] task<result<std::string>> read(principal const& who, email_record_ptr email, std::uint64_t offset, std::uint64_t length);
    [[nodiscard]] task<result<std::vector<std::string>>> read_all(principal const& who, std::vector<email_record_ptr> which, std::uint64_t most);
    [[nodiscard]] task<result<derived_ptr>> kept(principal const& who, mailbox_id m);
    [[nodiscard]] task<result<void>> keep(principal const& who, mailbox_id m, derived_ptr what);
    [[nodiscard]] task<result<subscription>> watch(principal const& who, mailbox_id m, base::executor& where_to, std::move_only_function<void()> changed);
    [[nodiscard]] task<result<pop3_marks>> pop3_open(principal const& who, mailbox_id m, std::uint32_t delay_seconds);
    [[nodiscard]] task<result<void>> pop3_fetched(principal const& who, mailbox_id m, std::vector<email_id> which);
    [[nodiscard]] task<result<std::vector<annotation>>> annotations(principal const& who, mailbox_id m);
    [[nodiscard]] task<result<void>> annotate(principal const& who, mailbox_id m, std::vector<annotation_change> changes, std::optional<special_use> use,
                                              std::uint64_t by);
    [[nodiscard]] task<result<store::annotation_news>> annotation_news(principal const& who, std::optional<std::uint64_t> since);
    [[nodiscard]] task<result<store::quota>> get_quota(principal const& who);
    [[nodiscard]] task<result<void>> set_quota(principal const& who, std::uint64_t limit_octets, std::uint64_t limit_messages);
    [[nodiscard]] task<result<std::vector<acl_entry>>> get_acl(principal const& who, mailbox_id m);
    [[nodiscard]] task<result<void>> set_acl(principal const& who, mailbox_id m, account_number guest, store::rights granted, flag_operation how);
    [[nodiscard]] task<result<store::rights>> my_rights(principal const& who, mailbox_id m);
    [[nodiscard]] task<result<uid_set>> vanished_since(principal const& who, mailbox_id m, mod_seq since);

    // Between accounts: account_sharing.cpp.
    [[nodiscard]] task<result<std::vector<account_number>>> sharers(principal const& who);
    /// `other` is about to grant something to this account's owner.
    [[nodiscard]] task<result<void>> note_sharer(account_number other);
    /// When `other` last did; 0: it is not known here.
    [[nodiscard]] task<result<std::int64_t>> sharer_since(account_number other);
    [[nodiscard]] task<result<void>> drop_sharer(account_number other, std::int64_t since);
    /// Any right of anybody's list is this person's.
    [[nodiscard]] task<result<bool>> grants_to(account_number guest_number);
    /// Messages start to move to another account; answers the intent's number.
    [[nodiscard]] task<result<std::uint64_t>> begin_leaving(principal const& who, mailbox_id m, uid_set which, account_number other, std::string delivery);
    /// They are there: they go here, with the intent. `gone` false: they are not, and stay.
    [[nodiscard]] task<result<void>> end_leaving(std::uint64_t op, mailbox_id m, uid_set which, bool gone);

    // Of the service.
    /// Its state is read in the background, unless it is there.
    void expect();
    [[nodiscard]] task<result<void>> create(std::uint64_t quota_octets, bool folders);
    [[nodiscard]] task<result<void>> remove_all();
    /// Folds what is worth it and ends background work.
    [[nodiscard]] task<void> close();
    /// Gives back memory that nobody looks at: indexes and records. Answers the octets freed.
    [[nodiscard]] std::uint64_t shed();
    /// Nothing loaded is in use: the whole object may go.
    [[nodiscard]] bool idle() const;

private:
    friend class account_batch;
    struct watcher;
    struct holder_of_watch;

    // account_core.cpp: the queue and the commit.
    [[nodiscard]] task<result<void>> submit(operation& op);
    [[nodiscard]] task<result<void>> ready();
    void start_writer();
    task<void> write();
    task<void> run(std::vector<operation*> ops);
    [[nodiscard]] std::vector<operation*> take();
    void finish(std::vector<operation*> const& ops);
    [[nodiscard]] task<result<version>> commit(account_batch& b);
    [[nodiscard]] task<result<void>> commit_alone(account_batch& b);
    void apply(account_batch& b, version v);
    void apply_intents(account_batch& b);
    void forget_mailbox(mailbox_id m);
    void lose_late(mailbox_id m);
    void burn(account_batch const& b);
    void drop_state();
    void tell(mailbox_id m);

    // account_load.cpp
    [[nodiscard]] task<result<void>> load();
    [[nodiscard]] task<result<void>> load_rows();
    [[nodiscard]] task<result<std::vector<row>>> scan_all(std::string prefix);
    void take_meta(std::vector<row> const& metas);
    void take_tallies(std::vector<row> const& tallies);
    [[nodiscard]] task<result<void>> take_people(std::vector<row> const& people);
    void take_seen_counts(std::vector<row> const& counts);
    task<void> load_index(mailbox_id m);
    /// The indexes that late_ waits for, before anything changes.
    task<void> load_late();
    [[nodiscard]] task<result<std::shared_ptr<mailbox_columns>>> read_index(mailbox_id m, rows::page_table const& table, rows::tally const& tally);
    [[nodiscard]] task<result<void>> replay(mailbox_columns& into, rows::log_row const& l);
    [[nodiscard]] task<result<std::shared_ptr<rows::page_table const>>> read_page_table(mailbox_id m);
    void rebuild_names();
    void set_index(mailbox_state& s, std::shared_ptr<mailbox_columns const> index);
    void account_memory();

    // Rights: account_rights.cpp
    [[nodiscard]] bool guest(principal const& who) const noexcept { return !who.is_server() && who.who() != number_; }
    [[nodiscard]] rights rights_of(principal const& who, mailbox_state const& m) const;
    /// The mailbox, when it exists, may be looked up, and `needed` is held. Errors: not_found, refused, broken (damaged).
    [[nodiscard]] result<void> admit(principal const& who, mailbox_state const* m, rights needed) const;
    [[nodiscard]] mailbox_state const* find(mailbox_id m) const;
    [[nodiscard]] mailbox_state const* find(std::string_view name) const;
    [[nodiscard]] mailbox_info info_of(principal const& who, mailbox_state const& m) const;
    [[nodiscard]] static view_facts facts_of(mailbox_state const& m);
    [[nodiscard]] mailbox_view_ptr shared_view(mailbox_state const& m) const;
    [[nodiscard]] mailbox_view_ptr view_for(principal const& who, mailbox_state const& m) const;

    // account_flags.cpp
    struct resolved_flags;
    [[nodiscard]] task<result<void>> prepare_flags(account_batch& b, principal const& who, mailbox_id m, uid_set const& which, flag_change const& what,
                                                   flags_changed& out);
    /// The flags of names; unknown keywords are added to the mailbox as far as the limit allows. `strict`: refuse what cannot be.
    [[nodiscard]] result<flag_set> resolve(account_batch& b, mailbox_id m, std::vector<std::string> const& names, bool strict, bool may_add);
    [[nodiscard]] flag_set permitted(principal const& who, mailbox_state const& m, flag_set wanted) const;
    [[nodiscard]] task<result<void>> log_flags(account_batch& b, mailbox_id m, rows::log_action a);

    // account_append.cpp
    [[nodiscard]] task<result<void>> prepare_append(account_batch& b, principal const& who, mailbox_id m, std::vector<new_message> const& messages,
                                                    delivery_id const& delivery, appended& out, std::uint64_t freed = 0);
    [[nodiscard]] task<result<appended>> append_large(principal const& who, mailbox_id m, std::vector<new_message> const& messages,
                                                      delivery_id const& delivery);
    [[nodiscard]] task<result<std::optional<appended>>> seen_before(account_batch& b, delivery_id const& delivery);
    [[nodiscard]] task<result<void>> prepare_append_as(account_batch& b, principal const& who, mailbox_id m, store::uid as, std::vector<new_message> const& one,
                                                       delivery_id const& delivery, appended& out);
    /// `freed`: octets of the email that goes in the same commit; 0: none goes.
    [[nodiscard]] result<void> check_room(account_batch const& b, std::vector<new_message> const& messages, std::uint64_t freed = 0) const;
    [[nodiscard]] task<result<void>> put_email(account_batch& b, new_message const& message, message_entry const& e, mailbox_id m);
    [[nodiscard]] task<result<void>> add_member(account_batch& b, email_id e, mailbox_id from, mailbox_id to, bool moving);
    [[nodiscard]] task<result<std::uint64_t>> thread_of(account_batch& b, mime::summary const& s, email_id e);
    /// `in_pages`: the log row names pages instead of holding the entries.
    [[nodiscard]] task<result<void>> put_entries(account_batch& b, mailbox_id m, std::vector<message_entry> entries);
    struct pending_append;
    [[nodiscard]] task<result<void>> prepare_pending_append(account_batch& b, principal const& who, mailbox_id m, pending_append& p);
    [[nodiscard]] task<result<void>> prepare_append_slice(account_batch& b, mailbox_id m, pending_append& p);
    [[nodiscard]] task<result<void>> prepare_append_end(account_batch& b, principal const& who, mailbox_id m, pending_append& p, appended& out);

    // account_expunge.cpp
    [[nodiscard]] task<result<void>> prepare_expunge(account_batch& b, principal const& who, mailbox_id m, std::optional<uid_set> const& which,
                                                     bool even_undeleted, std::vector<store::uid>& out);
    /// Takes entries out of the index, the counts and people's marks, and writes the log action. Their memberships are the caller's.
    [[nodiscard]] task<result<void>> take_out(account_batch& b, mailbox_id m, uid_set const& gone);
    /// Ends memberships: at once when they are few, else by an intent that the background works off.
    [[nodiscard]] task<result<void>> release(account_batch& b, mailbox_id m, std::vector<email_id> which);
    [[nodiscard]] task<result<void>> release_now(account_batch& b, mailbox_id m, email_id e);
    [[nodiscard]] task<result<void>> drop_email(account_batch& b, stored_email const& e, std::vector<page_id> const& pages);
    [[nodiscard]] task<result<void>> leave_thread(account_batch& b, std::uint64_t thread, email_id e);
    [[nodiscard]] task<result<void>> put_list(account_batch& b, std::uint64_t op, rows::intent i, bool active);
    [[nodiscard]] task<result<std::vector<email_id>>> list_of(rows::intent const& i);
    /// The intent and its pages go.
    void end_list(account_batch& b, std::uint64_t op);
    /// The call that worked on it has ended: if it is still there, the background undoes it.
    void abandon(std::uint64_t op);

    // account_replace.cpp
    struct replacing;
    [[nodiscard]] task<result<void>> prepare_replace(account_batch& b, principal const& who, replacing& r);
    [[nodiscard]] task<result<std::uint64_t>> octets_freed(account_batch& b, message_entry const& e);

    // account_copy.cpp
    struct transfer_work;
    [[nodiscard]] task<result<void>> prepare_transfer(account_batch& b, principal const& who, transfer_work& w);
    [[nodiscard]] result<void> choose(account_batch& b, principal const& who, transfer_work& w);
    [[nodiscard]] task<result<void>> prepare_transfer_start(account_batch& b, principal const& who, transfer_work& w);
    [[nodiscard]] task<result<void>> prepare_transfer_slice(account_batch& b, transfer_work& w);
    [[nodiscard]] task<result<void>> prepare_transfer_end(account_batch& b, principal const& who, transfer_work& w);
    [[nodiscard]] task<result<void>> show_copies(account_batch& b, principal const& who, transfer_work& w);
    [[nodiscard]] task<result<void>> transfer_large(principal const& who, transfer_work& w);
    [[nodiscard]] task<result<void>> mark_guest(account_batch& b, principal const& who, mailbox_id m, std::vector<store::uid> const& uids);

    // account_pop3.cpp
    [[nodiscard]] task<result<rows::pop3_state>> pop3_state_of(account_batch& b, mailbox_id inbox);
    [[nodiscard]] task<result<void>> prepare_pop3_open(account_batch& b, principal const& who, mailbox_id m, std::uint32_t delay_seconds,
                                                       rows::pop3_state& out);
    [[nodiscard]] task<result<void>> prepare_pop3_fetched(account_batch& b, principal const& who, mailbox_id m, std::vector<email_id> const& which);
    void put_pop3_mark(account_batch& b, email_id e, rows::pop3_mark_row const& mark);
    /// The email goes, and what POP3 knew of it.
    [[nodiscard]] task<result<void>> forget_pop3_mark(account_batch& b, email_id e);

    // account_annotations.cpp
    struct annotating;
    [[nodiscard]] task<result<void>> load_annotations();
    [[nodiscard]] result<void> may_see_annotations(principal const& who, mailbox_id m) const;
    [[nodiscard]] result<void> may_annotate(principal const& who, annotating const& a) const;
    [[nodiscard]] result<void> annotations_fit(principal const& who, annotating const& a) const;
    [[nodiscard]] result<void> change_use(account_batch& b, principal const& who, mailbox_id m, special_use use);
    [[nodiscard]] task<result<void>> prepare_annotate(account_batch& b, principal const& who, annotating const& a);
    [[nodiscard]] task<result<void>> forget_annotations(account_batch& b, mailbox_id m);
    /// Makes a mailbox that has INBOX's entries too (RFC 5464 §4.1).
    [[nodiscard]] task<result<void>> prepare_inbox_twin(account_batch& b, principal const& who, std::string const& name);
    void set_annotation(annotation_key const& key, std::optional<std::string> value);
    void note_annotation(annotation_key key, std::uint64_t by);

    // account_mailboxes.cpp
    [[nodiscard]] task<result<void>> prepare_create(account_batch& b, principal const& who, std::string const& name, special_use use);
    [[nodiscard]] result<mailbox_id> make_levels(account_batch& b, std::string const& name, special_use use);
    [[nodiscard]] task<result<void>> prepare_raise(account_batch& b, principal const& who, mailbox_id m, store::uid next);
    [[nodiscard]] task<result<void>> prepare_adopt(account_batch& b, principal const& who, mailbox_id m, std::uint32_t validity);
    [[nodiscard]] task<result<void>> prepare_delete(account_batch& b, principal const& who, mailbox_id m);
    [[nodiscard]] task<result<void>> prepare_rename(account_batch& b, principal const& who, std::string const& from, std::string const& to);
    [[nodiscard]] task<result<void>> rename_inbox(principal const& who, std::string const& to);
    [[nodiscard]] task<result<void>> prepare_subscribe(account_batch& b, principal const& who, std::string const& name, bool on);
    [[nodiscard]] result<void> may_create(principal const& who, std::string const& name) const;

    // account_fold.cpp: the background.
    [[nodiscard]] task<bool> maintain();
    [[nodiscard]] task<result<void>> fold(mailbox_id m);
    [[nodiscard]] task<result<void>> fold_pages(account_batch& b, mailbox_id m, rows::page_table& table);
    [[nodiscard]] task<result<void>> fold_tombstones(account_batch& b, mailbox_id m, rows::page_table& table, mod_seq& through);
    [[nodiscard]] task<result<std::vector<rows::tombstone>>> tombstones_in(rows::log_row const& l);
    [[nodiscard]] task<result<void>> work_off(std::uint64_t op);
    [[nodiscard]] task<result<void>> settle_leaving(std::uint64_t op);
    [[nodiscard]] task<result<void>> prepare_left(account_batch& b, std::uint64_t op, mailbox_id m, uid_set const& which, bool gone);
    [[nodiscard]] task<result<void>> sweep();
    [[nodiscard]] task<result<void>> sweep_pages();
    [[nodiscard]] task<result<void>> remove_slices();
    [[nodiscard]] task<result<bool>> sweep_history();
    [[nodiscard]] task<result<bool>> sweep_deliveries();
    [[nodiscard]] bool wants_fold(mailbox_state const& m) const;

    // account_read.cpp
    [[nodiscard]] task<result<std::shared_ptr<stored_email const>>> read_email(email_id e, std::string row);
    [[nodiscard]] task<result<bool>> in_mailbox(stored_email const& e, mailbox_id m);
    void drop_derived();
    [[nodiscard]] result<std::shared_ptr<stored_email const>> open_email(email_id e, std::string body) const;
    using email_list = std::vector<std::pair<email_id, std::shared_ptr<stored_email const>>>;
    [[nodiscard]] task<result<void>> take_emails(std::vector<row> found, std::span<email_id const> wanted, email_list& into);
    [[nodiscard]] task<result<void>> fetch_emails(std::vector<email_id> const& missing, email_list& into);

    account_services& services_;
    base::task_group& background_;
    account_number number_;
    partition_id where_;

    std::optional<bool> pop3_marked_;  ///< there are rows U of emails; nullopt: not looked yet
    bool loaded_ = false, exists_ = false, writing_ = false, closing_ = false;
    rows::head head_;
    version version_ = 0;
    std::map<mailbox_id, mailbox_state> mailboxes_;
    std::map<std::string, mailbox_id, std::less<>> names_;
    std::map<mailbox_id, std::vector<std::shared_ptr<late_view const>>> late_;  ///< opened, their messages on the way
    std::map<account_number, std::set<std::string>> subscriptions_;
    std::map<account_number, std::int64_t> sharers_;  ///< who may share with us, and since when
    std::optional<std::map<annotation_key, std::string>> annotations_;  ///< nullopt: not looked yet; most accounts are never asked
    std::uint64_t annotation_octets_ = 0;                               ///< as the limit counts them
    struct annotation_event {
        annotation_key key;
        std::uint64_t by = 0;
    };
    std::deque<annotation_event> annotation_events_;  ///< the latest, numbered up to annotation_count_
    std::uint64_t annotation_count_ = 0;
    struct open_intent {
        rows::intent what;
        bool active = false;  ///< a call works on it; else the background does
        std::shared_ptr<std::vector<email_id> const> list;  ///< read from its pages once
    };
    std::map<std::uint64_t, open_intent> intents_;

    // What a failed commit may have used, never to be given out again.
    rows::head floor_;
    std::map<mailbox_id, store::uid> uid_floor_;

    bool expected_ = false;  ///< somebody will ask
    base::signal written_;   ///< the writer has ended
    std::deque<operation*> waiting_;
    std::map<mailbox_id, store::uid> recent_;  ///< UIDs from here on are \Recent to the next who asks
    std::vector<std::shared_ptr<watcher>> watchers_;
    record_cache records_;
    std::uint64_t index_octets_ = 0;
    std::int64_t counted_octets_ = 0;

    // The background's own notes.
    std::set<mailbox_id> fold_wanted_;
    bool sweeping_ = false, failing_ = false;
    base::monotonic_time sweep_due_{};
    std::string sweep_from_;

    // What protocol code made of mailboxes, kept for it.
    std::map<mailbox_id, derived_ptr> derived_;
    std::uint64_t derived_octets_ = 0;
};

/// The words of a mailbox that is not there, or not for this person: always the same (trust.md I8).
[[nodiscard]] std::unexpected<fault> no_such_mailbox();
[[nodiscard]] std::unexpected<fault> no_right();
[[nodiscard]] constexpr rights operator|(right a, right b) noexcept { return static_cast<rights>(static_cast<rights>(a) | static_cast<rights>(b)); }
[[nodiscard]] constexpr rights operator|(rights a, right b) noexcept { return static_cast<rights>(a | static_cast<rights>(b)); }
[[nodiscard]] constexpr rights only(right a) noexcept { return static_cast<rights>(a); }

}  // namespace mansio::store
