// What a protocol answers: code, enhanced status and words, as SMTP has them; JMAP and milter translate.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace mansio::accept {

/// RFC 5321 §4.2 reply code, RFC 3463 status ("5.7.1"; empty: none is sent), words. A '\n' in `text` begins another line of the reply.
struct reply {
    int code = 250;
    std::string status;
    std::string text;
    bool hang_up = false;  ///< the connection closes after it
    reply() = default;
    reply(int c, std::string s, std::string t) : code(c), status(std::move(s)), text(std::move(t)) {}
    [[nodiscard]] bool positive() const noexcept { return code < 400; }
    [[nodiscard]] reply and_hang_up() &&
    {
        hang_up = true;
        return std::move(*this);
    }
};

/// What a fault of ours or of the store means to the peer; `full`: what over_limit means here (quota, memory, disk).
[[nodiscard]] reply reply_for(fault const& f, reply full);
/// "550 5.1.1 no such user here", for logs.
[[nodiscard]] std::string describe(reply const& r);

}  // namespace mansio::accept
