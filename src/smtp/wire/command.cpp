#include "smtp/wire/command.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace mansio::smtp::wire {
namespace {

struct verb_name {
    std::string_view name;
    verb what;
};
constexpr std::array verb_names{
    verb_name{"AUTH", verb::auth},      verb_name{"BDAT", verb::bdat},         verb_name{"CONNECT", verb::foreign}, verb_name{"DATA", verb::data},
    verb_name{"DELETE", verb::foreign}, verb_name{"EHLO", verb::ehlo},         verb_name{"EXPN", verb::expn},       verb_name{"GET", verb::foreign},
    verb_name{"HEAD", verb::foreign},   verb_name{"HELO", verb::helo},         verb_name{"HELP", verb::help},       verb_name{"LHLO", verb::lhlo},
    verb_name{"MAIL", verb::mail},      verb_name{"NOOP", verb::noop},         verb_name{"OPTIONS", verb::foreign}, verb_name{"POST", verb::foreign},
    verb_name{"PRI", verb::foreign},    verb_name{"PUT", verb::foreign},       verb_name{"QUIT", verb::quit},       verb_name{"RCPT", verb::rcpt},
    verb_name{"RSET", verb::rset},      verb_name{"STARTTLS", verb::starttls}, verb_name{"VRFY", verb::vrfy},       verb_name{"XCLIENT", verb::xclient},
};
static_assert(std::ranges::is_sorted(verb_names, {}, &verb_name::name), "parse_command() is a binary search");

constexpr std::array<std::string_view, verb_count> metric_names{"HELO", "EHLO", "LHLO", "MAIL", "RCPT",     "DATA", "BDAT",    "RSET",    "NOOP",
                                                                "QUIT", "VRFY", "EXPN", "HELP", "STARTTLS", "AUTH", "XCLIENT", "foreign", "unknown"};

bool is_alpha(char c) noexcept { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::unexpected<reply> bad(int code, char const* status, std::string text) { return std::unexpected(reply{code, status, std::move(text)}); }

/// A path and what follows it, still raw.
struct split_path {
    std::string_view inside;      ///< between the angle brackets, source route gone
    std::string_view parameters;
};

/// "FROM:<path> parameters": finds the bracket that ends the path, quoted strings respected. nullopt: malformed.
std::optional<split_path> split(std::string_view args, std::string_view keyword)
{
    if (!base::starts_with_ignoring_case(args, keyword)) return std::nullopt;
    args.remove_prefix(keyword.size());
    args = args.substr(std::min(args.find_first_not_of(' '), args.size()));  // not in the grammar, but "FROM: <a@b>" is everywhere
    if (!args.starts_with('<')) return std::nullopt;
    bool quoted = false;
    std::size_t at = 1;
    for (; at < args.size(); ++at) {
        char const c = args[at];
        if (quoted && c == '\\')
            ++at;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == '>')
            break;
        else if (!quoted && (c == '<' || c == ' '))
            return std::nullopt;
    }
    if (at >= args.size()) return std::nullopt;
    split_path out{args.substr(1, at - 1), args.substr(at + 1)};
    if (!out.parameters.empty() && out.parameters.front() != ' ') return std::nullopt;
    out.parameters = base::trim_blanks(out.parameters);
    // A-d-l = At-domain *( "," At-domain ), then ":": MUST be accepted, SHOULD be ignored (RFC 5321 §4.1.1.3).
    if (out.inside.starts_with('@')) {
        auto const colon = out.inside.find(':');
        if (colon == std::string_view::npos) return std::nullopt;
        out.inside.remove_prefix(colon + 1);
        if (out.inside.empty()) return std::nullopt;  // a route to nobody is not the null path
    }
    return out;
}

/// SRS makes local parts longer than 64 octets out of long ones, and so must take them back (accept/srs.hpp).
std::optional<mime::mailbox_address> long_srs(std::string_view path)
{
    auto const at = path.rfind('@');
    if (at == std::string_view::npos || at <= 64 || path.size() > 512) return std::nullopt;
    if (!base::starts_with_ignoring_case(path, "SRS0=") && !base::starts_with_ignoring_case(path, "SRS1=")) return std::nullopt;
    auto const local = path.substr(0, at);
    if (!std::ranges::all_of(local,
                             [](char c) { return is_alpha(c) || is_digit(c) || std::string_view{"!#$%&'*+-/=?^_`{|}~."}.find(c) != std::string_view::npos; }))
        return std::nullopt;
    auto const domain = mime::parse_mailbox("x@" + std::string{path.substr(at + 1)}, false);
    if (!domain) return std::nullopt;
    return mime::mailbox_address{std::string{local}, domain->domain};
}

}  // namespace

std::string_view name_of(verb v) noexcept { return metric_names[static_cast<std::size_t>(v)]; }

command parse_command(std::string_view line) noexcept
{
    command c;
    auto const name = line.substr(0, line.find(' '));
    c.args = base::trim_blanks(line.substr(name.size()));
    if (name.empty() || name.size() > 8) {
        if (base::starts_with_ignoring_case(name, "SSH-")) c.what = verb::foreign;
        return c;
    }
    std::array<char, 8> upper{};
    std::ranges::transform(name, upper.begin(), [](char ch) { return ch >= 'a' && ch <= 'z' ? static_cast<char>(ch - 32) : ch; });
    std::string_view const key{upper.data(), name.size()};
    auto const found = std::ranges::lower_bound(verb_names, key, {}, &verb_name::name);
    if (found != verb_names.end() && found->name == key)
        c.what = found->what;
    else if (key.starts_with("SSH-"))
        c.what = verb::foreign;
    return c;
}

bool is_foreign_octet(char first) noexcept
{
    auto const u = static_cast<unsigned char>(first);
    return u >= 0x80 || (u < 32 && first != '\r' && first != '\n' && first != '\t');
}

bool has_control(std::string_view s) noexcept
{
    return std::ranges::any_of(s, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

parsed<std::string> parse_greeting(std::string_view args)
{
    auto const word = args.substr(0, args.find(' '));
    if (word.empty()) return bad(501, "5.5.4", "say your name: EHLO and a domain");
    if (has_control(word) || std::ranges::any_of(word, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return bad(501, "5.5.4", "the name has octets that are not allowed");
    return std::string{word.substr(0, 255)};
}

parsed<mail_args> parse_mail(std::string_view args, extension_set offered)
{
    auto const path = split(args, "FROM:");
    if (!path) return bad(501, "5.5.4", "syntax: MAIL FROM:<address> and parameters");
    auto parameters = parse_mail_parameters(path->parameters, offered);
    if (!parameters) return std::unexpected(parameters.error());
    mail_args out{std::move(*parameters), std::nullopt};
    if (path->inside.empty()) return out;
    auto sender = mime::parse_mailbox(path->inside, out.smtputf8);
    if (!sender) return bad(501, "5.1.7", "sender address: " + sender.error().say);
    out.sender = std::move(*sender);
    return out;
}

parsed<rcpt_args> parse_rcpt(std::string_view args, bool smtputf8, extension_set offered)
{
    auto const path = split(args, "TO:");
    if (!path) return bad(501, "5.5.4", "syntax: RCPT TO:<address> and parameters");
    auto parameters = parse_rcpt_parameters(path->parameters, offered, smtputf8);
    if (!parameters) return std::unexpected(parameters.error());
    rcpt_args out{std::move(*parameters), {}};
    if (path->inside.empty()) return bad(501, "5.1.3", "recipient address: it is empty");
    if (base::equal_ignoring_case(path->inside, "postmaster")) {
        out.recipient = {"postmaster", ""};
        return out;
    }
    if (auto long_one = long_srs(path->inside)) {
        out.recipient = std::move(*long_one);
        return out;
    }
    auto recipient = mime::parse_mailbox(path->inside, smtputf8);
    if (!recipient) return bad(501, "5.1.3", "recipient address: " + recipient.error().say);
    out.recipient = std::move(*recipient);
    return out;
}

parsed<bdat_args> parse_bdat(std::string_view args)
{
    auto const digits = args.substr(0, args.find(' '));
    auto const rest = base::trim_blanks(args.substr(digits.size()));
    auto const size = parse_number(digits);
    if (!size || (!rest.empty() && !base::equal_ignoring_case(rest, "LAST"))) return bad(501, "5.5.4", "syntax: BDAT size and perhaps LAST");
    return bdat_args{*size, !rest.empty()};
}

parsed<auth_args> parse_auth(std::string_view args)
{
    auto const mechanism = args.substr(0, args.find(' '));
    auto const rest = base::trim_blanks(args.substr(mechanism.size()));
    // sasl-mech = 1*20 of upper case letters, digits, hyphen, underscore (RFC 4422 §3.1)
    if (mechanism.empty() || mechanism.size() > 20 ||
        !std::ranges::all_of(mechanism, [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; }))
        return bad(501, "5.5.4", "syntax: AUTH mechanism");
    if (rest.find(' ') != std::string_view::npos) return bad(501, "5.5.4", "syntax: AUTH mechanism and one initial response");
    auth_args out;
    out.mechanism = base::to_upper_ascii(mechanism);
    if (!rest.empty()) out.initial = rest;
    return out;
}

}  // namespace mansio::smtp::wire
