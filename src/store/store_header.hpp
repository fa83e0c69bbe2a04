// Which Mansio may open a store (docs/formats/store-header.md). Text in, text out; the file is rocks_database's.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::store {

inline constexpr std::uint32_t store_format = 1;  ///< of this Mansio

struct store_header {
    std::uint32_t format = store_format, min_reader = 1, min_writer = 1;
    std::vector<std::string> features;
};

[[nodiscard]] std::string write_header(store_header const& h);
/// Errors: broken (not a header, or damaged).
[[nodiscard]] result<store_header> read_header(std::string_view text);
/// Errors: refused with a sentence for the operator: this Mansio is too old for the store in `directory`.
[[nodiscard]] result<void> may_open(store_header const& h, std::string_view directory);

}  // namespace mansio::store
