#include "mailauth/arc_sets.hpp"

#include <array>

#include "base/bytes.hpp"
#include "mailauth/canonical.hpp"
#include "mailauth/tag_list.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

using member = mime::field_view const* arc_set::*;
struct kind {
    std::string_view name;
    member where;
};
constexpr std::array<kind, 3> kinds{
    {{"ARC-Authentication-Results", &arc_set::results}, {"ARC-Message-Signature", &arc_set::signature}, {"ARC-Seal", &arc_set::seal}}};

std::unexpected<fault> wrong(std::string what) { return fail(fault::kind::syntax, std::move(what)); }

/// The number of "i=N" in front of a field's first semicolon, or among its tags: i= is the first tag of all three as everybody writes them, and of the results it must
/// be (§4.1.1). 0: none.
unsigned instance_of(mime::field_view const& f, bool is_results)
{
    std::optional<std::uint64_t> number;
    if (is_results) {
        auto const first = f.body.substr(0, f.body.find(';'));
        auto const equals = first.find('=');
        if (equals == std::string_view::npos || mime::detail::trim_white(first.substr(0, equals)) != "i") return 0;
        number = read_decimal(mime::detail::trim_white(first.substr(equals + 1)), 2);
    } else if (auto const tags = tag_list::parse(f.body))
        if (auto const i = tags->get("i")) number = read_decimal(*i, 2);
    return number && *number <= most_arc_sets ? static_cast<unsigned>(*number) : 0;
}

}  // namespace

result<std::vector<arc_set>> collect_arc_sets(mime::header_block const& header)
{
    std::vector<arc_set> sets;
    for (auto const& f : header.fields) {
        for (auto const& k : kinds) {
            if (!base::equal_ignoring_case(f.name, k.name)) continue;
            auto const instance = instance_of(f, k.where == &arc_set::results);
            if (instance == 0) return wrong(std::string{k.name} + " without an instance from 1 to 50");
            if (sets.size() < instance) sets.resize(instance);
            auto& place = sets[instance - 1].*k.where;
            if (place != nullptr) return wrong(std::string{k.name} + " of instance " + std::to_string(instance) + " twice");
            place = &f;
        }
    }
    for (std::size_t i = 0; i < sets.size(); ++i)
        for (auto const& k : kinds)
            if (sets[i].*k.where == nullptr) return wrong("no " + std::string{k.name} + " of instance " + std::to_string(i + 1));
    return sets;
}

result<arc_seal> parse_arc_seal(std::string_view field_body)
{
    auto const tags = tag_list::parse(field_body);
    if (!tags) return wrong("a seal is not a list of tags, or has a tag twice");
    for (auto const* required : {"a", "b", "cv", "d", "s"})
        if (tags->find(required) == nullptr) return wrong(std::string{"a seal without "} + required + "=");
    if (tags->find("h") != nullptr) return wrong("a seal with h=");  // §4.1.3
    arc_seal s;
    if (auto const read = read_signing_tags(*tags, s.signature); !read) return fail(read);
    s.validation = *tags->get("cv");
    return s;
}

std::string results_of(std::string_view field_body)
{
    auto const semicolon = field_body.find(';');
    return semicolon == std::string_view::npos ? std::string{} : mime::unfold(mime::detail::trim_white(field_body.substr(semicolon + 1)));
}

std::string canonical_sets(signed_message const& message, std::span<arc_set const> sets)
{
    std::string out;
    for (auto const& s : sets)
        for (auto const& k : kinds) out += canonical_field(message.text_of(*(s.*k.where)), canonicalization::relaxed);
    return out;
}

}  // namespace mansio::mailauth
