#include "accept/header_filter.hpp"

#include <gtest/gtest.h>

#include "accept/intake.hpp"

namespace mansio::accept {
namespace {

base::limits const limits;

std::string filtered(std::string_view header, header_rules const& rules)
{
    auto const f = filter_header(header, rules, limits);
    return f.changed ? f.text : std::string{header};
}

TEST(header_filter, submission)
{
    header_rules r;
    r.remove_bcc = true;
    r.add_date = "D";
    r.add_message_id = "<M>";
    struct {
        std::string_view header, want;
    } const cases[] = {
        {"Date: x\r\nMessage-ID: <y>\r\n\r\n", "Date: x\r\nMessage-ID: <y>\r\n\r\n"},
        {"Date: x\r\nBcc: a,\r\n b\r\nMessage-ID: <y>\r\nresent-bcc: c\r\n\r\n", "Date: x\r\nMessage-ID: <y>\r\n\r\n"},
        {"To: x\r\n\r\n", "Date: D\r\nMessage-ID: <M>\r\nTo: x\r\n\r\n"},
        {"DATE : x\r\n\r\n", "Message-ID: <M>\r\nDATE : x\r\n\r\n"},
        {"\r\n", "Date: D\r\nMessage-ID: <M>\r\n\r\n"},
        {"", "Date: D\r\nMessage-ID: <M>\r\n\r\n"},
        {"no header at all\r\n", "Date: D\r\nMessage-ID: <M>\r\n\r\nno header at all\r\n"},
        {"To: x\r\nBcc: y", "Date: D\r\nMessage-ID: <M>\r\nTo: x\r\n"},
    };
    for (auto const& c : cases) EXPECT_EQ(filtered(c.header, r), c.want) << c.header;
}

TEST(header_filter, facts)
{
    auto const f = filter_header("Received: a\r\nreceived: b\r\n c\r\nDelivered-To: Alice@Example.test\r\nX-Received: no\r\n\r\n", {}, limits);
    EXPECT_FALSE(f.changed);
    EXPECT_EQ(f.received, 2U);
    EXPECT_EQ(f.delivered_to, std::vector<std::string>{"alice@example.test"});
}

// espoofer A4-A7: whatever a reader takes for our name must be gone.
TEST(catalogue, W11_forged_authentication_results)
{
    header_rules r;
    r.own_authserv_ids = {"mx.example.test"};
    for (auto const* forged :
         {"Authentication-Results: mx.example.test; spf=pass", "authentication-results: MX.Example.Test;dkim=pass",
          "Authentication-Results:\r\n mx.example.test 1; spf=pass", "Authentication-Results: (a (nested) comment) mx.example.test; spf=pass",
          "Authentication-Results: \"mx.example.test\"; spf=pass", "Authentication-Results: \"mx.\\example.test\"; spf=pass",
          "Authentication-Results: mx.example.test(x); none", "Authentication-Results : mx.example.test; none"})
        EXPECT_EQ(filtered("A: b\r\n" + std::string{forged} + "\r\nC: d\r\n\r\n", r), "A: b\r\nC: d\r\n\r\n") << forged;
    for (auto const* honest : {"Authentication-Results: other.example; spf=pass", "Authentication-Results: mx.example.test.evil; spf=pass",
                               "X-Authentication-Results: mx.example.test; none"})
    {
        auto const whole = "A: b\r\n" + std::string{honest} + "\r\n\r\n";
        EXPECT_EQ(filtered(whole, r), whole);
    }
    EXPECT_EQ(authserv_id(std::string(100000, '(')), "");  // counted, not recursed into
}

TEST(header_filter, limits_are_told)
{
    EXPECT_TRUE(filter_header("A: " + std::string(limits.header_field_size, 'x') + "\r\n\r\n", {}, limits).over_limit);
    std::string many;
    for (std::uint64_t i = 0; i <= limits.header_fields; ++i) many += "A: b\r\n";
    EXPECT_TRUE(filter_header(many + "\r\n", {}, limits).over_limit);
}

struct intake_test : ::testing::Test {
    base::memory_budget memory{1U << 22U};
    base::limits l;
    store::spool spool{"/tmp", 65536, memory};
    header_rules rules;
    std::string run(std::string_view message, std::size_t cut)
    {
        intake in{spool.open(), rules, l, memory};
        for (std::size_t at = 0; at < message.size(); at += cut) in.put(message.substr(at, cut));
        auto const whole = in.finish();
        if (in.refused()) return std::to_string(in.refused()->code) + " " + in.refused()->status;
        return whole ? std::string{whole->view()} : describe(whole.error());
    }
};

TEST_F(intake_test, does_not_depend_on_the_cut)
{
    rules.remove_bcc = true;
    struct {
        std::string_view message, want;
    } const cases[] = {
        {"A: b\r\nBcc: c\r\n\r\nbody\r\n\r\nBcc: stays\r\n", "A: b\r\n\r\nbody\r\n\r\nBcc: stays\r\n"},
        {"\r\nbody\r\n", "\r\nbody\r\n"},
        {"A: b\r\nBcc: c", "A: b\r\n"},
        {"A: b\n\nbody", "A: b\n\nbody"},
        {"A: b\r\n\nbody", "A: b\r\n\nbody"},
        {"\nBcc: body", "\nBcc: body"},
        {"", ""},
    };
    for (auto const& c : cases)
        for (std::size_t cut = 1; cut <= c.message.size() + 1; ++cut) EXPECT_EQ(run(c.message, cut), c.want) << c.message << " cut " << cut;
}

TEST_F(intake_test, bounds)
{
    l.message_size = 1000;
    for (std::size_t const cut : {1U, 7U, 100000U}) {
        EXPECT_EQ(run("A: b\r\n\r\n" + std::string(992, 'x'), cut).size(), 1000U);
        EXPECT_EQ(run("A: b\r\n\r\n" + std::string(993, 'x'), cut), "552 5.3.4");
    }
    l = {};
    base::memory_budget poor{2000};
    store::spool small{"/tmp", 65536, poor};
    intake in{small.open(), {}, l, poor};
    in.put("A: b\r\n\r\n" + std::string(3000, 'x'));
    EXPECT_EQ(in.refused()->code, 452);
    intake header{small.open(), {}, l, poor};
    header.put("A: " + std::string(3000, 'x'));
    EXPECT_EQ(header.refused()->code, 452);
    EXPECT_EQ(poor.used(), 0U);
}

}  // namespace
}  // namespace mansio::accept
