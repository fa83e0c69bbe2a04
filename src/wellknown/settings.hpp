// What is told to programs and other servers.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace mansio::wellknown {

/// Ports people's programs may use; 0: that face does not listen.
struct settings {
    std::string hostname;
    std::uint16_t imaps = 0, imap = 0, pop3s = 0, pop3 = 0, submissions = 0, submission = 0;
    std::string mta_sts_mode = "off";  ///< off, none, testing, enforce
    std::vector<std::string> mta_sts_mx;
    std::uint64_t mta_sts_max_age = 604'800;  ///< seconds
};

/// One way in.
struct access {
    enum class protocol : std::uint8_t { imap, pop3, smtp } what;
    std::uint16_t port;
    bool implicit_tls;  ///< false: STARTTLS
};
/// Reading first, and of each protocol implicit TLS first (RFC 8314 §3, §4; trust.md W6).
[[nodiscard]] std::vector<access> ways_in(settings const& s);

}  // namespace mansio::wellknown
