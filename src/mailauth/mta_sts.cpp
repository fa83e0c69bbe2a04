#include "mailauth/mta_sts.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"
#include "mailauth/tag_list.hpp"
#include "mime/lexer.hpp"

namespace mansio::mailauth {
namespace {

constexpr std::string_view version = "v=STSv1";
constexpr std::size_t longest_name = 32;

bool is_alphanumeric(char c) noexcept { return mime::detail::is_alpha(c) || mime::detail::is_digit(c); }
/// sts-ext-name, sts-policy-ext-name.
bool is_field_name(std::string_view name)
{
    return !name.empty() && name.size() <= longest_name && is_alphanumeric(name.front()) &&
           std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.'; });
}

/// sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
std::optional<std::string> read_record(std::string_view fields)
{
    std::optional<std::string> id;
    while (true) {
        auto const end = std::min(fields.find(';'), fields.size());
        auto const field = base::trim_blanks(fields.substr(0, end));
        bool const last = end == fields.size();
        if (field.empty()) {
            if (!last) return std::nullopt;
            return id;
        }
        auto const equals = field.find('=');
        if (equals == std::string_view::npos || !is_field_name(field.substr(0, equals))) return std::nullopt;
        auto const value = field.substr(equals + 1);
        if (value.empty() || !std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7F; })) return std::nullopt;
        if (field.starts_with("id=") && !id) {
            if (value.size() > longest_name || !std::ranges::all_of(value, is_alphanumeric)) return std::nullopt;
            id = value;
        }
        if (last) return id;
        fields.remove_prefix(end + 1);
    }
}

/// ["*."] Domain, in A-labels.
bool is_mx_pattern(std::string_view p)
{
    if (p.starts_with("*.")) p.remove_prefix(2);
    return is_dns_name(p, 1);
}

std::unexpected<fault> wrong(std::string why) { return fail(fault::kind::syntax, std::move(why)); }

/// The fields as they come; what is required is checked at the end.
class policy_reader {
public:
    result<void> take(std::string_view line)
    {
        auto const colon = line.find(':');
        if (colon == std::string_view::npos || !is_field_name(line.substr(0, colon))) return wrong("a line is not \"name: value\"");
        auto const name = line.substr(0, colon);
        auto const value = base::trim_blanks(line.substr(colon + 1));
        if (value.empty()) return wrong("a field is empty");
        if (policy_.lines.size() == sts_most_lines) return fail(fault::kind::over_limit, "too many lines");
        policy_.lines.emplace_back(line);
        if (name == "mx") return take_mx(value);
        if (name == "version" && !std::exchange(version_, true) && value != "STSv1") return wrong("the version is not STSv1");
        if (name == "mode" && !std::exchange(mode_, true)) return take_mode(value);
        if (name == "max_age" && !std::exchange(age_, true)) return take_age(value);
        return {};
    }
    result<sts_policy> finish() &&
    {
        if (!version_) return wrong("no version");
        if (!mode_) return wrong("no mode");
        if (!age_) return wrong("no max_age");
        if (policy_.mx.empty() && policy_.what != sts_policy::mode::none) return wrong("no mx");
        return std::move(policy_);
    }

private:
    result<void> take_mx(std::string_view value)
    {
        if (policy_.mx.size() == sts_most_mx) return fail(fault::kind::over_limit, "too many mx");
        if (!is_mx_pattern(value)) return wrong("an mx is not a host name or \"*.\" and a domain");
        policy_.mx.push_back(base::to_lower_ascii(value));
        return {};
    }
    result<void> take_mode(std::string_view value)
    {
        for (auto const m : {sts_policy::mode::enforce, sts_policy::mode::testing, sts_policy::mode::none}) {
            if (value != name_of(m)) continue;
            policy_.what = m;
            return {};
        }
        return wrong("the mode is not enforce, testing or none");
    }
    result<void> take_age(std::string_view value)
    {
        auto const seconds = read_decimal(value, 10);
        if (!seconds) return wrong("max_age is not a number of seconds");
        // More than the maximum is a mistake of units, not a wish for less safety: kept as long as may be.
        policy_.max_age = std::min(std::chrono::seconds{*seconds}, sts_longest_age);
        return {};
    }
    sts_policy policy_;
    bool version_ = false, mode_ = false, age_ = false;
};

}  // namespace

std::optional<std::string> sts_id_of(std::vector<std::string> const& records)
{
    std::optional<std::string> id;
    unsigned found = 0;
    for (std::string_view const r : records) {
        if (!r.starts_with(version)) continue;
        auto const rest = r.substr(version.size());
        auto const fields = base::trim_blanks(rest);
        if (!fields.starts_with(';')) continue;  // "v=STSv12;", or no field at all
        ++found;
        id = read_record(fields.substr(1));
    }
    return found == 1 ? id : std::nullopt;
}

result<sts_policy> read_sts_policy(std::string_view text)
{
    if (text.size() > sts_largest_policy) return fail(fault::kind::over_limit, "the policy is too long");
    if (!base::is_utf8(text)) return wrong("the policy is not UTF-8");
    policy_reader reader;
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        line = line.substr(0, line.find_last_not_of(" \t") + 1);
        if (std::ranges::any_of(line, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F; })) return wrong("a control character");
        if (line.empty()) continue;  // not in the grammar, but editors leave them at the end
        if (auto const taken = reader.take(line); !taken) return fail(taken);
    }
    return std::move(reader).finish();
}

bool permits_mx(sts_policy const& p, std::string_view host)
{
    auto const name = base::to_lower_ascii(host);
    auto const dot = name.find('.');
    return std::ranges::any_of(p.mx, [&](std::string_view pattern) {
        if (!pattern.starts_with("*.")) return pattern == name;
        return dot != std::string::npos && dot != 0 && pattern.substr(1) == std::string_view{name}.substr(dot);
    });
}

std::string_view name_of(sts_policy::mode m) noexcept
{
    switch (m) {
    case sts_policy::mode::enforce: return "enforce";
    case sts_policy::mode::testing: return "testing";
    case sts_policy::mode::none: break;
    }
    return "none";
}

}  // namespace mansio::mailauth
