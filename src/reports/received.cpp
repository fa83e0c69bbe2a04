#include "reports/received.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"
#include "reports/texts.hpp"

namespace mansio::reports {
namespace {

constexpr store::partition_id where{store::partition_kind::report, 0};
constexpr std::uint8_t format = 1;
constexpr std::uint32_t days_kept = 400;
constexpr std::size_t most_reports_a_day = 2'000;  // for one domain: an address that is flooded fills no disk
constexpr std::size_t rows_at_once = 500;
constexpr int most_tries = 20;  // of a commit that others come before

std::string day_key(char letter, report_kind what, std::string_view domain, std::uint32_t day)
{
    return base::row_writer{}.u8(static_cast<std::uint8_t>(letter)).u8(static_cast<std::uint8_t>(what)).raw(domain).u8(0).be32(day).take();
}

struct day_name {
    report_kind what = report_kind::dmarc;
    std::string domain;
    std::uint32_t day = 0;
};
std::optional<day_name> read_day_key(std::string_view key)
{
    auto const nul = key.find('\0', 2);
    if (key.size() < 3 || nul == std::string_view::npos || key.size() < nul + 5) return std::nullopt;
    base::row_reader day{key.substr(nul + 1)};
    return day_name{static_cast<report_kind>(key[1]), std::string{key.substr(2, nul - 2)}, day.be32()};
}

std::string id_of(std::string_view authenticated, std::string_view report_id)
{
    auto const digest = base::sha256(std::string{authenticated} + '\0' + std::string{report_id});
    return {reinterpret_cast<char const*>(digest.data()), 16};
}

/// "user@Example.org" → "example.org"
std::optional<std::string> domain_of(std::string_view address)
{
    auto const at = address.rfind('@');
    return at == std::string_view::npos ? std::nullopt : domain_key(address.substr(at + 1));
}

/// One domain's share of a report that may be counted.
struct share {
    day_name name;
    std::string authenticated, reporter, report_id;
};

/// RFC 8460 §3: a signature by the reporting domain, which §5.3 says is that of the contact.
std::optional<std::string> signer_of(tls_report const& r, report_origin const& from)
{
    auto const contact = domain_of(r.contact);
    if (!contact) return std::nullopt;
    for (auto const& d : from.dkim_domains) {
        auto const signer = domain_key(d);
        if (signer && mailauth::is_same_or_below(*contact, *signer)) return signer;
    }
    return std::nullopt;
}

result<day_line> line_of(day_name const& name, std::string_view row)
{
    day_line line{name.what, name.domain, name.day, 0, 0, 0};
    if (name.what == report_kind::dmarc) {
        auto const d = decode_dmarc_day(row);
        if (!d) return fail(d);
        line.reports = d->reports;
        line.messages = d->figures.messages;
        line.failed = d->figures.messages - d->figures.either;
        return line;
    }
    auto const d = decode_tls_day(row);
    if (!d) return fail(d);
    line.reports = d->reports;
    for (auto const& p : d->policies) {
        line.messages = add_counts(line.messages, add_counts(p.successes, p.failures));
        line.failed = add_counts(line.failed, p.failures);
    }
    return line;
}

}  // namespace

struct received_reports::impl : parts {
    base::counter& counted;
    base::counter& refused;

    explicit impl(parts p)
        : parts(std::move(p)),
          counted(metrics.get_counter("mansio_reports_received_total", "DMARC and TLS reports counted")),
          refused(metrics.get_counter("mansio_reports_refused_total", "DMARC and TLS reports not counted: unreadable, not authenticated, not about us"))
    {}

    [[nodiscard]] std::uint32_t today() const
    {
        return static_cast<std::uint32_t>(std::chrono::floor<std::chrono::days>(clock.wall()).time_since_epoch().count());
    }
    [[nodiscard]] result<std::uint32_t> day_of(std::int64_t begin) const
    {
        auto const day = static_cast<std::uint32_t>(begin / day_seconds);
        if (day > today()) return fail(fault::kind::refused, "a report of a day that has not come");
        if (day + days_kept < today()) return fail(fault::kind::refused, fmt::format("a report older than {} days", days_kept));
        return day;
    }

    task<result<std::string>> our_domain(std::string text)
    {
        auto const domain = domain_key(text);
        if (!domain) co_return fail(fault::kind::refused, "a report about something that is no domain");
        auto const ours = co_await is_ours(*domain);
        if (!ours) co_return fail(ours);
        if (!*ours) co_return fail(fault::kind::refused, "a report about a domain that is not ours", *domain);
        co_return *domain;
    }

    task<result<std::vector<share>>> shares_of(dmarc_report const& r, report_origin const& from)
    {
        auto const sender = domain_key(from.from_domain);
        if (!from.aligned || !sender) co_return fail(fault::kind::refused, "a DMARC report whose sender is not authenticated");  // RFC 7489 §7.2.1.1
        auto const day = day_of(r.begin);
        if (!day) co_return fail(day);
        auto domain = co_await our_domain(r.policy.domain);
        if (!domain) co_return fail(domain);
        co_return std::vector{share{{report_kind::dmarc, std::move(*domain), *day}, *sender, r.org_name, r.report_id}};
    }
    task<result<std::vector<share>>> shares_of(tls_report const& r, report_origin const& from)
    {
        auto const signer = signer_of(r, from);
        if (!signer) co_return fail(fault::kind::refused, "a TLS report that the domain of its contact did not sign");
        auto const day = day_of(r.begin);
        if (!day) co_return fail(day);
        std::vector<share> out;
        std::set<std::string> seen;
        fault wrong{fault::kind::refused, "a TLS report without policies"};
        for (auto const& p : r.policies) {
            if (!seen.insert(p.domain).second || seen.size() > 100) continue;
            auto domain = co_await our_domain(p.domain);
            if (!domain && domain.error().what != fault::kind::refused) co_return fail(domain);
            if (!domain) {
                wrong = domain.error();
                continue;
            }
            bool const already = std::ranges::any_of(out, [&](share const& s) { return s.name.domain == *domain; });
            if (!already) out.push_back({{report_kind::tls, std::move(*domain), *day}, *signer, r.organization, r.report_id});
        }
        if (out.empty()) co_return std::unexpected(wrong);
        co_return out;
    }

    /// The row with the report added to it.
    static result<std::string> added(std::optional<std::string> const& row, dmarc_report const& r, share const& /*of*/)
    {
        auto d = row ? decode_dmarc_day(*row) : result<dmarc_day>{dmarc_day{}};
        if (!d) return fail(d);
        add_report(*d, r);
        return encode(*d);
    }
    static result<std::string> added(std::optional<std::string> const& row, tls_report const& r, share const& of)
    {
        auto d = row ? decode_tls_day(*row) : result<tls_day>{tls_day{}};
        if (!d) return fail(d);
        add_report(*d, r, of.name.domain);
        return encode(*d);
    }

    /// True: counted; false: it was already.
    template <class R> task<result<bool>> count(R const& report, share of)
    {
        auto const sum_key = day_key('s', of.name.what, of.name.domain, of.name.day);
        auto const prefix = day_key('i', of.name.what, of.name.domain, of.name.day);
        auto const id_key = prefix + id_of(of.authenticated, of.report_id);
        for (int n = 0; n < most_tries; ++n) {
            auto const seen = co_await engine.get(where, id_key);
            if (!seen) co_return fail(seen);
            if (*seen) co_return false;
            auto const row = co_await engine.get(where, sum_key);
            if (!row) co_return fail(row);
            auto const others =
                co_await engine.scan(where, store::key_range::prefix(prefix), most_reports_a_day, store::direction::forward, store::reuse::unlikely);
            if (!others) co_return fail(others);
            if (others->size() >= most_reports_a_day)
                co_return fail(fault::kind::over_limit, fmt::format("more than {} reports for one domain and day", most_reports_a_day));
            auto sum = added(*row, report, of);
            if (!sum) co_return fail(sum);
            auto const now = std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count();
            store::change c;
            c.where = where;
            c.id = store::change_id::make(random);
            c.note = "report";
            c.guards = {{sum_key, *row}, {id_key, std::nullopt}};
            c.rows = {
                {sum_key, std::move(*sum)},
                {id_key,
                 base::row_writer{}.u8(format).signed_varint(now).octets(shortened(of.reporter, 255)).octets(shortened(of.report_id, 255)).take_sealed()}};
            auto const done = co_await engine.commit(std::move(c));
            if (done) co_return true;
            if (done.error().what != fault::kind::conflict) co_return fail(done);
        }
        co_return fail(fault::kind::try_later, "too many reports at once");
    }

    template <class R> task<result<void>> take(R const& report, report_origin const& from, receipt& into)
    {
        auto const shares = co_await shares_of(report, from);
        if (!shares) co_return fail(shares);
        bool any = false;
        for (auto const& s : *shares) {
            auto const done = co_await count(report, s);
            if (!done) co_return fail(done);
            any = any || *done;
            log.info(
                *done ? "report_counted" : "report_repeated",
                {{"kind", name_of(s.name.what)}, {"domain", s.name.domain}, {"day", write_day(s.name.day)}, {"reporter", s.reporter}, {"id", s.report_id}});
        }
        any ? ++into.counted : ++into.repeated;
        if (any) counted.add();
        co_return result<void>{};
    }

    /// Errors: the store's alone; what is wrong with the report goes into the receipt.
    task<result<void>> take_part(report_part part, report_origin const& from, receipt& into)
    {
        auto const read = co_await pool.run([&] { return read_report(part); });
        result<void> done;
        if (!read)
            done = fail(read);
        else if (!*read)
            done = fail(*read);
        else if (auto const* dmarc = std::get_if<dmarc_report>(&**read))
            done = co_await take(*dmarc, from, into);
        else
            done = co_await take(std::get<tls_report>(**read), from, into);
        if (done) co_return done;
        bool const ours_to_blame =
            !read || done.error().what == fault::kind::broken || done.error().what == fault::kind::try_later || done.error().what == fault::kind::timeout;
        if (ours_to_blame) co_return done;
        refused.add();
        log.info("report_refused", {{"kind", name_of(part.what)}, {"from", from.from_domain}, {"file", part.file_name}, {"why", done.error()}});
        into.problems.push_back(std::move(done.error()));
        co_return result<void>{};
    }

    task<result<std::size_t>> forget_prefix(char letter)
    {
        std::size_t gone = 0;
        auto range = store::key_range::prefix(std::string(1, letter));
        while (true) {
            auto const rows = co_await engine.scan(where, range, rows_at_once, store::direction::forward, store::reuse::unlikely);
            if (!rows) co_return fail(rows);
            store::change c;
            c.where = where;
            c.id = store::change_id::make(random);
            c.note = "forget";
            for (auto const& r : *rows) {
                auto const name = read_day_key(r.key);
                if (name && name->day + days_kept < today()) c.rows.push_back({r.key, std::nullopt});
            }
            gone += c.rows.size();
            if (!c.rows.empty()) {
                auto const done = co_await engine.commit(std::move(c));
                if (!done) co_return fail(done);
            }
            if (rows->size() < rows_at_once) co_return gone;
            range.from = rows->back().key + '\0';
        }
    }
};

received_reports::received_reports(parts p) : impl_(std::make_unique<impl>(std::move(p))) {}
received_reports::~received_reports() = default;

task<result<receipt>> received_reports::receive(mime::octets message, report_origin from)
{
    receipt out;
    for (auto& part : find_reports(message, impl_->limits)) {
        auto const done = co_await impl_->take_part(std::move(part), from, out);
        if (!done) co_return fail(done);
    }
    co_return out;
}

task<result<std::vector<day_line>>> received_reports::list(day_filter f)
{
    std::vector<day_line> out;
    auto const domain = domain_key(f.domain);
    if (!f.domain.empty() && !domain) co_return out;
    for (auto const what : {report_kind::dmarc, report_kind::tls}) {
        if (f.what && *f.what != what) continue;
        std::string prefix{'s', static_cast<char>(what)};
        if (domain) prefix += *domain + '\0';
        auto range = store::key_range::prefix(prefix);
        while (out.size() < f.most) {
            auto const rows = co_await impl_->engine.scan(where, range, rows_at_once, store::direction::forward, store::reuse::unlikely);
            if (!rows) co_return fail(rows);
            for (auto const& r : *rows) {
                auto const name = read_day_key(r.key);
                if (!name || name->day < f.from || name->day > f.to || out.size() == f.most) continue;
                auto line = line_of(*name, r.value);
                if (!line) co_return fail(line);
                out.push_back(std::move(*line));
            }
            if (rows->size() < rows_at_once) break;
            range.from = rows->back().key + '\0';
        }
    }
    co_return out;
}

task<result<dmarc_day>> received_reports::show_dmarc(std::string domain, std::uint32_t day)
{
    auto const key = domain_key(domain);
    auto const row = co_await impl_->engine.get(where, day_key('s', report_kind::dmarc, key.value_or(""), day));
    if (!row) co_return fail(row);
    if (!*row) co_return fail(fault::kind::not_found, "no DMARC report about that domain and day");
    co_return decode_dmarc_day(**row);
}

task<result<tls_day>> received_reports::show_tls(std::string domain, std::uint32_t day)
{
    auto const key = domain_key(domain);
    auto const row = co_await impl_->engine.get(where, day_key('s', report_kind::tls, key.value_or(""), day));
    if (!row) co_return fail(row);
    if (!*row) co_return fail(fault::kind::not_found, "no TLS report about that domain and day");
    co_return decode_tls_day(**row);
}

task<result<std::size_t>> received_reports::forget()
{
    auto const sums = co_await impl_->forget_prefix('s');
    if (!sums) co_return fail(sums);
    auto const ids = co_await impl_->forget_prefix('i');
    if (!ids) co_return fail(ids);
    co_return *sums + *ids;
}

}  // namespace mansio::reports
