// The order SORT asks for (RFC 5256 §3, RFC 5957). Pure but for the parser's input.
#pragma once
#include <cstdint>
#include <vector>

#include "imap/capability.hpp"
#include "imap/mail_facts.hpp"
#include "imap/wire/scanner.hpp"

namespace mansio::imap {

enum class sort_key : std::uint8_t { arrival, cc, date, display_from, display_to, from, size, subject, to };
struct sort_criterion {
    sort_key what = sort_key::arrival;
    bool reverse = false;
    bool operator==(sort_criterion const&) const = default;
};
using sort_order = std::vector<sort_criterion>;

// sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"
/// Errors: syntax. At most one of each key counts; more than 32 are an error.
[[nodiscard]] result<sort_order> parse_sort_order(wire::scanner& in, extension_set const& on);

struct sort_item {
    std::uint32_t position = 0;
    mail_facts const* facts = nullptr;
    std::int64_t arrival = 0;  ///< unix seconds
    std::uint64_t size = 0;
    std::uint64_t prefix = 0;  ///< sort_items()'s own
};
/// In that order; equal ones by position. Time: n · log n.
void sort_items(std::vector<sort_item>& items, sort_order const& order);

}  // namespace mansio::imap
