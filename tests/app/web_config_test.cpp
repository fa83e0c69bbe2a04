// The keys of ACME, the web faces and MTA-STS, checked together.
#include <gtest/gtest.h>

#include <algorithm>

#include "app/config.hpp"

using namespace mansio;
using namespace mansio::app;

namespace {
bool complains(std::string const& toml, std::string_view about)
{
    auto const c = parse_config("hostname = \"mail.example.test\"\n" + toml, "test.toml");
    EXPECT_TRUE(c) << toml;
    if (!c) return false;
    auto const problems = check_config(*c);
    return std::ranges::any_of(problems, [&](std::string const& p) { return p.contains(about); });
}
}  // namespace

TEST(web_config, acme_needs_the_face_that_proves_and_stands_alone)
{
    std::string const directory = "directory = \"https://ca.test/dir\"\n";
    EXPECT_FALSE(complains("[listen]\nimaps = [\"0.0.0.0:993\"]\nhttp = [\"0.0.0.0:80\"]\n[acme]\n" + directory, "acme"));
    EXPECT_FALSE(complains("[listen]\nimaps = [\"0.0.0.0:993\"]\nhttp = [\"0.0.0.0:80\"]\n[acme]\n" + directory, "listen"));
    EXPECT_FALSE(complains("[listen]\nimaps = [\"0.0.0.0:993\"]\nhttp = [\"0.0.0.0:80\"]\n[acme]\n" + directory, "tls:"));
    EXPECT_TRUE(complains("[listen]\nimaps = [\"0.0.0.0:993\"]\n[acme]\n" + directory, "listen.http"));
    EXPECT_TRUE(complains("[listen]\nimaps = [\"0.0.0.0:993\"]\n[acme]\nchallenge = \"tls-alpn-01\"\n" + directory, "listen.https"));
    EXPECT_TRUE(complains("[tls]\nkey = \"k\"\n[listen]\nhttp = [\"0.0.0.0:80\"]\n[acme]\n" + directory, "keep one or the other"));
    EXPECT_TRUE(complains("[acme]\ndirectory = \"http://ca.test/dir\"\n", "over https"));
    EXPECT_TRUE(complains("[acme]\nnames = [\"Mail.example.test\"]\n", "acme.names"));
    EXPECT_TRUE(complains("[acme]\nnames = [\"*.example.test\"]\n", "acme.names"));
    EXPECT_TRUE(complains("[acme]\ncontacts = [\"me@example.test\"]\n", "mailto:"));
    EXPECT_TRUE(complains("[acme]\nexternal_id = \"x\"\n", "together"));
}

TEST(web_config, mta_sts)
{
    EXPECT_TRUE(complains("[mta_sts]\nmode = \"testing\"\n", "listen.https"));
    EXPECT_TRUE(complains("[mta_sts]\nmax_age = 31557601\n", "mta_sts.max_age"));
    EXPECT_TRUE(complains("[mta_sts]\nmx = [\"*\"]\n", "mta_sts.mx"));
    EXPECT_FALSE(complains("[mta_sts]\nmx = [\"*.example.test\", \"mx.example.test\"]\n", "mta_sts.mx"));
    EXPECT_FALSE(parse_config("[mta_sts]\nmode = \"perhaps\"\n", "test.toml"));
}
