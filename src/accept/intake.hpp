// Takes a message's octets as they come: header filtered, size watched, into the spool.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "accept/header_filter.hpp"
#include "accept/reply.hpp"
#include "base/limits.hpp"
#include "mime/octets.hpp"
#include "store/spool.hpp"

namespace mansio::accept {

/// The words of a 552 that is about the header.
inline constexpr std::string_view header_refusal = "the header is too big";

/// Octets go in with put(), however cut; nothing of the message is held here but its header, until that is complete. A refusal is remembered, not
/// thrown: the protocol must read to the message's true end before it may answer (trust.md W1).
/// Lifetime: keep it until the commit: it holds the spool's writer and so the memory budget's share. Threads: none.
class intake {
public:
    /// `limits`, `memory` outlive it.
    intake(store::spool::writer into, header_rules rules, base::limits const& limits, base::memory_budget& memory);
    void put(std::string_view octets);
    /// The first refusal counts.
    void refuse(reply why);
    [[nodiscard]] std::optional<reply> const& refused() const noexcept { return refused_; }
    /// No more octets will come. The message as it is to be stored. Errors: over_limit, broken.
    [[nodiscard]] result<mime::octets> finish();
    /// Octets so far, as they came.
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    /// So far beyond the limit that reading to the end is a service to nobody: the connection should close.
    [[nodiscard]] bool hopeless() const noexcept;
    /// What the header said; complete after finish().
    [[nodiscard]] filtered_header const& header() const noexcept { return header_; }
    /// The header as it came, when it was changed on the way into the spool; else empty: the stored one is it.
    [[nodiscard]] std::string const& original_header() const noexcept { return original_; }

private:
    void end_header(std::string_view header);
    void store(std::string_view octets);
    store::spool::writer into_;
    header_rules rules_;
    base::limits const& limits_;
    base::memory_budget& memory_;
    base::memory_budget::hold header_hold_;
    std::string pending_;         // the header so far
    std::size_t scanned_ = 0;     // of pending_: no empty line begins before
    std::uint64_t received_ = 0;
    bool in_header_ = true;
    filtered_header header_;
    std::string original_;
    std::optional<reply> refused_;
};

}  // namespace mansio::accept
