// The command's side of the transfer socket.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "mime/octets.hpp"
#include "net/shard.hpp"
#include "transfer/json.hpp"

namespace mansio::transfer {

/// What the server said of an append: where it is now, or why not.
struct append_answer {
    std::uint32_t uid = 0;
    bool already = false;
};

/// One conversation with the running server. Threads: one executor. Errors: what the server refused, with its sentence; closed, timeout: the conversation
/// is over.
class link {
public:
    link(std::unique_ptr<net::stream> connection, base::clock& clock);
    /// Errors: closed, with a sentence for the operator.
    [[nodiscard]] static task<result<std::unique_ptr<link>>> open(net::shard& here, std::string socket);
    /// Asks and waits for the answer; appends under way are answered before.
    [[nodiscard]] task<result<json::object>> ask(json::object request);
    using when_appended = std::move_only_function<void(result<append_answer>)>;
    /// Sends a message without waiting for its commit; `then` hears of it later, in order. Waits while too many are under way.
    [[nodiscard]] task<result<void>> append(json::object request, mime::octets message, when_appended then);
    /// Returns when every append has been answered.
    [[nodiscard]] task<result<void>> settle();
    /// A message's octets, given to `take` in pieces. An error of `take` ends the conversation; the server's, in the middle of a message too, does not.
    [[nodiscard]] task<result<void>> read(json::object request, std::move_only_function<result<void>(std::string_view)> take);
    /// An answer with the octets that it announces, all of them: for pieces of a few MiB.
    struct piece {
        json::object head;
        std::string octets;
    };
    [[nodiscard]] task<result<piece>> fetch(json::object request);
    [[nodiscard]] task<void> close() { return peer_.raw().finish(); }

private:
    [[nodiscard]] task<result<json::object>> hear();
    [[nodiscard]] task<result<void>> hear_append();
    [[nodiscard]] base::monotonic_time by() const { return clock_.monotonic() + std::chrono::seconds{300}; }
    net::buffered_stream peer_;
    base::clock& clock_;
    struct under_way {
        std::uint64_t octets;
        when_appended then;
    };
    std::deque<under_way> appends_;
    std::uint64_t octets_ = 0;
};

}  // namespace mansio::transfer
