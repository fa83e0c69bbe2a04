#include "mailauth/dmarc.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/domain_names.hpp"

namespace mansio::mailauth {
namespace {

using mime::dkim_result;
using mime::dmarc_policy;
using mime::dmarc_result;
using mime::spf_result;
using net::dns_status;

constexpr unsigned most_questions = 40;
constexpr std::size_t most_labels = 7;  // RFC 9989 §4.10: of a longer name the walk goes on with its last seven
constexpr std::chrono::seconds longest{20};
constexpr std::size_t longest_shown = 512;

std::size_t labels_of(std::string_view name) noexcept { return static_cast<std::size_t>(std::ranges::count(name, '.')) + 1; }

/// The name without its first label; empty: it had one.
std::string_view parent_of(std::string_view name) noexcept
{
    auto const dot = name.find('.');
    return dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
}

/// Where a walk goes next.
std::string_view above(std::string_view name) noexcept
{
    name = parent_of(name);
    while (labels_of(name) > most_labels) name = parent_of(name);
    return name;
}

/// A record and where it stands.
struct published {
    std::string domain;
    std::string text;
    dmarc_record record;
};

/// One evaluation: what it asked already and how much it may still ask.
class evaluation {
public:
    evaluation(net::resolver& dns, base::clock const& clock, dmarc_request const& r)
        : dns_(dns),
          clock_(clock),
          until_(clock.monotonic() + longest),
          request_(r)
    {}
    task<dmarc_outcome> run();

private:
    /// What stands at _dmarc.NAME; none when there is nothing, more than one, or the DNS does not answer (then trouble_ says so).
    task<published const*> at(std::string name);
    /// From `name` upwards, `name` first, until a record says where the organisation ends (RFC 9989 §4.10).
    task<std::vector<published const*>> walk(std::string name);
    task<std::string> organizational(std::string name);
    task<bool> aligned(std::string name, bool strict);
    task<void> find_policy();
    task<void> align();
    task<dmarc_policy> policy_of_author();
    [[nodiscard]] bool may_ask();

    net::resolver& dns_;
    base::clock const& clock_;
    base::monotonic_time until_;
    dmarc_request const& request_;
    dmarc_outcome out_;
    std::vector<std::pair<std::string, std::unique_ptr<published>>> asked_;
    published const* policy_ = nullptr;
    std::string trouble_;  // of the DNS
    unsigned questions_ = 0;
};

bool evaluation::may_ask()
{
    if (++questions_ <= most_questions && clock_.monotonic() <= until_) return true;
    if (trouble_.empty()) trouble_ = "too many questions to the DNS, or too slow answers";
    return false;
}

task<published const*> evaluation::at(std::string name)
{
    auto const before = std::ranges::find(asked_, name, &decltype(asked_)::value_type::first);
    if (before != asked_.end()) co_return before->second.get();
    if (!may_ask()) co_return nullptr;
    auto const answer = co_await dns_.txt("_dmarc." + name);
    auto& kept = asked_.emplace_back(name, nullptr).second;
    if (answer.status == dns_status::failed) {
        if (trouble_.empty()) trouble_ = no_answer_for("_dmarc." + name, answer.why);
        co_return nullptr;
    }
    std::vector<std::string_view> records;
    for (auto const& text : answer.records)
        if (is_dmarc_record(text)) records.push_back(text);
    if (records.size() != 1) co_return nullptr;  // two are as none (RFC 9989 §4.10)
    auto record = parse_dmarc_record(records.front());
    if (!record) {
        if (name == request_.from) out_.problem = record.error().say;
        co_return nullptr;
    }
    kept = std::make_unique<published>(published{name, std::string{records.front()}, std::move(*record)});
    co_return kept.get();
}

task<std::vector<published const*>> evaluation::walk(std::string name)
{
    std::vector<published const*> found;
    for (std::string_view here = name; !here.empty(); here = above(here)) {
        auto const* const record = co_await at(std::string{here});
        if (record == nullptr) continue;
        found.push_back(record);
        if (record->record.is_suffix == dmarc_record::suffix::no) break;
        if (record->record.is_suffix == dmarc_record::suffix::yes) break;
    }
    co_return found;
}

/// RFC 9989 §4.10.2; RFC 7489 §3.2.
task<std::string> evaluation::organizational(std::string name)
{
    if (request_.by == organizational_by::public_suffix) co_return request_.suffixes->registrable(name);
    auto const found = co_await walk(name);
    if (found.empty()) co_return name;
    auto const& last = *found.back();
    if (last.record.is_suffix != dmarc_record::suffix::yes || last.domain == name) co_return last.domain;
    // One label below the suffix: what of the name stands before it, without all but its last label.
    auto const below = std::string_view{name}.substr(0, name.size() - last.domain.size() - 1);
    auto const dot = below.rfind('.');
    co_return std::string{dot == std::string_view::npos ? std::string_view{name} : std::string_view{name}.substr(dot + 1)};
}

/// The author's own record, else the organisation's, else that of the suffix it is under (RFC 9989 §4.10.1; RFC 7489 §6.6.3, RFC 9091 §3.5).
task<void> evaluation::find_policy()
{
    policy_ = co_await at(request_.from);
    out_.organizational_domain = co_await organizational(request_.from);
    if (policy_ == nullptr && out_.organizational_domain != request_.from) policy_ = co_await at(out_.organizational_domain);
    if (policy_ != nullptr) co_return;
    auto const suffix = std::string{parent_of(out_.organizational_domain)};
    if (suffix.empty()) co_return;
    auto const* const above_all = co_await at(suffix);
    // A suffix speaks for what is below it only when it says that it is one.
    if (above_all != nullptr && above_all->record.is_suffix == dmarc_record::suffix::yes) policy_ = above_all;
}

task<bool> evaluation::aligned(std::string name, bool strict)
{
    name = base::to_lower_ascii(name);
    if (name.ends_with('.')) name.pop_back();
    if (name == request_.from) co_return true;
    if (strict || !is_same_or_below(name, out_.organizational_domain)) co_return false;
    co_return co_await organizational(name) == out_.organizational_domain;
}

task<void> evaluation::align()
{
    auto const& record = policy_->record;
    if (request_.spf != nullptr && request_.spf->result == spf_result::pass) out_.spf_aligned = co_await aligned(request_.spf->domain, record.strict_spf);
    for (auto const& signature : request_.dkim) {
        if (out_.dkim_aligned) break;
        if (signature.result == dkim_result::pass) out_.dkim_aligned = co_await aligned(signature.domain, record.strict_dkim);
    }
}

task<dmarc_policy> evaluation::policy_of_author()
{
    auto const& record = policy_->record;
    if (policy_->domain == request_.from) co_return *record.policy;
    auto const of_subdomain = record.subdomain_policy.value_or(*record.policy);
    if (!record.absent_policy) co_return of_subdomain;
    if (!may_ask()) co_return of_subdomain;
    auto const there = co_await dns_.addresses(request_.from);
    co_return there.status == dns_status::no_such_name ? *record.absent_policy : of_subdomain;
}

/// A word that a checked identifier was not told for sure.
bool undecided(dmarc_request const& r)
{
    return (r.spf != nullptr && r.spf->result == spf_result::temperror) ||
           std::ranges::any_of(r.dkim, [](auto const& s) { return s.result == dkim_result::temperror; });
}

dmarc_policy milder(dmarc_policy p) { return p == dmarc_policy::reject ? dmarc_policy::quarantine : dmarc_policy::none; }

task<dmarc_outcome> evaluation::run()
{
    out_.domain = request_.from;
    if (request_.from.empty()) co_return out_;
    co_await find_policy();
    if (policy_ == nullptr) {
        if (!trouble_.empty()) {
            out_.result = dmarc_result::temperror;
            out_.problem = trouble_;
        } else if (!out_.problem.empty())
            out_.result = dmarc_result::permerror;
        co_return out_;
    }
    out_.problem.clear();
    out_.policy_domain = policy_->domain;
    out_.record = base::printable(policy_->text, longest_shown);
    out_.report_to = policy_->record.report_to;
    co_await align();
    if (out_.spf_aligned || out_.dkim_aligned) {
        out_.result = dmarc_result::pass;
        out_.published = co_await policy_of_author();
        co_return out_;
    }
    if (!trouble_.empty() || undecided(request_)) {
        out_.result = dmarc_result::temperror;
        out_.problem = trouble_.empty() ? "the DNS did not answer for SPF or DKIM" : trouble_;
        co_return out_;
    }
    out_.result = dmarc_result::fail;
    out_.published = co_await policy_of_author();
    out_.tested = policy_->record.testing || request_.percentile >= policy_->record.percent;
    out_.wanted = out_.tested ? milder(out_.published) : out_.published;
    co_return out_;
}

}  // namespace

task<dmarc_outcome> check_dmarc(net::resolver& dns, base::clock const& clock, dmarc_request request)
{
    MANSIO_ASSERT(request.by == organizational_by::tree_walk || request.suffixes != nullptr);
    evaluation e{dns, clock, request};
    co_return co_await e.run();
}

}  // namespace mansio::mailauth
