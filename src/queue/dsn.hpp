// Delivery status notifications: what a sender is told of what became of the mail (RFC 3464, RFC 3461 §6).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/queue.hpp"

namespace mansio::queue {

/// action-value (RFC 3464 §2.3.3).
enum class action : std::uint8_t { failed, delayed, delivered, relayed, expanded };
[[nodiscard]] std::string_view name_of(action a) noexcept;

/// One recipient a notification is about.
struct told {
    std::size_t index = 0;                 ///< into envelope::recipients; its last_* fields tell the reason
    action what = action::failed;
};

struct dsn_input {
    envelope const& original;
    std::vector<told> about;
    std::string_view original_header;      ///< header fields of the message, CRLF; cut to whole fields by the builder (at most 32 KiB)
    std::optional<std::string_view> whole; ///< the whole message, to be returned (RET=FULL)
    std::string_view reporting_mta;        ///< our host name
    std::string_view postmaster;           ///< From
    std::string_view boundary, message_id; ///< unique, made by the caller from its random source
    base::wall_time now;
    bool expired = false;                  ///< given up after trying for long
    std::chrono::seconds tried_for_more{0};///< of delayed ones: how long we go on
};
/// A whole message with CRLF line ends. Words of other servers are escaped: nothing in them can add a header field or a part (trust.md W11).
[[nodiscard]] std::string make_dsn(dsn_input const& in);

/// May the notification hold the whole message? RET=FULL and a failure (RFC 3461 §4.3), in lines, not under REQUIRETLS (RFC 8689 §5), not too large.
[[nodiscard]] bool returns_whole(envelope const& e, std::vector<told> const& about, std::uint64_t most_octets) noexcept;

/// What is told of a recipient that was handed over; nullopt: nothing. `local`: into a mailbox.
[[nodiscard]] std::optional<action> success_report(envelope const& e, recipient const& r, outcome const& o, bool local) noexcept;

}  // namespace mansio::queue
