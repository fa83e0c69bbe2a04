#include "cli/online.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "http/client.hpp"

namespace mansio::cli {
namespace json = boost::json;
namespace {
std::string cell(json::value const& v)
{
    if (v.is_null()) return "-";
    if (v.is_string()) return v.as_string().empty() ? "-" : base::printable(std::string_view{v.as_string()}, 4096);
    if (v.is_bool()) return v.as_bool() ? "yes" : "no";
    if (v.is_array()) {
        std::string out;
        for (auto const& e : v.as_array()) out += (out.empty() ? "" : ", ") + cell(e);
        return out.empty() ? "-" : out;
    }
    return json::serialize(v);
}

std::string heading(std::string_view name)
{
    std::string out{name};
    for (char& c : out)
        if (c == '_') c = ' ';
    return out;
}

/// Characters, not octets, so that columns line up with names in any script (wide characters aside).
std::size_t width(std::string_view utf8)
{
    return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string table(json::array const& rows)
{
    std::vector<std::string> columns;
    for (auto const& r : rows)
        for (auto const& [k, v] : r.as_object())
            if (std::find(columns.begin(), columns.end(), std::string_view{k}) == columns.end()) columns.emplace_back(k);
    std::vector<std::vector<std::string>> cells(1);
    for (auto const& c : columns) cells.front().push_back(heading(c));
    for (auto const& r : rows) {
        auto& line = cells.emplace_back();
        for (auto const& c : columns) {
            auto const* v = r.as_object().if_contains(c);
            line.push_back(v == nullptr ? "-" : cell(*v));
        }
    }
    std::vector<std::size_t> widths(columns.size());
    for (auto const& line : cells)
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
    std::string out;
    for (auto const& line : cells) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            out += line[i];
            if (i + 1 < line.size()) out.append(widths[i] - width(line[i]) + 2, ' ');
        }
        out += '\n';
    }
    return out;
}
}  // namespace

result<json::object> call(std::string const& socket, std::string const& name, json::object const& arguments)
{
    http::request r;
    r.method = "POST";
    r.path = "/v1/" + name;
    r.fields = {{"Content-Type", "application/json"}};
    r.keep_alive = false;
    r.body = json::serialize(arguments);
    auto const answer = http::call_unix(socket, r, std::chrono::seconds{120});
    if (!answer) return fail(answer);
    boost::system::error_code wrong;
    auto v = json::parse(answer->body, wrong);
    if (wrong || !v.is_object())
        return fail(fault::kind::broken,
                    fmt::format("the server answered {} with something that is no JSON; is that the admin socket of Mansio?", answer->status));
    if (answer->status == 200) return std::move(v.as_object());
    auto const* sentence = v.as_object().if_contains("error");
    return fail(fault::kind::refused,
                sentence != nullptr && sentence->is_string() ? std::string{sentence->as_string()} : fmt::format("the server answered {}", answer->status));
}

std::string for_people(json::object const& answer)
{
    std::string out;
    for (auto const& [k, v] : answer) {
        bool const rows =
            v.is_array() && !v.as_array().empty() && std::all_of(v.as_array().begin(), v.as_array().end(), [](json::value const& e) { return e.is_object(); });
        if (rows)
            out += (answer.size() > 1 ? heading(k) + ":\n" : std::string{}) + table(v.as_array());
        else if (v.is_array() && v.as_array().empty())
            out += fmt::format("no {}\n", heading(k));
        else
            out += fmt::format("{}: {}\n", heading(k), cell(v));
    }
    return out;
}

}  // namespace mansio::cli
