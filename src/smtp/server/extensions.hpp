// What EHLO and LHLO offer: one row for each extension, with the doors it is offered at (docs/smtp.md is written from the rows).
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "accept/message.hpp"
#include "smtp/wire/mail_parameters.hpp"

namespace mansio::smtp {

struct extension_row {
    wire::extension what;
    std::string_view keyword;    ///< as EHLO says it
    std::string_view source;
    unsigned doors;              ///< bit 1 << door
    std::string_view when;       ///< further conditions, for people; empty: always
    bool has_switch;             ///< smtp.off may name it
    std::string_view dialogues;  ///< files of tests/dialogs/smtp that show it
};
/// In the order of the reply.
[[nodiscard]] std::span<extension_row const> extensions() noexcept;
/// nullptr: no extension of that name has a switch.
[[nodiscard]] extension_row const* find_switch(std::string_view keyword) noexcept;
/// Those named; names without a switch are passed over.
[[nodiscard]] wire::extension_set switched_off(std::vector<std::string> const& keywords);

/// What decides what a conversation is offered.
struct circumstances {
    accept::door through = accept::door::mx;
    bool tls_possible = false, tls_in_force = false;
    bool may_sign_in = false;    ///< safe, and not signed in yet
    bool may_xclient = false;
    wire::extension_set off;
};
[[nodiscard]] wire::extension_set offered(circumstances const& c) noexcept;

/// The table of docs/smtp.md.
[[nodiscard]] std::string extension_table();

}  // namespace mansio::smtp
