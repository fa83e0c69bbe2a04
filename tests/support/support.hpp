// What test programs share.
#pragma once
#include <stdexcept>
#include <string>

namespace mansio::test {

/// A whole file. Throws when it cannot be read.
[[nodiscard]] std::string read_file(std::string const& path);

}  // namespace mansio::test
