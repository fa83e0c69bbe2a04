// The grammar of SMTP and LMTP commands: octets to values, no I/O, no state.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "accept/reply.hpp"
#include "mime/address.hpp"
#include "smtp/wire/mail_parameters.hpp"

namespace mansio::smtp::wire {

using accept::reply;
enum class verb : std::uint8_t {
    helo,
    ehlo,
    lhlo,
    mail,
    rcpt,
    data,
    bdat,
    rset,
    noop,
    quit,
    vrfy,
    expn,
    help,
    starttls,
    auth,
    xclient,
    foreign,  ///< another protocol speaks: HTTP, SSH, TLS (trust.md W7)
    unknown,
};
inline constexpr std::size_t verb_count = 18;
[[nodiscard]] std::string_view name_of(verb v) noexcept;  ///< "MAIL", for metrics

struct command {
    verb what = verb::unknown;
    std::string_view args;  ///< without the blank before and blanks after (RFC 5321 §4.1.1)
};
/// Splits a line without its end. Views point into it.
[[nodiscard]] command parse_command(std::string_view line) noexcept;
/// A connection's first octet that no SMTP command begins with: TLS, SSLv2, SSH, anything binary.
[[nodiscard]] bool is_foreign_octet(char first) noexcept;
/// NUL, other control octets or DEL (trust.md W8). HTAB counts too.
[[nodiscard]] bool has_control(std::string_view s) noexcept;

/// helo = "HELO" SP Domain, ehlo = "EHLO" SP ( Domain / address-literal ): any printable word is accepted, because RFC 5321 §4.1.4 forbids
/// refusing mail for a bad name; 501 when there is none, or control or 8-bit octets.
[[nodiscard]] parsed<std::string> parse_greeting(std::string_view args);

struct mail_args : mail_parameters {
    std::optional<mime::mailbox_address> sender;  ///< nullopt: the null reverse-path <>
};
/// "MAIL FROM:<path> [parameters]"; source routes are dropped (RFC 5321 §4.1.1.3, appendix F.2). `offered`: nothing after HELO.
[[nodiscard]] parsed<mail_args> parse_mail(std::string_view args, extension_set offered);

struct rcpt_args : rcpt_parameters {
    mime::mailbox_address recipient;  ///< "postmaster" alone has no domain (RFC 5321 §4.1.1.3)
};
/// Local parts over 64 octets are refused, except those that SRS made longer (they come back to whoever made them).
[[nodiscard]] parsed<rcpt_args> parse_rcpt(std::string_view args, bool smtputf8, extension_set offered);

struct bdat_args {
    std::uint64_t size = 0;
    bool last = false;
};
/// bdat = "BDAT" SP chunk-size [ SP "LAST" ] (RFC 3030 §2)
[[nodiscard]] parsed<bdat_args> parse_bdat(std::string_view args);

struct auth_args {
    std::string mechanism;                          ///< upper case
    std::optional<std::string_view> initial;        ///< as sent: base64 or "="
};
/// auth-command = "AUTH" SP sasl-mech [SP initial-response] (RFC 4954 §8)
[[nodiscard]] parsed<auth_args> parse_auth(std::string_view args);

}  // namespace mansio::smtp::wire
