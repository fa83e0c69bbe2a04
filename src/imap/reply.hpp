// The tagged answer to a command (RFC 9051 §7.1).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::imap {

struct reply {
    enum class kind : std::uint8_t {
        ok,
        no,
        bad,
        none,  ///< answered already, or later (IDLE)
    };
    kind what = kind::ok;
    std::string text;  ///< "[CODE] words"
    /// The command counted with message numbers after all: no EXPUNGE before its answer.
    bool numbers_used = false;
    /// Messages are gone by this command: to a client that wants it the answer tells the mod-sequence it now knows of (RFC 7162 §3.2.7).
    bool tells_modseq = false;
    reply(kind what_, std::string text_) : what(what_), text(std::move(text_)) {}
    [[nodiscard]] static reply ok(std::string text) { return {kind::ok, std::move(text)}; }
    [[nodiscard]] static reply no(std::string text) { return {kind::no, std::move(text)}; }
    [[nodiscard]] static reply none() { return {kind::none, {}}; }
};

/// A fault in the client's words: BAD for syntax, else NO with the response code that fits (RFC 9051 §7.1, RFC 5530). A fault whose words begin with
/// "[" brings its own.
[[nodiscard]] reply reply_to(fault const& f);
/// True when the conversation cannot go on: the peer is gone or too slow.
[[nodiscard]] bool ends_conversation(fault const& f) noexcept;

}  // namespace mansio::imap
