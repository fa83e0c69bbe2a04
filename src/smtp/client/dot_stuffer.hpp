// A message's octets made fit for DATA (RFC 5321 §4.5.2).
#pragma once
#include <string>
#include <string_view>

namespace mansio::smtp::client {

/// Doubles the dot that starts a line and lets no bare CR or LF out: one that got in all the same becomes CRLF, so that nobody behind us can be
/// made to see two messages in one (trust.md W1, W2). State crosses pieces. Threads: none.
class dot_stuffer {
public:
    void feed(std::string_view piece, std::string& out);
    /// CRLF if the last line lacks it, then the final dot.
    void finish(std::string& out);

private:
    bool line_start_ = true, held_cr_ = false;
};

}  // namespace mansio::smtp::client
