// Runs tests/dialogs/pop3/*.dlg. Connections whose names begin with "tls" are under TLS from the start, "far" ones come from another machine; the server
// lets this machine sign in without TLS but in files whose name begins with "clear". alice has four messages, bob none (rig_test.cpp).
#include "rig.hpp"

#include <algorithm>
#include <filesystem>

#include "support/support.hpp"

namespace mansio::pop3::test {
namespace {

class pop3_dialog : public ::testing::TestWithParam<std::string> {};

std::string run(std::string const& file, std::size_t cut)
{
    rig_options o;
    o.cleartext = !std::filesystem::path{file}.filename().string().starts_with("clear");
    rig r{o};
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

}  // namespace
}  // namespace mansio::pop3::test
