// What a sender asked of every server on the way: the parameters of MAIL and RCPT that outlive the conversation (docs/smtp.md).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mansio::queue {

/// NOTIFY= of a recipient (RFC 3461 §4.1). Given with nothing wanted: NEVER.
struct notify {
    bool said = false;
    bool success = false, failure = false, delay = false;
    /// Not given, it means FAILURE,DELAY.
    [[nodiscard]] bool wants_success() const noexcept { return said && success; }
    [[nodiscard]] bool wants_failure() const noexcept { return !said || failure; }
    [[nodiscard]] bool wants_delay() const noexcept { return !said || delay; }
    [[nodiscard]] bool never() const noexcept { return said && !success && !failure && !delay; }
    /// "NEVER", "SUCCESS,DELAY"; empty: not given.
    [[nodiscard]] std::string text() const;
    bool operator==(notify const&) const = default;
};

/// RET= (RFC 3461 §4.3).
enum class returned : std::uint8_t { unsaid, full, headers };

/// BY= (RFC 2852 §4).
struct deliver_by {
    enum class mode : std::uint8_t { none, notify, give_back };
    mode how = mode::none;
    bool trace = false;
    std::chrono::seconds within{0};   ///< of acceptance; not above 0: the time had passed before we had the message
    [[nodiscard]] bool asked() const noexcept { return how != mode::none; }
    bool operator==(deliver_by const&) const = default;
};

/// Those of MAIL.
struct requests {
    returned content = returned::unsaid;
    std::string envelope_id;          ///< ENVID= as given: xtext, so that the next server gets the same octets (RFC 3461 §5.2.1)
    bool binary = false;              ///< has octets that only BODY=BINARYMIME carries (RFC 3030)
    bool require_tls = false;         ///< REQUIRETLS (RFC 8689 §2)
    bool tls_optional = false;        ///< header field TLS-Required: No (RFC 8689 §3); never with require_tls
    std::optional<int> priority;      ///< MT-PRIORITY=, -9…9, as we grant it (RFC 6710); none: not said, which is 0
    deliver_by by;
    std::chrono::seconds hold{0};     ///< not before this time after acceptance (RFC 4865)
    std::string hold_words;           ///< "for;300", "until;2027-01-01T00:00:00Z": the request for reports
    bool operator==(requests const&) const = default;
};

/// xtext (RFC 3461 §4): "+" and two upper-case hexadecimal digits stand for an octet. nullopt: it is none.
[[nodiscard]] std::optional<std::string> from_xtext(std::string_view s);
[[nodiscard]] std::string to_xtext(std::string_view octets);

}  // namespace mansio::queue
