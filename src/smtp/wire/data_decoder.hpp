// The octets of a message on the wire: DATA with its dots, BDAT without.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mansio::smtp::wire {

/// Where decoded octets go. Views are valid during the call.
class octet_sink {
public:
    virtual ~octet_sink() = default;
    virtual void put(std::string_view octets) = 0;
};

/// Undoes the transparency of DATA (RFC 5321 §4.5.2) and finds its end, which is exactly CRLF "." CRLF and nothing that resembles it: two relays that
/// disagree about the end can be made to see two messages in one (SMTP smuggling, CVE-2023-51764; trust.md W1).
/// Bare CR, bare LF and NUL are noted; what they mean is the caller's business. A pure machine: it works however the network cuts.
/// Cost: two memchr passes, nothing copied or allocated; runs of octets are handed on as they stand.
class data_decoder {
public:
    enum class line_ends : std::uint8_t {
        keep,       ///< bare CR and LF are handed on (and noted): the MX refuses such a message when it has ended
        normalise,  ///< each becomes CRLF, once, here (trust.md W2): submission, LMTP, listed devices
    };
    enum class framing : std::uint8_t {
        dots,     ///< DATA
        counted,  ///< BDAT: the caller feeds exactly the chunks and calls finish() after the last
    };
    data_decoder(line_ends ends, framing how) noexcept : ends_(ends), framing_(how) {}
    /// Takes octets up to the end of the message; answers how many that was: all of them unless done(). What follows are commands.
    [[nodiscard]] std::size_t feed(std::string_view octets, octet_sink& out);
    /// Counted framing: nothing more comes.
    void finish(octet_sink& out);
    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }
    [[nodiscard]] bool bare_cr() const noexcept { return bare_cr_; }
    [[nodiscard]] bool bare_lf() const noexcept { return bare_lf_; }
    [[nodiscard]] bool nul() const noexcept { return nul_; }

private:
    enum class state : std::uint8_t {
        line_start,  ///< after CRLF, or at the very beginning
        dot,         ///< CRLF "." seen; the dot is held back
        dot_cr,      ///< CRLF "." CR seen; the CR is held back too
        text,        ///< within a line
        cr,          ///< within a line, a CR held back at the end of what was fed
        done,
    };
    void lone_cr(octet_sink& out);
    [[nodiscard]] std::size_t take_text(std::string_view octets, std::size_t at, octet_sink& out);
    state state_ = state::line_start;
    line_ends ends_;
    framing framing_;
    bool bare_cr_ = false, bare_lf_ = false, nul_ = false;
};

}  // namespace mansio::smtp::wire
