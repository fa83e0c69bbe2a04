// What DKIM and ARC hash: header fields and bodies in canonical form (RFC 6376 §3.4).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mansio::mailauth {

enum class canonicalization : std::uint8_t { simple, relaxed };

/// One header field, with its CRLF. `field` is the field as it stands in the message, with or without its final line end; lines may end in LF alone.
[[nodiscard]] std::string canonical_field(std::string_view field, canonicalization how);

/// Turns a body into its canonical form, piece by piece. Line ends are CRLF afterwards, whatever they were.
/// Memory: a piece. Blank lines at the end are counted, not kept.
class canonical_body {
public:
    using sink = std::function<void(std::string_view)>;
    canonical_body(canonicalization how, sink to);
    void feed(std::string_view octets);
    void finish();
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }  ///< canonical octets so far

private:
    void put(std::string_view octets);
    void end_line();
    void start_text();
    canonicalization how_;
    sink to_;
    std::uint64_t size_ = 0;
    std::uint64_t blank_lines_ = 0;  // seen, not yet written: the end may follow
    bool in_line_ = false;           // something of this line was written
    bool white_ = false;             // relaxed: blanks seen, not yet written
    bool cr_ = false;
    std::string out_;
};

}  // namespace mansio::mailauth
