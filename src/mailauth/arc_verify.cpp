#include <chrono>

#include "base/bytes.hpp"
#include "mailauth/arc.hpp"
#include "mailauth/arc_sets.hpp"
#include "mailauth/signature_check.hpp"

namespace mansio::mailauth {
namespace {

using mime::arc_result;
using mime::dkim_result;

constexpr std::chrono::seconds longest{20};
constexpr std::size_t most_octets = 128U * 1024U;  // of all sets: the first is hashed once for each

std::string of_instance(std::string what, std::size_t instance) { return what + " (instance " + std::to_string(instance) + ")"; }

/// What the chain says of itself (§5.2, steps 2 and 3); empty: nothing against it.
std::string against_validation(std::vector<arc_seal> const& seals)
{
    if (seals.back().validation == "fail") return "a handler before us found the chain broken";
    for (std::size_t i = 0; i < seals.size(); ++i)
        if (seals[i].validation != (i == 0 ? "none" : "pass")) return of_instance("a seal with the wrong cv=", i + 1);
    return {};
}

class chain {
public:
    chain(net::resolver& dns, base::clock const& clock, base::worker_pool& pool, signed_message& message, std::vector<arc_set> sets)
        : dns_(dns),
          clock_(clock),
          until_(clock.monotonic() + longest),
          pool_(pool),
          message_(message),
          sets_(std::move(sets))
    {}
    /// Why the chain is broken; empty: it is whole.
    task<std::string> problem();
    [[nodiscard]] std::vector<arc_outcome::seal> seals() const;

private:
    task<std::string> newest_signature();
    task<std::string> seal(std::size_t i);
    task<judgement> key_of(dkim_signature const& s);

    net::resolver& dns_;
    base::clock const& clock_;
    base::monotonic_time until_;
    base::worker_pool& pool_;
    signed_message& message_;
    std::vector<arc_set> sets_;
    std::vector<arc_seal> seals_;
    std::string before_;            // canonical sets
    std::vector<std::size_t> ends_;  // of each set within
    std::optional<public_key> key_;  // of the last key_of()
};

task<judgement> chain::key_of(dkim_signature const& s)
{
    if (clock_.monotonic() > until_) co_return judgement{dkim_result::temperror, "the DNS was too slow"};
    if (s.sha1) co_return judgement{dkim_result::policy, "SHA-1"};
    auto const found = co_await fetch_key(dns_, s.selector, s.domain);
    if (!found.key) co_return judgement{found.result, found.problem};
    key_ = found.key->key;
    co_return fits(*found.key, s);
}

/// Step 4.
task<std::string> chain::newest_signature()
{
    auto const& field = *sets_.back().signature;
    auto const s = parse_arc_message_signature(field.body);
    if (!s) co_return s.error().say;
    for (auto const& name : s->fields)
        if (base::equal_ignoring_case(name, "ARC-Seal")) co_return std::string{"the newest message signature covers a seal"};  // §4.1.2
    auto verdict = co_await key_of(*s);
    if (verdict.result == dkim_result::pass) verdict = co_await judge_on(pool_, message_, field, *s, *key_);
    co_return std::move(verdict.problem);
}

/// Step 6, for one seal: over all sets up to its own, which ends with the seal itself, its b= emptied and without a line end.
task<std::string> chain::seal(std::size_t i)
{
    auto const& s = seals_[i].signature;
    auto const verdict = co_await key_of(s);
    if (verdict.result != dkim_result::pass) co_return verdict.problem;
    auto const& field = *sets_[i].seal;
    auto const whole = canonical_field(message_.text_of(field), canonicalization::relaxed);
    auto own = canonical_field(without_value(message_.text_of(field), s.value), canonicalization::relaxed);
    own.resize(own.size() - 2);
    base::sha256_stream hash;
    hash.feed(std::string_view{before_}.substr(0, ends_[i] - whole.size()));
    hash.feed(own);
    co_return key_->verifies(hash.finish(), s.signature) ? std::string{} : "a seal is not that key's over these sets";
}

task<std::string> chain::problem()
{
    for (std::size_t i = 0; i < sets_.size(); ++i) {
        auto s = parse_arc_seal(sets_[i].seal->body);
        if (!s) co_return of_instance(s.error().say, i + 1);
        seals_.push_back(std::move(*s));
        before_ += canonical_sets(message_, std::span{sets_}.subspan(i, 1));
        ends_.push_back(before_.size());
        if (before_.size() > most_octets) co_return std::string{"the chain is too large"};
    }
    if (auto why = against_validation(seals_); !why.empty()) co_return why;
    if (auto why = co_await newest_signature(); !why.empty()) co_return of_instance(std::move(why), sets_.size());
    for (auto i = sets_.size(); i-- > 0;)
        if (auto why = co_await seal(i); !why.empty()) co_return of_instance(std::move(why), i + 1);
    co_return std::string{};
}

std::vector<arc_outcome::seal> chain::seals() const
{
    std::vector<arc_outcome::seal> out;
    out.reserve(sets_.size());
    for (std::size_t i = 0; i < sets_.size(); ++i) out.push_back({seals_[i].signature.domain, results_of(sets_[i].results->body)});
    return out;
}

}  // namespace

task<arc_outcome> verify_arc(net::resolver& dns, base::clock const& clock, base::worker_pool& pool, signed_message& message)
{
    arc_outcome o;
    auto sets = collect_arc_sets(message.header());
    if (!sets) {
        o.result = arc_result::fail;
        o.problem = sets.error().say;
        co_return o;
    }
    if (sets->empty()) co_return o;
    o.sets = static_cast<unsigned>(sets->size());
    chain c{dns, clock, pool, message, std::move(*sets)};
    o.problem = co_await c.problem();
    o.result = o.problem.empty() ? arc_result::pass : arc_result::fail;
    if (o.result == arc_result::pass) o.seals = c.seals();
    co_return o;
}

}  // namespace mansio::mailauth
