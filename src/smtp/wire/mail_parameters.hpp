// The parameters of MAIL and RCPT (RFC 5321 §4.1.1.11), each allowed only where its extension is offered. No I/O, no state.
#pragma once
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "accept/reply.hpp"
#include "queue/requests.hpp"

namespace mansio::smtp::wire {

/// A grammar's errors are the replies to give.
template <class T> using parsed = std::expected<T, accept::reply>;

/// What EHLO may offer (docs/smtp.md); smtp/server/extensions.hpp says where each is.
enum class extension : std::uint8_t {
    pipelining,
    size,
    eight_bit,
    smtputf8,
    chunking,
    binary,
    enhanced_codes,
    dsn,
    deliver_by,
    future_release,
    priority,
    require_tls,
    limits,
    starttls,
    auth,
    xclient,
};
inline constexpr std::size_t extension_count = 16;

class extension_set {
public:
    constexpr extension_set() = default;
    constexpr extension_set(std::initializer_list<extension> list)
    {
        for (auto const e : list) put(e);
    }
    [[nodiscard]] static constexpr extension_set all() noexcept
    {
        extension_set s;
        s.bits_ = (1U << extension_count) - 1;
        return s;
    }
    [[nodiscard]] constexpr bool has(extension e) const noexcept { return (bits_ >> static_cast<unsigned>(e) & 1U) != 0; }
    constexpr void put(extension e) noexcept { bits_ |= 1U << static_cast<unsigned>(e); }
    constexpr void remove(extension e) noexcept { bits_ &= ~(1U << static_cast<unsigned>(e)); }
    bool operator==(extension_set const&) const = default;

private:
    std::uint32_t bits_ = 0;
};

/// Those of MAIL.
struct mail_parameters {
    std::optional<std::uint64_t> size;
    bool body_8bit = false;                    ///< BODY=8BITMIME or BINARYMIME
    bool smtputf8 = false;
    queue::requests asked;                     ///< but `hold`, which wants a clock
    std::optional<std::uint64_t> hold_for;     ///< HOLDFOR=, seconds, above 0
    std::optional<std::int64_t> hold_until;    ///< HOLDUNTIL=, unix seconds, rounded up
};
/// Those of RCPT.
struct rcpt_parameters {
    queue::notify wanted;
    std::string orcpt;
};

/// `text`: what stands behind the path, blanks trimmed. Errors: 501 malformed, or said twice; 555 not known, or not in `offered`.
[[nodiscard]] parsed<mail_parameters> parse_mail_parameters(std::string_view text, extension_set offered);
[[nodiscard]] parsed<rcpt_parameters> parse_rcpt_parameters(std::string_view text, extension_set offered, bool smtputf8);

/// Decimal, all of it; nullopt also when it does not fit.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view s) noexcept;

}  // namespace mansio::smtp::wire
