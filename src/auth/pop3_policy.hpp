// What POP3 promises about mail left on the server, and how often one may sign in (RFC 2449 §6.5, §6.7): per account, per domain, or the server's default.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::auth {

/// How long INBOX keeps a message that nobody deletes.
struct pop3_keep {
    enum class rule : std::uint8_t {
        forever = 0,        ///< the server deletes nothing
        until_fetched = 1,  ///< QUIT removes what the session fetched
        after_fetch = 2,    ///< `days` after RETR first sent it
        in_all = 3,         ///< `days` after it came into INBOX, fetched or not
    };
    rule what = rule::forever;
    std::uint32_t days = 0;  ///< of after_fetch and in_all: 1 to 36,500
    bool operator==(pop3_keep const&) const = default;

    /// "forever", "until-fetched", "7-days-after-fetch", "30-days". Errors: syntax, with a sentence that names these.
    [[nodiscard]] static result<pop3_keep> parse(std::string_view text);
    [[nodiscard]] std::string text() const;
    /// CAPA's number of days; nullopt: NEVER (RFC 2449 §6.7).
    [[nodiscard]] std::optional<std::uint32_t> expire_days() const noexcept;
    /// The server itself removes messages, whatever people do.
    [[nodiscard]] bool sweeps() const noexcept { return what == rule::after_fetch || what == rule::in_all; }
};

/// What an account or a domain says of its own; what is absent is inherited.
struct pop3_settings {
    std::optional<pop3_keep> keep;
    std::optional<std::uint32_t> login_delay;  ///< seconds between sign-ins; 0: none
    [[nodiscard]] bool empty() const noexcept { return !keep && !login_delay; }
    bool operator==(pop3_settings const&) const = default;
};
inline constexpr std::uint32_t most_login_delay = 86'400;

/// What holds for one account, and who said so.
struct pop3_policy {
    enum class origin : std::uint8_t { server, domain, account };
    pop3_keep keep;
    std::uint32_t login_delay = 0;
    origin keep_from = origin::server, login_delay_from = origin::server;
};
[[nodiscard]] std::string_view origin_name(pop3_policy::origin o) noexcept;  ///< "server", "domain", "account"

/// What could hold for anybody: what CAPA says before it knows who asks.
struct pop3_bounds {
    std::optional<std::uint32_t> least_days;  ///< nullopt: NEVER
    bool keep_differs = false;
    std::uint32_t longest_delay = 0;
    bool delay_differs = false;
};

}  // namespace mansio::auth
