// RETR sends a message, TOP its beginning. RFC 1939 §5, §7.
#include "base/bytes.hpp"
#include "pop3/commands/table.hpp"
#include "pop3/wire.hpp"

namespace mansio::pop3::commands {
namespace {
constexpr std::uint64_t frame = 256U << 10U;  // what the store decodes at once
constexpr std::size_t slice = 32U << 10U;     // what is queued between two looks at the peer

reply unreadable(session& s, fault const& f)
{
    if (f.what == fault::kind::not_found) return reply::refused("the message is gone");
    s.srv().log.error("pop3_message", {{"session", s.id()}, {"fault", f}});
    return reply::refused("[SYS/TEMP] the message cannot be read now");
}

/// Sends one piece. False: nobody reads any more.
task<bool> send_piece(session& s, dot_writer& out, std::string_view piece)
{
    std::string stuffed;
    for (; !piece.empty(); piece.remove_prefix(std::min(slice, piece.size()))) {
        stuffed.clear();
        out.text(piece.substr(0, slice), stuffed);
        auto const sent = co_await s.send(stuffed);
        if (!sent) co_return false;
    }
    co_return true;
}

/// The whole message, or as much of it as `top` lets pass. What cannot be read is known before "+OK"; later it can only cut the connection, so that
/// nobody takes half a message for a whole one.
task<reply> send_message(session& s, std::uint32_t number, top_limit* top)
{
    auto const email = co_await s.drop().email(number);
    if (!email) co_return unreadable(s, email.error());
    auto const size = (*email)->size();
    // Pieces end where the store's frames end: the blob begins behind the prefix.
    std::uint64_t at = 0, length = (*email)->prefix().size() + frame;
    auto piece = co_await s.drop().read(*email, at, length);
    if (!piece) co_return unreadable(s, piece.error());
    auto head = top != nullptr ? std::string{"+OK top of message\r\n"} : "+OK " + std::to_string(size) + " octets\r\n";
    auto const said = co_await s.send(head);
    if (!said) co_return reply{};
    dot_writer out;
    while (true) {
        auto const wanted = top != nullptr ? top->take(*piece) : piece->size();
        auto const sent = co_await send_piece(s, out, std::string_view{*piece}.substr(0, wanted));
        if (!sent) co_return reply{};
        at += piece->size();
        if (at >= size || (top != nullptr && top->complete())) break;
        length = frame;
        piece = co_await s.drop().read(*email, at, length);
        if (!piece || piece->empty()) {
            if (!piece) s.srv().log.error("pop3_message", {{"session", s.id()}, {"fault", piece.error()}});
            s.abort();
            s.end();
            co_return reply{};
        }
    }
    std::string tail;
    out.end(tail);
    auto const ended = co_await s.send(tail);
    if (ended && top == nullptr) s.counts().retrieved.add();
    co_return reply{};
}

}  // namespace

task<reply> retr(session& s, std::string_view rest)
{
    auto const n = parse_number(rest);
    if (!n) co_return reply::bad("not a message number");
    if (!s.drop().has(*n)) co_return no_such_message();
    co_return co_await send_message(s, *n, nullptr);
}

// TOP msg n: both required (RFC 1939 §7)
task<reply> top(session& s, std::string_view rest)
{
    rest = base::trim_blanks(rest);
    auto const space = rest.find(' ');
    auto const n = parse_number(rest.substr(0, space));
    auto const lines = space == std::string_view::npos ? std::nullopt : parse_number(rest.substr(space + 1));
    if (!n || !lines) co_return reply::bad("TOP needs a message number and a number of lines");
    if (!s.drop().has(*n)) co_return no_such_message();
    top_limit limit{*lines};
    co_return co_await send_message(s, *n, &limit);
}

}  // namespace mansio::pop3::commands
