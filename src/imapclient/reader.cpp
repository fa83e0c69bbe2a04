#include "imapclient/reader.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/wire/scanner.hpp"

namespace mansio::imapclient {
namespace {

constexpr std::size_t chunk_octets = 65536;

std::unexpected<fault> too_much(std::string detail) { return fail(fault::kind::over_limit, "the other server's answer is too long", std::move(detail)); }

base::monotonic_time wait_until(base::clock& clock, bounds const& l, base::monotonic_time until) { return std::min(until, clock.monotonic() + l.wait); }

/// "* 12 FETCH (UID 7 BODY[] ": the literal that follows is a message.
bool message_follows(std::string_view text)
{
    if (!text.starts_with("* ") || !text.ends_with(' ')) return false;
    text.remove_suffix(1);
    auto const last = text.substr(text.find_last_of(" (") + 1);
    return base::equal_ignoring_case(last, "BODY[]") || base::equal_ignoring_case(last, "RFC822");
}

task<result<void>> take_message(net::buffered_stream& peer, bounds const* l, base::clock* clock, base::monotonic_time until, std::uint64_t octets,
                                body_sink* sink)
{
    bool const wanted = sink->begin(octets);
    for (auto left = octets; left != 0;) {
        auto const most = static_cast<std::size_t>(std::min<std::uint64_t>(left, chunk_octets));
        auto const chunk = co_await peer.read_chunk(most, wait_until(*clock, *l, until));
        if (!chunk) co_return fail(chunk);
        if (chunk->empty()) co_return fail(fault::kind::closed, "the other server ended the connection", "mid-literal");
        left -= chunk->size();
        if (!wanted) continue;
        auto const put = sink->append(*chunk);
        if (!put) co_return fail(put);
    }
    co_return result<void>{};
}

}  // namespace

task<result<response>> read_response(net::buffered_stream& peer, bounds const& l, base::clock& clock, base::monotonic_time until, body_sink* sink)
{
    std::string text;
    std::optional<std::uint64_t> streamed;
    for (std::uint64_t literals = 0;; ++literals) {
        auto const line = co_await peer.read_line(static_cast<std::size_t>(l.line), wait_until(clock, l, until));
        if (!line) co_return line.error().what == fault::kind::over_limit ? too_much("line") : fail(line);
        if (line->end != net::buffered_stream::line_end::crlf || line->text.find('\r') != std::string::npos || line->text.find('\0') != std::string::npos)
            co_return fail(fault::kind::syntax, "the other server's answer makes no sense", "a line end or NUL inside a line");
        if (text.size() + line->text.size() > l.response) co_return too_much("answer");
        text += line->text;
        auto const head = imap::wire::literal_at_end(line->text);
        if (!head) break;
        if (literals == l.literals) co_return too_much("literals");
        text.resize(text.size() - head->length);
        if (sink != nullptr && !streamed && message_follows(text)) {
            // RFC 9051 §9: number64 has 63 bits; nobody has a message of that size, and the sink says what it takes.
            if (head->octets > (std::uint64_t{1} << 62U)) co_return too_much("literal");
            auto const taken = co_await take_message(peer, &l, &clock, until, head->octets, sink);
            if (!taken) co_return fail(taken);
            streamed = head->octets;
            text += "{0}\r\n";
            continue;
        }
        if (head->octets > l.response - text.size()) co_return too_much("literal");
        text += "{" + std::to_string(head->octets) + "}\r\n";
        auto const octets = co_await peer.read_exactly(static_cast<std::size_t>(head->octets), wait_until(clock, l, until));
        if (!octets) co_return fail(octets);
        text += *octets;
    }
    auto parsed = parse_response(text, l.depth, streamed);
    co_return parsed;
}

}  // namespace mansio::imapclient
