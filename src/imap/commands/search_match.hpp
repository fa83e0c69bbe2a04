// Whether a message matches a search.
#pragma once
#include <string>
#include <vector>

#include "imap/commands/search_program.hpp"
#include "store/account.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

/// What is known of one message while it is tried; cheap keys first, dear ones only when they still matter.
class search_match {
public:
    /// `now`: unix seconds, for OLDER and YOUNGER.
    search_match(search_program const& p, selected_mailbox const& m, store::mailbox_view const& latest, std::int64_t now);
    using truth = search_program::truth;
    /// From the index alone. `entry`: with flags as they are now.
    [[nodiscard]] truth try_index(std::uint32_t position, store::message_entry const& entry);
    /// Goes on with the stored summary.
    [[nodiscard]] truth try_summary(store::email_record const& email);
    /// Goes on with the message's octets, read part by part. Errors: those of account_ref::read().
    [[nodiscard]] task<result<truth>> try_message(session& s, store::email_record_ptr email);

private:
    [[nodiscard]] truth index_key(search_key const& k, std::uint32_t position, store::message_entry const& e) const;
    [[nodiscard]] truth summary_key(search_key const& k, store::email_record const& email) const;
    void look_in(std::string_view folded, bool in_body);
    [[nodiscard]] bool open_keys() const;
    search_program const& program_;
    selected_mailbox const& mailbox_;
    std::int64_t now_;
    std::vector<std::optional<unsigned>> keyword_indexes_;  // by key
    std::vector<truth> known_;
};

}  // namespace mansio::imap::commands
