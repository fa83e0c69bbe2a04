// What every engine asks of its callers, and small helpers on keys.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "store/engine.hpp"

namespace mansio::store {

/// The first key behind all that begin with `prefix`; empty when there is none (the prefix is all 0xFF, or empty).
[[nodiscard]] std::string key_after_prefix(std::string_view prefix);
/// Octets of keys, values and note.
[[nodiscard]] std::size_t row_octets(change const& c);
/// Asserts what the interface asks: at most 1 MiB, every new blob with a holder.
void assert_well_formed(change const& c);
void assert_well_formed(std::vector<page> const& pages);

/// Changes of a partition whose ids committed_as() still knows.
inline constexpr std::size_t remembered_changes = 1024;

}  // namespace mansio::store
