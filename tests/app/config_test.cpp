#include "app/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/support.hpp"

using namespace mansio;
using namespace mansio::app;

TEST(config, reads_what_it_documents)
{
    auto const c = parse_config(R"(
hostname = "mail.example.org"
shards = 4
[listen]
imaps = ["0.0.0.0:993", "[::]:993"]
[limits]
message_size = 1000
[accounts]
default_folders = false
)",
                                "mansio.toml");
    ASSERT_TRUE(c.has_value()) << c.error().say;
    EXPECT_EQ(c->hostname, "mail.example.org");
    EXPECT_EQ(c->shards, 4U);
    EXPECT_EQ(c->listen_imaps.size(), 2U);
    EXPECT_EQ(c->limits.message_size, 1000U);
    EXPECT_FALSE(c->default_folders);
}

TEST(config, says_in_one_sentence_what_is_wrong_and_where)
{
    struct {
        char const* text;
        char const* want;
    } const cases[] = {
        {"hostnam = \"x\"", "f.toml:1: there is no key 'hostnam'; did you mean 'hostname'?"},
        {"\n[listen]\nimap_s = []", "f.toml:3: there is no key 'listen.imap_s'; did you mean 'listen.imaps'?"},
        {"shards = \"two\"", "f.toml:1: 'shards' wants a whole number, 0 or more"},
        {"shards = -1", "f.toml:1: 'shards' wants a whole number, 0 or more"},
        {"[listen]\nimap = \"0.0.0.0:143\"", "f.toml:2: 'listen.imap' wants a list: [\"…\"]"},
        {"[listen]\nimap = [143]", "f.toml:2: 'listen.imap' wants a list of text in quotes"},
        {"[log]\nformat = \"xml\"", "f.toml:2: 'log.format' is one of human|json, not 'xml'"},
        {"[limits]\nmessage_siz = 1", "f.toml:2: there is no limit 'limits.message_siz'; did you mean 'limits.message_size'?"},
        {"[limits]\nmessage_size = 0", "f.toml:2: 'limits.message_size' wants a whole number of octets, 1 or more"},
        {"hostname = 3", "f.toml:1: 'hostname' wants text in quotes"},
        {"[a.b]\nc = 1", "there is no key 'a.b'"},
        {"= 1", "f.toml:1: "},
    };
    for (auto const& c : cases) {
        auto const r = parse_config(c.text, "f.toml");
        ASSERT_FALSE(r.has_value()) << c.text;
        EXPECT_THAT(r.error().say, testing::HasSubstr(c.want));
        EXPECT_EQ(r.error().say.find('\n'), std::string::npos);
    }
}

TEST(config, check_names_every_problem)
{
    config c;
    c.hostname = "x";
    EXPECT_THAT(check_config(c), testing::Contains(testing::HasSubstr("no face listens anywhere")));
    c.listen_imaps = {"nonsense"};
    c.listen_metrics = {"0.0.0.0:9090"};
    c.tls_certificate = "/nowhere/cert.pem";
    c.egress_allow = {"10.0.0.0/99"};
    c.data = "relative";
    auto const problems = check_config(c);
    for (auto const* part : {"listen.imaps: 'nonsense'", "not a loopback address", "tls.certificate: cannot read /nowhere/cert.pem",
                             "give tls.certificate and tls.key", "egress.allow", "no absolute path"})
        EXPECT_THAT(problems, testing::Contains(testing::HasSubstr(part))) << part;
}

TEST(config, the_page_is_generated_from_the_table)
{
    EXPECT_EQ(test::read_file(std::string{MANSIO_SOURCE} + "/docs/configuration.md"), configuration_page())
        << "run: mansio config explain --page > docs/configuration.md";
}
