// HTTP requests and responses as values.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"

namespace mansio::http {

struct request {
    std::string method;   ///< "GET"
    std::string path;     ///< decoded never: compared as sent; without the query
    std::string query;    ///< after "?", empty: none
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    bool keep_alive = true;
    /// First field of that name, case ignored.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;
};

struct response {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;  ///< further ones; values must not hold CR or LF (asserted)
};

/// Wire text, with Content-Length, nosniff and no-store.
[[nodiscard]] std::string serialize(response const& r, bool keep_alive);
[[nodiscard]] std::string serialize(request const& r, std::string_view host);
[[nodiscard]] std::string_view reason(unsigned status) noexcept;

/// Takes octets until a message is whole (Boost.Beast's parser, RFC 9112; ambiguous framing is refused: trust.md I13).
/// Threads: none. Errors: syntax (400), over_limit with detail "header" (431) or "body" (413).
class message_parser {
public:
    enum class side : std::uint8_t { request, response };
    message_parser(side s, std::uint64_t max_header, std::uint64_t max_body);
    ~message_parser();
    message_parser(message_parser const&) = delete;
    message_parser& operator=(message_parser const&) = delete;
    /// How many octets were used. After done() the rest belongs to the next message.
    [[nodiscard]] result<std::size_t> feed(std::string_view octets);
    /// The peer ended its side: completes a response that has no length. Errors: syntax when it was cut.
    [[nodiscard]] result<void> feed_end();
    [[nodiscard]] bool done() const noexcept;
    [[nodiscard]] bool started() const noexcept;
    [[nodiscard]] request take_request();
    [[nodiscard]] response take_response();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::http
