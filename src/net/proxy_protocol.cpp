#include "net/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <vector>

namespace mansio::net {
namespace {
using namespace std::string_view_literals;

constexpr auto signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr auto line_start = "PROXY "sv;
constexpr std::size_t shortest_line = "PROXY UNKNOWN\r\n"sv.size(), longest_line = 107;
constexpr std::size_t fixed_part = 16, longest_header = 4096;

std::unexpected<fault> wrong(char const* detail) { return fail(fault::kind::syntax, "no PROXY header", detail); }

std::size_t be16(std::string_view s, std::size_t at)
{
    return static_cast<std::size_t>(static_cast<unsigned char>(s[at])) << 8U | static_cast<unsigned char>(s[at + 1]);
}

/// Decimal, 0 to 65535, without leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view s)
{
    std::uint16_t n = 0;
    auto const parsed = std::from_chars(s.data(), s.data() + s.size(), n);
    if (parsed.ec != std::errc{} || parsed.ptr != s.data() + s.size() || (s.size() > 1 && s[0] == '0')) return std::nullopt;
    return n;
}

std::optional<ip_address> parse_address(std::string_view s, bool v4)
{
    // What is written decides the family here, not what it means: a mapped IPv4 address is held as IPv4.
    if ((s.find(':') == std::string_view::npos) != v4) return std::nullopt;
    return ip_address::parse(s);
}

std::vector<std::string_view> split_at_blanks(std::string_view line)
{
    std::vector<std::string_view> words;
    while (true) {
        auto const blank = line.find(' ');
        words.push_back(line.substr(0, blank));
        if (blank == std::string_view::npos) return words;
        line.remove_prefix(blank + 1);
    }
}

template <std::size_t N> std::array<unsigned char, N> octets_at(std::string_view s, std::size_t at)
{
    std::array<unsigned char, N> out{};
    std::ranges::transform(s.substr(at, N), out.begin(), [](char c) { return static_cast<unsigned char>(c); });
    return out;
}
}  // namespace

std::size_t proxy_header_parser::wants() const noexcept
{
    if (done_) return 0;
    if (have_.size() < shortest_line) return shortest_line - have_.size();
    if (!binary_) return 1;  // where the line ends shows when it does
    if (have_.size() < fixed_part) return fixed_part - have_.size();
    return fixed_part + be16(have_, 14) - have_.size();
}

result<void> proxy_header_parser::feed(std::string_view octets)
{
    MANSIO_ASSERT(octets.size() <= wants());
    have_ += octets;
    auto const begun = check_beginning();
    if (!begun) return begun;
    if (binary_) return read_binary();
    return read_line();
}

result<void> proxy_header_parser::check_beginning()
{
    auto const fits = [&](std::string_view start) { return std::string_view{have_}.substr(0, start.size()) == start.substr(0, have_.size()); };
    binary_ = fits(signature);
    if (!binary_ && !fits(line_start)) return wrong("other octets");
    return {};
}

/// "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP port SP port CRLF, or "PROXY UNKNOWN" and anything up to CRLF (§2.1)
result<void> proxy_header_parser::read_line()
{
    if (!have_.ends_with("\r\n")) {
        if (have_.size() >= longest_line) return wrong("the line is too long");
        return {};
    }
    auto const line = std::string_view{have_}.substr(line_start.size(), have_.size() - line_start.size() - 2);
    if (line.find_first_of("\r\n") != std::string_view::npos) return wrong("a line end in the line");
    done_ = true;
    auto const words = split_at_blanks(line);
    if (words[0] == "UNKNOWN") return {};
    bool const v4 = words[0] == "TCP4";
    if ((!v4 && words[0] != "TCP6") || words.size() != 5) return wrong("the line's words");
    auto const source = parse_address(words[1], v4), destination = parse_address(words[2], v4);
    auto const port = parse_port(words[3]), to_port = parse_port(words[4]);
    if (!source || !destination || !port || !to_port) return wrong("the line's addresses");
    source_ = endpoint{*source, *port};
    return {};
}

/// §2.2: signature, version and command, family and protocol, length, addresses; what follows them (TLVs) is skipped.
result<void> proxy_header_parser::read_binary()
{
    if (have_.size() < fixed_part) return {};
    auto const high = [this](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(have_[at])) >> 4U; };
    auto const low = [this](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(have_[at])) & 15U; };
    auto const version = high(12), command = low(12), family = high(13), protocol = low(13);
    if (version != 2 || command > 1 || family > 3 || protocol > 2) return wrong("version, command or family");
    auto const length = be16(have_, 14);
    if (fixed_part + length > longest_header) return wrong("the header is too long");
    // The addresses of both ends, then their ports.
    std::size_t const size = family == 1 ? 4 : family == 2 ? 16 : 0;
    bool const known = command == 1 && size != 0 && protocol == 1;
    if (known && length < 2 * size + 4) return wrong("the addresses are cut short");
    if (have_.size() < fixed_part + length) return {};
    done_ = true;
    if (!known) return {};
    auto const address = size == 4 ? ip_address::v4(octets_at<4>(have_, fixed_part)) : ip_address::v6(octets_at<16>(have_, fixed_part));
    source_ = endpoint{address, static_cast<std::uint16_t>(be16(have_, fixed_part + 2 * size))};
    return {};
}

task<result<std::optional<endpoint>>> read_proxy_header(stream& from, monotonic_time deadline)
{
    proxy_header_parser parser;
    std::array<char, 512> piece{};
    while (parser.wants() > 0) {
        auto const room = std::span{piece}.first(std::min(parser.wants(), piece.size()));
        auto const got = co_await from.read_some(room, deadline);
        if (!got) co_return fail(got);
        if (*got == 0) co_return fail(fault::kind::closed, "closed", "in the PROXY header");
        auto const fed = parser.feed(std::string_view{piece.data(), *got});
        if (!fed) co_return fail(fed);
    }
    co_return parser.source();
}

}  // namespace mansio::net
