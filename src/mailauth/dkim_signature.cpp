#include "mailauth/dkim_signature.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"
#include "mailauth/tag_list.hpp"

namespace mansio::mailauth {
namespace {

constexpr std::size_t most_fields = 256;  // names in h=

std::unexpected<fault> wrong(std::string what) { return fail(fault::kind::syntax, std::move(what)); }

bool is_field_name(std::string_view name) noexcept
{
    return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != ':' && c != ';'; });
}

std::optional<canonicalization> canonicalization_of(std::string_view name) noexcept
{
    if (name == "simple") return canonicalization::simple;
    if (name == "relaxed") return canonicalization::relaxed;
    return std::nullopt;
}

bool read_algorithm(std::string_view a, dkim_signature& s)
{
    s.algorithm = a;
    s.key = a == "ed25519-sha256" ? key_type::ed25519 : key_type::rsa;
    s.sha1 = a == "rsa-sha1";
    return a == "rsa-sha256" || s.sha1 || s.key == key_type::ed25519;
}

bool read_canonicalization(std::string_view c, dkim_signature& s)
{
    auto const slash = c.find('/');
    auto const header = canonicalization_of(c.substr(0, slash));
    auto const body = slash == std::string_view::npos ? canonicalization::simple : canonicalization_of(c.substr(slash + 1));
    if (!header || !body) return false;
    s.header = *header;
    s.body = *body;
    return true;
}

/// i= must be of d= or below it (§6.1.1). Its local part is not looked into.
bool is_within(std::string_view identity, std::string_view domain) noexcept
{
    auto const at = identity.rfind('@');
    if (at == std::string_view::npos) return false;
    return is_same_or_below(identity.substr(at + 1), domain);
}

/// A time or none; false: no number.
bool read_time(tag_list const& tags, std::string_view name, std::optional<std::uint64_t>& to)
{
    auto const text = tags.get(name);
    if (!text) return true;
    to = read_decimal(*text, 12);
    return to.has_value();
}

result<void> read_optional(tag_list const& tags, dkim_signature& s)
{
    if (auto const c = tags.get("c"); c && !read_canonicalization(*c, s)) return wrong("unknown canonicalization c=" + base::printable(*c, 40));
    auto const ways = split_colons(tags.get("q").value_or("dns/txt"));
    if (std::ranges::find(ways, "dns/txt") == ways.end()) return wrong("no key can be fetched by q=");
    if (auto const l = tags.get("l")) {
        s.length = read_decimal(*l, 19);
        if (!s.length) return wrong("l= is no number");
    }
    if (!read_time(tags, "t", s.made) || !read_time(tags, "x", s.expires)) return wrong("t= or x= is no time");
    if (s.made && s.expires && *s.expires <= *s.made) return wrong("x= is not after t=");
    return {};
}

/// What a DKIM-Signature and an ARC-Message-Signature have in common.
result<dkim_signature> read_signature(tag_list const& tags, std::initializer_list<char const*> required)
{
    for (auto const* name : required)
        if (tags.find(name) == nullptr) return wrong(std::string{"required tag "} + name + "= is missing");
    dkim_signature s;
    if (auto const key = read_signing_tags(tags, s); !key) return fail(key);
    auto const body_hash = base::from_base64(without_white(*tags.get("bh")));
    if (!body_hash || body_hash->size() != (s.sha1 ? 20U : 32U)) return wrong("bh= is not the base64 of a hash");
    s.body_hash = *body_hash;
    for (auto const name : split_colons(*tags.get("h"))) {
        if (!is_field_name(name) || s.fields.size() == most_fields) return wrong("h= is no list of field names");
        s.fields.emplace_back(name);
    }
    if (std::ranges::none_of(s.fields, [](auto const& f) { return base::equal_ignoring_case(f, "From"); })) return wrong("From is not signed");
    if (auto const rest = read_optional(tags, s); !rest) return fail(rest);
    return s;
}

}  // namespace

result<void> read_signing_tags(tag_list const& tags, dkim_signature& s)
{
    if (!read_algorithm(*tags.get("a"), s)) return wrong("unknown algorithm a=" + base::printable(*tags.get("a"), 40));
    auto const signature = base::from_base64(without_white(*tags.get("b")));
    if (!signature || signature->empty()) return wrong("b= is not base64");
    s.signature = *signature;
    s.value = tags.find("b")->whole_value;
    s.domain = base::to_lower_ascii(*tags.get("d"));
    s.selector = base::to_lower_ascii(*tags.get("s"));
    s.identity = "@" + s.domain;
    if (!is_dns_name(s.domain, 2)) return wrong("d= is no domain name");
    if (!is_dns_name(s.selector, 1)) return wrong("s= is no name");
    return {};
}

result<dkim_signature> parse_dkim_signature(std::string_view field_body)
{
    auto const tags = tag_list::parse(field_body);
    if (!tags) return wrong("not a list of tags, or a tag twice");
    auto s = read_signature(*tags, {"v", "a", "b", "bh", "d", "h", "s"});
    if (!s) return s;
    if (*tags->get("v") != "1") return wrong("unknown version v=" + base::printable(*tags->get("v"), 20));
    if (auto const i = tags->get("i")) s->identity = without_white(*i);
    if (!is_within(s->identity, s->domain)) return wrong("i= is not within d=");
    return s;
}

result<dkim_signature> parse_arc_message_signature(std::string_view field_body)
{
    auto const tags = tag_list::parse(field_body);
    if (!tags) return wrong("not a list of tags, or a tag twice");
    return read_signature(*tags, {"i", "a", "b", "bh", "d", "h", "s"});
}

result<dkim_key> parse_dkim_key(std::string_view record)
{
    auto const tags = tag_list::parse(record);
    if (!tags) return wrong("the key record is not a list of tags");
    if (auto const* const v = tags->find("v"); v != nullptr && (v != &tags->tags().front() || v->value != "DKIM1"))
        return wrong("the key record is of another version");
    dkim_key k;
    auto const type = tags->get("k").value_or("rsa");
    if (type != "rsa" && type != "ed25519") return wrong("the key record has a key of an unknown type, " + base::printable(type, 40));
    k.type = type == "rsa" ? key_type::rsa : key_type::ed25519;
    auto const lists = [&](std::string_view tag, std::string_view wanted, std::string_view other) {
        auto const value = tags->get(tag);
        if (!value) return false;
        auto const parts = split_colons(*value);
        return std::ranges::find(parts, wanted) != parts.end() || (!other.empty() && std::ranges::find(parts, other) != parts.end());
    };
    k.takes_sha256 = tags->find("h") == nullptr || lists("h", "sha256", {});
    k.for_mail = tags->find("s") == nullptr || lists("s", "email", "*");
    k.testing = lists("t", "y", {});
    k.strict_domain = lists("t", "s", {});
    auto const p = tags->get("p");
    if (!p) return wrong("the key record has no p=");
    if (p->empty()) return k;
    auto const octets = base::from_base64(without_white(*p));
    if (!octets) return wrong("the key's p= is not base64");
    auto key = public_key::from_octets(k.type, *octets);
    if (!key) return wrong(key.error().say);
    k.key = std::move(*key);
    return k;
}

}  // namespace mansio::mailauth
