// IMAP URLs of a message or a part of one on this server (RFC 5092), as CATENATE takes them (RFC 4469 §3).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::imap::wire {

/// "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.MIME/;PARTIAL=0.1024"
struct message_url {
    struct range {
        std::uint64_t offset = 0;
        std::optional<std::uint64_t> octets;  ///< absent: to the end
        bool operator==(range const&) const = default;
    };
    std::string mailbox;                      ///< UTF-8
    std::optional<std::uint32_t> uid_validity;
    std::uint32_t uid = 0;
    std::string section;                      ///< empty: the whole message
    std::optional<range> partial;
    bool operator==(message_url const&) const = default;
};

/// Errors: syntax. A URL with scheme or server is one, an URLAUTH too (we make none: whoever has such a URL would need no password), and one that begins
/// with no slash (RFC 5092 §7.2).
[[nodiscard]] result<message_url> parse_message_url(std::string_view url);

}  // namespace mansio::imap::wire
