// Test data that must keep its octets (bare CR, NUL, mixed line ends) lives in .tar.zst archives; this reads them into memory.
#pragma once
#include <map>
#include <string>

namespace mansio::test {

/// The regular files of a zstd-compressed tar, by their path inside it. Throws when it cannot be read.
[[nodiscard]] std::map<std::string, std::string> read_archive(std::string const& path);

}  // namespace mansio::test
