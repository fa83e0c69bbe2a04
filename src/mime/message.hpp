// A message as a tree of parts with byte offsets, and the summary that IMAP answers from without opening the message.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "base/result.hpp"
#include "mime/date.hpp"
#include "mime/header.hpp"
#include "mime/octets.hpp"

namespace mansio::mime {

/// One part. Offsets count octets from the start of the whole message (the blob, without the stored prefix).
/// Parts stand in one vector in preorder; tree structure by indexes, so that no code recurses over input.
/// A multipart has at least one child (an empty text/plain part when the message has none), a message exactly one: its root, whose header is the
/// message's. What could not be opened is a leaf that keeps its type: beyond the limits, or message/rfc822 in base64; BODYSTRUCTURE then says
/// application/octet-stream. A multipart without boundary is text/plain (RFC 2045 §5.2).
struct part {
    enum class kind : std::uint8_t { leaf, multipart, message };  ///< `message`: message/rfc822 or message/global with its own header below
    kind what = kind::leaf;
    std::uint32_t parent = 0;             ///< index; the root is its own parent
    std::uint32_t depth = 0;
    std::uint32_t subtree = 1;            ///< parts in this subtree, itself included: children follow directly
    std::uint64_t header_offset = 0;      ///< of the part's MIME header (for the root and an embedded message: its header)
    std::uint64_t body_offset = 0;        ///< of its body
    std::uint64_t end_offset = 0;         ///< past its body
    std::uint32_t lines = 0;              ///< of the body (text and message parts need it)
    std::string type;                     ///< lower case, "text"
    std::string subtype;                  ///< lower case, "plain"
    std::vector<std::pair<std::string, std::string>> parameters;
    std::string id, description, encoding, md5, disposition, location;  ///< encoding lower case, "7bit" when absent; disposition lower case
    std::vector<std::pair<std::string, std::string>> disposition_parameters;
    std::vector<std::string> languages;
    bool operator==(part const&) const = default;
};

/// The order of fields in an RFC 9051 ENVELOPE.
struct envelope {
    std::string date, subject;  ///< as written, unfolded
    std::string from, sender, reply_to, to, cc, bcc;  ///< as ready wire text: "NIL" or a parenthesised list (sender, reply_to already defaulted)
    std::string in_reply_to, message_id;
};
/// Several To, Cc or Bcc fields are one list (RFC 5322 §4.5.3), of others the first counts. `degraded` is set when an address list reached its budget.
[[nodiscard]] envelope read_envelope(header_block const& h, base::limits const& limits, bool* degraded = nullptr);
[[nodiscard]] std::string envelope_text(envelope const& e);

/// What a message's owner stores beside it: ready wire text and offsets. Encoded by encode()/decode() (docs/formats/summary.md).
struct summary {
    std::uint64_t size = 0;               ///< octets of the message
    std::uint64_t header_size = 0;        ///< octets up to the body, empty line included
    std::string envelope_text;            ///< "(\"date\" \"subject\" …)", RFC 9051 §7.5.2; strings quoted or literal as their octets need
    std::string body_text;                ///< BODY (without extension data)
    std::string bodystructure_text;       ///< BODYSTRUCTURE
    std::vector<part> parts;              ///< offsets for BODY[section]; only offsets, kind, depth, subtree, lines, type, subtype and encoding are kept
    /// Names as written and unfolded bodies (the blank after the colon kept), of the fields clients always ask for (see kept_fields()), in order.
    std::vector<std::pair<std::string, std::string>> fields;
    std::optional<date_time> date;        ///< of the Date field
    std::string subject, from_display, message_id, in_reply_to;  ///< decoded to UTF-8 (subject, from_display); ids with their angle brackets
    std::vector<std::string> references;  ///< message ids, at most the last 100
    std::string preview;                  ///< RFC 8970: at most 200 characters of the first text part, UTF-8
    std::string base_subject;             ///< RFC 5256 §2.1
    std::uint32_t received_count = 0;
    bool has_attachment = false;
    bool degraded = false;                ///< a budget was reached: parts beyond it are unparsed, the message is whole
    bool has_8bit = false, has_nul = false;
    bool operator==(summary const&) const = default;
};

/// Parses a whole message in linear time. Never fails on real mail: it degrades (`degraded`). Line ends CRLF (a lone LF is taken as one too).
/// Reads mapped octets once, front to back, giving pages back behind it.
[[nodiscard]] summary summarize(octets const& message, base::limits const& limits);
/// Only the tree, with all attributes (guard and others want the parts themselves).
[[nodiscard]] std::vector<part> parse_parts(octets const& message, base::limits const& limits);

/// docs/formats/summary.md. The row carries no checksum of its own: the row or page it is stored in does.
[[nodiscard]] std::string encode(summary const& s);
/// Errors: broken (not a summary, or one whose offsets contradict each other).
[[nodiscard]] result<summary> decode_summary(std::string_view row);

/// RFC 5256 §2.1, of a subject decoded to UTF-8. Case is kept: collation is the reader's.
[[nodiscard]] std::string base_subject(std::string_view subject_utf8);
/// Whether a subject is a reply's or a forward's: base_subject() takes a subj-refwd, "(fwd)" or "[fwd: …]" off (RFC 5256 §3, THREAD=REFERENCES).
[[nodiscard]] bool is_reply_or_forward(std::string_view subject_utf8);
/// The message ids ("<…>") of a References, In-Reply-To or Message-ID field, at most the last `most`.
[[nodiscard]] std::vector<std::string> message_ids(std::string_view field_body, std::size_t most);

/// Names whose values the summary keeps: From To Cc Bcc Subject Date Message-ID References In-Reply-To Reply-To Sender List-* Content-Type
/// Priority X-Priority Importance Newsgroups … (lower case, sorted).
[[nodiscard]] std::vector<std::string_view> const& kept_fields();

/// What FETCH may ask of a part by number, RFC 9051 §6.4.5.1: "1.2" (and .HEADER .TEXT .MIME of it). An empty path is the whole message.
/// `which`: body = the part's octets, header/text = of an embedded message (or the whole one), mime = the part's MIME header.
enum class section_kind : std::uint8_t { body, header, text, mime };
struct byte_range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};
/// nullopt: there is no such part.
[[nodiscard]] std::optional<byte_range> locate(summary const& s, std::vector<std::uint32_t> const& path, section_kind which);
/// The part a path names (index into parts), nullopt when absent. Path 1 of a non-multipart is the message's own body.
[[nodiscard]] std::optional<std::uint32_t> find_part(summary const& s, std::vector<std::uint32_t> const& path);

/// What a person reads in HTML: tags, style and script gone, common entities decoded. For previews and search, never for display.
[[nodiscard]] std::string html_to_text(std::string_view html);

/// Content-Transfer-Encoding undone: base64 and quoted-printable leniently, others as they are. `charset` non-empty: then to UTF-8.
[[nodiscard]] std::string decode_body(std::string_view body, std::string_view encoding, std::string_view charset = {});

/// Every line end becomes CRLF: CRLF stays, a lone LF and a lone CR become CRLF (trust.md W2: once, at entry).
[[nodiscard]] std::string normalize_line_ends(std::string_view text);

/// IMAP string: quoted when it can be, else a literal "{n}\r\n…"; nil when `absent`. For wire text in the summary.
[[nodiscard]] std::string imap_string(std::string_view s);
[[nodiscard]] std::string imap_nstring(std::string_view s);  ///< empty: NIL

}  // namespace mansio::mime
