// What is changed in a message's own header at entry, and what is learnt from it on the way.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "mime/header.hpp"

namespace mansio::accept {

struct header_rules {
    bool remove_bcc = false;                 ///< submission: Bcc and Resent-Bcc are for the sender's eyes
    std::string add_date, add_message_id;    ///< field bodies, put in when there is none (RFC 6409 §8); empty: not wanted
    /// Authentication-Results that name one of these authserv-ids were not made by us: they go (RFC 8601 §5, trust.md W11). Lower case.
    std::vector<std::string> own_authserv_ids;
    bool keep_original = false;              ///< a changed header is kept as it came too: signatures are over that
};

/// Facts of the header, and its octets as they are to be kept.
struct filtered_header {
    std::string text;                        ///< only when `changed`
    bool changed = false;
    bool over_limit = false;                 ///< fields, one field's or the header's size (trust.md W12)
    std::uint32_t received = 0;
    bool tls_optional = false;               ///< TLS-Required: No (RFC 8689 §3)
    std::vector<std::string> delivered_to;   ///< bodies, lower case, trimmed
    std::uint32_t removed = 0;
};
/// `header`: from the message's first octet through the empty line, or the whole message when it has none. Linear; a field is changed as a whole or not at all.
[[nodiscard]] filtered_header filter_header(std::string_view header, header_rules const& rules, base::limits const& limits);

/// The authserv-id of an Authentication-Results body, lower case: comments skipped, quotes undone (RFC 8601 §2.2). Empty: none found.
[[nodiscard]] std::string authserv_id(std::string_view field_body);

}  // namespace mansio::accept
