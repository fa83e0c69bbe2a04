// METADATA responses nobody asked for: which entries others have changed (RFC 5464 §4.4.2; RFC 5465 §5.6, §5.7).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "store/account.hpp"

namespace mansio::imap {

class session;

/// Watches the entries of one's own account and, while it is open, those of another person's mailbox. The session says who wants to hear: ENABLE METADATA
/// wants all, NOTIFY what it named. Threads, lifetime: its session's.
class metadata_watch {
public:
    explicit metadata_watch(session& s) : s_(s) {}
    /// Begins, or the selected mailbox may be another one. What was changed before is not told. Errors: those of the store.
    [[nodiscard]] task<result<void>> follow();
    /// What others changed since. Errors: closed, timeout.
    [[nodiscard]] task<result<void>> tell();

private:
    struct watched {
        store::account_ref account;
        store::mailbox_id only = 0;  ///< 0: all of the account
        std::uint64_t since = 0;
        bool dirty = false;
        store::subscription watch;
    };
    [[nodiscard]] task<result<std::unique_ptr<watched>>> begin(store::account_ref account, store::mailbox_id only);
    [[nodiscard]] task<result<void>> tell_one(watched& w);
    [[nodiscard]] bool wanted(watched const& w, store::annotation_news::item const& i) const;

    session& s_;
    std::unique_ptr<watched> own_, other_;
};

}  // namespace mansio::imap
