#include "reports/report_finder.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace mansio::reports {
namespace {

constexpr std::size_t most_reports = 8;
constexpr std::string_view subject_mark = "report domain:";

std::string_view parameter(std::vector<std::pair<std::string, std::string>> const& all, std::string_view name)
{
    auto const it = std::ranges::find(all, name, [](auto const& p) { return std::string_view{p.first}; });
    return it == all.end() ? std::string_view{} : std::string_view{it->second};
}

bool usual_type(std::string_view type)
{
    constexpr std::array usual{"application/gzip", "application/x-gzip", "application/zip", "application/x-zip", "application/x-zip-compressed",
                               "text/xml",         "application/xml"};
    return std::ranges::find(usual, type) != usual.end();
}

/// What a part claims to be.
std::optional<report_kind> claim_of(mime::part const& p, std::string_view file_name, bool in_tls_report, bool subject_says_so)
{
    auto const type = p.type + "/" + p.subtype;
    if (type == "application/tlsrpt+json" || type == "application/tlsrpt+gzip") return report_kind::tls;
    if (in_tls_report && (type == "application/gzip" || type == "application/json" || type == "application/octet-stream")) return report_kind::tls;
    if (auto const by_name = kind_of_name(file_name)) return by_name;
    if (subject_says_so && usual_type(type)) return report_kind::dmarc;
    return std::nullopt;
}

}  // namespace

char const* name_of(report_kind k) noexcept { return k == report_kind::dmarc ? "dmarc" : "tls"; }

std::optional<report_kind> kind_of_name(std::string_view file_name)
{
    auto const lower = base::to_lower_ascii(file_name);
    auto fields = base::words_of(lower, "!");
    if (fields.size() < 4 || fields.size() > 5) return std::nullopt;
    auto const dot = fields.back().find('.');
    if (dot == std::string::npos) return std::nullopt;
    auto const extension = fields.back().substr(dot + 1);
    fields.back().resize(dot);
    auto const digits = [](std::string const& s) { return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos; };
    if (!digits(fields[2]) || !digits(fields[3])) return std::nullopt;
    // RFC 7489's own example ends in ".gz" alone, and many send ".zip".
    if (extension == "xml" || extension == "xml.gz" || extension == "gz" || extension == "zip" || extension == "xml.zip") return report_kind::dmarc;
    if (extension == "json" || extension == "json.gz") return report_kind::tls;
    return std::nullopt;
}

std::vector<report_part> find_reports(mime::octets const& message, base::limits const& limits)
{
    auto const header = mime::parse_header(message.view(), limits);
    auto const* subject = mime::find_field(header, "Subject");
    bool const subject_says_so =
        subject != nullptr && base::starts_with_ignoring_case(base::trim_blanks(mime::decode_encoded_words(mime::unfold(subject->body))), subject_mark);
    auto const parts = mime::parse_parts(message, limits);
    bool const in_tls_report = !parts.empty() && parts[0].type == "multipart" && parts[0].subtype == "report" &&
                               base::equal_ignoring_case(parameter(parts[0].parameters, "report-type"), "tlsrpt");
    std::vector<report_part> found;
    for (auto const& p : parts) {
        if (p.what != mime::part::kind::leaf) continue;
        // A message that somebody forwards is no report to us: its sender is another than the one that was authenticated.
        auto up = &p;
        while (up->what != mime::part::kind::message && up != &parts[up->parent]) up = &parts[up->parent];
        if (up->what == mime::part::kind::message) continue;
        auto name = parameter(p.disposition_parameters, "filename");
        if (name.empty()) name = parameter(p.parameters, "name");
        auto const what = claim_of(p, name, in_tls_report, subject_says_so);
        auto const octets = p.end_offset - p.body_offset;
        if (!what || octets > 2 * packing_limits{}.packed || found.size() == most_reports) continue;
        found.push_back({*what, std::string{name}, mime::decode_body(message.view().substr(p.body_offset, octets), p.encoding)});
    }
    return found;
}

result<any_report> read_report(report_part const& part, packing_limits const& limits)
{
    if (part.what == report_kind::dmarc) {
        dmarc_reader in;
        auto const done = unpack(part.octets, limits, [&](std::string_view piece) { return in.feed(piece); });
        if (!done) return fail(done);
        auto report = in.finish();
        if (!report) return fail(report);
        return any_report{std::move(*report)};
    }
    auto less = limits;
    less.unpacked = std::min(less.unpacked, tls_report_octets);
    std::string text;
    auto const done = unpack(part.octets, less, [&](std::string_view piece) -> result<void> {
        text += piece;
        return {};
    });
    if (!done) return fail(done);
    auto report = read_tls_report(text);
    if (!report) return fail(report);
    return any_report{std::move(*report)};
}

}  // namespace mansio::reports
