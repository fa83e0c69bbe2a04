// What a search is to return, and its charset: shared by SEARCH, SORT, THREAD, ESEARCH and UID FETCH.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imap/capability.hpp"
#include "imap/wire/scanner.hpp"

namespace mansio::imap::commands {

/// A page of results (RFC 5267 §4.4, RFC 9394 §3.1): "1:100" counts from the first one, "-1:-100" from the last one.
struct partial_range {
    std::uint32_t low = 1, high = 1;  ///< low ≤ high
    bool from_end = false;
    std::string text;                 ///< as the client wrote it
    /// Half-open places of that page in `results` results; empty (first == second) when none are there.
    [[nodiscard]] std::pair<std::size_t, std::size_t> of(std::size_t results) const noexcept;
};
// partial-range = partial-range-first / partial-range-last   (RFC 9394 §4)
[[nodiscard]] result<partial_range> parse_partial_range(wire::scanner& in, extension_set const& on);

/// search-return-opts (RFC 4731, 5182, 5267, 9394).
struct search_options {
    bool extended = false;  ///< RETURN was said
    bool min = false, max = false, all = false, count = false, save = false;
    bool context = false, update = false;
    std::optional<partial_range> partial;
    /// An ESEARCH response tells something of the results; without it, SAVE alone is silent (RFC 5182 §2.1).
    [[nodiscard]] bool tells() const noexcept { return min || max || all || count || partial; }
};

enum class searcher : std::uint8_t { search, sort };
/// "(" [search-return-opt *(SP search-return-opt)] ")" SP; "RETURN" and the space after it are read already. An option of an extension that is switched
/// off is unknown. Errors: syntax.
[[nodiscard]] result<void> parse_return_options(wire::scanner& in, searcher who, extension_set const& on, search_options& o);

/// charset SP, as SORT and THREAD always have it and SEARCH after "CHARSET ". Errors: syntax; refused "[BADCHARSET …]".
[[nodiscard]] result<void> parse_charset(wire::scanner& in, extension_set const& on);

/// ESEARCH's data items for `results` (numbers or UIDs in the order of the command); `ordered`: that is not the mailbox's order.
void append_return_data(std::string& out, search_options const& o, std::vector<std::uint32_t> const& results, bool ordered);
/// What "$" means after a search that found `results` (RFC 5182 §2.1, §2.4; RFC 9394 §3.2); ascending.
[[nodiscard]] std::vector<std::uint32_t> saved_of(search_options const& o, std::vector<std::uint32_t> results);

/// A sequence-set in the order of `numbers`: only what ascends one by one becomes a range (RFC 5267 §3.2).
void append_ordered(std::string& out, std::vector<std::uint32_t> const& numbers);

}  // namespace mansio::imap::commands
