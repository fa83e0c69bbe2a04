#include "transfer/json.hpp"

#include "base/bytes.hpp"

namespace mansio::transfer {

std::string text_of(json::object const& o, std::string_view name)
{
    auto const* v = o.if_contains(name);
    return v != nullptr && v->is_string() ? std::string{v->as_string()} : std::string{};
}
std::uint64_t number_of(json::object const& o, std::string_view name)
{
    auto const* v = o.if_contains(name);
    boost::system::error_code wrong;
    if (v == nullptr) return 0;
    auto const n = v->to_number<std::uint64_t>(wrong);
    return wrong ? 0 : n;
}
std::int64_t signed_of(json::object const& o, std::string_view name)
{
    auto const* v = o.if_contains(name);
    boost::system::error_code wrong;
    if (v == nullptr) return 0;
    auto const n = v->to_number<std::int64_t>(wrong);
    return wrong ? 0 : n;
}
bool flag_of(json::object const& o, std::string_view name)
{
    auto const* v = o.if_contains(name);
    return v != nullptr && v->is_bool() && v->as_bool();
}
std::vector<std::string> texts_of(json::object const& o, std::string_view name)
{
    std::vector<std::string> out;
    auto const* v = o.if_contains(name);
    if (v == nullptr || !v->is_array()) return out;
    for (auto const& e : v->as_array())
        if (e.is_string()) out.emplace_back(e.as_string());
    return out;
}
result<json::object> parse_object(std::string_view text)
{
    boost::system::error_code wrong;
    auto v = json::parse({text.data(), text.size()}, wrong);
    if (wrong || !v.is_object()) return fail(fault::kind::syntax, "that is no JSON object");
    return std::move(v.as_object());
}
std::string json_text(std::string_view s) { return base::is_utf8(s) ? std::string{s} : base::printable(s, s.size() * 4); }

}  // namespace mansio::transfer
