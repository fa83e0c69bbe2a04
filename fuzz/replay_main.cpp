// Runs a fuzz target over saved inputs, and over every prefix of the short ones: what the network may have cut.
// Takes files and folders; a folder that is missing is an error, because a corpus nobody replays protects nothing.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);

namespace {
constexpr std::size_t longest_cut = 512;

void run_one(std::string const& octets)
{
    // A buffer of exactly this size, so that the address sanitizer sees one octet read too many.
    std::vector<std::uint8_t> const exact(octets.begin(), octets.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::size_t replay(std::filesystem::path const& file)
{
    std::ifstream in{file, std::ios::binary};
    std::string const octets{std::istreambuf_iterator<char>{in}, {}};
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);  // the last line names the input that crashed
    run_one(octets);
    if (octets.size() > longest_cut) return 1;
    for (std::size_t cut = 0; cut < octets.size(); ++cut) run_one(octets.substr(0, cut));
    return octets.size() + 1;
}
}  // namespace

int main(int argc, char** argv)
{
    if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
    std::size_t runs = 0;
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::exists(argv[i])) {
            std::fprintf(stderr, "%s does not exist: save at least one input there\n", argv[i]);
            return 1;
        }
        if (!std::filesystem::is_directory(argv[i])) {
            runs += replay(argv[i]);
            continue;
        }
        for (auto const& entry : std::filesystem::recursive_directory_iterator{argv[i]})
            if (entry.is_regular_file()) runs += replay(entry.path());
    }
    std::printf("%zu runs\n", runs);
    return runs == 0 ? 1 : 0;
}
