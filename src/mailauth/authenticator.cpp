#include "mailauth/authenticator.hpp"

#include <array>

#include "mailauth/arc.hpp"
#include "mailauth/authentication_results.hpp"
#include "mailauth/dkim.hpp"
#include "mailauth/dmarc.hpp"
#include "mailauth/iprev.hpp"
#include "mailauth/spf.hpp"

namespace mansio::mailauth {
namespace {

/// Figures of one check, one for each of its results.
template <class Result, std::size_t count> class tally {
public:
    tally(base::metrics& m, std::string const& check)
    {
        for (std::size_t i = 0; i < count; ++i)
            counters_[i] = &m.get_counter("mansio_authentication_results_total", "checks of who sent a message, by what they came to",
                                          "check=\"" + check + "\",result=\"" + std::string{name_of(static_cast<Result>(i))} + "\"");
    }
    void add(Result r) { counters_[static_cast<std::size_t>(r)]->add(); }

private:
    std::array<base::counter*, count> counters_{};
};

}  // namespace

struct authenticator::impl {
    authenticator_parts with;
    authenticator_options set;
    std::unique_ptr<public_suffixes> suffixes;
    tally<mime::spf_result, 7> spf{with.metrics, "spf"};
    tally<mime::dkim_result, 7> dkim{with.metrics, "dkim"};
    tally<mime::arc_result, 3> arc{with.metrics, "arc"};
    tally<mime::dmarc_result, 5> dmarc{with.metrics, "dmarc"};

    impl(authenticator_parts p, authenticator_options o) : with(p), set(std::move(o))
    {
        if (set.by_public_suffix) suffixes = std::make_unique<public_suffixes>();
    }
    task<void> check_host(request const& r, mime::authentication& into);
    task<void> check_path(request const& r, mime::authentication& into);
    task<void> check_signatures(signed_message& message, mime::authentication& into);
    task<void> check_policy(request const& r, mime::authentication& into);
    void count(mime::authentication const& found);
};

task<void> authenticator::impl::check_host(request const& r, mime::authentication& into)
{
    if (auto const client = net::ip_address::parse(r.client)) into.iprev = co_await check_iprev(with.dns, *client);
}

task<void> authenticator::impl::check_path(request const& r, mime::authentication& into)
{
    auto const client = net::ip_address::parse(r.client);
    if (!client) co_return;
    spf_request s;
    s.client = *client;
    s.helo = r.helo;
    s.mail_from = r.mail_from;
    s.receiver = set.hostname;
    into.spf = co_await check_spf(with.dns, with.clock, std::move(s));
}

/// One after the other: they share the hash of the body.
task<void> authenticator::impl::check_signatures(signed_message& message, mime::authentication& into)
{
    into.dkim = co_await verify_dkim(with.dns, with.clock, with.pool, message);
    into.arc = co_await verify_arc(with.dns, with.clock, with.pool, message);
}

task<void> authenticator::impl::check_policy(request const& r, mime::authentication& into)
{
    dmarc_request d;
    d.from = r.author;
    d.spf = &into.spf;
    d.dkim = into.dkim;
    d.percentile = static_cast<unsigned>(with.random.below(100));
    d.by = suffixes ? organizational_by::public_suffix : organizational_by::tree_walk;
    d.suffixes = suffixes.get();
    into.dmarc = co_await check_dmarc(with.dns, with.clock, d);
    if (into.dmarc.result == mime::dmarc_result::fail) into.vouched_by = vouching_sealer(into.arc, set.trusted_sealers, r.author);
}

void authenticator::impl::count(mime::authentication const& found)
{
    spf.add(found.spf.result);
    if (found.dkim.empty()) dkim.add(mime::dkim_result::none);
    for (auto const& s : found.dkim) dkim.add(s.result);
    arc.add(found.arc.result);
    dmarc.add(found.dmarc.result);
}

authenticator::authenticator(authenticator_parts p, authenticator_options o) : impl_(std::make_unique<impl>(p, std::move(o))) {}
authenticator::~authenticator() = default;

task<std::shared_ptr<mime::authentication const>> authenticator::check(request r, signed_message& message)
{
    auto found = std::make_shared<mime::authentication>();
    found->iprev.address = r.client;
    // Nobody waits for the DNS twice where it can be asked at once.
    base::task_group asking{base::executor::current()};
    asking.spawn(impl_->check_host(r, *found));
    asking.spawn(impl_->check_path(r, *found));
    asking.spawn(impl_->check_signatures(message, *found));
    co_await asking.join();
    co_await impl_->check_policy(r, *found);
    impl_->count(*found);
    co_return std::shared_ptr<mime::authentication const>{std::move(found)};
}

std::string authenticator::field(mime::authentication const* found, std::string const& mail_from, std::string const& helo) const
{
    auto const body = found == nullptr ? impl_->set.hostname + "; none" : authentication_results(impl_->set.hostname, *found, {mail_from, helo});
    return "Authentication-Results: " + body + "\r\n";
}

}  // namespace mansio::mailauth
