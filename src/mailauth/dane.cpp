#include "mailauth/dane.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"

namespace mansio::mailauth {
namespace {

enum usage : std::uint8_t { dane_ta = 2, dane_ee = 3 };
enum selector : std::uint8_t { certificate = 0, public_key = 1 };
enum matching : std::uint8_t { whole = 0, sha2_256 = 1, sha2_512 = 2 };

/// RFC 6698 §4.1: data that cannot be decoded makes a record unusable; one that only looks right would make a mismatch of it.
bool is_der(std::string const& data, std::uint8_t what)
{
    auto const* at = reinterpret_cast<unsigned char const*>(data.data());
    auto const* const end = at + data.size();
    auto const length = static_cast<long>(data.size());
    bool read = false;
    if (what == certificate) {
        auto* const c = d2i_X509(nullptr, &at, length);
        read = c != nullptr && X509_get0_pubkey(c) != nullptr;
        X509_free(c);
    } else {
        auto* const k = d2i_PUBKEY(nullptr, &at, length);
        read = k != nullptr;
        EVP_PKEY_free(k);
    }
    ERR_clear_error();
    return read && at == end;
}

/// RFC 7672 §2.2.3: the names under which TLSA records are looked for, in this order. nullopt: the DNS did not say.
task<std::optional<std::vector<std::string>>> base_domains(net::resolver& dns, dane_question q)
{
    std::vector<std::string> names;
    bool const alias = !q.canonical_host.empty() && q.canonical_host != q.host;
    if (q.secure_addresses) {
        if (alias) names.push_back(q.canonical_host);
        names.push_back(q.host);
        co_return names;
    }
    if (!alias) co_return names;  // §2.2.2: an insecure zone is not asked, some of its name servers fail at TLSA
    // The alias may stand in a signed zone though what it leads to does not (§2.1.3).
    auto const first = co_await dns.cname(q.host);
    if (first.status == net::dns_status::failed) co_return std::nullopt;
    if (first.status == net::dns_status::found && first.secure) names.push_back(q.host);
    co_return names;
}

/// RFC 7672 §3.2.2.
std::vector<std::string> further_names(dane_question const& q, std::string const& base)
{
    std::vector<std::string> names;
    auto const add = [&](std::string const& name) {
        if (!name.empty() && name != base && std::ranges::find(names, name) == names.end()) names.push_back(name);
    };
    if (q.by_mx && !q.secure_mx) return names;  // whoever forged the MX may hold a certificate for any name but this one
    add(q.next_hop);
    if (q.by_mx) add(q.canonical_next_hop);
    return names;
}

dane_finding unreachable(std::string why)
{
    dane_finding f;
    f.what = dane_finding::verdict::unreachable;
    f.why = std::move(why);
    return f;
}

}  // namespace

bool is_usable(net::tlsa_record const& r)
{
    constexpr std::size_t sha256_octets = 32, sha512_octets = 64;
    if (r.usage != dane_ta && r.usage != dane_ee) return false;
    if (r.selector != certificate && r.selector != public_key) return false;
    if (r.matching == sha2_256) return r.data.size() == sha256_octets;
    if (r.matching == sha2_512) return r.data.size() == sha512_octets;
    return r.matching == whole && is_der(r.data, r.selector);
}

std::string text_of(net::tlsa_record const& r)
{
    return fmt::format("{} {} {} {}", r.usage, r.selector, r.matching, base::to_upper_ascii(base::to_hex(r.data)));
}

task<dane_finding> find_dane(net::resolver& dns, dane_question q)
{
    auto const names = co_await base_domains(dns, q);
    if (!names) co_return unreachable("the DNS does not say whether " + base::printable(q.host, 253) + " is an alias");
    for (auto const& base : *names) {
        auto const question = fmt::format("_{}._tcp.{}", q.port, base);
        auto const answer = co_await dns.tlsa(question);
        if (answer.status == net::dns_status::failed) co_return unreachable(no_answer_for(question, answer.why));
        if (answer.status != net::dns_status::found || !answer.secure) continue;
        dane_finding f;
        f.base_domain = base;
        f.further_names = further_names(q, base);
        for (auto const& r : answer.records) {
            f.published.push_back(text_of(r));
            if (is_usable(r)) f.records.push_back(r);
        }
        f.what = f.records.empty() ? dane_finding::verdict::encrypt : dane_finding::verdict::verify;
        co_return f;
    }
    co_return dane_finding{};
}

}  // namespace mansio::mailauth
