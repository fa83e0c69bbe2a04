// BINARY[…] and BINARY.SIZE[…]: a part with its transfer encoding undone (RFC 3516, RFC 9051 §6.4.5). Sizes of parts that need no decoding come from the
// stored summary, those of others are found once and stay beside the record; large parts are decoded while they are sent.
#include <algorithm>

#include "imap/commands/fetch_body.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"
#include "mime/transfer.hpp"

namespace mansio::imap::commands {
namespace {

/// Where a part's octets are and what is to be done with them.
struct encoded_part {
    mime::byte_range range;
    mime::transfer_encoding encoding = mime::transfer_encoding::identity;
    std::uint32_t index = 0;  ///< in the summary's parts
};

std::optional<mime::transfer_encoding> encoding_of(mime::part const& p) noexcept
{
    // What holds other parts has no encoding to undo (RFC 2045 §6.4).
    return p.what == mime::part::kind::leaf ? mime::find_encoding(p.encoding) : mime::transfer_encoding::identity;
}

/// nullopt: there is no such part.
result<std::optional<encoded_part>> find_encoded(fetch_section const& section, store::email_record const& email)
{
    // Without a number it is the whole message, whose header must stay what it says: nothing is undone.
    if (section.path.empty()) return encoded_part{{0, email.size()}, mime::transfer_encoding::identity, 0};
    auto const& summary = email.summary();
    auto const index = mime::find_part(summary, section.path);
    auto range = mime::locate(summary, section.path, mime::section_kind::body);
    if (!index || !range) return std::nullopt;
    auto const encoding = encoding_of(summary.parts[*index]);
    if (!encoding) return fail(fault::kind::refused, "[UNKNOWN-CTE] the part's transfer encoding is not known");
    range->offset += email.prefix().size();
    return encoded_part{*range, *encoding, *index};
}

task<result<std::string>> read_piece(session& s, store::email_record_ptr email, mime::byte_range range, std::uint64_t done)
{
    auto const wanted = std::min(piece_of_message, range.length - done);
    auto octets = co_await s.selected()->account.read(std::move(email), range.offset + done, wanted);
    if (octets && octets->size() != wanted) co_return fail(fault::kind::broken, "internal error", "corruption: the message ends early");
    co_return octets;
}

void note(store::decoded_part& so_far, std::string& decoded)
{
    so_far.octets += decoded.size();
    so_far.has_nul = so_far.has_nul || decoded.contains('\0');
    decoded.clear();
}

task<result<store::decoded_part>> measure(session& s, store::email_record_ptr email, encoded_part p)
{
    if (p.encoding == mime::transfer_encoding::identity) co_return store::decoded_part{p.range.length, email->summary().has_nul};
    if (auto const known = email->decoded(p.index)) co_return *known;
    mime::transfer_decoder decoder{p.encoding};
    store::decoded_part found;
    std::string out;
    for (std::uint64_t done = 0; done < p.range.length;) {
        auto const octets = co_await read_piece(s, email, p.range, done);
        if (!octets) co_return fail(octets);
        decoder.decode(*octets, out);
        note(found, out);
        done += octets->size();
        co_await base::yield_now{};
    }
    decoder.finish(out);
    note(found, out);
    email->remember_decoded(p.index, found);
    co_return found;
}

/// A part that is decoded in one go.
task<result<void>> append_small(session& s, std::string& line, fetch_section const& section, store::email_record_ptr email, encoded_part p)
{
    std::string all;
    mime::transfer_decoder decoder{p.encoding};
    if (p.range.length != 0) {
        auto const octets = co_await read_piece(s, email, p.range, 0);
        if (!octets) co_return fail(octets);
        decoder.decode(*octets, all);
    }
    decoder.finish(all);
    store::decoded_part const found{all.size(), all.contains('\0')};
    email->remember_decoded(p.index, found);
    auto const window = cut({0, all.size()}, section);
    line += section.label;
    line += ' ';
    wire::append_literal_head(line, window.length, found.has_nul);
    line += std::string_view{all}.substr(static_cast<std::size_t>(window.offset), static_cast<std::size_t>(window.length));
    co_return result<void>{};
}

/// Of what was decoded only the window goes out.
struct windowed {
    std::uint64_t skip, left;
    std::string_view take(std::string_view decoded) noexcept
    {
        auto const skipped = std::min<std::uint64_t>(skip, decoded.size());
        skip -= skipped;
        decoded.remove_prefix(static_cast<std::size_t>(skipped));
        decoded = decoded.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, decoded.size())));
        left -= decoded.size();
        return decoded;
    }
};

task<result<void>> send_decoded(session& s, store::email_record_ptr email, encoded_part p, windowed window)
{
    mime::transfer_decoder decoder{p.encoding};
    std::string out;
    for (std::uint64_t done = 0; done < p.range.length && window.left != 0;) {
        auto const octets = co_await read_piece(s, email, p.range, done);
        if (!octets) co_return fail(octets);
        done += octets->size();
        decoder.decode(*octets, out);
        if (done == p.range.length) decoder.finish(out);
        auto const some = window.take(out);
        auto const sent = co_await s.send(some);
        if (!sent) co_return fail(sent);
        out.clear();
        co_await base::yield_now{};
    }
    if (window.left != 0) co_return fail(fault::kind::broken, "internal error", "a part decodes to less than it did before");
    co_return result<void>{};
}

/// Once the literal is announced nothing but its octets may follow: a failure cuts the connection.
task<result<void>> append_large(session& s, std::string& line, fetch_section const& section, store::email_record_ptr email, encoded_part p)
{
    auto const all = co_await measure(s, email, p);
    if (!all) co_return fail(all);
    auto const window = cut({0, all->octets}, section);
    line += section.label;
    line += ' ';
    wire::append_literal_head(line, window.length, all->has_nul);
    auto const begun = co_await s.send(line);
    if (!begun) co_return fail(begun);
    line.clear();
    auto const sent = co_await send_decoded(s, std::move(email), p, {window.offset, window.length});
    if (sent) co_return result<void>{};
    if (!ends_conversation(sent.error())) {
        s.srv().log.error("imap_fetch_cut", {{"session", s.id()}, {"fault", sent.error()}});
        s.abort();
    }
    co_return fail(fault::kind::closed, "connection closed");
}

}  // namespace

task<result<void>> append_binary(session& s, std::string& line, fetch_section const& section, store::email_record_ptr email)
{
    auto const found = find_encoded(section, *email);
    if (!found) co_return fail(found);
    if (section.how == fetch_section::form::decoded_size) {
        std::uint64_t octets = 0;  // what is not there is NIL, and of no size
        if (*found) {
            auto const size = co_await measure(s, email, **found);
            if (!size) co_return fail(size);
            octets = size->octets;
        }
        line += section.label;
        line += ' ';
        wire::append_number(line, octets);
        co_return result<void>{};
    }
    if (!*found) {
        line += section.label + " NIL";
        co_return result<void>{};
    }
    auto const part = **found;
    if (part.encoding == mime::transfer_encoding::identity) {
        auto const range = cut(part.range, section);
        bool const binary = email->summary().has_nul;
        co_return co_await append_octets(s, line, section.label, range, binary, std::move(email));
    }
    if (part.range.length <= piece_of_message) co_return co_await append_small(s, line, section, std::move(email), part);
    co_return co_await append_large(s, line, section, std::move(email), part);
}

}  // namespace mansio::imap::commands
