// The Sender Rewriting Scheme: forwarded mail gets a sender of ours, so that SPF at the next server passes and bounces find the way back.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "mime/address.hpp"

namespace mansio::accept {

/// SRS0=HASH=DAY=domain=local@ours, and SRS1=HASH=first=…@ours when the sender is one of another forwarder's making, so that a chain of forwarders
/// does not grow it (Wong, "The Sender Rewriting Scheme", 2004; libsrs2's format with a longer hash). The hash keys the rest: nobody but us makes
/// addresses that we would relay to. All parts survive a change of letter case.
class srs {
public:
    /// How long a bounce may take to come back.
    static constexpr int days_valid = 21;
    /// `key`: secret, from keys/; at least 16 octets.
    explicit srs(std::string key);
    /// The sender to use when forwarding for an address of `our_domain`, where bounces come back to.
    [[nodiscard]] mime::mailbox_address forward(mime::mailbox_address const& sender, std::string const& our_domain, base::wall_time now) const;
    /// Whether the local part claims to be of this scheme.
    [[nodiscard]] static bool looks_like(std::string_view local) noexcept;
    /// Where a bounce to such an address goes on to. nullopt: not of our making, altered, or too old.
    [[nodiscard]] std::optional<mime::mailbox_address> reverse(mime::mailbox_address const& recipient, base::wall_time now) const;

private:
    [[nodiscard]] std::string hash(std::string_view scheme, std::string_view rest) const;
    std::string key_;
};

}  // namespace mansio::accept
