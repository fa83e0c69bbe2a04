#include "accept/srs.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

namespace mansio::accept {
namespace {

struct srs_test : ::testing::Test {
    srs s{"0123456789abcdef"};
    base::wall_time now = std::chrono::sys_days{std::chrono::year{2026} / 8 / 1};
    std::optional<std::string> back(mime::mailbox_address const& a, int days = 0) const
    {
        auto const r = s.reverse(a, now + std::chrono::days{days});
        return r ? std::optional{r->text()} : std::nullopt;
    }
};

TEST_F(srs_test, finds_the_way_back)
{
    for (auto const* text : {"a@b.example", "list-owner=x=y@b.example", "a+b@b.example", "SRS0@b.example", "srs@b.example"}) {
        std::string_view const sv{text};
        mime::mailbox_address const sender{std::string{sv.substr(0, sv.find('@'))}, std::string{sv.substr(sv.find('@') + 1)}};
        auto const out = s.forward(sender, "ours.example", now);
        EXPECT_EQ(out.domain, "ours.example");
        EXPECT_TRUE(srs::looks_like(out.local)) << out.local;
        EXPECT_EQ(back(out), text);
    }
}

TEST_F(srs_test, survives_a_change_of_letter_case)
{
    auto out = s.forward({"a", "b.example"}, "ours.example", now);
    out.local = base::to_upper_ascii(out.local);
    EXPECT_EQ(back(out), "A@B.EXAMPLE");
    out.local = base::to_lower_ascii(out.local);
    EXPECT_EQ(back(out), "a@b.example");
}

TEST_F(srs_test, takes_nothing_altered_or_old_or_foreign)
{
    auto const out = s.forward({"a", "b.example"}, "ours.example", now);
    EXPECT_EQ(back(out, srs::days_valid), "a@b.example");
    EXPECT_FALSE(back(out, srs::days_valid + 1));
    EXPECT_FALSE(back(out, -1));  // from tomorrow
    for (std::size_t i = 0; i < out.local.size(); ++i) {
        auto altered = out;
        altered.local[i] = altered.local[i] == 'x' ? 'y' : 'x';
        EXPECT_FALSE(back(altered)) << altered.local;
        altered = out;
        altered.local.resize(i);
        EXPECT_FALSE(back(altered)) << altered.local;
    }
    srs const other{"another key, another key"};
    EXPECT_FALSE(other.reverse(out, now));
    for (auto const* local : {"SRS0=", "SRS0==", "SRS0===", "SRS1=", "SRS1=aaaaaaaa=b.example==", "SRS0=aaaaaaaa=aa=b.example=", "alice"})
        EXPECT_FALSE(back({local, "ours.example"})) << local;
}

TEST_F(srs_test, does_not_grow_along_a_chain_of_forwarders)
{
    srs const first{"first forwarder's key"}, third{"third forwarder's key"};
    auto const one = first.forward({"a", "b.example"}, "first.example", now);
    auto const two = s.forward(one, "ours.example", now);
    EXPECT_TRUE(two.local.starts_with("SRS1="));
    EXPECT_EQ(back(two), one.text());  // the bounce goes to the first forwarder, which knows the rest
    auto const three = third.forward(two, "third.example", now);
    EXPECT_EQ(three.local.size(), two.local.size());
    auto const home = third.reverse(three, now);
    ASSERT_TRUE(home);
    EXPECT_EQ(home->text(), one.text());
    EXPECT_EQ(first.reverse(*home, now)->text(), "a@b.example");
}

}  // namespace
}  // namespace mansio::accept
