#include "auth/domain_keys.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>

#include "auth/directory_impl.hpp"
#include "base/bytes.hpp"

namespace mansio::auth {
namespace {

constexpr std::uint8_t format = 1;
constexpr std::size_t most_keys = 100'000;  // of all domains
constexpr std::size_t nonce_octets = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_octets = crypto_aead_xchacha20poly1305_ietf_ABYTES;

unsigned char const* octets(std::string_view s) noexcept { return reinterpret_cast<unsigned char const*>(s.data()); }
unsigned char* octets(std::string& s) noexcept { return reinterpret_cast<unsigned char*>(s.data()); }

bool is_selector(std::string_view s) noexcept
{
    return !s.empty() && s.size() <= 63 && std::ranges::all_of(s, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

std::string_view name_of(domain_key::state s) noexcept
{
    switch (s) {
    case domain_key::state::next: return "next";
    case domain_key::state::active: return "active";
    case domain_key::state::retiring: return "retiring";
    }
    return "?";
}

struct domain_keys::impl {
    directory::impl& rows;
    base::clock const& clock;
    base::random& random;
    base::sha256_digest secret;
    std::atomic<std::uint64_t> generation{1};

    impl(directory& d, std::string const& pepper, base::clock const& c, base::random& r)
        : rows(d.get()),
          clock(c),
          random(r),
          secret(base::hmac_sha256(pepper, "mansio domain key 1"))
    {}

    /// XChaCha20-Poly1305; the row's own key is bound to it, so that one domain's key is never taken for another's.
    std::string seal(std::string_view clear, std::string const& row_key)
    {
        auto out = random.octets(nonce_octets);
        std::string sealed(clear.size() + tag_octets, '\0');
        crypto_aead_xchacha20poly1305_ietf_encrypt(octets(sealed), nullptr, octets(clear), clear.size(), octets(row_key), row_key.size(), nullptr, octets(out),
                                                   reinterpret_cast<unsigned char const*>(secret.data()));
        return out + sealed;
    }
    std::optional<std::string> open(std::string_view sealed, std::string const& row_key) const
    {
        if (sealed.size() < nonce_octets + tag_octets) return std::nullopt;
        std::string clear(sealed.size() - nonce_octets - tag_octets, '\0');
        auto const opened =
            crypto_aead_xchacha20poly1305_ietf_decrypt(octets(clear), nullptr, nullptr, octets(sealed) + nonce_octets, sealed.size() - nonce_octets,
                                                       octets(row_key), row_key.size(), octets(sealed), reinterpret_cast<unsigned char const*>(secret.data()));
        return opened == 0 ? std::optional{std::move(clear)} : std::nullopt;
    }
    std::string encode(domain_key const& k, std::string const& row_key)
    {
        base::row_writer w;
        w.u8(format).u8(static_cast<std::uint8_t>(k.now)).signed_varint(k.since).octets(seal(k.private_key, row_key)).octets(k.record);
        return w.take_sealed();
    }
    result<domain_key> decode(std::string const& row_key, std::string_view row) const;
    [[nodiscard]] std::int64_t now() const { return std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count(); }
    task<result<void>> do_add(domain_key k);
    task<result<void>> do_set_state(std::string key, domain_key::state s);
    task<result<void>> do_remove(std::string key);
};

result<domain_key> domain_keys::impl::decode(std::string const& row_key, std::string_view row) const
{
    auto const damaged = [] { return fail(fault::kind::broken, "a key of a domain is damaged"); };
    auto const clear = base::unseal(row);
    if (!clear) return damaged();
    base::row_reader r{*clear};
    auto const version = r.u8();
    auto const state = r.u8();
    domain_key k;
    k.since = r.signed_varint();
    auto const sealed = r.octets();
    k.record = r.octets();
    auto const names = std::string_view{row_key}.substr(2);
    auto const zero = names.find('\0');
    if (!r.ok() || version != format || state > 2 || zero == std::string_view::npos) return damaged();
    k.now = static_cast<domain_key::state>(state);
    k.domain = names.substr(0, zero);
    k.selector = names.substr(zero + 1);
    auto opened = open(sealed, row_key);
    if (!opened)
        return fail(fault::kind::broken, "the key " + k.selector + " of " + k.domain +
                                             " was sealed with another keys/pepper: restore that file, or remove the key and make a new one");
    k.private_key = std::move(*opened);
    return k;
}

task<result<void>> domain_keys::impl::do_add(domain_key k)
{
    auto const domain_row = co_await rows.get(rows::domain_key(k.domain));
    if (!domain_row) co_return fail(domain_row);
    if (!*domain_row) co_return fail(fault::kind::not_found, "no such domain");
    k.since = now();
    auto const key = rows::signing_key(k.domain, k.selector);
    std::vector<store::key_guard> guards{{rows::domain_key(k.domain), *domain_row}, {key, std::nullopt}};
    std::vector<store::row_change> changes;
    changes.push_back({key, encode(k, key)});
    auto const done = co_await rows.commit(std::move(guards), std::move(changes), "add domain key");
    if (!done && done.error().what == fault::kind::conflict) co_return fail(fault::kind::conflict, "the domain has a key of that selector");
    ++generation;
    co_return done;
}

task<result<void>> domain_keys::impl::do_set_state(std::string key, domain_key::state s)
{
    auto const row = co_await rows.get(key);
    if (!row) co_return fail(row);
    if (!*row) co_return fail(fault::kind::not_found, "the domain has no key of that selector");
    auto k = decode(key, **row);
    if (!k) co_return fail(k);
    k->now = s;
    k->since = now();
    std::vector<store::key_guard> guards{{key, *row}};
    std::vector<store::row_change> changes;
    changes.push_back({key, encode(*k, key)});
    auto done = co_await rows.commit(std::move(guards), std::move(changes), "state of a domain key");
    ++generation;
    co_return done;
}

task<result<void>> domain_keys::impl::do_remove(std::string key)
{
    auto const row = co_await rows.get(key);
    if (!row) co_return fail(row);
    if (!*row) co_return fail(fault::kind::not_found, "the domain has no key of that selector");
    std::vector<store::key_guard> guards{{key, *row}};
    std::vector<store::row_change> changes;
    changes.push_back({key, std::nullopt});
    auto done = co_await rows.commit(std::move(guards), std::move(changes), "remove domain key");
    ++generation;
    co_return done;
}

domain_keys::domain_keys(directory& d, std::string const& pepper, base::clock const& clock, base::random& random)
    : impl_(std::make_unique<impl>(d, pepper, clock, random))
{}
domain_keys::~domain_keys() = default;

std::uint64_t domain_keys::generation() const noexcept { return impl_->generation; }

task<result<void>> domain_keys::add(domain_key k)
{
    auto domain = mime::canonical_domain(k.domain);
    if (!domain) co_return fail(domain);
    k.domain = std::move(*domain);
    if (!is_selector(k.selector)) co_return fail(fault::kind::syntax, "a selector is made of letters, digits and \"-\", at most 63 of them");
    co_return co_await impl_->rows.write(impl_->do_add(std::move(k)));
}

task<result<void>> domain_keys::set_state(std::string domain, std::string selector, domain_key::state s)
{
    auto const canonical = mime::canonical_domain(domain);
    if (!canonical) co_return fail(canonical);
    co_return co_await impl_->rows.write(impl_->do_set_state(rows::signing_key(*canonical, selector), s));
}

task<result<void>> domain_keys::remove(std::string domain, std::string selector)
{
    auto const canonical = mime::canonical_domain(domain);
    if (!canonical) co_return fail(canonical);
    co_return co_await impl_->rows.write(impl_->do_remove(rows::signing_key(*canonical, selector)));
}

task<result<std::vector<domain_key>>> domain_keys::list(std::string domain)
{
    auto prefix = rows::signing_key_prefix();
    if (!domain.empty()) {
        auto const canonical = mime::canonical_domain(domain);
        if (!canonical) co_return fail(canonical);
        prefix = rows::signing_key_prefix(*canonical);
    }
    auto const found = co_await impl_->rows.scan_all(store::key_range::prefix(prefix), most_keys);
    if (!found) co_return fail(found);
    std::vector<domain_key> out;
    for (auto const& row : *found) {
        auto k = impl_->decode(row.key, row.value);
        if (!k) co_return fail(k);
        out.push_back(std::move(*k));
    }
    co_return out;
}

}  // namespace mansio::auth
