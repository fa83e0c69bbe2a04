#include "admin/dns_records.hpp"

#include <gtest/gtest.h>

#include "base/executor.hpp"

using namespace mansio;
using namespace mansio::admin;
using state = dns_finding::state;

namespace {

auth::domain_key key(std::string selector, std::string record)
{
    auth::domain_key k;
    k.domain = "example.org";
    k.selector = std::move(selector);
    k.now = auth::domain_key::state::active;
    k.record = std::move(record);
    return k;
}

std::string const published = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    net::scripted_resolver dns;
    net::ip_address const address = net::ip_address::v4({192, 0, 2, 1});

    void publish(std::string const& name, std::vector<std::string> texts) { dns.set_txt(name, net::dns_found<std::string>(std::move(texts))); }
    /// Everything as it should be.
    world()
    {
        dns.set_mx("example.org", net::dns_found<net::mx_record>({{10, "mail.example.org"}}));
        dns.set_addresses("mail.example.org", net::dns_found<net::ip_address>({address}));
        dns.set_ptr(address, net::dns_found<std::string>({"mail.example.org"}));
        publish("example.org", {"some other text", "v=spf1 include:news.test mx -all"});
        publish("e1._domainkey.example.org", {"v=DKIM1;k=ed25519;p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="});
        publish("_dmarc.example.org", {"v=DMARC1; p=reject"});
    }
    std::string says()
    {
        std::string out;
        auto records = records_for("example.org", "mail.example.org", {key("e1", published)});
        for (auto const& f : loop.run(check_records(dns, std::move(records), "mail.example.org")))
            if (f.now != state::right) out += f.wanted.name + " " + f.wanted.type + " " + std::string{name_of(f.now)} + ": " + f.say + "\n";
        return out;
    }
};

}  // namespace

TEST(dns_records, what_to_publish)
{
    auto const all = records_for("example.org", "mail.example.org", {key("e1", published), key("r1", "v=DKIM1; k=rsa; p=" + std::string(400, 'A'))});
    ASSERT_EQ(all.size(), 6U);
    EXPECT_EQ(zone_line(all[0]), "example.org. IN MX 10 mail.example.org.");
    EXPECT_EQ(zone_line(all[2]), "example.org. IN TXT \"v=spf1 mx -all\"");
    EXPECT_EQ(zone_line(all[3]), "e1._domainkey.example.org. IN TXT \"" + published + "\"");
    EXPECT_NE(zone_line(all[4]).find("AAAA\" \"AAAA"), std::string::npos) << "strings of a TXT record hold 255 octets";
    EXPECT_TRUE(all[5].name == "_dmarc.example.org" && all[5].value.starts_with("v=DMARC1; p="));
}

TEST(dns_records, all_is_well)
{
    world w;
    EXPECT_EQ(w.says(), "");
}

TEST(dns_records, what_is_missing_or_wrong_is_named)
{
    struct row {
        std::function<void(world&)> change;
        std::string says;
    };
    using net::dns_status;
    for (auto const& r : std::initializer_list<row>{
             {[](world& w) { w.dns.set_mx("example.org", net::dns_without<net::mx_record>(dns_status::no_data)); }, "example.org MX missing: no MX record"},
             {[](world& w) { w.dns.set_mx("example.org", net::dns_found<net::mx_record>({{10, "old.example.org"}})); },
              "example.org MX wrong: the MX records name \"old.example.org\" and not this server, mail.example.org"},
             {[](world& w) { w.dns.set_mx("example.org", net::dns_without<net::mx_record>(dns_status::failed, "SERVFAIL")); },
              "example.org MX unknown: the DNS does not answer: SERVFAIL"},
             {[](world& w) { w.dns.set_addresses("mail.example.org", net::dns_without<net::ip_address>(dns_status::no_such_name)); },
              "mail.example.org A missing: mail.example.org has no address"},
             {[](world& w) { w.dns.set_ptr(w.address, net::dns_without<std::string>(dns_status::no_such_name)); },
              "mail.example.org A wrong: 192.0.2.1 has no name"},
             {[](world& w) { w.dns.set_ptr(w.address, net::dns_found<std::string>({"host-1.isp.test"})); },
              "mail.example.org A wrong: 192.0.2.1 has the name \"host-1.isp.test\""},
             {[](world& w) { w.publish("example.org", {}); }, "example.org TXT missing: nothing of that kind at example.org"},
             {[](world& w) { w.publish("example.org", {"v=spf1 mx -all", "v=spf1 -all"}); }, "example.org TXT wrong: 2 records of that kind"},
             {[](world& w) { w.publish("example.org", {"v=spf1 ip4:1.2.3.400 -all"}); }, "example.org TXT wrong: the SPF record cannot be read"},
             {[](world& w) { w.publish("_dmarc.example.org", {"v=DMARC1; p=perhaps"}); }, "_dmarc.example.org TXT wrong: the DMARC record has no p="},
             {[](world& w) { w.publish("e1._domainkey.example.org", {"v=DKIM1; k=ed25519; p=AAAA"}); },
              "e1._domainkey.example.org TXT wrong: the key that is published is another one"},
         })
    {
        world w;
        r.change(w);
        auto const said = w.says();
        EXPECT_TRUE(said.starts_with(r.says)) << r.says << "\n" << said;
        EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
    }
}
