#include "mailauth/authentication_results.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/folded_field.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

using namespace mime::detail;

constexpr std::size_t most_results = 64;
constexpr std::size_t most_signatures_told = 10;
constexpr std::size_t longest_value = 320;

/// An address or a name as RFC 8601 lets it stand bare: dot-atom, with at most one "@".
bool is_bare(std::string_view s) noexcept
{
    if (s.empty() || std::ranges::count(s, '@') > 1 || s.ends_with('@')) return false;
    return std::ranges::all_of(s, [](char c) { return is_alpha(c) || is_digit(c) || std::string_view{".-_+@"}.find(c) != std::string_view::npos; });
}

/// What strangers wrote: bare when it is a word, else quoted, without anything that could end the quotes or the line.
std::string value_of(std::string_view s)
{
    if (is_bare(s)) return std::string{s};
    std::string out = "\"";
    for (char const c : s.substr(0, longest_value)) {
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else
            out += c >= ' ' && c < 0x7f ? c : '?';
    }
    return out + '"';
}

/// One "method=result" after the other, each on a line of its own.
class writer {
public:
    explicit writer(std::string_view authserv_id) : field_(std::string{authserv_id}) {}
    void result(std::string_view method, std::string_view result)
    {
        field_.tail(";");
        field_.on_new_line(std::string{method} + "=" + std::string{result});
    }
    void reason(std::string_view why)
    {
        if (!why.empty()) field_.word("reason=" + value_of(why));
    }
    void property(std::string_view name, std::string_view value)
    {
        if (!value.empty()) field_.word(std::string{name} + "=" + value_of(value));
    }
    void comment(std::string const& ours) { field_.word("(" + ours + ")"); }
    [[nodiscard]] std::string text() const { return field_.text(); }

private:
    folded_field field_;
};

void tell_signatures(writer& w, std::vector<mime::dkim_outcome> const& all)
{
    if (all.empty()) return w.result("dkim", "none");
    for (std::size_t i = 0; i < std::min(all.size(), most_signatures_told); ++i) {
        auto const& s = all[i];
        w.result("dkim", name_of(s.result));
        w.reason(s.problem);
        w.property("header.d", s.domain);
        w.property("header.s", s.selector);
        w.property("header.a", s.algorithm);
        w.property("header.b", s.signature_start);
    }
}

void tell_dmarc(writer& w, mime::authentication const& found)
{
    auto const& d = found.dmarc;
    w.result("dmarc", name_of(d.result));
    if (!d.policy_domain.empty()) w.comment("p=" + std::string{name_of(d.published)} + (d.tested ? " tested" : ""));
    w.reason(d.problem);
    w.property("header.from", d.domain);
}

/// Past CFWS and one token; empty: there is none.
std::string take_token(std::string_view s, std::size_t& at)
{
    at = skip_cfws(s, at);
    auto const from = at;
    while (at < s.size() && is_token(s[at])) ++at;
    return base::to_lower_ascii(s.substr(from, at - from));
}

bool take(std::string_view s, std::size_t& at, char c)
{
    at = skip_cfws(s, at);
    if (at == s.size() || s[at] != c) return false;
    ++at;
    return true;
}

/// value / [ [ local-part ] "@" ] domain-name
std::string take_value(std::string_view s, std::size_t& at)
{
    at = skip_cfws(s, at);
    std::string out;
    if (at < s.size() && s[at] == '"') {
        at = read_quoted(s, at, out);
        if (at == s.size() || s[at] != '@') return out;
    }
    while (at < s.size() && !is_white(s[at]) && s[at] != ';' && s[at] != '(') out += s[at++];
    return out;
}

/// What follows "method=result": reason and properties, up to the semicolon.
void take_properties(std::string_view s, std::size_t& at, claimed_result& r)
{
    while (true) {
        auto name = take_token(s, at);  // "." is of a token: "header.from" is one, unless there is a comment in it
        while (take(s, at, '.')) name += "." + take_token(s, at);
        if (name.empty() || !take(s, at, '=')) return;
        r.properties.emplace_back(std::move(name), take_value(s, at));
    }
}

}  // namespace

std::string authentication_results(std::string_view authserv_id, mime::authentication const& found, results_subject const& of)
{
    writer w{authserv_id};
    w.result("iprev", name_of(found.iprev.result));
    w.property("policy.iprev", found.iprev.address);
    if (is_bare(found.iprev.name)) w.comment(found.iprev.name);
    w.result("spf", name_of(found.spf.result));
    w.reason(found.spf.problem);
    found.spf.of_helo ? w.property("smtp.helo", of.helo) : w.property("smtp.mailfrom", of.mail_from);
    tell_signatures(w, found.dkim);
    if (found.arc.result != mime::arc_result::none) {
        w.result("arc", name_of(found.arc.result));
        w.reason(found.arc.problem);
        w.property("smtp.remote-ip", found.iprev.address);  // RFC 8617 §6
        if (is_bare(found.vouched_by)) w.comment("vouched for by " + found.vouched_by);
    }
    tell_dmarc(w, found);
    return w.text();
}

std::vector<claimed_result> read_authentication_results(std::string_view body)
{
    std::vector<claimed_result> out;
    std::size_t at = 0;
    (void)take_value(body, at);   // authserv-id
    (void)take_token(body, at);   // its version
    while (out.size() < most_results && take(body, at, ';')) {
        claimed_result r;
        r.method = take_token(body, at);
        if (take(body, at, '/')) (void)take_token(body, at);
        if (r.method.empty() || !take(body, at, '=')) break;  // "none" ends here too
        r.result = take_token(body, at);
        if (r.result.empty()) break;
        take_properties(body, at, r);
        out.push_back(std::move(r));
    }
    return out;
}

std::string vouching_sealer(mime::arc_outcome const& arc, std::vector<std::string> const& sealers, std::string_view author)
{
    if (arc.result != mime::arc_result::pass) return {};
    for (auto i = arc.seals.size(); i-- > 0;) {
        auto const& seal = arc.seals[i];
        if (std::ranges::find(sealers, seal.domain) == sealers.end()) return {};
        for (auto const& r : read_authentication_results(seal.results)) {
            if (r.method != "dmarc" || r.result != "pass") continue;
            auto const from = std::ranges::find(r.properties, "header.from", &std::pair<std::string, std::string>::first);
            if (from != r.properties.end() && base::equal_ignoring_case(from->second, author)) return seal.domain;
        }
    }
    return {};
}

}  // namespace mansio::mailauth
