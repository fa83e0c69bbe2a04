#include "engine_fixture.hpp"

#include <unistd.h>

namespace mansio::store::test {

scratch_directory::scratch_directory()
{
    auto pattern = (std::filesystem::temp_directory_path() / "mansio-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
}
scratch_directory::~scratch_directory()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

rocks_options small_options(std::string directory, std::shared_ptr<rocksdb::FileSystem> fs)
{
    rocks_options o;
    o.directory = std::move(directory);
    o.memory_octets = std::uint64_t{8} << 20U;
    o.reserve_octets = std::uint64_t{1} << 20U;
    o.file_system = std::move(fs);
    return o;
}

std::string text_octets(std::size_t n, std::uint64_t seed)
{
    std::string out;
    out.reserve(n + 100);
    for (std::uint64_t i = seed; out.size() < n; ++i) out += "line " + std::to_string(i * 7919) + " of a message that compresses well enough\r\n";
    out.resize(n);
    return out;
}

std::string random_octets(std::size_t n, std::uint64_t seed)
{
    base::seeded_random r{n * 31 + seed + 1};
    return r.octets(n);
}

}  // namespace mansio::store::test
