#include "mailauth/tag_list.hpp"

#include <algorithm>

#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

constexpr std::size_t most_tags = 64;  // a signature has 13, a policy 11

using mime::detail::is_alpha;
using mime::detail::is_digit;
using mime::detail::is_white;
using mime::detail::trim_white;
constexpr bool is_name(char c) noexcept { return is_alpha(c) || is_digit(c) || c == '_'; }

}  // namespace

std::optional<tag_list> tag_list::parse(std::string_view text)
{
    tag_list list;
    while (true) {
        auto const end = text.find(';');
        auto const spec = text.substr(0, end);
        if (end == std::string_view::npos && trim_white(spec).empty() && !list.tags_.empty()) return list;  // after the last semicolon
        auto const equals = spec.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        tag t;
        t.name = trim_white(spec.substr(0, equals));
        t.whole_value = spec.substr(equals + 1);
        t.value = trim_white(t.whole_value);
        if (t.name.empty() || !is_alpha(t.name[0]) || !std::ranges::all_of(t.name, is_name)) return std::nullopt;
        if (!std::ranges::all_of(t.value, [](char c) { return is_white(c) || (c > ' ' && c != 0x7f) || static_cast<unsigned char>(c) >= 0x80; }))
            return std::nullopt;
        if (list.find(t.name) != nullptr || list.tags_.size() == most_tags) return std::nullopt;
        list.tags_.push_back(t);
        if (end == std::string_view::npos) return list;
        text.remove_prefix(end + 1);
    }
}

tag_list::tag const* tag_list::find(std::string_view name) const noexcept
{
    auto const at = std::ranges::find(tags_, name, &tag::name);
    return at == tags_.end() ? nullptr : &*at;
}

std::optional<std::string_view> tag_list::get(std::string_view name) const noexcept
{
    auto const* const t = find(name);
    return t == nullptr ? std::nullopt : std::optional{t->value};
}

std::vector<std::string_view> split_colons(std::string_view value)
{
    std::vector<std::string_view> parts;
    while (true) {
        auto const end = value.find(':');
        parts.push_back(trim_white(value.substr(0, end)));
        if (end == std::string_view::npos) return parts;
        value.remove_prefix(end + 1);
    }
}

std::string without_white(std::string_view value)
{
    std::string out;
    out.reserve(value.size());
    std::ranges::remove_copy_if(value, std::back_inserter(out), is_white);
    return out;
}

std::optional<std::uint64_t> read_decimal(std::string_view value, std::size_t most_digits)
{
    if (value.empty() || value.size() > std::min<std::size_t>(most_digits, 19)) return std::nullopt;
    std::uint64_t n = 0;
    for (char const c : value) {
        if (c < '0' || c > '9') return std::nullopt;
        n = n * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return n;
}

}  // namespace mansio::mailauth
