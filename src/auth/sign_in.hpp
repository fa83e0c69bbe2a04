// Signing in. The account password opens the portal only; mail protocols take app passwords (trust.md §3.3).
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/directory.hpp"
#include "base/metrics.hpp"
#include "store/principal.hpp"

namespace mansio::auth {

enum class protocol : std::uint8_t { imap = 1, pop3 = 2, submission = 4, admin = 8 };
using protocols = std::uint8_t;
inline constexpr protocols all_mail_protocols = 7;

/// Where a sign-in comes from, for the log and for throttles.
struct source {
    protocol door = protocol::imap;
    std::string peer;           ///< address text
    std::string peer_prefix;    ///< /32 or /56
    std::string session;        ///< session id of the log
    bool secure = false;        ///< TLS, or a local socket
};

/// An app password as shown once: "mn_" + 26 characters (130 bits) + 4 of checksum, all of [a-z2-7_].
struct app_password_info {
    std::string id;                      ///< short, public: "k7f2…"
    std::string name;                    ///< "Thunderbird at home"
    protocols scope = all_mail_protocols;
    bool read_only = false;
    std::int64_t created = 0, expires = 0, last_used = 0;  ///< unix seconds; 0: never
    std::string last_peer;
    std::string last_protocol;
};
/// Syntax and checksum only: malformed ones cost no hash and no look-up (trust.md §0.4).
[[nodiscard]] bool is_app_password_shape(std::string_view secret) noexcept;

struct signed_in {
    store::principal who;
    account_number account = 0;
    std::string address;
    std::vector<std::string> imap_off;   ///< account::imap_off
};

/// Threads: any executor, answers there. Same words, same work, same time for unknown user, wrong secret, disabled account and the right
/// *portal* password (A2, must-pass (a)): every failure is fault refused, say "authentication failed".
class sign_in {
public:
    /// `pepper`: 32 octets from keys/, never in the store.
    sign_in(directory& d, store::engine& e, base::executor& owner, std::string pepper, base::limits const& l, base::random& r, base::log& log,
            base::metrics& m);
    ~sign_in();
    sign_in(sign_in const&) = delete;
    sign_in& operator=(sign_in const&) = delete;

    /// A mail protocol's name and secret. Writes last use lazily (at most once in ten minutes).
    [[nodiscard]] task<result<signed_in>> check(std::string user, std::string secret, source from);
    /// The portal's password, Argon2id on a bounded pool (limits.argon2_waiting). Opens no mail protocol.
    [[nodiscard]] task<result<account>> check_portal_password(std::string user, std::string password, source from);
    /// At least 12 characters, not one of the common ones. Errors: refused, with the reason.
    /// Changing an existing one revokes all app passwords of the account and cuts its sessions (trust.md §3.3 (c)).
    [[nodiscard]] task<result<void>> set_portal_password(account_number n, std::string password);

    struct made {
        std::string secret;
        app_password_info info;
    };
    [[nodiscard]] task<result<made>> add_app_password(account_number n, std::string name, protocols scope, bool read_only, std::chrono::days life);
    /// One secret for many accounts: the demo's load users. Batched.
    [[nodiscard]] task<result<std::string>> add_shared_app_password(std::vector<account_number> who, std::string name, std::string secret);
    [[nodiscard]] task<result<std::vector<app_password_info>>> app_passwords(account_number n);
    [[nodiscard]] task<result<void>> revoke_app_password(account_number n, std::string id);
    /// `cut` is called on the current executor when the credential of this principal is revoked or its account disabled: within a second.
    /// Register right after check(); after a move to another executor, there again. The token ends it; drop it on the executor that registered.
    [[nodiscard]] std::shared_ptr<void> on_revoked(store::principal const& who, std::move_only_function<void()> cut);
    /// Writes the last uses still pending. To be awaited before the engine goes; check() may still be called, it notes no more uses.
    [[nodiscard]] task<void> stop();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// The server side of a SASL exchange (RFC 4422), without I/O: feed responses, get challenges. Mechanisms now: PLAIN (RFC 4616), LOGIN.
class sasl_exchange {
public:
    enum class state : std::uint8_t { challenge, credentials, failed };
    struct step {
        state now = state::failed;
        std::string challenge;              ///< octets, not yet base64; of state challenge
        std::string user, secret;           ///< of state credentials: give them to sign_in::check
        std::string authorization;          ///< authzid, empty: same as user; other values are refused by the caller
    };
    /// nullptr: no such mechanism.
    [[nodiscard]] static std::unique_ptr<sasl_exchange> start(std::string_view mechanism);
    virtual ~sasl_exchange() = default;
    /// nullopt: the client sent no initial response.
    [[nodiscard]] virtual step initial(std::optional<std::string_view> response) = 0;
    [[nodiscard]] virtual step next(std::string_view response) = 0;
};
/// "PLAIN", "LOGIN"
[[nodiscard]] std::vector<std::string_view> const& sasl_mechanisms();

}  // namespace mansio::auth
