// Whether a message matches a search.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imap/commands/search_program.hpp"
#include "imap/text_find.hpp"
#include "imap/wire/sequence_set.hpp"
#include "store/account.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

/// A search made ready for one mailbox. Cheap keys are tried first, dear ones only when they still matter: what is known of a message's keys goes along.
/// Threads: safe after it is made, but for read_and_match().
class search_match {
public:
    using truth = search_program::truth;
    using known = std::vector<truth>;  ///< by key
    /// `recent`: UIDs that are \Recent. `now`: unix seconds, for OLDER and YOUNGER. All outlive it.
    search_match(search_program const& p, wire::number_ranges const& recent, store::mailbox_view const& latest, std::int64_t now);
    [[nodiscard]] search_program const& program() const noexcept { return program_; }
    /// From the index alone; begins `k`. `entry`: with flags as they are now.
    [[nodiscard]] truth try_index(known& k, store::message_entry const& entry) const;
    /// Goes on with the stored summary.
    [[nodiscard]] truth try_summary(known& k, store::email_record const& email) const;
    /// Goes on to the end with all octets of the message.
    [[nodiscard]] truth try_octets(known& k, store::email_record const& email, std::string_view octets, base::limits const& l) const;
    /// The same for a large one: its octets are read part by part. Errors: those of account_ref::read().
    [[nodiscard]] task<result<truth>> read_and_match(known& k, store::account_ref const& account, store::email_record_ptr email, base::limits const& l) const;
    /// Messages up to this many octets are searched whole.
    static constexpr std::uint64_t whole_message = 1U << 20U;

private:
    [[nodiscard]] truth index_key(search_key const& k, store::message_entry const& e) const;
    [[nodiscard]] truth summary_key(std::size_t i, store::email_record const& email) const;
    [[nodiscard]] bool field_matches(std::size_t i, std::string_view name, std::string_view body) const;
    void look_in_header(known& k, std::string_view header, base::limits const& l) const;
    void look_in(known& k, std::string_view text, bool in_body) const;
    void look_in_part(known& k, mime::part const& p, std::string_view header, std::string_view body, base::limits const& l) const;
    search_program const& program_;
    wire::number_ranges const& recent_;
    std::int64_t now_;
    std::vector<std::optional<unsigned>> keyword_indexes_;  // by key
    std::vector<text_needle> needles_;                      // by key
};

}  // namespace mansio::imap::commands
