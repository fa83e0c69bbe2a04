#include "reports/destinations.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/tag_list.hpp"
#include "mime/address.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

constexpr std::size_t most_uris = 5;
constexpr std::size_t most_url = 2'000;

/// RFC 3986 §2.1. nullopt: a "%" that begins nothing.
std::optional<std::string> percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        auto const octet = base::from_hex(text.substr(i + 1, 2));
        if (!octet || octet->size() != 1) return std::nullopt;
        out += *octet;
        i += 2;
    }
    return out;
}

/// "10m" → 10 · 2^20. nullopt: no size, or more than 64 bits hold.
std::optional<std::uint64_t> read_size(std::string_view text)
{
    unsigned shift = 0;
    if (!text.empty()) {
        auto const unit = std::string_view{"kmgt"}.find(base::to_lower_ascii(text.substr(text.size() - 1)));
        if (unit != std::string_view::npos) {
            shift = 10 * (static_cast<unsigned>(unit) + 1);
            text.remove_suffix(1);
        }
    }
    auto const n = read_count(text);
    if (!n || *n > UINT64_MAX >> shift) return std::nullopt;
    return *n << shift;
}

std::optional<report_uri> parse_mailto(std::string_view uri)
{
    constexpr std::string_view scheme = "mailto:";
    if (!base::starts_with_ignoring_case(uri, scheme)) return std::nullopt;
    uri.remove_prefix(scheme.size());
    // RFC 6068 lets a URI carry header fields; ours are our own.
    auto const address = percent_decoded(uri.substr(0, uri.find('?')));
    if (!address) return std::nullopt;
    auto parsed = mime::parse_mailbox(*address, false);
    if (!parsed) return std::nullopt;
    auto const host = domain_key(parsed->domain);
    if (!host) return std::nullopt;
    parsed->domain = *host;
    return report_uri{report_uri::scheme::mailto, parsed->text(), *host, std::nullopt};
}

std::optional<report_uri> parse_https(std::string_view uri)
{
    constexpr std::string_view scheme = "https://";
    if (!base::starts_with_ignoring_case(uri, scheme) || uri.size() > most_url) return std::nullopt;
    if (std::ranges::any_of(uri, [](unsigned char c) { return c <= 0x20 || c >= 0x7F; })) return std::nullopt;
    auto const authority = uri.substr(scheme.size(), uri.find_first_of("/?#", scheme.size()) - scheme.size());
    if (authority.contains('@') || authority.contains('[')) return std::nullopt;
    auto const host = domain_key(authority.substr(0, authority.find(':')));
    if (!host) return std::nullopt;
    return report_uri{report_uri::scheme::https, std::string{uri}, *host, std::nullopt};
}

void add_once(std::vector<report_uri>& to, std::optional<report_uri> uri)
{
    if (!uri || to.size() == most_uris) return;
    if (std::ranges::none_of(to, [&](report_uri const& u) { return u.target == uri->target; })) to.push_back(std::move(*uri));
}

std::vector<std::string> uris_of(std::string_view list)
{
    std::vector<std::string> out;
    for (auto const& word : base::words_of(list, ",")) out.emplace_back(trim_white(word));
    return out;
}

/// What a destination outside the organisation says.
struct consent {
    bool given = false, later = false;
    std::vector<report_uri> instead;  ///< empty: as it is
    std::string why;
};

/// RFC 7489 §7.1, steps 2 to 8.
task<consent> ask_destination(net::resolver& dns, std::string policy_domain, std::string host)
{
    consent out;
    auto const name = policy_domain + "._report._dmarc." + host;
    auto const answer = co_await dns.txt(name);
    if (answer.status == net::dns_status::failed) {
        out.later = true;
        out.why = fmt::format("{}: {}", name, answer.why);
        co_return out;
    }
    for (auto const& text : answer.records) {
        auto const tags = mailauth::tag_list::parse(text);
        if (!tags || tags->tags().empty() || tags->tags()[0].name != "v" || tags->tags()[0].value != "DMARC1") continue;
        out.given = true;
        auto const rua = tags->get("rua");
        if (!rua) continue;
        for (auto& uri : parse_dmarc_rua(*rua)) {
            // Neither the original nor the other one: else a destination could pass the flood on.
            if (uri.host != host) {
                out.given = false;
                out.why = fmt::format("{} leads to another host", name);
                co_return out;
            }
            out.instead.push_back(std::move(uri));
        }
    }
    if (!out.given) out.why = fmt::format("{} does not want reports about {}", host, policy_domain);
    co_return out;
}

}  // namespace

std::optional<report_uri> parse_dmarc_uri(std::string_view text)
{
    text = trim_white(text);
    auto const bang = text.rfind('!');
    std::optional<std::uint64_t> most;
    if (bang != std::string_view::npos) {
        most = read_size(text.substr(bang + 1));
        if (!most) return std::nullopt;
        text = text.substr(0, bang);
    }
    auto uri = parse_mailto(text);
    if (uri) uri->most_octets = most;
    return uri;
}

std::vector<report_uri> parse_dmarc_rua(std::string_view list)
{
    std::vector<report_uri> out;
    for (auto const& text : uris_of(list)) add_once(out, parse_dmarc_uri(text));
    return out;
}

std::optional<std::vector<report_uri>> parse_tls_record(std::string_view record)
{
    constexpr std::string_view version = "v=TLSRPTv1";
    if (!record.starts_with(version)) return std::nullopt;
    auto const after = base::trim_blanks(record.substr(version.size()));
    if (!after.starts_with(';')) return std::nullopt;
    std::vector<report_uri> out;
    bool has_rua = false;
    for (auto const& word : base::words_of(after, ";")) {
        auto const field = base::trim_blanks(word);
        if (field.empty()) continue;
        auto const equals = field.find('=');
        if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
        // Unknown fields are passed over (§3), names are case-sensitive.
        if (base::trim_blanks(field.substr(0, equals)) != "rua" || has_rua) continue;
        has_rua = true;
        for (auto const& text : uris_of(field.substr(equals + 1))) {
            auto uri = parse_mailto(text);
            add_once(out, uri ? uri : parse_https(text));
        }
    }
    if (!has_rua) return std::nullopt;
    return out;
}

task<destination_answer> dmarc_destinations(net::resolver& dns, organizational_domain organization, std::string policy_domain, std::string rua)
{
    destination_answer out;
    auto const ours = co_await organization(policy_domain);
    for (auto& uri : parse_dmarc_rua(rua)) {
        if (uri.host != policy_domain) {
            auto const theirs = co_await organization(uri.host);
            if (!ours || !theirs) {
                out.later = true;
                out.why = "the organisational domain is not known now";
                continue;
            }
            if (*theirs != *ours) {
                auto said = co_await ask_destination(dns, policy_domain, uri.host);
                out.later = out.later || said.later;
                if (!said.why.empty()) out.why = said.why;
                if (!said.given) continue;
                if (!said.instead.empty()) {
                    for (auto& other : said.instead) add_once(out.uris, std::move(other));
                    continue;
                }
            }
        }
        add_once(out.uris, std::move(uri));
    }
    co_return out;
}

task<destination_answer> tls_destinations(net::resolver& dns, std::string policy_domain)
{
    destination_answer out;
    auto const answer = co_await dns.txt("_smtp._tls." + policy_domain);
    if (answer.status == net::dns_status::failed) {
        out.later = true;
        out.why = answer.why;
        co_return out;
    }
    std::vector<std::string_view> records;
    for (auto const& text : answer.records)
        if (text.starts_with("v=TLSRPTv1")) records.push_back(text);
    if (records.size() != 1) co_return out;  // none, or as good as none
    out.uris = parse_tls_record(records[0]).value_or(std::vector<report_uri>{});
    co_return out;
}

}  // namespace mansio::reports
