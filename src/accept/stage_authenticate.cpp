// authenticate: who really sent it, and what the author's domain wants done when nobody knows.
#include <algorithm>
#include <array>

#include "accept/stages.hpp"
#include "base/bytes.hpp"
#include "mime/author.hpp"

namespace mansio::accept::stages {
namespace {

constexpr std::array<std::string_view, 4> author_fields{"From", "Sender", "Resent-From", "Resent-Sender"};
constexpr std::size_t most_authors = 20;

/// Of the machine itself nobody in the DNS knows anything.
bool is_this_machine(client const& c) { return c.local || c.peer.starts_with("127.") || c.peer == "::1"; }

/// The reverse-path as the DNS is asked about it.
std::string sender_in_ascii(message const& m)
{
    if (!m.sender) return {};
    auto address = *m.sender;
    if (auto domain = mime::canonical_domain(address.domain)) address.domain = std::move(*domain);
    return address.text();
}

std::unique_ptr<mailauth::signed_message> as_it_came(workshop& w, message const& m)
{
    auto const& original = m.incoming->original_header();
    if (original.empty()) return std::make_unique<mailauth::signed_message>(m.octets, w.with.limits);
    return std::make_unique<mailauth::signed_message>(original, m.octets, m.summary->header_size, w.with.limits);
}

/// Words for the one whose message is refused; the domain's owner reads them in what comes back.
reply refused_by_policy(mime::dmarc_outcome const& d)
{
    return {550, "5.7.1",
            "the message is not from " + d.domain +
                " as its From field says: neither SPF nor DKIM proves it, and that domain asks to refuse such mail (DMARC)"};
}

/// Every address by which a person's message says who wrote or sent it; nothing of what is inside of it counts.
std::vector<mime::address> authors_of(mime::header_block const& header, base::limits const& limits)
{
    std::vector<mime::address> all;
    for (auto const& f : header.fields) {
        if (std::ranges::none_of(author_fields, [&](auto name) { return base::equal_ignoring_case(f.name, name); })) continue;
        base::budget most{limits.addresses_per_field};
        for (auto& a : mime::parse_address_list(f.body, most))
            if (a.what == mime::address::kind::mailbox) all.push_back(std::move(a));
    }
    return all;
}

/// trust.md R2: people write in their own names.
stage_result own_author(workshop& w, message& m)
{
    mailauth::signed_message const whole{m.octets, w.with.limits};
    auto const author = mime::read_author(whole.header(), w.with.limits);
    if (!author && author.error().what != fault::kind::not_found) co_return decision::stop({550, "5.7.1", author.error().say});
    auto const all = authors_of(whole.header(), w.with.limits);
    if (all.size() > most_authors) co_return decision::stop({550, "5.7.1", "too many addresses in From and Sender"});
    for (auto const& a : all) {
        auto const theirs = co_await is_address_of(w, {a.mailbox, a.host}, m.from->account);
        if (!theirs) co_return decision::stop(reply_for(theirs.error(), {451, "4.3.0", "try again later"}));
        if (!*theirs)
            co_return decision::stop({553, "5.7.1", "From or Sender has an address that is not yours: " + base::printable(a.mailbox + "@" + a.host, 100)});
    }
    co_return decision::pass();
}

}  // namespace

stage_result authenticate(workshop& w, message& m)
{
    if (m.from->through == door::submission) co_return co_await own_author(w, m);
    if (m.from->through != door::mx) co_return decision::pass();
    auto const whole = as_it_came(w, m);
    auto const author = mime::read_author(whole->header(), w.with.limits);
    auto const here = is_this_machine(*m.from);
    // A program on this machine may forget its From; whoever spells it to fool is refused wherever it sits.
    if (!author && !(here && author.error().what == fault::kind::not_found)) co_return decision::stop({550, "5.7.1", author.error().say});
    auto const mail_from = sender_in_ascii(m);
    if (!w.set.check_senders || here) {
        m.results = w.with.senders.field(nullptr, mail_from, m.from->greeting);
        co_return decision::pass();
    }
    mailauth::authenticator::request r{m.from->peer, m.from->greeting, mail_from, author->domain};
    m.authentication = co_await w.with.senders.check(std::move(r), *whole);
    m.results = w.with.senders.field(m.authentication.get(), mail_from, m.from->greeting);
    auto const& dmarc = m.authentication->dmarc;
    if (dmarc.wanted == mime::dmarc_policy::reject && m.authentication->vouched_by.empty() && w.set.obey_dmarc)
        co_return decision::stop(refused_by_policy(dmarc));
    co_return decision::pass();
}

}  // namespace mansio::accept::stages
