#include "store/spool.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace mansio::store {
namespace {

class spool_directory {
public:
    spool_directory()
    {
        std::string name = (std::filesystem::temp_directory_path() / "mansio-spool-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~spool_directory() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string const& path() const { return path_; }
    [[nodiscard]] bool empty() const { return std::filesystem::is_empty(path_); }

private:
    std::string path_;
};

std::string store_in_two(spool& s, line_ends ends, std::string_view text, std::size_t cut)
{
    auto w = s.open(ends);
    EXPECT_TRUE(w.append(text.substr(0, cut)));
    EXPECT_TRUE(w.append(text.substr(cut)));
    auto const all = w.finish();
    EXPECT_TRUE(all);
    EXPECT_EQ(all->size(), w.size());
    return std::string{all->view()};
}

TEST(spool, normalises_line_ends_wherever_the_input_is_cut)
{
    spool_directory dir;
    base::memory_budget budget{1U << 20U};
    struct {
        std::string_view in, want;
    } const cases[] = {
        {"a\r\nb\r\n", "a\r\nb\r\n"},
        {"a\nb\n", "a\r\nb\r\n"},
        {"a\rb\r", "a\r\nb\r\n"},
        {"a\r\r\nb", "a\r\n\r\nb"},
        {"\n\r\n\r", "\r\n\r\n\r\n"},
        {"", ""},
        {"no end", "no end"},
        {"\r\r\r", "\r\n\r\n\r\n"},
        {"a\n\nb", "a\r\n\r\nb"},
        {"\n.\n", "\r\n.\r\n"},
        {"x\r\n.\r\ny\n", "x\r\n.\r\ny\r\n"},
    };
    for (std::size_t memory : {std::size_t{1024}, std::size_t{0}}) {  // 0: all of it goes to the file
        spool s{dir.path(), memory, budget};
        for (auto const& c : cases)
            for (std::size_t cut = 0; cut <= c.in.size(); ++cut)
                EXPECT_EQ(store_in_two(s, line_ends::normalized, c.in, cut), c.want) << c.in << " cut at " << cut;
        EXPECT_EQ(store_in_two(s, line_ends::as_they_are, "a\nb\rc\r\n", 3), "a\nb\rc\r\n");
    }
}

TEST(spool, moves_to_an_unnamed_file_when_it_grows)
{
    spool_directory dir;
    base::memory_budget budget{1U << 20U};
    spool s{dir.path(), 100'000, budget};
    std::string want;
    {
        auto w = s.open();
        for (int i = 0; i < 5000; ++i) {
            auto const piece = std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), 'x') + "\r\n";
            want += piece;
            ASSERT_TRUE(w.append(piece));
            if (!w.in_file()) ASSERT_LE(w.size(), 100'000U);
            ASSERT_LE(budget.used(), 110'000U);
        }
        EXPECT_TRUE(w.in_file());
        auto const all = w.finish();
        ASSERT_TRUE(all);
        EXPECT_TRUE(all->mapped());
        EXPECT_EQ(all->view(), want);
        EXPECT_TRUE(dir.empty());
    }
    EXPECT_EQ(budget.used(), 0U);
}

TEST(spool, one_large_piece_equals_many_small_ones)
{
    spool_directory dir;
    base::memory_budget budget{1U << 20U};
    spool s{dir.path(), 1000, budget};
    std::string const text(300'000, 'y');
    EXPECT_EQ(store_in_two(s, line_ends::as_they_are, text, 999), text);
    EXPECT_EQ(store_in_two(s, line_ends::as_they_are, text, 1001), text);
    EXPECT_EQ(store_in_two(s, line_ends::normalized, text, 70'000), text);
}

TEST(spool, refuses_what_the_budget_does_not_hold_and_gives_all_back)
{
    spool_directory dir;
    base::memory_budget budget{10'000};
    spool s{dir.path(), 50'000, budget};
    {
        auto first = s.open();
        ASSERT_TRUE(first.append(std::string(8000, 'a')));
        auto second = s.open();
        auto const refused = second.append(std::string(8000, 'b'));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().what, fault::kind::over_limit);
        auto moved = std::move(first);
        EXPECT_EQ(budget.used(), 8000U);
    }
    EXPECT_EQ(budget.used(), 0U);
}

TEST(spool, says_what_is_wrong_with_its_directory_only_in_the_log)
{
    base::memory_budget budget{1U << 20U};
    spool s{"/nonexistent/spool", 10, budget};
    auto w = s.open();
    auto const refused = w.append("more than ten octets");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().what, fault::kind::broken);
    EXPECT_EQ(refused.error().say.find("nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace mansio::store
