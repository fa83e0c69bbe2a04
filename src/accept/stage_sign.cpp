// sign: what a person sends, in the name of its From domain when that is ours; what is handed on for an alias, by the domain that does (trust.md R2).
#include <algorithm>

#include "accept/stages.hpp"
#include "mime/author.hpp"

namespace mansio::accept::stages {
namespace {

constexpr std::string_view results_name = "Authentication-Results: ";

/// The domain of the first recipient of ours whose mail goes on to another server.
std::string forwarding_domain(message const& m)
{
    for (auto const& r : m.recipients)
        if (std::ranges::any_of(r.targets, [](auto const& t) { return t.forwarded && t.account == 0; })) return r.given.domain;
    return {};
}

task<void> sign_submission(workshop& w, message& m)
{
    mailauth::signed_message whole{m.octets, w.with.limits};
    auto const author = mime::read_author(whole.header(), w.with.limits);
    if (!author) co_return;
    auto keys = co_await w.with.keys.keys_of(author->domain);
    m.signatures = co_await mailauth::sign_message(w.with.pool, w.with.clock, whole, std::move(keys));
}

/// RFC 8617 §5.1: what we found out, for those behind us who trust us.
task<void> seal_forwarded(workshop& w, message& m)
{
    auto const domain = mime::canonical_domain(forwarding_domain(m));
    if (!domain || m.results.empty()) co_return;
    auto keys = co_await w.with.keys.keys_of(*domain);
    if (keys.empty()) co_return;
    mailauth::signed_message whole{m.octets, w.with.limits};
    auto const chain = m.authentication ? m.authentication->arc : mime::arc_outcome{};
    auto results = m.results.substr(results_name.size(), m.results.size() - results_name.size() - 2);
    m.signatures = co_await mailauth::seal_message(w.with.pool, w.with.clock, whole, chain, std::move(results), std::move(keys));
}

}  // namespace

stage_result sign(workshop& w, message& m)
{
    if (m.from->through == door::submission)
        co_await sign_submission(w, m);
    else if (m.from->through == door::mx)
        co_await seal_forwarded(w, m);
    co_return decision::pass();
}

}  // namespace mansio::accept::stages
