#include "store/store_header.hpp"

#include <charconv>
#include <optional>

#include "base/bytes.hpp"

namespace mansio::store {
namespace {
constexpr std::string_view first_line = "mansio store\n";

/// Takes "name value\n" off the front.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name)
{
    auto const end = text.find('\n');
    if (end == std::string_view::npos || !text.starts_with(name)) return std::nullopt;
    auto value = text.substr(name.size(), end - name.size());
    text.remove_prefix(end + 1);
    if (!value.empty() && !value.starts_with(' ')) return std::nullopt;
    if (!value.empty()) value.remove_prefix(1);
    return value;
}

std::optional<std::uint32_t> number(std::optional<std::string_view> v, int base = 10)
{
    std::uint32_t n = 0;
    if (!v || v->empty()) return std::nullopt;
    auto const [end, error] = std::from_chars(v->data(), v->data() + v->size(), n, base);
    if (error != std::errc{} || end != v->data() + v->size()) return std::nullopt;
    return n;
}

std::string check_line(std::string_view before)
{
    base::row_writer w;
    return "check " + base::to_hex(w.be32(base::crc32c(before)).str()) + "\n";
}
std::unexpected<fault> damaged() { return fail(fault::kind::broken, "the store's header is damaged", "header"); }
}  // namespace

std::string write_header(store_header const& h)
{
    std::string out{first_line};
    out +=
        "format " + std::to_string(h.format) + "\nmin_reader " + std::to_string(h.min_reader) + "\nmin_writer " + std::to_string(h.min_writer) + "\nfeatures";
    for (auto const& f : h.features) out += " " + f;
    out += "\n";
    return out + check_line(out);
}

result<store_header> read_header(std::string_view text)
{
    auto const check = text.rfind("check ");
    if (!text.starts_with(first_line) || check == std::string_view::npos || text.substr(check) != check_line(text.substr(0, check))) return damaged();
    auto rest = text.substr(first_line.size());
    auto const format = number(take_line(rest, "format"));
    auto const min_reader = number(take_line(rest, "min_reader"));
    auto const min_writer = number(take_line(rest, "min_writer"));
    auto features = take_line(rest, "features");
    if (!format || !min_reader || !min_writer || !features) return damaged();
    store_header h{*format, *min_reader, *min_writer, {}};
    while (!features->empty()) {
        auto const name = features->substr(0, features->find(' '));
        if (!name.empty()) h.features.emplace_back(name);
        features->remove_prefix(std::min(name.size() + 1, features->size()));
    }
    return h;
}

result<void> may_open(store_header const& h, std::string_view directory)
{
    if (h.min_reader <= store_format && h.min_writer <= store_format && h.features.empty()) return {};
    auto say = "The store in " + std::string{directory} + " is of a newer Mansio (format " + std::to_string(h.format) + ", this one knows " +
               std::to_string(store_format);
    for (auto const& f : h.features) say += "; it uses " + base::printable(f, 40);
    return fail(fault::kind::refused, std::move(say) + "): start the newer version again, or restore a backup made by this one.", "newer store");
}

}  // namespace mansio::store
