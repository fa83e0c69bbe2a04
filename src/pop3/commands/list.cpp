// LIST and UIDL: a line for each message not marked as deleted, or for one. RFC 1939 §5, §7.
#include "pop3/commands/table.hpp"
#include "pop3/wire.hpp"

namespace mansio::pop3::commands {
namespace {

using describe = std::string (*)(maildrop const&, std::uint32_t);
std::string octets_of(maildrop const& m, std::uint32_t n) { return std::to_string(m.octets(n)); }
std::string unique_id_of(maildrop const& m, std::uint32_t n) { return m.unique_id(n); }

task<reply> listing(session& s, std::string_view rest, describe what)
{
    constexpr std::uint32_t lines_a_turn = 1024;
    auto const& drop = s.drop();
    if (!rest.empty()) {
        auto const n = parse_number(rest);
        if (!n) co_return reply::bad("not a message number");
        if (!drop.has(*n)) co_return no_such_message();
        co_return reply::ok(std::to_string(*n) + " " + what(drop, *n));
    }
    auto out = s.ok_line(std::to_string(drop.left()) + " messages");
    for (std::uint32_t n = 1; n <= drop.size(); ++n) {
        if (drop.has(n)) out += std::to_string(n) + " " + what(drop, n) + "\r\n";
        if (n % lines_a_turn != 0) continue;
        auto const sent = co_await s.send(out);
        if (!sent) co_return reply{};
        out.clear();
        co_await base::yield_now{};
    }
    out += ".\r\n";
    auto const sent = co_await s.send(out);
    static_cast<void>(sent);
    co_return reply{};
}

}  // namespace

task<reply> list(session& s, std::string_view rest) { return listing(s, rest, &octets_of); }
task<reply> uidl(session& s, std::string_view rest) { return listing(s, rest, &unique_id_of); }

}  // namespace mansio::pop3::commands
