#include "acme/messages.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/bytes.hpp"

namespace mansio::acme {
namespace {
namespace json = boost::json;
constexpr std::size_t deepest = 16;
constexpr std::size_t most_items = 200;  // names of an order, challenges of a name, subproblems
constexpr std::string_view ours = "urn:ietf:params:acme:error:";

std::optional<json::object> object_of(std::string_view text)
{
    json::parse_options o;
    o.max_depth = deepest;
    boost::system::error_code wrong;
    auto v = json::parse({text.data(), text.size()}, wrong, {}, o);
    if (wrong || !v.is_object()) return std::nullopt;
    return std::move(v.get_object());
}

/// Empty: no such member, or not text.
std::string text(json::object const& o, std::string_view name)
{
    auto const* const v = o.if_contains(name);
    return v != nullptr && v->is_string() ? std::string{v->get_string()} : std::string{};
}

json::array const* list(json::object const& o, std::string_view name)
{
    auto const* const v = o.if_contains(name);
    return v != nullptr && v->is_array() && v->get_array().size() <= most_items ? &v->get_array() : nullptr;
}

problem problem_of(json::object const& o)
{
    problem p{text(o, "type"), text(o, "detail")};
    if (p.type.starts_with(ours)) p.type.erase(0, ours.size());
    auto const* const parts = list(o, "subproblems");
    if (parts == nullptr) return p;
    for (auto const& part : *parts) {
        if (!part.is_object()) continue;
        auto const detail = text(part.get_object(), "detail");
        auto const* const of = part.get_object().if_contains("identifier");
        auto const name = of != nullptr && of->is_object() ? text(of->get_object(), "value") : std::string{};
        if (!detail.empty()) p.detail += fmt::format("{}{}{}{}", p.detail.empty() ? "" : "; ", name, name.empty() ? "" : ": ", detail);
    }
    return p;
}

std::optional<problem> error_of(json::object const& o)
{
    auto const* const e = o.if_contains("error");
    if (e == nullptr || !e->is_object()) return std::nullopt;
    return problem_of(e->get_object());
}

std::unexpected<fault> unintelligible(std::string_view what, std::string_view octets)
{
    return fail(fault::kind::syntax, fmt::format("the authority's {} cannot be understood", what), base::printable(octets, 200));
}
}  // namespace

problem parse_problem(std::string_view octets)
{
    auto const o = object_of(octets);
    return o ? problem_of(*o) : problem{};
}

std::string describe(problem const& p)
{
    constexpr std::size_t longest = 300;
    if (p.type.empty() && p.detail.empty()) return "no reason given";
    return base::printable(fmt::format("{}{}{}", p.type, p.type.empty() || p.detail.empty() ? "" : ": ", p.detail), longest);
}

result<directory> parse_directory(std::string_view octets)
{
    auto const o = object_of(octets);
    if (!o) return unintelligible("directory", octets);
    directory d{text(*o, "newNonce"), text(*o, "newAccount"), text(*o, "newOrder")};
    if (d.new_nonce.empty() || d.new_account.empty() || d.new_order.empty()) return unintelligible("directory", octets);
    if (auto const* const meta = o->if_contains("meta"); meta != nullptr && meta->is_object()) {
        auto const* const wanted = meta->get_object().if_contains("externalAccountRequired");
        d.external_account_required = wanted != nullptr && wanted->is_bool() && wanted->get_bool();
    }
    return d;
}

result<authorization> parse_authorization(std::string_view octets)
{
    auto const o = object_of(octets);
    if (!o) return unintelligible("authorization", octets);
    authorization a{text(*o, "status"), {}, {}};
    if (auto const* const id = o->if_contains("identifier"); id != nullptr && id->is_object()) a.name = text(id->get_object(), "value");
    auto const* const all = list(*o, "challenges");
    if (a.status.empty() || a.name.empty() || all == nullptr) return unintelligible("authorization", octets);
    for (auto const& c : *all) {
        if (!c.is_object()) return unintelligible("authorization", octets);
        auto const& m = c.get_object();
        a.challenges.push_back({text(m, "type"), text(m, "url"), text(m, "token"), text(m, "status"), error_of(m)});
    }
    return a;
}

result<order> parse_order(std::string_view octets)
{
    auto const o = object_of(octets);
    if (!o) return unintelligible("order", octets);
    order r{text(*o, "status"), text(*o, "finalize"), text(*o, "certificate"), {}, error_of(*o)};
    auto const* const all = list(*o, "authorizations");
    if (r.status.empty() || r.finalize.empty() || all == nullptr) return unintelligible("order", octets);
    for (auto const& a : *all) {
        if (!a.is_string()) return unintelligible("order", octets);
        r.authorizations.emplace_back(a.get_string());
    }
    return r;
}

}  // namespace mansio::acme
