#include "smtp/wire/data_decoder.hpp"

#include <gtest/gtest.h>

#include <string>

namespace mansio::smtp::wire {
namespace {

struct collector final : octet_sink {
    std::string text{};
    void put(std::string_view octets) override { text += octets; }
};

struct decoded {
    std::string text{};
    std::string after{};  // what was not taken
    bool done = false, cr = false, lf = false, nul = false;
    bool operator==(decoded const&) const = default;
};
void PrintTo(decoded const& d, std::ostream* out)
{
    *out << ::testing::PrintToString(d.text) << " after " << ::testing::PrintToString(d.after) << (d.done ? " done" : "") << (d.cr ? " cr" : "")
         << (d.lf ? " lf" : "") << (d.nul ? " nul" : "");
}

decoded run(std::string_view octets, std::vector<std::size_t> const& cuts, data_decoder::line_ends ends,
            data_decoder::framing how = data_decoder::framing::dots)
{
    data_decoder d{ends, how};
    collector out;
    std::size_t taken = 0, from = 0;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
        auto const to = i < cuts.size() ? cuts[i] : octets.size();
        if (d.done()) break;
        taken = from + d.feed(octets.substr(from, to - from), out);
        from = to;
    }
    if (how == data_decoder::framing::counted) d.finish(out);
    return {out.text, std::string{octets.substr(taken)}, d.done(), d.bare_cr(), d.bare_lf(), d.nul()};
}

using ends = data_decoder::line_ends;

TEST(data_decoder, says_the_same_wherever_the_network_cuts)
{
    struct {
        std::string octets;
        decoded keep, normalise;
    } const cases[] = {
        {".\r\n", {"", "", true}, {"", "", true}},
        {"a\r\n.\r\nQUIT\r\n", {"a\r\n", "QUIT\r\n", true}, {"a\r\n", "QUIT\r\n", true}},
        {"a\r\n..\r\n..b\r\n.c\r\n.\r\n", {"a\r\n.\r\n.b\r\nc\r\n", "", true}, {"a\r\n.\r\n.b\r\nc\r\n", "", true}},
        {"a", {"a"}, {"a"}},
        {"a\r\n.", {"a\r\n"}, {"a\r\n"}},
        {"a\n.\nb\r\n.\r\n", {"a\n.\nb\r\n", "", true, false, true}, {"a\r\n.\r\nb\r\n", "", true, false, true}},
        {"a\n.\r\nb\r\n.\r\n", {"a\n.\r\nb\r\n", "", true, false, true}, {"a\r\n.\r\nb\r\n", "", true, false, true}},
        {"a\r\n.\nb\r\n.\r\n", {"a\r\n\nb\r\n", "", true, false, true}, {"a\r\n\r\nb\r\n", "", true, false, true}},
        {"a\r\n.\rb\r\n.\r\n", {"a\r\n\rb\r\n", "", true, true}, {"a\r\n\r\nb\r\n", "", true, true}},
        {"a\r.\r\nb\r\n.\r\n", {"a\r.\r\nb\r\n", "", true, true}, {"a\r\n.\r\nb\r\n", "", true, true}},
        {"a\r\r\nb\r\n.\r\n", {"a\r\r\nb\r\n", "", true, true}, {"a\r\n\r\nb\r\n", "", true, true}},
        {"a\r\n.\r\r\nb\r\n.\r\n", {"a\r\n\r\r\nb\r\n", "", true, true}, {"a\r\n\r\n\r\nb\r\n", "", true, true}},
        {std::string{"a\0b\r\n.\r\n", 8},
         {std::string{"a\0b\r\n", 5}, "", true, false, false, true},
         {std::string{"a\0b\r\n", 5}, "", true, false, false, true}},
        {std::string{"a\r\n.\r\n\0", 7}, {"a\r\n", std::string{"\0", 1}, true}, {"a\r\n", std::string{"\0", 1}, true}},
    };
    for (auto const& c : cases)
        for (std::size_t one = 0; one <= c.octets.size(); ++one)
            for (std::size_t two = one; two <= c.octets.size(); ++two) {
                EXPECT_EQ(run(c.octets, {one, two}, ends::keep), c.keep) << ::testing::PrintToString(c.octets) << " cut at " << one << ", " << two;
                EXPECT_EQ(run(c.octets, {one, two}, ends::normalise), c.normalise) << ::testing::PrintToString(c.octets) << " cut at " << one << ", " << two;
            }
}

TEST(data_decoder, leaves_dots_alone_in_counted_chunks)
{
    std::string const text = "..a\r\n.\r\nb\r";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        EXPECT_EQ(run(text, {cut}, ends::keep, data_decoder::framing::counted), (decoded{text, "", true, true}));
        EXPECT_EQ(run(text, {cut}, ends::normalise, data_decoder::framing::counted), (decoded{text + "\n", "", true, true}));
    }
}

TEST(data_decoder, hands_long_runs_on_in_one_piece)
{
    struct counter final : octet_sink {
        int calls = 0;
        void put(std::string_view) override { ++calls; }
    } out;
    std::string text{};
    for (int i = 0; i < 1000; ++i) text += "a line without a dot at its start\r\n";
    data_decoder d{ends::keep, data_decoder::framing::dots};
    EXPECT_EQ(d.feed(text + ".\r\n", out), text.size() + 3);
    EXPECT_TRUE(d.done());
    EXPECT_EQ(out.calls, 1);
}

}  // namespace
}  // namespace mansio::smtp::wire
