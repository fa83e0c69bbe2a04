// What another server may make us hold or wait for. Its own table, not base/limits.def: the client works in commands, outside a server's configuration.
#pragma once
#include <chrono>
#include <cstdint>

namespace mansio::imapclient {

/// Whoever passes one is given up.
struct bounds {
    std::uint64_t line = 4ULL << 20U;          ///< octets of one line (a SEARCH answer without ESEARCH is one)
    std::uint64_t response = 8ULL << 20U;      ///< octets of one answer with its literals; messages that a sink takes are left out
    std::uint64_t literals = 2000;             ///< of one answer
    unsigned depth = 64;                       ///< nested parentheses
    std::uint64_t responses = 4'000'000;       ///< answers to one command
    std::chrono::seconds connect_wait{30};     ///< a connection, and its TLS handshake
    std::chrono::seconds wait{300};            ///< the next octets
    std::chrono::seconds command_wait{7200};   ///< all answers to one command
};

}  // namespace mansio::imapclient
