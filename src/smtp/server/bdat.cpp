// BDAT (RFC 3030 §2): counted chunks. Whatever else is wrong, exactly as many octets are read as were announced, or the connection closes:
// octets of a message must never be taken for commands (trust.md W3).
#include <algorithm>

#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {
namespace {

/// Reads `size` octets, into the message or, without one, to nowhere. nullopt: all were read; else what to answer, and the connection closes.
task<std::optional<reply>> take_octets(session& s, std::uint64_t size, bool keep)
{
    slow_peer const unkept{s};
    std::uint64_t got = 0;
    into_message sink{s.mail};
    while (got < size) {
        // Whoever pipelined may want to know about the recipients before it sends the octets (RFC 2920 §3.2).
        if (!s.io.has_unread()) {
            auto const flushed = co_await s.io.flush(s.in(s.limits().smtp_command_wait));
            if (!flushed) co_return read_failed(s, flushed.error());
        }
        auto const wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size - got, 65536));
        auto const chunk = co_await s.io.read_chunk(wanted, s.in(s.limits().smtp_data_wait));
        if (!chunk) co_return read_failed(s, chunk.error());
        if (chunk->empty()) co_return silence();
        got += chunk->size();
        if (keep) {
            auto const taken = s.chunks->feed(*chunk, sink);
            MANSIO_ASSERT(taken == chunk->size());
            judge_line_ends(s, *s.chunks);
        }
        bool const slow = keep ? s.pace->too_slow(s.mail.incoming->received()) : unkept.too_slow(got);
        if (slow) co_return read_failed(s, fault{fault::kind::timeout, "too slow"});
    }
    co_return std::nullopt;
}

}  // namespace

task<reply> bdat(session& s, std::string_view args)
{
    auto const parsed = wire::parse_bdat(args);
    // How many octets follow is not known: there is no place left to go on from.
    if (!parsed) co_return reply{parsed.error()}.and_hang_up();
    auto const [size, last] = *parsed;
    auto const sofar = s.mail.incoming ? s.mail.incoming->received() : 0;
    // More than anyone would read to be polite (2^64-1 is the classic).
    if (size > 2 * s.limits().message_size || sofar + size > 2 * s.limits().message_size)
        co_return reply{552, "5.3.4", "the message is too large"}.and_hang_up();
    bool const keep = s.greeted && s.mail.begun && !s.mail.recipients.empty();
    if (keep && !s.chunks) {
        s.house.with.acceptance.open(s.mail);
        bool const mend = s.who.mends_line_ends() && !s.mail.wishes.binary;
        auto const ends = mend ? wire::data_decoder::line_ends::normalise : wire::data_decoder::line_ends::keep;
        s.chunks.emplace(ends, wire::data_decoder::framing::counted);
        s.pace.emplace(s);
    }
    auto ended = co_await take_octets(s, size, keep);
    if (ended) co_return std::move(*ended);
    if (!keep) co_return reply{503, "5.5.1", s.mail.begun ? "no recipients" : "say MAIL first"};
    if (last) {
        into_message sink{s.mail};
        s.chunks->finish(sink);
        judge_line_ends(s, *s.chunks);
        co_return co_await finish_message(s);
    }
    if (auto const refused = s.mail.incoming->refused()) {
        auto const why = *refused;
        s.reset();  // further chunks are read and answered 503
        co_return why;
    }
    co_return reply{250, "2.0.0", std::to_string(size) + " octets received"};
}

}  // namespace mansio::smtp::commands
