// Published signatures, and ours checked against published keys (tests/data/dkim).
#include <gtest/gtest.h>

#include "mailauth/dkim_rig.hpp"
#include "support/support.hpp"

using namespace mansio;
using namespace mansio::mailauth;
using mime::dkim_result;

namespace {

std::string data(std::string const& name) { return mansio::test::read_file(MANSIO_TEST_DATA "/dkim/" + name); }

std::string with_crlf(std::string_view text)
{
    std::string out;
    for (char const c : text) {
        if (c == '\n' && !out.ends_with('\r')) out += '\r';
        out += c;
    }
    return out;
}

std::string one_line(std::string text)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

/// A resolver with the keys the messages were signed with, and a clock at the beginning of 2026.
struct bench : test::dkim_rig {
    bench()
    {
        // RFC 8463 §A.2.
        publish("brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        publish("test._domainkey.football.example.com",
                "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/"
                "byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB");
        publish("sed._domainkey.test.ex", one_line(data("eximtest.dns")));
        // Published by Google from 2012 to 2015.
        publish("20120113._domainkey.gmail.com",
                "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh+eBCsSTrqmwIYYvywlbhbqoo2DymndFkbjOVIPIldNs/"
                "m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI3SD07y2+07wlNWwIt8svnxgdxGkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/"
                "ahW3KjViiAH+ghvvIhkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZeTWbf41fbNhte7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598HY+"
                "vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5jY"
                "chHjPY/wIDAQAB");
    }
};

std::string results(std::vector<dkim_outcome> const& all)
{
    std::string out;
    for (auto const& o : all) {
        if (!out.empty()) out += "; ";
        out += std::string{mime::name_of(o.result)} + (o.problem.empty() ? "" : " (" + o.problem + ")");
    }
    return out;
}

// RFC 8463 §A.3, relaxed/relaxed.
constexpr std::string_view rfc8463 = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                                     " d=football.example.com; i=@football.example.com;\r\n"
                                     " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                                     " subject : date : message-id : from : subject : date;\r\n"
                                     " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                                     " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                                     " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
                                     "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                                     " d=football.example.com; i=@football.example.com;\r\n"
                                     " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                                     " date : message-id : from : subject : date;\r\n"
                                     " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                                     " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
                                     " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
                                     " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
                                     "From: Joe SixPack <joe@football.example.com>\r\n"
                                     "To: Suzie Q <suzie@shopping.example.net>\r\n"
                                     "Subject: Is dinner ready?\r\n"
                                     "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
                                     "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
                                     "\r\n"
                                     "Hi.\r\n"
                                     "\r\n"
                                     "We lost the game.  Are you hungry yet?\r\n"
                                     "\r\n"
                                     "Joe.\r\n";

}  // namespace

TEST(dkim_vectors, published_messages)
{
    bench b;
    EXPECT_EQ(results(b.verify(std::string{rfc8463})), "pass; pass");
    EXPECT_EQ(results(b.verify(with_crlf(data("rfc6376.signed.msg")))), "pass; pass");
    EXPECT_EQ(results(b.verify(with_crlf(data("ed25519test2.msg")))), "pass");
    auto const google = b.verify(with_crlf(data("test2.message")));
    EXPECT_EQ(results(google), "pass");
    EXPECT_EQ(google.at(0).domain, "gmail.com");
    EXPECT_EQ(google.at(0).selector, "20120113");
    EXPECT_EQ(google.at(0).key_bits, 2048U);
    EXPECT_EQ(google.at(0).signature_start, "VaN3KmNPlU1u");
}

TEST(dkim_vectors, every_octet_of_a_signed_message_counts)
{
    bench b;
    auto const whole = std::string{rfc8463};
    auto const header_end = whole.find("\r\nFrom: ") + 2;
    for (std::size_t i = header_end; i < whole.size(); ++i) {
        if (std::string_view{" \r\n"}.find(whole[i]) != std::string_view::npos) continue;  // relaxed: white space may change
        auto changed = whole;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        for (auto const& o : b.verify(changed)) EXPECT_EQ(o.result, dkim_result::fail) << changed.substr(i, 20);
    }
}

TEST(dkim_vectors, keys_as_they_should_not_be_published)
{
    bench b;
    dkim_signing how;
    how.domain = "example.com";
    how.selector = "test";
    how.key = signing_key::from_pem(data("test.private")).value();
    how.now = 1'700'000'000;
    auto const signed_one = b.sign(with_crlf(data("test.message")), how);
    struct row {
        std::string record;
        char const* result;
    };
    auto const good = one_line(data("test.txt"));
    for (auto const& r :
         {row{good, "pass"},
          {one_line(data("badk.txt")), "permerror (the key record has a key of an unknown type, ed25519-sha256)"},
          {one_line(data("badversion.txt")), "permerror (the key record is of another version)"},
          {one_line(data("test_bad.txt")), "permerror (the key cannot be read)"},
          {one_line(data("test_tlsrpt.txt")), "permerror (the key is not for mail)"},
          {"v=DKIM1; p=", "permerror (the key was revoked)"},
          {good + "; h=sha1", "permerror (the key does not take SHA-256)"},
          {good + "; h=sha1 : sha256; t=y", "pass"},
          {good + "; v=DKIM1", "permerror (the key record is not a list of tags)"},
          {"k=rsa; v=DKIM1; p=", "permerror (the key record is of another version)"},
          {"v=spf1 -all", "permerror (the key record is of another version)"},
          {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "permerror (the key is of type ed25519, the signature is rsa-sha256)"},
          {"v=DKIM1; p=!!!", "permerror (the key's p= is not base64)"}})
    {
        b.publish("test._domainkey.example.com", r.record);
        EXPECT_EQ(results(b.verify(signed_one)), r.result) << r.record;
    }
    // A bare RSAPublicKey, as RFC 6376 §3.6.1 has it: the same key without its SubjectPublicKeyInfo.
    auto const info = how.key.public_octets();
    b.publish("test._domainkey.example.com", "p=" + base::to_base64(info.substr(22)));
    EXPECT_EQ(results(b.verify(signed_one)), "pass");
    b.dns.set_txt("test._domainkey.example.com", net::dns_without<std::string>(net::dns_status::failed, "timeout"));
    EXPECT_EQ(results(b.verify(signed_one)), "temperror (the DNS did not answer for test._domainkey.example.com: timeout)");
    b.dns.set_txt("test._domainkey.example.com", net::dns_without<std::string>(net::dns_status::no_such_name));
    EXPECT_EQ(results(b.verify(signed_one)), "permerror (no key at test._domainkey.example.com)");
}
