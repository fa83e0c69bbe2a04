// Sets of message numbers and UIDs (RFC 9051 §9, sequence-set).
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "imap/wire/scanner.hpp"

namespace mansio::imap::wire {

/// As the client wrote it. `star` stands for the largest number in use.
struct sequence_set {
    static constexpr std::uint32_t star = 0;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    bool saved = false;  ///< "$": the result of the last SEARCH RETURN (SAVE), RFC 9051 §6.4.4.1

    /// The largest number written out; 0 when there is none beside "*". A range with "*" counts not: it means "up to the last one".
    [[nodiscard]] std::uint32_t largest_named() const noexcept;
};
/// Sorted disjoint ranges, both ends included.
using number_ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

[[nodiscard]] result<sequence_set> parse_sequence_set(scanner& in);
/// `largest`: what "*" means; 0 when there is no message: the answer may then hold numbers that name nothing.
[[nodiscard]] number_ranges resolve(sequence_set const& s, std::uint32_t largest);
/// Sorts and joins.
void normalize(number_ranges& r);
[[nodiscard]] bool contains(number_ranges const& r, std::uint32_t n) noexcept;

/// "1:3,7" of ascending numbers; empty for none.
void append_numbers(std::string& out, std::vector<std::uint32_t> const& ascending);
void append_ranges(std::string& out, number_ranges const& r);
/// Ranges of ascending numbers.
[[nodiscard]] number_ranges to_ranges(std::vector<std::uint32_t> const& ascending);

}  // namespace mansio::imap::wire
