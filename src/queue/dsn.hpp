// Delivery status notifications: what a sender is told when mail could not be delivered (RFC 3464, RFC 3461 §6).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "queue/queue.hpp"

namespace mansio::queue {

struct dsn_input {
    envelope const& original;
    std::vector<std::size_t> failed;       ///< indexes of recipients; their last_* fields tell why
    std::string_view original_header;      ///< header fields of the message, CRLF; cut to whole fields by the builder (at most 32 KiB)
    std::string_view reporting_mta;        ///< our host name
    std::string_view postmaster;           ///< From
    std::string_view boundary, message_id; ///< unique, made by the caller from its random source
    base::wall_time now;
    bool expired = false;                  ///< given up after trying for long
};
/// A whole message with CRLF line ends. Words of other servers are escaped: nothing in them can add a header field or a part (trust.md W11).
[[nodiscard]] std::string make_dsn(dsn_input const& in);

}  // namespace mansio::queue
