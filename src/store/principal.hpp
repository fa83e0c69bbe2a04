// Who asks. Made from a sign-in by auth, or by the server for its own work; the owner of an account checks it inside every call.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace mansio::store {

using account_number = std::uint64_t;

/// RFC 4314 rights as bits, in the order of `lrswipkxtea`.
enum class right : std::uint16_t {
    lookup = 1,
    read = 2,
    keep_seen = 4,
    write = 8,
    insert = 16,
    post = 32,
    create = 64,
    remove_mailbox = 128,
    delete_message = 256,
    expunge = 512,
    administer = 1024
};
using rights = std::uint16_t;
inline constexpr rights all_rights = 0x7FF;
[[nodiscard]] constexpr bool has(rights r, right one) noexcept { return (r & static_cast<rights>(one)) != 0; }
[[nodiscard]] std::string rights_text(rights r);  ///< "lrswipkxtea"
/// nullopt-like: returns false on an unknown letter. The obsolete c and d mean k and x / t and e (RFC 4314 §2.1.1).
[[nodiscard]] bool parse_rights(std::string_view letters, rights& into);

class principal {
public:
    /// A person's sign-in. `scope`: what the credential allows at most (a read-only app password: lookup|read|keep_seen).
    [[nodiscard]] static principal person(account_number who, std::string address, rights scope = all_rights, std::string credential = {});
    /// The server itself: delivery, administration, transfer. `purpose` is for the log.
    [[nodiscard]] static principal server(std::string purpose);
    [[nodiscard]] bool is_server() const noexcept { return server_; }
    [[nodiscard]] account_number who() const noexcept { return who_; }
    [[nodiscard]] std::string const& address() const noexcept { return address_; }  ///< or the purpose
    [[nodiscard]] rights scope() const noexcept { return scope_; }
    [[nodiscard]] std::string const& credential() const noexcept { return credential_; }  ///< id of the app password, for audit and revocation

private:
    account_number who_ = 0;
    std::string address_, credential_;
    rights scope_ = 0;
    bool server_ = false;
};

}  // namespace mansio::store
