#include "imap/reader.hpp"

#include <algorithm>

namespace mansio::imap {
namespace {

/// Octets of a refused non-synchronizing literal that are read and dropped to keep the place; more than that ends the conversation.
constexpr std::uint64_t worth_skipping = 256U * 1024U;

/// "tag APPEND mailbox" or "tag REPLACE 4 mailbox" is complete: what is announced next is of a message, not the mailbox's name.
bool announces_message(std::string_view text)
{
    wire::scanner in{text};
    if (!in.tag() || !in.take(' ')) return false;
    if (in.take_word("APPEND")) return in.take(' ') && in.astring() && in.take(' ');
    static_cast<void>(in.take_text("UID "));
    return in.take_word("REPLACE") && in.take(' ') && (in.take('*') || in.atom()) && in.take(' ') && in.astring() && in.take(' ');
}

std::unexpected<fault> lost(char const* say) { return fail(fault::kind::over_limit, say, "literal"); }

}  // namespace

command_bounds command_bounds::before_login(base::limits const& l) noexcept
{
    return {l.imap_line_before_login, l.imap_literal_before_login, l.imap_literals, l.imap_line_before_login, UINT64_MAX, false};
}
command_bounds command_bounds::after_login(base::limits const& l) noexcept
{
    return {l.imap_line, l.imap_literal, l.imap_literals, l.imap_command, UINT64_MAX, true};
}

task<result<void>> skip_octets(net::buffered_stream& peer, std::uint64_t octets, base::monotonic_time deadline)
{
    while (octets != 0) {
        auto const chunk = co_await peer.read_chunk(static_cast<std::size_t>(std::min<std::uint64_t>(octets, 65536)), deadline);
        if (!chunk) co_return fail(chunk);
        if (chunk->empty()) co_return fail(fault::kind::closed, "connection closed", "mid-literal");
        octets -= chunk->size();
    }
    co_return result<void>{};
}

namespace {

/// Why the announced literal cannot be taken; nullopt: it can.
std::optional<fault> objection(wire::literal_head const& head, std::size_t so_far, std::uint64_t seen, command_bounds const& bounds)
{
    if (head.binary) return fault{fault::kind::syntax, "a literal8 is for messages only"};
    if (!head.synchronizing && head.octets > bounds.unasked) return fault{fault::kind::syntax, "[TOOBIG] the literal is too long to come unasked"};
    if (head.octets > bounds.literal) return fault{fault::kind::over_limit, "[TOOBIG] the literal is too long"};
    if (seen > bounds.literals || so_far + head.octets > bounds.total) return fault{fault::kind::over_limit, "[LIMIT] the command is too long"};
    return std::nullopt;
}

}  // namespace

task<result<void>> read_rest(net::buffered_stream& peer, raw_command& into, command_bounds bounds, command_timing timing)
{
    std::uint64_t seen = 0;
    while (true) {
        if (peer.queued() != 0 && !peer.has_line()) {
            auto const answered = co_await peer.flush(timing.write_by());
            if (!answered) co_return fail(answered);
        }
        auto line = co_await peer.read_line(static_cast<std::size_t>(bounds.line), timing.read_by);
        // The rest of that line may announce a literal: the place is lost.
        if (!line && line.error().what == fault::kind::over_limit) co_return fail(fault::kind::over_limit, "[TOOBIG] the command line is too long", "line");
        if (!line) co_return fail(line);
        // A lone LF ends no line: a client that lets one through inside a string would let a stranger write commands.
        if (line->end != net::buffered_stream::line_end::crlf) co_return fail(fault::kind::syntax, "lines end in CR LF");
        into.text += line->text;
        if (into.text.size() > bounds.total) co_return fail(fault::kind::over_limit, "[TOOBIG] the command is too long", "line");
        auto const head = wire::literal_at_end(line->text);
        if (!head) co_return result<void>{};
        if (bounds.may_append && announces_message(std::string_view{into.text}.substr(0, into.text.size() - head->length))) {
            into.text.resize(into.text.size() - head->length);
            into.message = head;
            co_return result<void>{};
        }
        auto refused = into.refusal ? into.refusal : objection(*head, into.text.size(), ++seen, bounds);
        if (refused && head->synchronizing) {
            // Told before it sends: a tagged answer ends the command (RFC 9051 §4.3).
            into.refusal = std::move(refused);
            co_return result<void>{};
        }
        if (refused) {
            if (head->octets > worth_skipping || ++seen > bounds.literals) co_return lost("[TOOBIG] the literal is too long");
            auto const skipped = co_await skip_octets(peer, head->octets, timing.read_by);
            if (!skipped) co_return fail(skipped);
            into.refusal = std::move(refused);
            continue;  // the rest of the command follows
        }
        if (head->synchronizing) peer.put("+ OK\r\n");
        auto const answered = co_await peer.flush(timing.write_by());  // earlier answers do not wait for what may come late
        if (!answered) co_return fail(answered);
        auto octets = co_await peer.read_exactly(static_cast<std::size_t>(head->octets), timing.read_by);
        if (!octets) co_return fail(octets);
        into.text += "\r\n";
        into.text += *octets;
    }
}

task<result<raw_command>> read_command(net::buffered_stream& peer, std::string first, command_bounds bounds, command_timing timing)
{
    raw_command c;
    c.text = std::move(first);
    auto const read = co_await read_rest(peer, c, bounds, timing);
    if (!read) co_return fail(read);
    co_return c;
}

}  // namespace mansio::imap
