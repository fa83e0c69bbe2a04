// RETR sends a message, TOP its beginning. RFC 1939 §5, §7; headers in UTF-8: RFC 6856.
#include "base/bytes.hpp"
#include "pop3/commands/table.hpp"
#include "pop3/surrogate.hpp"
#include "pop3/wire.hpp"

namespace mansio::pop3::commands {
namespace {
constexpr std::uint64_t frame = 256U << 10U;       // what the store decodes at once
constexpr std::size_t slice = 32U << 10U;          // what is queued between two looks at the peer
constexpr std::uint64_t header_most = 1U << 20U;   // beyond it a header is sent as it is

reply unreadable(session& s, fault const& f)
{
    if (f.what == fault::kind::not_found) return reply::refused("the message is gone");
    s.srv().log.error("pop3_message", {{"session", s.id()}, {"fault", f}});
    // RFC 3206 §4: a damaged message stays so, and a program should go on to the next.
    return reply::refused(f.what == fault::kind::broken ? "[SYS/PERM] the message cannot be read" : "[SYS/TEMP] the message cannot be read now");
}

/// Sends one piece. False: nobody reads any more.
task<bool> send_piece(session& s, dot_writer& out, std::string_view piece)
{
    for (; !piece.empty(); piece.remove_prefix(std::min(slice, piece.size()))) {
        out.text(piece.substr(0, slice), s.peer().queue());
        if (s.peer().queued() < slice) continue;
        auto const sent = co_await s.send({});
        if (!sent) co_return false;
    }
    co_return true;
}

/// What of a message is on its way.
struct passage {
    store::email_record_ptr email;
    std::uint64_t size = 0;    ///< as it is sent, dots aside
    std::uint64_t read = 0;    ///< of what is stored
    std::string prefix;        ///< the fields we wrote ourselves, in front
    std::string piece;         ///< to be sent next
};

/// The first piece: header and more. In ASCII mode the header is made fit for it. Errors: what to answer.
task<std::expected<passage, reply>> begin_message(session& s, std::uint32_t number)
{
    auto const email = co_await s.drop().email(number);
    if (!email) co_return std::unexpected(unreadable(s, email.error()));
    passage p;
    p.email = *email;
    p.size = (*email)->size();
    p.prefix = (*email)->prefix();
    p.read = p.prefix.size();
    // Pieces end where the store's frames end: the blob begins behind the prefix.
    auto piece = co_await s.drop().read(*email, p.read, frame);
    if (!piece) co_return std::unexpected(unreadable(s, piece.error()));
    p.piece = std::move(*piece);
    p.read += p.piece.size();
    if (s.utf8()) co_return p;
    auto header = header_length(p.piece);
    while (header == std::string_view::npos && p.read < p.size && p.read < header_most) {
        auto const more = co_await s.drop().read(*email, p.read, frame);
        if (!more) co_return std::unexpected(unreadable(s, more.error()));
        p.piece += *more;
        p.read += more->size();
        header = header_length(p.piece);
        if (more->empty()) break;
    }
    header = std::min(header, p.piece.size());
    if (is_ascii(p.prefix) && is_ascii(std::string_view{p.piece}.substr(0, header))) co_return p;
    auto prefix = ascii_header(p.prefix, s.srv().limits);
    auto const made = ascii_header(std::string_view{p.piece}.substr(0, header), s.srv().limits);
    if (!prefix || !made) co_return std::unexpected(reply::refused("[UTF8] " + (made ? prefix : made).error().say));  // RFC 6856 §5
    p.size += prefix->size() + made->size();
    p.size -= p.prefix.size() + header;
    p.prefix = std::move(*prefix);
    p.piece.replace(0, header, *made);
    co_return p;
}

/// The whole message, or as much of it as `top` lets pass. What cannot be read is known before "+OK"; later it can only cut the connection, so that
/// nobody takes half a message for a whole one.
task<reply> send_message(session& s, std::uint32_t number, top_limit* top)
{
    auto begun = co_await begin_message(s, number);
    if (!begun) co_return begun.error();
    auto p = std::move(*begun);
    auto const stored = p.email->size();
    auto const head = s.ok_line(top != nullptr ? std::string{"top of message"} : std::to_string(p.size) + " octets");
    auto const said = co_await s.send(head);
    if (!said) co_return reply{};
    dot_writer out;
    // Whole header fields of at most 16 KiB: a part of every TOP.
    if (top != nullptr) static_cast<void>(top->take(p.prefix));
    out.text(p.prefix, s.peer().queue());
    while (true) {
        auto const wanted = top != nullptr ? top->take(p.piece) : p.piece.size();
        auto const sent = co_await send_piece(s, out, std::string_view{p.piece}.substr(0, wanted));
        if (!sent) co_return reply{};
        if (p.read >= stored || (top != nullptr && top->complete())) break;
        auto piece = co_await s.drop().read(p.email, p.read, frame);
        if (!piece || piece->empty()) {
            if (!piece) s.srv().log.error("pop3_message", {{"session", s.id()}, {"fault", piece.error()}});
            s.abort();
            s.end();
            co_return reply{};
        }
        p.piece = std::move(*piece);
        p.read += p.piece.size();
    }
    out.end(s.peer().queue());
    if (top != nullptr) co_return reply{};
    s.counts().retrieved.add();
    co_await s.drop().fetched(number);
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
