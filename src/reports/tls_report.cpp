#include "reports/tls_report.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <set>

#include "base/limits.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

namespace json = boost::json;

constexpr std::size_t most_depth = 16;
constexpr std::uint64_t most_values = 500'000;
constexpr std::size_t most_text = 4'096;  // octets of one string that is kept; longer ones are cut and end in "…"

/// Looks through JSON before anything is built of it: counts values, and finds names that stand twice in one object, of which Boost.JSON keeps the last.
struct screen {
    static constexpr std::size_t max_object_size = most_values;
    static constexpr std::size_t max_array_size = most_values;
    static constexpr std::size_t max_key_size = 1'000;
    static constexpr std::size_t max_string_size = tls_report_octets;
    using wrong = json::error_code&;

    std::vector<std::set<std::string, std::less<>>> objects;
    std::string key;
    base::budget values{most_values};
    fault found;

    bool refuse(fault::kind what, std::string say, wrong ec)
    {
        found = fault{what, std::move(say)};
        ec = json::error::syntax;
        return false;
    }
    bool value(wrong ec) { return values.take() || refuse(fault::kind::over_limit, fmt::format("more than {} JSON values", most_values), ec); }

    bool on_document_begin(wrong /*ec*/) { return true; }
    bool on_document_end(wrong /*ec*/) { return true; }
    bool on_object_begin(wrong ec)
    {
        objects.emplace_back();
        return value(ec);
    }
    bool on_object_end(std::size_t /*n*/, wrong /*ec*/)
    {
        objects.pop_back();
        return true;
    }
    bool on_array_begin(wrong ec) { return value(ec); }
    bool on_array_end(std::size_t /*n*/, wrong /*ec*/) { return true; }
    bool on_key_part(json::string_view s, std::size_t /*n*/, wrong /*ec*/)
    {
        key += s;
        return true;
    }
    bool on_key(json::string_view s, std::size_t /*n*/, wrong ec)
    {
        key += s;
        bool const fresh = objects.back().insert(key).second;
        if (!fresh) return refuse(fault::kind::syntax, fmt::format("\"{}\" twice in one object", shortened(clean_text(key), 60)), ec);
        key.clear();
        return true;
    }
    bool on_string_part(json::string_view /*s*/, std::size_t /*n*/, wrong /*ec*/) { return true; }
    bool on_string(json::string_view /*s*/, std::size_t /*n*/, wrong ec) { return value(ec); }
    bool on_number_part(json::string_view /*s*/, wrong /*ec*/) { return true; }
    bool on_int64(std::int64_t /*i*/, json::string_view /*s*/, wrong ec) { return value(ec); }
    bool on_uint64(std::uint64_t /*u*/, json::string_view /*s*/, wrong ec) { return value(ec); }
    bool on_double(double /*d*/, json::string_view /*s*/, wrong ec) { return value(ec); }
    bool on_bool(bool /*b*/, wrong ec) { return value(ec); }
    bool on_null(wrong ec) { return value(ec); }
    bool on_comment_part(json::string_view /*s*/, wrong /*ec*/) { return true; }
    bool on_comment(json::string_view /*s*/, wrong /*ec*/) { return true; }
};

result<json::value> parse(std::string_view text)
{
    if (text.size() > tls_report_octets) return fail(fault::kind::over_limit, fmt::format("a TLS report of more than {} octets", tls_report_octets));
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // some write a byte order mark, though RFC 8259 §8.1 forbids it
    json::parse_options options;
    options.max_depth = most_depth;
    json::basic_parser<screen> look{options};
    json::error_code wrong;
    auto const read = look.write_some(false, text.data(), text.size(), wrong);
    if (look.handler().found.say.empty() && !wrong && text.find_first_not_of(" \t\r\n", read) != std::string_view::npos) wrong = json::error::extra_data;
    if (!look.handler().found.say.empty()) return std::unexpected(look.handler().found);
    if (wrong == json::error::too_deep) return fail(fault::kind::over_limit, fmt::format("JSON of more than {} levels", most_depth));
    if (wrong) return fail(fault::kind::syntax, fmt::format("no JSON: {}", wrong.message()));
    auto v = json::parse(text, wrong, {}, options);
    if (wrong) return fail(fault::kind::syntax, fmt::format("no JSON: {}", wrong.message()));
    return v;
}

/// Takes values out of objects; the first that is not as it must be is the error.
class taker {
public:
    std::optional<fault> wrong;

    json::value const* find(json::object const& o, std::string_view name, bool needed)
    {
        auto const* v = o.if_contains(name);
        if (v != nullptr && v->is_null()) v = nullptr;  // "not told", as some write it
        if (v == nullptr && needed) refuse(fmt::format("a TLS report without \"{}\"", name));
        return v;
    }
    std::string text(json::object const& o, std::string_view name, bool needed = false)
    {
        auto const* v = find(o, name, needed);
        if (v == nullptr) return {};
        if (!v->is_string()) return refuse(fmt::format("\"{}\" is no string", name)), std::string{};
        return shortened(v->as_string(), most_text);
    }
    /// A list of strings, or one alone: RFC 8460 shows "mx-host" both ways.
    std::vector<std::string> texts(json::object const& o, std::string_view name)
    {
        auto const* v = find(o, name, false);
        std::vector<std::string> out;
        if (v == nullptr) return out;
        if (v->is_string()) return {shortened(v->as_string(), most_text)};
        if (!v->is_array()) return refuse(fmt::format("\"{}\" is no list of strings", name)), out;
        for (auto const& e : v->as_array()) {
            if (!e.is_string()) return refuse(fmt::format("\"{}\" is no list of strings", name)), out;
            out.push_back(shortened(e.as_string(), most_text));
        }
        return out;
    }
    std::uint64_t count(json::object const& o, std::string_view name, bool needed = true)
    {
        auto const* v = find(o, name, needed);
        if (v == nullptr) return 0;
        // Beyond 2^63-1 Boost.JSON has an unsigned number, beyond 2^64-1 a double.
        if (!v->is_int64() || v->as_int64() < 0) return refuse(fmt::format("\"{}\" is no count", name)), 0;
        return static_cast<std::uint64_t>(v->as_int64());
    }
    std::int64_t moment(json::object const& o, std::string_view name)
    {
        auto const at = read_moment(text(o, name, true));
        if (!at) refuse(fmt::format("\"{}\" is no date and time", name));
        return at.value_or(0);
    }
    json::object const* object(json::object const& o, std::string_view name)
    {
        auto const* v = find(o, name, true);
        if (v == nullptr) return nullptr;
        if (!v->is_object()) return refuse(fmt::format("\"{}\" is no object", name)), nullptr;
        return &v->as_object();
    }
    void refuse(std::string say)
    {
        if (!wrong) wrong.emplace(fault::kind::syntax, std::move(say));
    }
    /// Calls `use` with every object of a list.
    template <class F> void each(json::object const& o, std::string_view name, bool needed, F use)
    {
        auto const* v = find(o, name, needed);
        if (v == nullptr) return;
        if (!v->is_array()) return refuse(fmt::format("\"{}\" is no list", name));
        for (auto const& e : v->as_array()) {
            if (!e.is_object()) return refuse(fmt::format("\"{}\" holds something that is no object", name));
            use(e.as_object());
        }
    }
};

tls_report::failure take_failure(taker& in, json::object const& o)
{
    tls_report::failure f;
    f.result_type = in.text(o, "result-type", true);
    f.sending_ip = in.text(o, "sending-mta-ip");
    f.mx_host = in.text(o, "receiving-mx-hostname");
    f.mx_helo = in.text(o, "receiving-mx-helo");
    f.receiving_ip = in.text(o, "receiving-ip");
    f.sessions = in.count(o, "failed-session-count");
    f.additional_information = in.text(o, "additional-information");
    f.reason_code = in.text(o, "failure-reason-code");
    return f;
}

tls_report::policy take_policy(taker& in, json::object const& o)
{
    tls_report::policy p;
    if (auto const* about = in.object(o, "policy")) {
        p.type = in.text(*about, "policy-type", true);
        p.text = in.texts(*about, "policy-string");
        p.domain = in.text(*about, "policy-domain", true);
        p.mx_hosts = in.texts(*about, "mx-host");
    }
    if (auto const* sums = in.object(o, "summary")) {
        p.successes = in.count(*sums, "total-successful-session-count");
        p.failures = in.count(*sums, "total-failure-session-count");
    }
    in.each(o, "failure-details", false, [&](json::object const& f) { p.details.push_back(take_failure(in, f)); });
    return p;
}

json::array array_of(std::vector<std::string> const& texts)
{
    json::array out;
    for (auto const& t : texts) out.emplace_back(clean_text(t));
    return out;
}

json::object object_of(tls_report::failure const& f)
{
    json::object o;
    auto const put = [&](std::string_view name, std::string const& text) {
        if (!text.empty()) o[name] = clean_text(text);
    };
    o["result-type"] = clean_text(f.result_type);
    put("sending-mta-ip", f.sending_ip);
    put("receiving-mx-hostname", f.mx_host);
    put("receiving-mx-helo", f.mx_helo);
    put("receiving-ip", f.receiving_ip);
    o["failed-session-count"] = f.sessions;
    put("additional-information", f.additional_information);
    put("failure-reason-code", f.reason_code);
    return o;
}

json::object object_of(tls_report::policy const& p)
{
    json::object about{{"policy-type", clean_text(p.type)}};
    if (!p.text.empty()) about["policy-string"] = array_of(p.text);
    about["policy-domain"] = clean_text(p.domain);
    if (!p.mx_hosts.empty()) about["mx-host"] = array_of(p.mx_hosts);  // a list, as §4.4 says in words, whatever its example shows
    json::object o{{"policy", about}};
    o["summary"] = json::object{{"total-successful-session-count", p.successes}, {"total-failure-session-count", p.failures}};
    json::array details;
    for (auto const& f : p.details) details.push_back(object_of(f));
    if (!details.empty()) o["failure-details"] = std::move(details);
    return o;
}

}  // namespace

result<tls_report> read_tls_report(std::string_view text)
{
    auto const v = parse(text);
    if (!v) return fail(v);
    if (!v->is_object()) return fail(fault::kind::syntax, "no TLS report: its JSON is no object");
    auto const& o = v->as_object();
    taker in;
    tls_report r;
    r.organization = in.text(o, "organization-name");
    r.contact = in.text(o, "contact-info");
    r.report_id = in.text(o, "report-id", true);
    if (auto const* range = in.object(o, "date-range")) {
        r.begin = in.moment(*range, "start-datetime");
        r.end = in.moment(*range, "end-datetime");
        if (r.end < r.begin) in.refuse("a TLS report that ends before it begins");
    }
    in.each(o, "policies", true, [&](json::object const& p) { r.policies.push_back(take_policy(in, p)); });
    if (in.wrong) return std::unexpected(*in.wrong);
    return r;
}

std::string write_tls_report(tls_report const& r)
{
    json::object o;
    o["organization-name"] = clean_text(r.organization);
    o["date-range"] = json::object{{"start-datetime", write_moment(r.begin)}, {"end-datetime", write_moment(r.end)}};
    o["contact-info"] = clean_text(r.contact);
    o["report-id"] = clean_text(r.report_id);
    json::array policies;
    for (auto const& p : r.policies) policies.push_back(object_of(p));
    o["policies"] = std::move(policies);
    return json::serialize(o) + "\n";
}

}  // namespace mansio::reports
