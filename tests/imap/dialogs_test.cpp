// Runs tests/dialogs/imap/*.dlg. Connections whose names begin with "tls" are under TLS from the start, "far" ones come from another machine; the server
// lets this machine sign in without TLS but in files whose name begins with "clear". ${alice}, ${alice_secret}, ${alice_plain}; the same for bob,
// and for carol, who may have 3 messages and 100 KiB.
// A line `# off: NAME NAME` switches extensions off.
#include "base/bytes.hpp"
#include "rig.hpp"

#include "support/support.hpp"

namespace mansio::imap::test {
namespace {

class imap_dialog : public ::testing::TestWithParam<std::string> {};

std::string run(std::string const& file, std::size_t cut)
{
    rig_options o;
    auto const text = mansio::test::read_file(file);
    if (auto const off = text.find("\n# off: "); off != std::string::npos) {
        auto const from = off + std::string_view{"\n# off: "}.size();
        o.off = extensions_named(base::words_of(text.substr(from, text.find('\n', from) - from)));
    }
    o.cleartext = !std::filesystem::path{file}.filename().string().starts_with("clear");
    rig r{o};
    auto setting = r.setting();
    setting.cut = cut;
    return mansio::test::run_dialog(text, std::move(setting));
}

TEST_P(imap_dialog, goes_as_written) { EXPECT_EQ(run(GetParam(), 0), ""); }
TEST_P(imap_dialog, does_not_depend_on_where_the_network_cuts)
{
    for (std::size_t const cut : {1, 2, 3, 7}) EXPECT_EQ(run(GetParam(), cut), "") << "in pieces of " << cut;
}

INSTANTIATE_TEST_SUITE_P(files, imap_dialog, ::testing::ValuesIn(mansio::test::dialogs_in(MANSIO_SOURCE "/tests/dialogs/imap")), [](auto const& p) {
    auto name = std::filesystem::path{p.param}.stem().string();
    std::ranges::replace(name, '-', '_');
    return name;
});

}  // namespace
}  // namespace mansio::imap::test
