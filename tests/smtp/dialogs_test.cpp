// tests/dialogs/smtp/*.dlg. Connections: mx…, sub… (587), subs… (465), lmtp…, and lan… (an MX client that is on every list of trusted ones).
#include <gtest/gtest.h>

#include "smtp/rig.hpp"
#include "support/dialog.hpp"
#include "support/support.hpp"

namespace mansio::test {
namespace {

std::string run(std::string const& file, std::size_t cut)
{
    smtp_rig_options o;
    o.server = [](smtp::server_options& s) {
        auto const lan = *net::cidr::parse("198.51.100.0/24");
        s.normalise_from.push_back(lan);
        s.xclient_from.push_back(lan);
        s.priority_from.push_back(lan);
    };
    o.limits = [](base::limits& l) {
        l.smtp_recipients = 5;
        l.message_size = 100000;
    };
    smtp_rig rig{std::move(o)};
    dialog_setting s{.loop = rig.loop, .connect = {}, .variables = {}, .cut = cut, .tls = tls_for_tests::get().client.get()};
    s.connect = [&rig, cut](std::string_view name) {
        auto const size = cut == 0 ? std::size_t{1} << 20U : cut;
        if (name.starts_with("subs")) return rig.connect(rig.face(accept::door::submission, true), "192.0.2.7", size);
        if (name.starts_with("sub")) return rig.connect(rig.face(accept::door::submission), "192.0.2.7", size);
        if (name.starts_with("lmtp")) return rig.connect(rig.face(accept::door::lmtp), "127.0.0.1", size, true);
        if (name.starts_with("lan")) return rig.connect(rig.face(accept::door::mx), "198.51.100.9", size);
        return rig.connect(rig.face(accept::door::mx), "192.0.2.7", size);
    };
    s.variables = {{"plain", smtp_rig::plain("alice@example.test", rig.alice_secret)},
                   {"plain_bob", smtp_rig::plain("bob@example.test", rig.bob_secret)},
                   {"wrong", smtp_rig::plain("alice@example.test", "wrong")},
                   {"user", base::to_base64("alice@example.test")},
                   {"secret", base::to_base64(rig.alice_secret)}};
    return run_dialog(read_file(file), s);
}

TEST(smtp_dialogs, go_as_written)
{
    auto const files = dialogs_in(std::string{MANSIO_SOURCE} + "/tests/dialogs/smtp");
    ASSERT_GE(files.size(), 8U);
    for (auto const& f : files)
        for (std::size_t const cut : {0U, 1U, 7U}) EXPECT_EQ(run(f, cut), "") << f << ", cut into pieces of " << cut;
}

}  // namespace
}  // namespace mansio::test
