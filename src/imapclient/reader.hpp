// Reads whole answers from a connection, within budgets (trust.md R8, W5).
#pragma once
#include <string_view>

#include "base/clock.hpp"
#include "imapclient/bounds.hpp"
#include "imapclient/response.hpp"
#include "net/stream.hpp"

namespace mansio::imapclient {

/// Takes a message's octets as they come, so that none is whole in memory.
class body_sink {
public:
    virtual ~body_sink() = default;
    /// A message of so many octets comes. False: it is read and thrown away (too large …).
    [[nodiscard]] virtual bool begin(std::uint64_t octets) = 0;
    /// An error ends the conversation.
    [[nodiscard]] virtual result<void> append(std::string_view octets) = 0;
};

/// The next answer. `sink`: takes the literal of BODY[]; null: everything is kept, within the bounds. `until`: for all of it; each read has
/// bounds::wait besides.
/// Errors: closed, timeout, broken; over_limit and syntax: the place in the conversation is lost. All end the conversation.
[[nodiscard]] task<result<response>> read_response(net::buffered_stream& peer, bounds const& l, base::clock& clock, base::monotonic_time until,
                                                   body_sink* sink = nullptr);

}  // namespace mansio::imapclient
