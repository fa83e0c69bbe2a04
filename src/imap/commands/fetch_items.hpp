// What FETCH asks for.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "imap/capability.hpp"
#include "imap/wire/scanner.hpp"
#include "mime/message.hpp"

namespace mansio::imap {
class session;
struct position_ranges;
}

namespace mansio::imap::commands {

/// BODY[section]<partial> and its old names, BINARY[section]<partial> and BINARY.SIZE[section].
struct fetch_section {
    /// `decoded`, `decoded_size`: with the transfer encoding undone (RFC 9051 §6.4.5, RFC 3516).
    enum class form : std::uint8_t { as_stored, decoded, decoded_size };
    form how = form::as_stored;
    mime::section_kind what = mime::section_kind::body;
    std::vector<std::uint32_t> path;
    enum class filter : std::uint8_t { none, fields, fields_not };
    filter choice = filter::none;
    std::vector<std::string> fields;  ///< lower case
    bool peek = false;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> partial;  ///< offset, octets
    std::string label;                ///< as the reply names it: "BODY[1.HEADER.FIELDS (From)]<0>"

    /// The stored summary has all of it: no blob is opened.
    [[nodiscard]] bool in_summary() const;
};

struct fetch_items {
    bool flags = false, uid = false, internal_date = false, size = false, envelope = false, body = false, bodystructure = false;
    bool save_date = false, modseq = false, email_id = false, thread_id = false, preview = false;
    std::vector<fetch_section> sections;
    [[nodiscard]] bool needs_record() const noexcept { return envelope || body || bodystructure || thread_id || preview || !sections.empty(); }
    [[nodiscard]] bool sets_seen() const noexcept;
};

/// "1.2.HEADER" without brackets, as an IMAP URL has it (RFC 5092 §6.1.1).
[[nodiscard]] result<fetch_section> parse_section_text(std::string_view text);

/// BINARY: RFC 3516; EMAILID and THREADID: RFC 8474 §5; SAVEDATE: RFC 8514 §4; PREVIEW: RFC 8970 §3; MODSEQ: RFC 7162 §3.1.4.2.
/// fetch = … ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")   (RFC 9051 §9, RFC 3501 §9)
/// `on`: items of extensions that are off are none.
[[nodiscard]] result<fetch_items> parse_fetch_items(wire::scanner& in, extension_set const& on);

/// FETCH of messages just announced, as NOTIFY asked (RFC 5465 §5.2). Those that cannot be read are left out. Errors: closed, timeout.
[[nodiscard]] task<result<void>> fetch_arrivals(session& s, fetch_items const& items, position_ranges const& which);

}  // namespace mansio::imap::commands
