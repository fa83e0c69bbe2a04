#include "accept/trace.hpp"

#include <gtest/gtest.h>

#include "mime/header.hpp"

namespace mansio::accept {
namespace {

TEST(trace, received)
{
    client c;
    c.through = door::submission;
    c.peer_literal = "[192.0.2.7]";
    c.greeting = "laptop.local";
    c.extended = true;
    c.account = 1;
    c.tls = "TLSv1.3 with TLS_AES_256_GCM_SHA384";
    message m;
    m.from = &c;
    m.id = "abc";
    recipient r;
    r.given = {"a b", "d.example"};
    m.recipients.push_back(r);
    base::manual_clock const clock;
    auto const field = received_field(m, "mx.example.test", clock.wall());
    EXPECT_TRUE(field.ends_with("\r\n"));
    EXPECT_EQ(mime::unfold(field.substr(0, field.size() - 2)),
              "Received: from laptop.local ([192.0.2.7]) by mx.example.test (TLSv1.3 with TLS_AES_256_GCM_SHA384) with ESMTPSA id abc for <\"a b\"@d.example>; "
              "Thu, 1 Jan 2026 00:00:00 +0000");
    m.recipients.push_back(r);
    EXPECT_EQ(received_field(m, "mx.example.test", clock.wall()).find("d.example"), std::string::npos);  // they do not learn of each other
}

TEST(trace, with)
{
    client c;
    EXPECT_EQ(with_protocol(c, false), "SMTP");
    c.extended = true;
    EXPECT_EQ(with_protocol(c, false), "ESMTP");
    EXPECT_EQ(with_protocol(c, true), "UTF8SMTP");
    c.tls = "x";
    EXPECT_EQ(with_protocol(c, false), "ESMTPS");
    c.account = 1;
    EXPECT_EQ(with_protocol(c, true), "UTF8SMTPSA");
    c.through = door::lmtp;
    c.account = 0;
    c.tls.clear();
    EXPECT_EQ(with_protocol(c, false), "LMTP");
    EXPECT_EQ(with_protocol(c, true), "UTF8LMTP");
}

TEST(catalogue, W11_helo_cannot_write_header_fields)
{
    EXPECT_EQ(harmless_name("a\r\nX-Forged: yes"), "a??X-Forged:?yes");
    EXPECT_EQ(harmless_name("a\tb(c)\"d\"\\;<e>"), "a?b?c??d????e?");
    EXPECT_EQ(harmless_name(""), "unknown");
    EXPECT_EQ(harmless_name("[IPv6:2001:db8::1]"), "[IPv6:2001:db8::1]");
    EXPECT_EQ(harmless_name(std::string(1000, 'a')).size(), 255U);
}

}  // namespace
}  // namespace mansio::accept
