// The mailbox a session has open: what the client was told, against what is.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "imap/wire/sequence_set.hpp"
#include "store/account.hpp"

namespace mansio::imap {

class session;
struct search_context;

/// Half-open ranges of positions (sequence number − 1), ascending.
struct position_ranges {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    [[nodiscard]] std::uint64_t count() const noexcept;
    [[nodiscard]] bool empty() const noexcept { return ranges.empty(); }
};

/// Takes positions out of ranges a few at a time.
class position_cursor {
public:
    explicit position_cursor(position_ranges const& from) noexcept : from_(from) {}
    /// The next ones, at most `most`; empty at the end.
    void next(std::vector<std::uint32_t>& into, std::size_t most);

private:
    position_ranges const& from_;
    std::size_t range_ = 0;
    std::uint32_t offset_ = 0;
};

/// Sequence numbers are places in `announced`, the picture of the mailbox the client knows; it moves on only when the client is told (RFC 9051 §5.5, §7.5.1).
/// Threads: the session's.
struct selected_mailbox {
    store::account_ref account;           ///< whose it is, as this session's person reaches it
    store::mailbox_info info;             ///< its name is the client's, also of another person's mailbox
    bool examined = false;                ///< EXAMINE: nothing here may change it
    store::mailbox_view_ptr announced;
    wire::number_ranges recent;           ///< UIDs that are \Recent in this session (RFC 3501 §2.3.2)
    wire::number_ranges saved;            ///< UIDs of "$" (RFC 9051 §6.4.4.1)
    /// Flag changes this session made and its client knows of: not announced again. By UID, with the modseq they got.
    std::vector<std::pair<store::uid, store::mod_seq>> known;
    std::vector<std::shared_ptr<search_context>> contexts;  ///< searches whose changes are told (RFC 5267); at most limits.imap_contexts

    /// The messages of `announced` are there: SELECT of a mailbox that nobody had open answers before they are read. Errors: broken (damaged), conflict,
    /// not_found, try_later.
    [[nodiscard]] task<result<void>> wait_whole();
    [[nodiscard]] bool is_recent(store::uid u) const noexcept { return wire::contains(recent, u); }
    [[nodiscard]] std::uint32_t recent_count() const noexcept;
    /// RFC 4314 §5.2: read-only when none of i, e, w, t is granted.
    [[nodiscard]] bool read_only() const noexcept;
    [[nodiscard]] bool may(store::right r) const noexcept { return !examined && store::has(info.my_rights, r); }
    /// Which messages a set names. Errors: syntax (a sequence number beyond the last message).
    [[nodiscard]] result<position_ranges> find(wire::sequence_set const& set, bool by_uid) const;
    [[nodiscard]] store::uid_set uids(position_ranges const& p) const;
    /// The client knows the flags these messages have in `after`.
    void note_known(std::vector<store::uid> const& changed, store::mailbox_view const& after);
};

/// "(\Seen $Junk)", with \Recent when `recent`.
void append_flags(std::string& out, store::mailbox_view const& view, store::flag_set const& flags, bool recent);
/// "MODSEQ (12345)"
void append_modseq(std::string& out, store::mod_seq m);
/// "* 3 FETCH (UID 7 FLAGS (\Seen) MODSEQ (12))", told unasked: with what this client wants beside the flags (RFC 9051 §7.5.2, RFC 7162 §3.2.4).
void append_flags_fetch(std::string& out, session const& s, selected_mailbox const& m, store::mailbox_view const& view, std::uint32_t number,
                        store::message_entry const& entry);
/// "* FLAGS (…)" and "* OK [PERMANENTFLAGS (…)]", both lines.
void append_flag_lists(std::string& out, selected_mailbox const& m, store::mailbox_view const& view);

/// Tells the client what changed since `announced`: EXPUNGE, EXISTS, RECENT, FETCH; then that is announced. Without `may_expunge` nothing is told
/// while a message the client counts is gone (RFC 9051 §7.5.1: no EXPUNGE during FETCH, STORE, SEARCH). Errors: closed, timeout.
[[nodiscard]] task<result<void>> announce(session& s, store::mailbox_view_ptr now, bool may_expunge);

}  // namespace mansio::imap
