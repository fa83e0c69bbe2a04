// Answers of an IMAP server as values (RFC 9051 §7, §9; RFC 3501 where older servers differ).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "mime/date.hpp"

namespace mansio::imapclient {

/// Both ends included.
using number_range = std::pair<std::uint32_t, std::uint32_t>;

/// What a FETCH answer said of one message; items we never ask for are passed over.
struct fetch_data {
    std::uint32_t sequence = 0;
    std::uint32_t uid = 0;                           ///< 0: not said
    std::optional<std::vector<std::string>> flags;   ///< as written; "\Recent" among them
    std::optional<mime::date_time> internal_date;
    std::optional<std::uint64_t> size;
    std::uint64_t modseq = 0;
    std::optional<std::string> body;                 ///< BODY[] or BODY[HEADER] …, when it was not given to a sink
    std::optional<std::uint64_t> streamed;           ///< octets that a sink took
};

struct list_entry {
    std::string name;                    ///< UTF-8, levels by `delimiter`; a name that is no modified UTF-7 is kept as it came
    std::string raw;                     ///< as the server wrote it: what it is asked by
    char delimiter = '\0';               ///< none: flat
    std::vector<std::string> attributes; ///< in lower case: "\noselect", "\sent", "\subscribed"
    [[nodiscard]] bool has(std::string_view attribute) const noexcept;
};

struct search_data {
    std::vector<number_range> numbers;   ///< SEARCH's, or ESEARCH's ALL, as they came
    std::optional<std::uint32_t> count;
    bool extended = false;               ///< an ESEARCH answer
};

struct response {
    enum class kind : std::uint8_t { untagged, tagged, more };
    kind what = kind::untagged;
    std::string tag;                     ///< of a tagged one
    std::string name;                    ///< "OK", "FETCH", "LIST" … in capitals; empty for `more`
    std::uint32_t number = 0;            ///< of "* 12 EXISTS"
    std::string code;                    ///< response code in capitals: "UIDVALIDITY"; empty: none
    std::string code_argument;           ///< what follows it inside the brackets
    std::string text;                    ///< for people: bounded, not yet printable
    std::optional<fetch_data> fetch;
    std::optional<list_entry> list;      ///< LIST and LSUB
    std::optional<search_data> search;   ///< SEARCH and ESEARCH
    std::vector<std::string> words;      ///< CAPABILITY, ENABLED, FLAGS, and STATUS's items and numbers by turns
    [[nodiscard]] bool ok() const noexcept { return name == "OK"; }
};

/// One whole answer: its line without the line end, literals in place ("{3}\r\nabc"). `streamed`: the octets that a sink took where the empty literal of
/// BODY[] stands. Answers of names we do not know come back with their name alone. Time and memory: linear. Never recursive.
/// Errors: syntax; over_limit (deeper than `depth`).
[[nodiscard]] result<response> parse_response(std::string_view octets, unsigned depth, std::optional<std::uint64_t> streamed = {});

/// "1:3,7" (no "*"). Errors: syntax.
[[nodiscard]] result<std::vector<number_range>> parse_ranges(std::string_view text);
/// UTF-8 of a name in modified UTF-7; what is none is kept as it came.
[[nodiscard]] std::string decode_mailbox(std::string_view raw);
/// Modified UTF-7 of valid UTF-8.
[[nodiscard]] std::string encode_mailbox(std::string_view utf8);

}  // namespace mansio::imapclient
