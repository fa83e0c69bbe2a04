#include "auth/rows.hpp"

#include "base/bytes.hpp"

namespace mansio::auth::rows {
namespace {
constexpr std::uint8_t format = 1;
constexpr std::uint8_t kind_account = 1, kind_alias = 2;
constexpr std::uint8_t has_catch_all = 1, domain_settings = 2;
constexpr std::uint8_t enabled = 1, administrator = 2, portal = 4, has_settings = 8;
constexpr std::uint8_t setting_imap_off = 1;
constexpr std::uint8_t setting_quota_messages = 2;
constexpr std::uint8_t setting_pop3_keep = 3, setting_pop3_login_delay = 4;
constexpr std::uint8_t read_only = 1;

std::string with_number(std::string_view prefix, account_number n)
{
    base::row_writer w;
    w.raw(prefix).be64(n);
    return w.take();
}

base::row_writer begin()
{
    base::row_writer w;
    w.u8(format);
    return w;
}

std::unexpected<fault> damaged(std::string_view what)
{
    return fail(fault::kind::broken, "internal error", "directory: damaged or unknown row: " + std::string{what});
}

/// Checks the seal and the format; the reader stands at the first field.
std::optional<base::row_reader> open(std::string_view row)
{
    auto const body = base::unseal(row);
    if (!body) return std::nullopt;
    base::row_reader r{*body};
    if (r.u8() != format) return std::nullopt;
    return r;
}

/// What only few accounts and domains have: tag and value.
using settings = std::vector<std::pair<std::uint8_t, std::string>>;

void add_pop3(settings& out, pop3_settings const& s)
{
    if (s.keep) out.emplace_back(setting_pop3_keep, base::row_writer{}.u8(static_cast<std::uint8_t>(s.keep->what)).varint(s.keep->days).take());
    if (s.login_delay) out.emplace_back(setting_pop3_login_delay, base::row_writer{}.varint(*s.login_delay).take());
}

settings settings_of(account const& a)
{
    settings out;
    if (!a.imap_off.empty()) out.emplace_back(setting_imap_off, base::joined(a.imap_off, " "));
    if (a.quota_messages != 0) out.emplace_back(setting_quota_messages, base::row_writer{}.varint(a.quota_messages).take());
    add_pop3(out, a.pop3);
    return out;
}

settings settings_of(pop3_settings const& s)
{
    settings out;
    add_pop3(out, s);
    return out;
}

void write_settings(base::row_writer& w, settings const& all)
{
    w.varint(all.size());
    for (auto const& [tag, value] : all) w.u8(tag).octets(value);
}

/// Spoils `row` when the value is one that nobody could have set: 0 days would empty a mailbox.
void take_pop3(base::row_reader& row, std::uint8_t tag, std::string_view value, pop3_settings& s)
{
    base::row_reader r{value};
    if (tag == setting_pop3_keep) {
        pop3_keep k;
        auto const what = r.u8();
        auto const days = r.varint();
        k.what = static_cast<pop3_keep::rule>(what);
        k.days = static_cast<std::uint32_t>(days);
        if (what > static_cast<std::uint8_t>(pop3_keep::rule::in_all) || days > UINT32_MAX || !pop3_keep::parse(k.text())) row.spoil();
        if (s.keep || !r.ok() || !r.at_end()) row.spoil();
        s.keep = k;
    }
    if (tag == setting_pop3_login_delay) {
        auto const seconds = r.varint();
        if (s.login_delay || seconds > most_login_delay || !r.ok() || !r.at_end()) row.spoil();
        s.login_delay = static_cast<std::uint32_t>(seconds);
    }
}

/// A tag this build does not know is left out.
template <class Take> void take_settings(base::row_reader& r, Take take)
{
    auto const count = r.varint();
    for (std::uint64_t i = 0; i < count && r.ok(); ++i) {
        auto const tag = r.u8();
        auto const value = r.octets();
        take(tag, value);
    }
}

void take_settings(base::row_reader& r, account& a)
{
    take_settings(r, [&](std::uint8_t tag, std::string_view value) {
        if (tag == setting_imap_off) a.imap_off = base::words_of(value);
        if (tag == setting_quota_messages) a.quota_messages = base::row_reader{value}.varint();
        take_pop3(r, tag, value, a.pop3);
    });
}

void take_settings(base::row_reader& r, pop3_settings& s)
{
    take_settings(r, [&](std::uint8_t tag, std::string_view value) { take_pop3(r, tag, value, s); });
}
}  // namespace

std::string counters_key() { return "c"; }
std::string domain_key(std::string_view domain) { return "d/" + std::string{domain}; }
std::string address_prefix(std::string_view domain)
{
    auto key = "a/" + std::string{domain};
    key.push_back('\0');
    return key;
}
std::string address_key(mime::mailbox_address const& canonical) { return address_prefix(canonical.domain) + canonical.local; }
std::string no_address_key() { return address_prefix({}); }
std::string number_key(account_number n) { return with_number("n/", n); }
std::string administrator_key(account_number n) { return with_number("m/", n); }
std::string intent_key(account_number n) { return with_number("i/", n); }
std::string pop3_key(account_number n) { return with_number("e/", n); }
std::string app_password_prefix(account_number n) { return with_number("k/", n); }
std::string app_password_key(account_number n, std::string_view hmac) { return with_number("k/", n) + std::string{hmac}; }
std::string last_use_prefix(account_number n) { return with_number("u/", n); }
std::string last_use_key(account_number n, std::string_view id) { return with_number("u/", n) + std::string{id}; }
std::string portal_key(account_number n) { return with_number("p/", n); }

std::string signing_key_prefix() { return "y/"; }
std::string signing_key_prefix(std::string_view domain)
{
    auto key = signing_key_prefix() + std::string{domain};
    key.push_back('\0');
    return key;
}
std::string signing_key(std::string_view domain, std::string_view selector) { return signing_key_prefix(domain) + std::string{selector}; }

std::optional<account_number> number_of(std::string_view key) noexcept
{
    if (key.size() != 10) return std::nullopt;
    base::row_reader r{key.substr(2)};
    return r.be64();
}

std::string encode(domain const& d)
{
    auto w = begin();
    auto const flags = static_cast<std::uint8_t>((d.catch_all ? has_catch_all : 0) | (d.pop3.empty() ? 0 : domain_settings));
    w.u8(flags).u8(static_cast<std::uint8_t>(d.subaddress_separator)).octets(d.catch_all.value_or(""));
    if (!d.pop3.empty()) write_settings(w, settings_of(d.pop3));
    return w.take_sealed();
}

std::string encode(account const& a)
{
    auto w = begin();
    auto const all = settings_of(a);
    auto const flags = static_cast<std::uint8_t>((a.enabled ? enabled : 0) | (a.administrator ? administrator : 0) | (a.has_portal_password ? portal : 0) |
                                                 (all.empty() ? 0 : has_settings));
    w.u8(kind_account).varint(a.number).u8(flags).varint(a.quota_octets).octets(a.display_name).octets(a.address);
    if (!all.empty()) write_settings(w, all);
    return w.take_sealed();
}

std::string encode(alias const& a)
{
    auto w = begin();
    w.u8(kind_alias).octets(a.address).varint(a.targets.size());
    for (auto const& t : a.targets) w.octets(t);
    return w.take_sealed();
}

std::string encode(app_password const& p)
{
    auto w = begin();
    w.octets(p.id).octets(p.name).u8(p.scope).u8(p.read_only ? read_only : 0).signed_varint(p.created).signed_varint(p.expires);
    return w.take_sealed();
}

std::string encode(last_use const& u)
{
    auto w = begin();
    w.signed_varint(u.when).octets(u.peer).u8(u.door);
    return w.take_sealed();
}

std::string encode(portal_password const& p)
{
    auto w = begin();
    w.varint(p.memory_kib).varint(p.passes).octets(p.salt).octets(p.hash);
    return w.take_sealed();
}

std::string encode_counters(account_number next)
{
    auto w = begin();
    w.varint(next);
    return w.take_sealed();
}

std::string encode_address(std::string_view address)
{
    auto w = begin();
    w.octets(address);
    return w.take_sealed();
}

std::string encode(pop3_settings const& s)
{
    auto w = begin();
    write_settings(w, settings_of(s));
    return w.take_sealed();
}

std::string encode_mark() { return begin().take_sealed(); }

result<domain> decode_domain(std::string_view name, std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("d/");
    domain d;
    d.name = name;
    auto const flags = r->u8();
    d.subaddress_separator = static_cast<char>(r->u8());
    auto const catch_all = r->octets();
    if ((flags & has_catch_all) != 0) d.catch_all = std::string{catch_all};
    if ((flags & domain_settings) != 0) take_settings(*r, d.pop3);
    if (!r->ok() || !r->at_end()) return damaged("d/");
    return d;
}

result<address_row> decode_address_row(std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("a/");
    auto const kind = r->u8();
    if (kind == kind_account) {
        account a;
        a.number = r->varint();
        auto const flags = r->u8();
        a.enabled = (flags & enabled) != 0;
        a.administrator = (flags & administrator) != 0;
        a.has_portal_password = (flags & portal) != 0;
        a.quota_octets = r->varint();
        a.display_name = r->octets();
        a.address = r->octets();
        if ((flags & has_settings) != 0) take_settings(*r, a);
        if (!r->ok() || !r->at_end()) return damaged("a/");
        return address_row{std::move(a)};
    }
    if (kind != kind_alias) return damaged("a/");
    alias a;
    a.address = r->octets();
    auto const count = r->varint();
    for (std::uint64_t i = 0; i < count && r->ok(); ++i) a.targets.emplace_back(r->octets());
    if (!r->ok() || !r->at_end()) return damaged("a/");
    return address_row{std::move(a)};
}

result<app_password> decode_app_password(std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("k/");
    app_password p;
    p.id = r->octets();
    p.name = r->octets();
    p.scope = r->u8();
    p.read_only = (r->u8() & read_only) != 0;
    p.created = r->signed_varint();
    p.expires = r->signed_varint();
    if (!r->ok() || !r->at_end()) return damaged("k/");
    return p;
}

result<last_use> decode_last_use(std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("u/");
    last_use u;
    u.when = r->signed_varint();
    u.peer = r->octets();
    u.door = r->u8();
    if (!r->ok() || !r->at_end()) return damaged("u/");
    return u;
}

result<portal_password> decode_portal_password(std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("p/");
    portal_password p;
    p.memory_kib = r->varint();
    p.passes = r->varint();
    p.salt = r->octets();
    p.hash = r->octets();
    if (!r->ok() || !r->at_end() || p.salt.size() != 16 || p.hash.size() != 32) return damaged("p/");
    return p;
}

result<pop3_settings> decode_pop3_settings(std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("e/");
    pop3_settings s;
    take_settings(*r, s);
    if (!r->ok() || !r->at_end()) return damaged("e/");
    return s;
}

result<account_number> decode_counters(std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("c");
    auto const next = r->varint();
    if (!r->ok() || !r->at_end() || next == 0) return damaged("c");
    return next;
}

result<std::string> decode_address(std::string_view row)
{
    auto r = open(row);
    if (!r) return damaged("n/");
    std::string address{r->octets()};
    if (!r->ok() || !r->at_end()) return damaged("n/");
    return address;
}

}  // namespace mansio::auth::rows
