// Addresses as RFC 5322 §3.4 writes them, read as mail really has them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"

namespace mansio::mime {

/// One mailbox, or the start or end of a group, in the order of RFC 9051's ENVELOPE: a group's start has `mailbox` = its name and no host,
/// its end has neither.
struct address {
    enum class kind : std::uint8_t { mailbox, group_start, group_end };
    kind what = kind::mailbox;
    std::string name;     ///< display name as written (encoded words kept), unquoted; empty: none
    std::string route;    ///< obsolete source route, "@a,@b"; empty: none
    std::string mailbox;  ///< local part, unquoted; or the group's name
    std::string host;     ///< domain as written
    bool operator==(address const&) const = default;
};

/// Reads an address list (From, To, …). Never fails: what cannot be read is skipped or kept as a name, at most `most` addresses.
[[nodiscard]] std::vector<address> parse_address_list(std::string_view field_body, base::budget& most);

/// An address of the envelope, RFC 5321 §4.1.2 Mailbox: no comments, no names. `smtputf8`: RFC 6531 allows octets ≥ 0x80.
struct mailbox_address {
    std::string local;   ///< unquoted
    std::string domain;  ///< as written; an address literal keeps its brackets
    /// "local@domain", the local part quoted only when it must be.
    [[nodiscard]] std::string text() const;
    bool operator==(mailbox_address const&) const = default;
};
/// Strict: this is what MAIL, RCPT and configuration accept. Errors: syntax. Limits of RFC 5321 §4.5.3.1 (64 local, 255 domain) are errors.
[[nodiscard]] result<mailbox_address> parse_mailbox(std::string_view text, bool smtputf8);
/// Canonical before it is a key: domain to A-labels in lower case (IDNA 2008, UTS 46 mapping), local part NFC and case-folded.
/// Errors: syntax (a domain that is none).
[[nodiscard]] result<mailbox_address> canonical(mailbox_address const& a);
[[nodiscard]] result<std::string> canonical_domain(std::string_view domain);

}  // namespace mansio::mime
