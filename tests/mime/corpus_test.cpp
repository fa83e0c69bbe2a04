// 427 difficult messages: none crashes, all keep the invariants, and their part trees stay what they were (tests/data/mime/trees.txt).
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <map>

#include "mime/message.hpp"
#include "mime/support.hpp"
#include "support/archive.hpp"
#include "support/support.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
std::map<std::string, std::string> const& corpus()
{
    static auto const all = test::read_archive(MANSIO_TEST_DATA "/mime/mime.tar.zst");
    return all;
}
}  // namespace

TEST(corpus, every_message_parses_within_its_budgets)
{
    std::size_t messages = 0;
    for (auto const& [name, message] : corpus()) {
        if (!name.ends_with(".eml")) continue;
        ++messages;
        SCOPED_TRACE(name);
        check_message(message);
        check_message(normalize_line_ends(message));
        if (testing::Test::HasFailure()) return;
    }
    EXPECT_EQ(messages, 427U);
}

TEST(corpus, every_message_cut_and_damaged)
{
    unsigned seed = 1;
    for (auto const& [name, message] : corpus()) {
        if (!name.ends_with(".eml") || message.size() > 20000) continue;
        SCOPED_TRACE(name);
        for (std::size_t const part : {1U, 2U, 3U}) check_message(message.substr(0, message.size() * part / 4));
        auto damaged = message;
        for (std::size_t at = 0; at < damaged.size(); at += 1 + seed % 64) {
            seed = seed * 1103515245U + 12345U;
            damaged[at] = static_cast<char>(seed >> 16U);
        }
        check_message(damaged);
        if (testing::Test::HasFailure()) return;
    }
}

TEST(corpus, part_trees_are_what_they_were)
{
    // To accept a change: MANSIO_WRITE_GOLDEN=1 test_mime --gtest_filter=corpus.*, then read the difference.
    std::string trees;
    for (auto const& [name, message] : corpus())
        if (name.ends_with(".eml")) trees += name + "\n" + show(parse_parts(octets{message}, {})) + "\n";
    auto const path = std::string{MANSIO_TEST_DATA "/mime/trees.txt"};
    if (std::getenv("MANSIO_WRITE_GOLDEN") != nullptr) std::ofstream{path, std::ios::binary} << trees;
    auto const golden = test::read_file(path);
    for (std::size_t at = 0; at < trees.size();) {
        auto const end = std::min(trees.find("\n\n", at), trees.size());
        auto const tree = trees.substr(at, end - at + 2);
        EXPECT_NE(golden.find(tree), std::string::npos) << tree;
        at = end + 2;
    }
    EXPECT_EQ(trees.size(), golden.size());
}
