#include "pop3/wire.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/random.hpp"

using namespace mansio;
using namespace mansio::pop3;
using namespace std::string_literals;

namespace {
std::string told(std::string_view line)
{
    auto const c = parse_command(line);
    return c ? c->verb + "|" + std::string{c->rest} : "none";
}
std::string stuffed(std::string_view message, std::size_t cut)
{
    dot_writer w;
    std::string out;
    w.text(message.substr(0, cut), out);
    w.text(message.substr(cut), out);
    w.end(out);
    return out;
}
std::string top_of(std::string_view message, std::uint32_t lines, std::size_t cut)
{
    top_limit limit{lines};
    std::string out;
    for (auto piece : {message.substr(0, cut), message.substr(cut)}) {
        if (limit.complete()) break;
        out += piece.substr(0, limit.take(piece));
    }
    return out;
}
}  // namespace

TEST(wire, commands)
{
    struct {
        std::string line, want;
    } const cases[] = {
        {"QUIT", "QUIT|"},
        {"quit", "QUIT|"},
        {"QuIt ", "QUIT|"},
        {"TOP 1 0", "TOP|1 0"},
        {"PASS a b  c ", "PASS|a b  c "},
        {"PASS  lead", "PASS| lead"},
        {"USER ren\xC3\xA9", "USER|ren\xC3\xA9"},
        {"", "none"},
        {" QUIT", "none"},
        {"QU", "none"},
        {"QUITS", "none"},
        {"QU1T", "none"},
        {"QUIT\tx", "none"},
        {"QUIT\r", "none"},   // a CR that ends no line
        {"USER a\0b"s, "none"},
        {"USER a\x1B[2J", "none"},
        {"USER a\x7F", "none"},
        {"\x16\x03\x01", "none"},
    };
    for (auto const& c : cases) EXPECT_EQ(told(c.line), c.want) << base::printable(c.line);
}

TEST(wire, numbers)
{
    EXPECT_EQ(parse_number("1"), 1U);
    EXPECT_EQ(parse_number("0"), 0U);
    EXPECT_EQ(parse_number(" 17 "), 17U);
    EXPECT_EQ(parse_number("0000000001"), 1U);
    EXPECT_EQ(parse_number("4294967295"), 4294967295U);
    for (std::string_view const bad : {"", " ", "-1", "+1", "1 2", "x", "0x1", "4294967296", "99999999999", "1.", "\xD9\xA1"})
        EXPECT_FALSE(parse_number(bad)) << bad;
}

TEST(wire, messages_are_stuffed_wherever_they_are_cut)
{
    struct {
        std::string message, want;
    } const cases[] = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},                          // not ended: the dot still stands on a line of its own
        {"a\r", "a\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {"..\r\n", "...\r\n.\r\n"},
        {"a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
        {"a.\r\n.b", "a.\r\n..b\r\n.\r\n"},
        {"\r\n", "\r\n.\r\n"},
        {"\r\n\r\n", "\r\n\r\n.\r\n"},
        // No reader may see an end that is none: bare CR and LF become line ends before the dots are looked at.
        {"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r\n.\rb", "a\r\n..\r\nb\r\n.\r\n"},
        {"a\r\r\n.\r\r\nb", "a\r\n\r\n..\r\n\r\nb\r\n.\r\n"},
        {"a\n\r\n", "a\r\n\r\n.\r\n"},
        {"a\0.\r\n.\0"s, "a\0.\r\n..\0\r\n.\r\n"s},
    };
    for (auto const& c : cases)
        for (std::size_t cut = 0; cut <= c.message.size(); ++cut) EXPECT_EQ(stuffed(c.message, cut), c.want) << base::printable(c.message) << " cut at " << cut;
}

TEST(wire, top_ends_after_header_and_lines)
{
    struct {
        std::string_view message;
        std::uint32_t lines;
        std::string_view want;
    } const cases[] = {
        {"A: 1\r\nB: 2\r\n\r\n1\r\n2\r\n3\r\n", 0, "A: 1\r\nB: 2\r\n\r\n"},
        {"A: 1\r\nB: 2\r\n\r\n1\r\n2\r\n3\r\n", 2, "A: 1\r\nB: 2\r\n\r\n1\r\n2\r\n"},
        {"A: 1\r\nB: 2\r\n\r\n1\r\n2\r\n3\r\n", 3, "A: 1\r\nB: 2\r\n\r\n1\r\n2\r\n3\r\n"},
        {"A: 1\r\nB: 2\r\n\r\n1\r\n2\r\n3\r\n", 9, "A: 1\r\nB: 2\r\n\r\n1\r\n2\r\n3\r\n"},
        {"A: 1\r\n\r\n\r\n\r\nx", 2, "A: 1\r\n\r\n\r\n\r\n"},
        {"A: 1\r\n\r\nx", 1, "A: 1\r\n\r\nx"},
        {"A: 1\r\n", 5, "A: 1\r\n"},
        {"", 5, ""},
        {"\r\nbody\r\nmore\r\n", 1, "\r\nbody\r\n"},
        {"A: 1\n\nx\ny\n", 1, "A: 1\n\nx\n"},
    };
    for (auto const& c : cases)
        for (std::size_t cut = 0; cut <= c.message.size(); ++cut) EXPECT_EQ(top_of(c.message, c.lines, cut), c.want) << c.message << " cut at " << cut;
}

// Whole blocks are copied where nothing needs a change: the same text octet by octet is the measure.
TEST(wire, stuffing_in_bulk_is_stuffing_octet_by_octet)
{
    auto const slow = [](std::string_view text) {
        std::string out;
        bool at_start = true;
        for (std::size_t i = 0; i < text.size(); ++i) {
            bool const cr = text[i] == '\r';
            if (cr || text[i] == '\n') {
                if (cr && i + 1 < text.size() && text[i + 1] == '\n') ++i;
                out += "\r\n";
                at_start = true;
                continue;
            }
            if (at_start && text[i] == '.') out += '.';
            out += text[i];
            at_start = false;
        }
        if (!at_start) out += "\r\n";
        return out + ".\r\n";
    };
    base::seeded_random random{77};
    for (int round = 0; round < 400; ++round) {
        std::string text;
        auto const wanted = 900 + random.u64() % 2400;
        bool const wild = round % 4 == 0;  // else mostly good lines, with an oddity here and there
        while (text.size() < wanted) {
            auto const r = random.u64();
            if (wild)
                text += std::string_view{"\r\n.x"}[r % 4];
            else
                text += std::string(r % 90, 'x') + (r % 97 == 0 ? "\r" : r % 89 == 0 ? "\n" : r % 13 == 0 ? "\r\n." : "\r\n");
        }
        auto const want = slow(text);
        for (std::size_t const cut : {std::size_t{0}, std::size_t{1}, std::size_t{1023}, std::size_t{1024}, std::size_t{1025}, text.size() / 2})
            ASSERT_EQ(stuffed(text, std::min(cut, text.size())), want) << round << " cut at " << cut;
    }
}
