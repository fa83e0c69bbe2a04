// Sets of UIDs: sorted, disjoint ranges.
#pragma once
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "store/account.hpp"

namespace mansio::store {

/// Appends a UID that is greater than all of the set.
void append_uid(uid_set& set, store::uid u);
[[nodiscard]] bool contains(uid_set const& set, store::uid u) noexcept;
/// Sorts and joins what a caller put together in any order; ranges turned round are put right.
[[nodiscard]] uid_set normalized(uid_set set);
[[nodiscard]] std::uint64_t count(uid_set const& set) noexcept;
void encode(base::row_writer& w, uid_set const& set);
/// Spoils the reader when the ranges are not ascending.
[[nodiscard]] uid_set decode_uid_set(base::row_reader& r);

}  // namespace mansio::store
