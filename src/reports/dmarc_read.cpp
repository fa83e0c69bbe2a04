// A report out of XML: expat tells elements and texts, a table says what each is and where it goes.
#include <expat.h>
#include <fmt/format.h>

#include <array>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "mime/header.hpp"
#include "net/address.hpp"
#include "reports/dmarc_report.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

// What one report may cost. The largest reporters' largest days have some twenty thousand rows.
constexpr std::uint64_t most_elements = 4'000'000;
constexpr std::size_t most_depth = 16;
constexpr std::size_t most_records = 50'000;
constexpr std::size_t most_of_a_kind = 100;               // signatures (RFC 9990 asks for no more), reasons, errors of one row or report
constexpr std::uint64_t most_kept = 128ULL << 20U;        // octets of memory for one report, about
constexpr std::size_t most_name = 1'000;                  // octets of a domain, an id, a word
constexpr std::size_t most_prose = 1'000;                 // comments longer than that are cut, and end in "…"
constexpr std::uint64_t most_token = 1ULL << 20U;         // octets without anything whole: expat reads what is not whole again and again

/// What is being read. Errors: the first stays.
struct reading {
    dmarc_report report;
    bool has_id = false, has_begin = false, has_end = false;
    bool has_address = false, has_count = false;  // of the record being read
    std::optional<fault> wrong;
    base::budget kept{most_kept};

    void fail_with(fault::kind what, std::string say)
    {
        if (!wrong) wrong.emplace(what, std::move(say));
    }
    dmarc_report::record& record() { return report.records.back(); }
};

template <class T> void add(reading& r, std::vector<T>& to, std::string_view name, std::size_t most = most_of_a_kind)
{
    if (to.size() >= most) return r.fail_with(fault::kind::over_limit, fmt::format("more than {} <{}>", most, name));
    if (!r.kept.take(sizeof(T))) return r.fail_with(fault::kind::over_limit, "too large a report");
    to.emplace_back();
}

void keep(reading& r, std::string& into, std::string_view text)
{
    if (text.size() > most_name) return r.fail_with(fault::kind::over_limit, fmt::format("a text of more than {} octets", most_name));
    if (!r.kept.take(text.size())) return r.fail_with(fault::kind::over_limit, "too large a report");
    into = text;
}
void keep_word(reading& r, std::string& into, std::string_view text) { keep(r, into, base::to_lower_ascii(text)); }
void keep_prose(reading& r, std::string& into, std::string_view text) { keep(r, into, shortened(text, most_prose)); }

void keep_time(reading& r, std::int64_t& into, bool& has, std::string_view text)
{
    auto const v = read_count(text);
    if (!v || *v > static_cast<std::uint64_t>(last_moment)) return r.fail_with(fault::kind::syntax, "a time that is none");
    into = static_cast<std::int64_t>(*v);
    has = true;
}

void keep_address(reading& r, std::string_view text)
{
    auto const a = net::ip_address::parse(text);
    if (!a) return r.fail_with(fault::kind::syntax, "a source_ip that is no address");
    r.record().source_ip = a->text();
    r.has_address = true;
}

void keep_number(reading& r, std::string_view text)
{
    auto const v = read_count(text);
    if (!v) return r.fail_with(fault::kind::syntax, "a count that is none");
    r.record().count = *v;
    r.has_count = true;
}

void keep_percent(reading& r, std::string_view text)
{
    if (text.empty()) return;  // some write it so when the record says nothing
    auto const v = read_count(text);
    if (!v || *v > 100) return r.fail_with(fault::kind::syntax, "a pct that is none");
    r.report.policy.pct = static_cast<std::uint32_t>(*v);
}

void begin_record(reading& r)
{
    add(r, r.report.records, "record", most_records);
    r.has_address = r.has_count = false;
}
void end_record(reading& r)
{
    if (!r.has_address) return r.fail_with(fault::kind::syntax, "a record without source_ip");
    if (!r.has_count) return r.fail_with(fault::kind::syntax, "a record without count");
}

using text_use = void (*)(reading&, std::string_view);
using mark_use = void (*)(reading&);

/// An element of the schema: where it stands, whether more than once, what is done at its begin and end and with its text.
struct element {
    int parent;
    std::string_view name;
    bool many = false;
    text_use text = nullptr;
    mark_use begin = nullptr, end = nullptr;
};
enum place : int {  // NOLINT(performance-enum-size)
    outside = -1,
    feedback,
    metadata,
    range,
    policy,
    record,
    row,
    evaluated,
    reason,
    identifiers,
    results,
    dkim,
    spf
};

// Those that hold others come first, in the order of `place`.
constexpr std::array elements{
    element{.parent = outside, .name = "feedback"},
    element{.parent = feedback, .name = "report_metadata"},
    element{.parent = metadata, .name = "date_range"},
    element{.parent = feedback, .name = "policy_published"},
    element{.parent = feedback, .name = "record", .many = true, .begin = begin_record, .end = end_record},
    element{.parent = record, .name = "row"},
    element{.parent = row, .name = "policy_evaluated"},
    element{.parent = evaluated, .name = "reason", .many = true, .begin = [](reading& r) { add(r, r.record().reasons, "reason"); }},
    element{.parent = record, .name = "identifiers"},
    element{.parent = record, .name = "auth_results"},
    element{.parent = results, .name = "dkim", .many = true, .begin = [](reading& r) { add(r, r.record().dkim_results, "dkim"); }},
    element{.parent = results, .name = "spf", .many = true, .begin = [](reading& r) { add(r, r.record().spf_results, "spf"); }},

    element{.parent = metadata, .name = "org_name", .text = [](reading& r, std::string_view t) { keep_prose(r, r.report.org_name, t); }},
    element{.parent = metadata, .name = "email", .text = [](reading& r, std::string_view t) { keep(r, r.report.email, t); }},
    element{.parent = metadata, .name = "extra_contact_info", .text = [](reading& r, std::string_view t) { keep_prose(r, r.report.extra_contact_info, t); }},
    element{.parent = metadata, .name = "report_id", .text = [](reading& r, std::string_view t) { keep(r, r.report.report_id, t), r.has_id = !t.empty(); }},
    element{.parent = metadata, .name = "generator", .text = [](reading& r, std::string_view t) { keep_prose(r, r.report.generator, t); }},
    element{.parent = metadata,
            .name = "error",
            .many = true,
            .text = [](reading& r, std::string_view t) { keep_prose(r, r.report.errors.back(), t); },
            .begin = [](reading& r) { add(r, r.report.errors, "error"); }},
    element{.parent = range, .name = "begin", .text = [](reading& r, std::string_view t) { keep_time(r, r.report.begin, r.has_begin, t); }},
    element{.parent = range, .name = "end", .text = [](reading& r, std::string_view t) { keep_time(r, r.report.end, r.has_end, t); }},

    element{.parent = policy, .name = "domain", .text = [](reading& r, std::string_view t) { keep(r, r.report.policy.domain, t); }},
    element{.parent = policy, .name = "discovery_method", .text = [](reading& r, std::string_view t) { keep_word(r, r.report.policy.discovery_method, t); }},
    element{.parent = policy, .name = "adkim", .text = [](reading& r, std::string_view t) { keep_word(r, r.report.policy.adkim, t); }},
    element{.parent = policy, .name = "aspf", .text = [](reading& r, std::string_view t) { keep_word(r, r.report.policy.aspf, t); }},
    element{.parent = policy, .name = "p", .text = [](reading& r, std::string_view t) { keep_word(r, r.report.policy.p, t); }},
    element{.parent = policy, .name = "sp", .text = [](reading& r, std::string_view t) { keep_word(r, r.report.policy.sp, t); }},
    element{.parent = policy, .name = "np", .text = [](reading& r, std::string_view t) { keep_word(r, r.report.policy.np, t); }},
    element{.parent = policy, .name = "fo", .text = [](reading& r, std::string_view t) { keep(r, r.report.policy.fo, t); }},
    element{.parent = policy, .name = "pct", .text = keep_percent},
    element{.parent = policy, .name = "testing", .text = [](reading& r, std::string_view t) { keep_word(r, r.report.policy.testing, t); }},

    element{.parent = row, .name = "source_ip", .text = keep_address},
    element{.parent = row, .name = "count", .text = keep_number},
    element{.parent = evaluated, .name = "disposition", .text = [](reading& r, std::string_view t) { keep_word(r, r.record().disposition, t); }},
    element{.parent = evaluated, .name = "dkim", .text = [](reading& r, std::string_view t) { keep_word(r, r.record().dkim, t); }},
    element{.parent = evaluated, .name = "spf", .text = [](reading& r, std::string_view t) { keep_word(r, r.record().spf, t); }},
    element{.parent = reason, .name = "type", .text = [](reading& r, std::string_view t) { keep_word(r, r.record().reasons.back().type, t); }},
    element{.parent = reason, .name = "comment", .text = [](reading& r, std::string_view t) { keep_prose(r, r.record().reasons.back().comment, t); }},
    element{.parent = identifiers, .name = "envelope_to", .text = [](reading& r, std::string_view t) { keep(r, r.record().envelope_to, t); }},
    element{.parent = identifiers, .name = "envelope_from", .text = [](reading& r, std::string_view t) { keep(r, r.record().envelope_from, t); }},
    element{.parent = identifiers, .name = "header_from", .text = [](reading& r, std::string_view t) { keep(r, r.record().header_from, t); }},
    element{.parent = dkim, .name = "domain", .text = [](reading& r, std::string_view t) { keep(r, r.record().dkim_results.back().domain, t); }},
    element{.parent = dkim, .name = "selector", .text = [](reading& r, std::string_view t) { keep(r, r.record().dkim_results.back().selector, t); }},
    element{.parent = dkim, .name = "result", .text = [](reading& r, std::string_view t) { keep_word(r, r.record().dkim_results.back().result, t); }},
    element{
        .parent = dkim, .name = "human_result", .text = [](reading& r, std::string_view t) { keep_prose(r, r.record().dkim_results.back().human_result, t); }},
    element{.parent = spf, .name = "domain", .text = [](reading& r, std::string_view t) { keep(r, r.record().spf_results.back().domain, t); }},
    element{.parent = spf, .name = "scope", .text = [](reading& r, std::string_view t) { keep_word(r, r.record().spf_results.back().scope, t); }},
    element{.parent = spf, .name = "result", .text = [](reading& r, std::string_view t) { keep_word(r, r.record().spf_results.back().result, t); }},
    element{
        .parent = spf, .name = "human_result", .text = [](reading& r, std::string_view t) { keep_prose(r, r.record().spf_results.back().human_result, t); }},
};
static_assert(elements.size() <= 64, "what was seen is a word of bits");

int find_element(int parent, std::string_view name) noexcept
{
    for (std::size_t i = 0; i < elements.size(); ++i)
        if (elements[i].parent == parent && elements[i].name == name) return static_cast<int>(i);
    return -1;
}

/// Single-octet charsets that expat does not know: some reporters say windows-1252. XML_STATUS_ERROR: none of them.
int know_charset(void* /*unused*/, XML_Char const* name, XML_Encoding* info)
{
    auto const lower = base::to_lower_ascii(name);
    if (!lower.starts_with("windows-125") && !lower.starts_with("iso-8859-")) return XML_STATUS_ERROR;
    for (int i = 0; i < 256; ++i) {
        info->map[i] = i;
        if (i < 0x80) continue;
        auto const utf8 = mime::to_utf8(std::string(1, static_cast<char>(i)), lower);
        auto const at = [&](std::size_t n) { return static_cast<unsigned char>(utf8[n]); };
        if (utf8.size() == 2) info->map[i] = (at(0) & 0x1F) << 6 | (at(1) & 0x3F);
        if (utf8.size() == 3) info->map[i] = (at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
        if (info->map[i] == 0xFFFD || utf8.size() < 2) info->map[i] = -1;
    }
    info->data = nullptr;
    info->convert = nullptr;
    info->release = nullptr;
    return XML_STATUS_OK;
}

}  // namespace

struct dmarc_reader::impl {
    struct level {
        int what = -1;           ///< index into elements; -1: passed over, with all in it
        std::uint64_t seen = 0;  ///< of its children
    };
    XML_Parser parser = nullptr;
    reading now;
    std::vector<level> levels;
    std::uint64_t seen_at_top = 0;
    std::uint64_t elements_left = most_elements;
    std::string text, prefix, space;  ///< the root's namespace prefix, with its colon, and its namespace
    std::uint64_t fed = 0, told = 0;  ///< octets handed to expat, and how many when it last told something

    impl()
    {
        parser = XML_ParserCreate(nullptr);
        if (parser == nullptr) throw std::bad_alloc{};
        XML_SetUserData(parser, this);
        XML_SetElementHandler(parser, &impl::on_begin, &impl::on_end);
        XML_SetCharacterDataHandler(parser, &impl::on_text);
        XML_SetDefaultHandler(parser, &impl::on_other);
        XML_SetStartDoctypeDeclHandler(parser, &impl::on_doctype);
        XML_SetUnknownEncodingHandler(parser, know_charset, nullptr);
    }
    ~impl() { XML_ParserFree(parser); }
    impl(impl const&) = delete;
    impl& operator=(impl const&) = delete;

    [[nodiscard]] std::string here() const { return fmt::format("line {}: ", XML_GetCurrentLineNumber(parser)); }
    void refuse(fault::kind what, std::string say)
    {
        now.fail_with(what, std::move(say));
        XML_StopParser(parser, XML_FALSE);
    }
    void stop_if_wrong()
    {
        if (now.wrong) XML_StopParser(parser, XML_FALSE);
    }

    /// Without the root's prefix; nullopt: of another namespace, an extension.
    std::optional<std::string_view> local_name(std::string_view name, XML_Char const** attributes)
    {
        if (levels.empty()) {
            auto const colon = name.rfind(':');
            if (colon != std::string_view::npos) prefix = name.substr(0, colon + 1);
            space = default_space(attributes).value_or("");
        } else if (default_space(attributes).value_or(space) != space) {
            return std::nullopt;
        }
        if (!prefix.empty() && name.starts_with(prefix)) name.remove_prefix(prefix.size());
        if (name.contains(':')) return std::nullopt;
        return name;
    }
    static std::optional<std::string> default_space(XML_Char const** attributes)
    {
        for (; *attributes != nullptr; attributes += 2)
            if (std::string_view{attributes[0]} == "xmlns") return attributes[1];
        return std::nullopt;
    }

    void begin(std::string_view whole_name, XML_Char const** attributes)
    {
        if (elements_left-- == 0) return refuse(fault::kind::over_limit, fmt::format("more than {} elements", most_elements));
        if (levels.size() >= most_depth) return refuse(fault::kind::over_limit, fmt::format("more than {} levels", most_depth));
        bool const passed_over = !levels.empty() && levels.back().what < 0;
        auto const name = local_name(whole_name, attributes);
        int const what = passed_over || !name ? -1 : find_element(levels.empty() ? outside : levels.back().what, *name);
        if (levels.empty() && what != feedback) return refuse(fault::kind::syntax, "no DMARC report: its root is not <feedback>");
        if (what >= 0) {
            auto& seen = levels.empty() ? seen_at_top : levels.back().seen;
            auto const bit = std::uint64_t{1} << static_cast<unsigned>(what);
            auto const& e = elements[static_cast<std::size_t>(what)];
            if (!e.many && (seen & bit) != 0) return refuse(fault::kind::syntax, fmt::format("{}<{}> twice", here(), e.name));
            seen |= bit;
            if (e.begin != nullptr) e.begin(now);
        }
        levels.push_back({what, 0});
        text.clear();
        stop_if_wrong();
    }

    void end()
    {
        auto const what = levels.back().what;
        levels.pop_back();
        if (what >= 0) {
            auto const& e = elements[static_cast<std::size_t>(what)];
            if (e.text != nullptr) e.text(now, trim_white(text));
            if (e.end != nullptr) e.end(now);
            if (now.wrong) now.wrong->say = fmt::format("{}<{}>: {}", here(), e.name, now.wrong->say);
        }
        text.clear();
        stop_if_wrong();
    }

    void add_text(std::string_view more)
    {
        if (levels.empty() || levels.back().what < 0 || elements[static_cast<std::size_t>(levels.back().what)].text == nullptr) return;
        // Beyond the longest text that is kept whole or cut nothing changes.
        if (text.size() <= most_name) text += more.substr(0, 4 * most_name);
    }

    static impl& of(void* self) noexcept
    {
        auto& me = *static_cast<impl*>(self);
        me.told = me.fed;
        return me;
    }
    static void on_begin(void* self, XML_Char const* name, XML_Char const** attributes) { of(self).begin(name, attributes); }
    static void on_end(void* self, XML_Char const* /*name*/)
    {
        // After a refusal expat still tells the end of an empty element.
        if (auto& me = of(self); !me.now.wrong) me.end();
    }
    static void on_text(void* self, XML_Char const* s, int length) { of(self).add_text({s, static_cast<std::size_t>(length)}); }
    static void on_other(void* self, XML_Char const* /*s*/, int /*length*/) { of(self); }
    static void on_doctype(void* self, XML_Char const* /*name*/, XML_Char const* /*system*/, XML_Char const* /*public*/, int /*has_subset*/)
    {
        of(self).refuse(fault::kind::refused, "a document type declaration, which no report needs");
    }

    result<void> parse(std::string_view octets, bool last)
    {
        if (now.wrong) return std::unexpected(*now.wrong);
        fed += octets.size();
        auto const did = XML_Parse(parser, octets.data(), static_cast<int>(octets.size()), last ? XML_TRUE : XML_FALSE);
        if (did != XML_STATUS_OK && !now.wrong) {
            auto const code = XML_GetErrorCode(parser);
            if (code == XML_ERROR_NO_MEMORY) throw std::bad_alloc{};
            if (code == XML_ERROR_UNKNOWN_ENCODING)
                now.fail_with(fault::kind::refused, "XML in a charset we do not read");
            else
                now.fail_with(fault::kind::syntax, fmt::format("{}no XML: {}", here(), XML_ErrorString(code)));
        }
        if (fed - told > most_token) now.fail_with(fault::kind::over_limit, fmt::format("a tag or comment of more than {} octets", most_token));
        if (now.wrong) return std::unexpected(*now.wrong);
        return {};
    }
};

dmarc_reader::dmarc_reader() : impl_(std::make_unique<impl>()) {}
dmarc_reader::~dmarc_reader() = default;

result<void> dmarc_reader::feed(std::string_view octets)
{
    constexpr std::size_t piece = std::size_t{64} << 10U;  // most_token is counted in such pieces
    for (std::size_t at = 0; at < octets.size(); at += piece) {
        auto const done = impl_->parse(octets.substr(at, piece), false);
        if (!done) return done;
    }
    return {};
}

result<dmarc_report> dmarc_reader::finish()
{
    auto const done = impl_->parse({}, true);
    if (!done) return fail(done);
    auto& r = impl_->now;
    auto const missing = [](std::string_view what) { return fail(fault::kind::syntax, fmt::format("a DMARC report without {}", what)); };
    if (!r.has_id) return missing("report_id");
    if (!r.has_begin || !r.has_end) return missing("date_range");
    if (r.report.end < r.report.begin) return fail(fault::kind::syntax, "a DMARC report that ends before it begins");
    if (r.report.policy.domain.empty()) return missing("the domain of its policy");
    return std::move(r.report);
}

result<dmarc_report> read_dmarc_report(std::string_view xml)
{
    dmarc_reader in;
    auto const done = in.feed(xml);
    if (!done) return fail(done);
    return in.finish();
}

}  // namespace mansio::reports
