// Which commands there are, and when each is legal.
#pragma once
#include <cstdint>
#include <string_view>

#include "pop3/session.hpp"

namespace mansio::pop3::commands {

enum class when : std::uint8_t { any, authorization, transaction };

/// `rest`: the arguments as they came; they live until the command has ended.
using handler = task<reply> (*)(session& s, std::string_view rest);

struct command {
    std::string_view verb;
    when legal;
    handler run;
};
/// nullptr: none of that name. `verb` in upper case.
[[nodiscard]] command const* find(std::string_view verb) noexcept;

task<reply> auth(session& s, std::string_view rest);
task<reply> capa(session& s, std::string_view rest);
task<reply> dele(session& s, std::string_view rest);
task<reply> lang(session& s, std::string_view rest);
task<reply> list(session& s, std::string_view rest);
task<reply> noop(session& s, std::string_view rest);
task<reply> pass(session& s, std::string_view rest);
task<reply> quit(session& s, std::string_view rest);
task<reply> retr(session& s, std::string_view rest);
task<reply> rset(session& s, std::string_view rest);
task<reply> stat(session& s, std::string_view rest);
task<reply> stls(session& s, std::string_view rest);
task<reply> top(session& s, std::string_view rest);
task<reply> uidl(session& s, std::string_view rest);
task<reply> user(session& s, std::string_view rest);
task<reply> utf8(session& s, std::string_view rest);

/// What a sign-in in clear is told (trust.md W6); nullopt where it is allowed. No response code of RFC 3206 asks for TLS: SYS/PERM says that trying
/// again as before is useless, where AUTH would make programs ask for another password.
[[nodiscard]] std::optional<reply> privacy_objection(session const& s);
[[nodiscard]] inline reply no_such_message() { return reply::refused("no such message"); }

}  // namespace mansio::pop3::commands
