// links: mailauth
// A domain's records and a message's signatures, all written by strangers. The first octet chooses; the properties: what is canonical stays as it is, a cut body
// comes out as the whole one does, an evaluation asks the DNS a bounded number of questions, a signature never passes that nobody made, and what
// strangers wrote is never read back as a result of ours.
#include <memory>

#include "base/executor.hpp"
#include "mailauth/arc.hpp"
#include "mailauth/authentication_results.hpp"
#include "mailauth/dkim.hpp"
#include "mailauth/dmarc.hpp"
#include "mailauth/spf.hpp"
#include "mailauth/spf_macro.hpp"
#include "mailauth/spf_record.hpp"
#include "mailauth/tag_list.hpp"

using namespace mansio;
using namespace mansio::mailauth;

namespace {

/// Whoever asks for whatever gets the same record.
class one_answer final : public net::resolver {
public:
    explicit one_answer(std::string record) : record_(std::move(record)) {}
    unsigned questions = 0;
    task<net::dns_answer<net::mx_record>> mx(std::string name) override
    {
        ++questions;
        net::mx_record r;
        r.host = std::move(name);
        co_return net::dns_found<net::mx_record>({r});
    }
    task<net::dns_answer<net::ip_address>> addresses(std::string name) override { return ipv4(std::move(name)); }
    task<net::dns_answer<net::ip_address>> ipv4(std::string) override
    {
        ++questions;
        co_return net::dns_found<net::ip_address>({net::ip_address::v4({192, 0, 2, 1})});
    }
    task<net::dns_answer<net::ip_address>> ipv6(std::string) override
    {
        ++questions;
        co_return net::dns_without<net::ip_address>(net::dns_status::no_data);
    }
    task<net::dns_answer<std::string>> txt(std::string) override
    {
        ++questions;
        co_return net::dns_found<std::string>({record_});
    }
    task<net::dns_answer<std::string>> ptr(net::ip_address) override
    {
        ++questions;
        co_return net::dns_found<std::string>({"host.example.test"});
    }

private:
    std::string record_;
};

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::worker_pool pool{"fuzz", 1, 1};
    base::limits limits;
};
world& here()
{
    static world w;
    return w;
}

void check_canonical(std::string_view text, canonicalization how)
{
    auto const form = [how](std::string_view first, std::string_view second) {
        std::string out;
        canonical_body b{how, [&](std::string_view octets) { out += octets; }};
        b.feed(first);
        b.feed(second);
        b.finish();
        return out;
    };
    auto const whole = form(text, {});
    MANSIO_ASSERT(form(text.substr(0, text.size() / 2), text.substr(text.size() / 2)) == whole);
    MANSIO_ASSERT(form(whole, {}) == whole);
    auto const field = canonical_field(text, how);
    if (how == canonicalization::relaxed) MANSIO_ASSERT(canonical_field(field, how) == field);
}

void check_spf_of(std::string_view text)
{
    one_answer dns{std::string{text}};
    spf_request r;
    r.client = net::ip_address::v4({192, 0, 2, 7});
    r.helo = "mail.example.test";
    r.mail_from = "a.b@example.test";
    auto const out = here().loop.run(check_spf(dns, here().clock, r));
    MANSIO_ASSERT(dns.questions <= 150);
    for (char const c : out.explanation) MANSIO_ASSERT(c >= ' ' && c <= '~');
    if (auto const record = parse_spf_record(text)) {
        spf_macro_values v;
        for (auto const& d : record->directives) MANSIO_ASSERT(d.target.empty() || expand_spf_macros(d.target, v, spf_text::term));
    }
}

void check_dkim_of(std::string_view text)
{
    one_answer dns{"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="};
    signed_message m{mime::octets{std::string{text}}, here().limits};
    auto const all = here().loop.run(verify_dkim(dns, here().clock, here().pool, m));
    MANSIO_ASSERT(all.size() <= 10 && dns.questions <= 10);
    // The key's other half is published (RFC 8032 §7.1): a message that passes must be the one of RFC 8463, which is in no corpus of ours.
    for (auto const& o : all) MANSIO_ASSERT(o.result != mime::dkim_result::pass);
}

void check_arc_of(std::string_view text)
{
    one_answer dns{"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="};
    signed_message m{mime::octets{std::string{text}}, here().limits};
    auto const found = here().loop.run(verify_arc(dns, here().clock, here().pool, m));
    MANSIO_ASSERT(dns.questions <= 51 && found.sets <= 50);
    MANSIO_ASSERT(found.result != mime::arc_result::pass);
}

void check_dmarc_of(std::string_view text)
{
    one_answer dns{std::string{text}};
    mime::spf_outcome spf;
    spf.result = mime::spf_result::pass;
    spf.domain = "d.e.example.test";
    dmarc_request r;
    r.from = "a.b.c.example.test";
    r.spf = &spf;
    auto const found = here().loop.run(check_dmarc(dns, here().clock, r));
    MANSIO_ASSERT(dns.questions <= 41);
    for (char const c : found.record) MANSIO_ASSERT(c >= ' ' && c <= '~');
}

/// What a stranger wrote, told in our words, is read back as our results and no others.
void check_results_of(std::string_view text)
{
    (void)read_authentication_results(text);
    mime::authentication a;
    auto& s = a.dkim.emplace_back();
    s.domain = s.selector = s.problem = a.spf.problem = a.dmarc.domain = a.iprev.name = std::string{text.substr(0, 300)};
    auto const field = authentication_results("mx", a, {s.domain, s.domain});
    auto const read = read_authentication_results(field);
    MANSIO_ASSERT(read.size() == 4 && read[3].method == "dmarc" && read[3].result == "none");
    for (std::size_t at = field.find('\n'); at != std::string::npos; at = field.find('\n', at + 1))
        MANSIO_ASSERT(field[at - 1] == '\r' && at + 1 < field.size() && field[at + 1] == ' ');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    if (size == 0 || size > 65536) return 0;
    std::string_view const text{reinterpret_cast<char const*>(data) + 1, size - 1};
    switch (data[0] % 9) {
    case 0: check_spf_of(text); break;
    case 1: check_dkim_of(text); break;
    case 2: (void)parse_dkim_key(text); break;
    case 3: (void)parse_dkim_signature(text); break;
    case 6: check_arc_of(text); break;
    case 7: check_dmarc_of(text); break;
    case 8: check_results_of(text); break;
    case 4: check_canonical(text, canonicalization::relaxed); break;
    default: check_canonical(text, canonicalization::simple); break;
    }
    return 0;
}
