#include "smtp/wire/mail_parameters.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "base/bytes.hpp"

namespace mansio::smtp::wire {
namespace {

bool is_alpha(char c) noexcept { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::unexpected<accept::reply> bad(std::string text) { return std::unexpected(accept::reply{501, "5.5.4", std::move(text)}); }
std::unexpected<accept::reply> unknown(std::string text) { return std::unexpected(accept::reply{555, "5.5.4", std::move(text)}); }

/// esmtp-param = esmtp-keyword ["=" esmtp-value] (RFC 5321 §4.1.2)
struct parameter {
    std::string keyword;  ///< upper case
    std::string_view value;
    bool has_value = false;
};
std::optional<parameter> next_parameter(std::string_view& rest)
{
    auto const word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(word.size());
    rest = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
    auto const equals = word.find('=');
    parameter p;
    auto const keyword = word.substr(0, equals);
    if (keyword.empty() || keyword.front() == '-') return std::nullopt;
    if (!std::ranges::all_of(keyword, [](char c) { return is_alpha(c) || is_digit(c) || c == '-'; })) return std::nullopt;
    p.keyword = base::to_upper_ascii(keyword);
    p.has_value = equals != std::string_view::npos;
    if (!p.has_value) return p;
    p.value = word.substr(equals + 1);
    if (p.value.empty() || p.value.find('=') != std::string_view::npos) return std::nullopt;
    return p;
}

/// Graphic characters and blanks of US-ASCII alone: what a report's field can hold, so that nothing in it adds a field (trust.md W11).
bool is_reportable(std::string_view s) noexcept
{
    return std::ranges::all_of(s, [](char c) { return c >= ' ' && c <= '~'; });
}

bool read_size(std::string_view v, mail_parameters& into)
{
    into.size = parse_number(v);
    // 20 digits are the grammar's most (RFC 1870 §4); more octets than can be counted are too many all the same.
    if (!into.size && v.size() == 20 && std::ranges::all_of(v, is_digit)) into.size = std::numeric_limits<std::uint64_t>::max();
    return into.size.has_value();
}

/// body-value = "7BIT" / "8BITMIME" / "BINARYMIME" (RFC 6152 §2, RFC 3030 §3)
bool read_body(std::string_view v, mail_parameters& into)
{
    into.asked.binary = base::equal_ignoring_case(v, "BINARYMIME");
    into.body_8bit = into.asked.binary || base::equal_ignoring_case(v, "8BITMIME");
    return into.body_8bit || base::equal_ignoring_case(v, "7BIT");
}

// AUTH='s value is checked and not used: we trust no peer's word (RFC 4954 §5).
bool read_auth(std::string_view v, mail_parameters&) { return queue::from_xtext(v).has_value(); }

bool read_ret(std::string_view v, mail_parameters& into)
{
    bool const full = base::equal_ignoring_case(v, "FULL");
    into.asked.content = full ? queue::returned::full : queue::returned::headers;
    return full || base::equal_ignoring_case(v, "HDRS");
}

bool read_envid(std::string_view v, mail_parameters& into)
{
    auto const text = queue::from_xtext(v);
    into.asked.envelope_id = v;
    return text && is_reportable(*text) && v.size() <= 100;  // RFC 3461 §4.4, §5.4
}

/// by-value = by-time ";" by-mode [by-trace] (RFC 2852 §4)
bool read_by(std::string_view v, mail_parameters& into)
{
    auto& by = into.asked.by;
    auto const semicolon = v.find(';');
    if (semicolon == std::string_view::npos) return false;
    auto digits = v.substr(0, semicolon);
    auto mode = base::to_upper_ascii(v.substr(semicolon + 1));
    bool const negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    auto const n = digits.size() <= 9 ? parse_number(digits) : std::nullopt;
    if (!n) return false;
    by.within = std::chrono::seconds{static_cast<std::int64_t>(*n) * (negative ? -1 : 1)};
    by.trace = mode.size() == 2 && mode.back() == 'T';
    if (by.trace) mode.pop_back();
    by.how = mode == "R" ? queue::deliver_by::mode::give_back : queue::deliver_by::mode::notify;
    if (mode != "R" && mode != "N") return false;
    return mode == "N" || by.within.count() > 0;  // a negative or zero value is not allowed with a by-mode of "R"
}

/// priority-value = (["-"] NZDIGIT) / "0" (RFC 6710 §7)
bool read_priority(std::string_view v, mail_parameters& into)
{
    bool const negative = v.starts_with('-');
    auto const digit = v.substr(negative ? 1 : 0);
    if (digit.size() != 1 || !is_digit(digit[0]) || (negative && digit[0] == '0')) return false;
    into.asked.priority = (digit[0] - '0') * (negative ? -1 : 1);
    return true;
}

bool read_hold_for(std::string_view v, mail_parameters& into)
{
    into.hold_for = v.size() <= 9 && v.front() != '0' ? parse_number(v) : std::nullopt;
    into.asked.hold_words = "for;" + std::string{v};
    return into.hold_for.has_value();
}

/// "2027-01-31T12:00:00Z", perhaps with a fraction of the second (RFC 3339 §5.6; always UTC, RFC 4865 §3). Unix seconds, rounded up.
std::optional<std::int64_t> parse_utc(std::string_view v)
{
    constexpr std::string_view shape = "0000-00-00T00:00:00";
    if (v.size() < shape.size() + 1 || (v.back() != 'Z' && v.back() != 'z')) return std::nullopt;
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (shape[i] == '0' ? !is_digit(v[i]) : shape[i] != v[i] && !(shape[i] == 'T' && v[i] == 't')) return std::nullopt;
    auto const fraction = v.substr(shape.size(), v.size() - shape.size() - 1);
    if (!fraction.empty() && (fraction.size() < 2 || fraction[0] != '.' || !std::ranges::all_of(fraction.substr(1), is_digit))) return std::nullopt;
    auto const number = [&](std::size_t at, std::size_t n) { return static_cast<unsigned>(*parse_number(v.substr(at, n))); };
    std::chrono::year_month_day const day{std::chrono::year{static_cast<int>(number(0, 4))}, std::chrono::month{number(5, 2)}, std::chrono::day{number(8, 2)}};
    auto const hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
    if (!day.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    auto const seconds = std::chrono::sys_days{day}.time_since_epoch() + std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
    bool const part = fraction.find_first_of("123456789") != std::string_view::npos;
    return std::chrono::duration_cast<std::chrono::seconds>(seconds).count() + (part ? 1 : 0);
}

bool read_hold_until(std::string_view v, mail_parameters& into)
{
    into.hold_until = parse_utc(v);
    into.asked.hold_words = "until;" + std::string{v};
    return into.hold_until.has_value();
}

bool read_smtputf8(std::string_view, mail_parameters& into) { return into.smtputf8 = true; }
bool read_require_tls(std::string_view, mail_parameters& into) { return into.asked.require_tls = true; }

/// notify-esmtp-value = "NEVER" / 1#notify-list-element (RFC 3461 §4.1)
bool read_notify(std::string_view v, rcpt_parameters& into)
{
    auto& n = into.wanted;
    n.said = true;
    if (base::equal_ignoring_case(v, "NEVER")) return true;
    while (true) {
        auto const word = v.substr(0, v.find(','));
        bool const success = base::equal_ignoring_case(word, "SUCCESS"), failure = base::equal_ignoring_case(word, "FAILURE");
        bool const delay = base::equal_ignoring_case(word, "DELAY");
        if (!success && !failure && !delay) return false;
        n.success = n.success || success;
        n.failure = n.failure || failure;
        n.delay = n.delay || delay;
        if (word.size() == v.size()) return true;
        v.remove_prefix(word.size() + 1);
    }
}

/// original-recipient-address = addr-type ";" xtext (RFC 3461 §4.2)
bool read_orcpt(std::string_view v, bool smtputf8, rcpt_parameters& into)
{
    into.orcpt = v;
    auto const semicolon = v.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0 || v.size() > 500) return false;
    auto const type = v.substr(0, semicolon);
    auto const is_atext = [](char c) { return is_alpha(c) || is_digit(c) || std::string_view{"!#$%&'*-/?^_`{|}~"}.find(c) != std::string_view::npos; };
    if (!std::ranges::all_of(type, is_atext)) return false;
    auto const address = v.substr(semicolon + 1);
    std::string plain{address};
    // utf-8-address, where SMTPUTF8 was said (RFC 6533 §3): other than ASCII stands for itself.
    if (smtputf8 && base::equal_ignoring_case(type, "utf-8") && base::is_utf8(address))
        std::erase_if(plain, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    auto const text = queue::from_xtext(plain);
    return text && is_reportable(*text) && !address.empty();
}

enum class takes : std::uint8_t { value, nothing };
struct mail_rule {
    std::string_view keyword;
    extension part_of;
    takes how;
    unsigned once;  ///< HOLDFOR and HOLDUNTIL are one: only one of them may be said (RFC 4865 §4.1)
    bool (*read)(std::string_view, mail_parameters&);
};
constexpr std::array mail_rules{
    mail_rule{"SIZE", extension::size, takes::value, 1, &read_size},
    mail_rule{"BODY", extension::eight_bit, takes::value, 2, &read_body},
    mail_rule{"SMTPUTF8", extension::smtputf8, takes::nothing, 4, &read_smtputf8},
    mail_rule{"AUTH", extension::auth, takes::value, 8, &read_auth},
    mail_rule{"RET", extension::dsn, takes::value, 16, &read_ret},
    mail_rule{"ENVID", extension::dsn, takes::value, 32, &read_envid},
    mail_rule{"BY", extension::deliver_by, takes::value, 64, &read_by},
    mail_rule{"MT-PRIORITY", extension::priority, takes::value, 128, &read_priority},
    mail_rule{"REQUIRETLS", extension::require_tls, takes::nothing, 256, &read_require_tls},
    mail_rule{"HOLDFOR", extension::future_release, takes::value, 512, &read_hold_for},
    mail_rule{"HOLDUNTIL", extension::future_release, takes::value, 512, &read_hold_until},
};

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view s) noexcept
{
    if (s.empty() || s.size() > 20) return std::nullopt;
    std::uint64_t n = 0;
    for (char const c : s) {
        if (!is_digit(c)) return std::nullopt;
        auto const digit = static_cast<std::uint64_t>(c - '0');
        if (n > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
        n = n * 10 + digit;
    }
    return n;
}

parsed<mail_parameters> parse_mail_parameters(std::string_view text, extension_set offered)
{
    mail_parameters out;
    unsigned seen = 0;
    while (!text.empty()) {
        auto const p = next_parameter(text);
        if (!p) return bad("a parameter is malformed");
        auto const rule = std::ranges::find(mail_rules, p->keyword, &mail_rule::keyword);
        if (rule == mail_rules.end() || !offered.has(rule->part_of)) return unknown("parameter not supported");
        bool const fits = p->has_value == (rule->how == takes::value) && (seen & rule->once) == 0 && rule->read(p->value, out);
        if (!fits) return bad(p->keyword + " is malformed");
        seen |= rule->once;
    }
    if (out.asked.binary && !offered.has(extension::binary)) return bad("BODY is 7BIT or 8BITMIME");
    return out;
}

parsed<rcpt_parameters> parse_rcpt_parameters(std::string_view text, extension_set offered, bool smtputf8)
{
    rcpt_parameters out;
    while (!text.empty()) {
        auto const p = next_parameter(text);
        if (!p) return bad("a parameter is malformed");
        bool const notify = p->keyword == "NOTIFY";
        if ((!notify && p->keyword != "ORCPT") || !offered.has(extension::dsn)) return unknown("parameter not supported");
        bool const again = notify ? out.wanted.said : !out.orcpt.empty();
        bool const fits = p->has_value && !again && (notify ? read_notify(p->value, out) : read_orcpt(p->value, smtputf8, out));
        if (!fits) return bad(p->keyword + " is malformed");
    }
    return out;
}

}  // namespace mansio::smtp::wire
