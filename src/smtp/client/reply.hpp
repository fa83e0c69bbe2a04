// Replies of another server (RFC 5321 §4.2), bounded.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::smtp::client {

struct server_reply {
    unsigned code = 0;                   ///< 200…599
    std::string status;                  ///< enhanced code of the first line that has one (RFC 2034); empty: none
    std::vector<std::string> lines;      ///< text without code and separator; the enhanced code stays in front
    [[nodiscard]] bool positive() const noexcept { return code >= 200 && code < 300; }
    [[nodiscard]] bool intermediate() const noexcept { return code >= 300 && code < 400; }
    [[nodiscard]] bool permanent() const noexcept { return code >= 500; }
    /// "550 5.1.1 no such user", lines joined by blanks: for logs and DSNs.
    [[nodiscard]] std::string text() const;
};

/// Takes lines until a reply is whole. Threads: none.
/// Errors: syntax (no code, code that changes between lines), over_limit (more octets than `most`: a banner of 100 MB, endless "250-", trust.md R8).
class reply_parser {
public:
    explicit reply_parser(std::size_t most) : left_(most) {}
    /// nullopt: more lines follow.
    [[nodiscard]] result<std::optional<server_reply>> feed(std::string_view line);

private:
    std::size_t left_;
    server_reply reply_;
};

/// What EHLO said is offered.
struct extensions {
    bool pipelining = false, eight_bit = false, smtputf8 = false, starttls = false, chunking = false, size_known = false;
    bool dsn = false, binary = false, deliver_by = false, priority = false, require_tls = false;
    std::chrono::seconds by_minimum{0};  ///< DELIVERBY's least time for BY=…;R
    std::optional<std::uint64_t> size;   ///< SIZE: 0 or absent number means no fixed limit
};
[[nodiscard]] extensions read_extensions(server_reply const& ehlo);

}  // namespace mansio::smtp::client
