// Runs tests/dialogs/pop3/*.dlg. Connections whose names begin with "tls" are under TLS from the start, "far" ones come from another machine; the server
// lets this machine sign in without TLS but in files whose name begins with "clear". alice has four messages, bob none (rig_test.cpp).
#include "rig.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "support/support.hpp"

namespace mansio::pop3::test {
namespace {

class pop3_dialog : public ::testing::TestWithParam<std::string> {};

/// The domain: until fetched, ten seconds between sign-ins. Bob: for ever, none.
void make_policies(rig& r)
{
    auto d = r.loop.run(r.people->find_domain("example.test")).value().value();
    d.pop3.keep = auth::pop3_keep::parse("until-fetched").value();
    d.pop3.login_delay = 10;
    EXPECT_TRUE(r.loop.run(r.people->update_domain(d)));
    auto bob = r.loop.run(r.people->account_by_number(rig::bob)).value().value();
    bob.pop3.keep = auth::pop3_keep{};
    bob.pop3.login_delay = 0;
    EXPECT_TRUE(r.loop.run(r.people->update_account(bob)));
}

std::string run(std::string const& file, std::size_t cut)
{
    rig_options o;
    auto const name = std::filesystem::path{file}.filename().string();
    o.cleartext = !name.starts_with("clear");
    rig r{o};
    if (name.starts_with("policy")) make_policies(r);
    auto setting = r.setting();
    setting.cut = cut;
    return mansio::test::run_dialog(mansio::test::read_file(file), std::move(setting));
}

TEST_P(pop3_dialog, goes_as_written) { EXPECT_EQ(run(GetParam(), 0), ""); }
TEST_P(pop3_dialog, does_not_depend_on_where_the_network_cuts)
{
    for (std::size_t const cut : {1, 2, 5}) EXPECT_EQ(run(GetParam(), cut), "") << "in pieces of " << cut;
}

INSTANTIATE_TEST_SUITE_P(files, pop3_dialog, ::testing::ValuesIn(mansio::test::dialogs_in(MANSIO_SOURCE "/tests/dialogs/pop3")), [](auto const& p) {
    auto name = std::filesystem::path{p.param}.stem().string();
    std::ranges::replace(name, '-', '_');
    return name;
});

// What CAPA says is shown by a dialogue: its first line names what it uses.
TEST(capabilities, each_has_a_dialogue)
{
    std::set<std::string> shown;
    for (auto const& file : mansio::test::dialogs_in(MANSIO_SOURCE "/tests/dialogs/pop3")) {
        auto const text = mansio::test::read_file(file);
        ASSERT_TRUE(text.starts_with("# uses: ")) << file;
        std::istringstream first{text.substr(8, text.find('\n') - 8)};
        for (std::string word; first >> word;) shown.insert(word);
    }
    rig r;
    make_policies(r);
    wire_client c{r, "c"};
    c.hear();
    std::istringstream lines{c.say("CAPA\r\n" + sign_in_lines(r, "alice") + "CAPA\r\n")};
    std::size_t capabilities = 0;
    for (std::string line; std::getline(lines, line);) {
        auto const word = line.substr(0, line.find_first_of(" \r"));
        if (word.starts_with("+") || word == ".") continue;
        EXPECT_TRUE(shown.contains(word)) << word;
        ++capabilities;
    }
    EXPECT_GE(capabilities, 20U);
}

}  // namespace
}  // namespace mansio::pop3::test
