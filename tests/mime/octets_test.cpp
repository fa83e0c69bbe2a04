#include "mime/octets.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

#include "base/limits.hpp"
#include "mime/message.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
/// An unnamed file with these octets.
int spooled(std::string_view text)
{
    std::string name = testing::TempDir() + "octets-XXXXXX";
    int const fd = ::mkstemp(name.data());
    ::unlink(name.c_str());
    while (!text.empty()) {
        auto const n = ::write(fd, text.data(), text.size());
        if (n <= 0) return -1;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return fd;
}
/// Octets of this process in memory that come from files, kB.
long resident_files_kb()
{
    std::string line;
    long kb = -1;
    if (auto* const f = std::fopen("/proc/self/status", "r")) {
        char buffer[256];
        while (std::fgets(buffer, sizeof buffer, f) != nullptr)
            if (std::string_view{buffer}.starts_with("RssFile:") || std::string_view{buffer}.starts_with("RssShmem:"))
                kb = std::max(kb, 0L) + std::atol(buffer + 9);
        std::fclose(f);
    }
    return kb;
}
}  // namespace

TEST(octets, in_memory_and_mapped_are_the_same)
{
    std::string const text = "Subject: x\r\n\r\nbody\r\n";
    int const fd = spooled(text);
    auto const mapped = octets::map(fd, text.size());
    ::close(fd);  // the mapping stays
    ASSERT_TRUE(mapped);
    EXPECT_TRUE(mapped->mapped());
    octets const copied = *mapped;
    EXPECT_EQ(copied.view(), text);
    mapped->done_with(text.size());
    EXPECT_EQ(copied.view(), text);
    octets const memory{text};
    EXPECT_FALSE(memory.mapped());
    memory.done_with(text.size());
    EXPECT_EQ(summarize(memory, {}), summarize(copied, {}));
    EXPECT_EQ(octets{}.size(), 0U);
    EXPECT_TRUE(octets::map(-1, 0));
    EXPECT_FALSE(octets::map(-1, 10));
}

TEST(octets, a_large_message_does_not_stay_in_memory)
{
    std::string text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n";
    std::string const line = std::string(76, 'A') + "\r\n";
    while (text.size() < (std::size_t{48} << 20U)) text += line;
    text += "--b--\r\n";
    auto const size = text.size();
    int const fd = spooled(text);
    text = {};
    auto const message = octets::map(fd, size);
    ::close(fd);
    ASSERT_TRUE(message);
    auto const before = resident_files_kb();
    auto const s = summarize(*message, {});
    auto const after = resident_files_kb();
    EXPECT_EQ(s.parts.size(), 2U);
    EXPECT_EQ(s.parts[1].lines + 0U, (s.parts[1].end_offset - s.parts[1].body_offset + 2) / 78 - 1);
    EXPECT_LT(after - before, 8192) << "pages behind the reader were not given back";
}
