#include "auth/sign_in.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "rig.hpp"

using namespace mansio;
using auth::sasl_exchange;
using namespace std::string_literals;

namespace {
std::string tell(sasl_exchange::step const& s)
{
    switch (s.now) {
    case sasl_exchange::state::challenge: return "? " + s.challenge;
    case sasl_exchange::state::credentials: return s.authorization + "|" + s.user + "|" + s.secret;
    case sasl_exchange::state::failed: break;
    }
    return "failed";
}
}  // namespace

TEST(sasl, mechanisms)
{
    for (auto const m : auth::sasl_mechanisms()) EXPECT_NE(sasl_exchange::start(m), nullptr);
    EXPECT_NE(sasl_exchange::start("plain"), nullptr);  // RFC 4422 §3.1: names are upper case; clients send any
    // I10: nothing that needs a password kept in clear.
    for (std::string_view const m : {"", "CRAM-MD5", "DIGEST-MD5", "NTLM", "ANONYMOUS", "EXTERNAL", "PLAIN ", "XPLAIN"})
        EXPECT_EQ(sasl_exchange::start(m), nullptr) << m;
}

// A1: what a stranger can send. One row fails that exchange and nothing else.
TEST(catalogue, A1_plain_responses)
{
    auto const long_name = std::string(1024, 'a');
    struct {
        std::string response, want;
    } const cases[] = {
        {"\0alice\0secret"s, "|alice|secret"},
        {"alice\0alice\0secret"s, "alice|alice|secret"},
        {"bob\0alice\0secret"s, "bob|alice|secret"},  // whether alice may act as bob is the caller's question
        {"\0ren\xC3\xA9\0s"s, "|ren\xC3\xA9|s"},
        {"\0%_'\";--\0s"s, "|%_'\";--|s"},           // names are keys, compared whole; nothing is interpreted
        {"\0*)(uid=*))(|(uid=*\0s"s, "|*)(uid=*))(|(uid=*|s"},
        {"\0"s + long_name + "\0s"s, "|" + long_name + "|s"},
        {"", "failed"},
        {"alice", "failed"},
        {"alice\0secret"s, "failed"},
        {"\0\0"s, "failed"},
        {"\0alice\0"s, "failed"},
        {"\0\0secret"s, "failed"},
        {"\0\0\0"s, "failed"},
        {"\0alice\0sec\0ret"s, "failed"},             // a NUL in the secret
        {"a\0b\0c\0d"s, "failed"},
        {"\0al\xFFice\0secret"s, "failed"},           // no UTF-8
        {"\xC0\x80\0alice\0secret"s, "failed"},       // an overlong NUL
        {"\0alice\0\xED\xA0\x80"s, "failed"},         // a surrogate
        {"\0a"s + long_name + "\0s"s, "failed"},
        {"\0a\0s"s + long_name, "failed"},
        {std::string(65536, 'a'), "failed"},
        {std::string(65536, '\0'), "failed"},
    };
    for (auto const& c : cases) {
        auto const at_once = sasl_exchange::start("PLAIN");
        EXPECT_EQ(tell(at_once->initial(c.response)), c.want) << base::printable(c.response, 60);
        auto const asked = sasl_exchange::start("PLAIN");
        EXPECT_EQ(tell(asked->initial(std::nullopt)), "? ");
        EXPECT_EQ(tell(asked->next(c.response)), c.want) << base::printable(c.response, 60);
    }
}

TEST(catalogue, A1_login_responses)
{
    struct {
        std::vector<std::string> responses;
        std::string want;
    } const cases[] = {
        {{"alice", "secret"}, "|alice|secret"},
        {{"", "secret"}, "failed"},
        {{"alice", ""}, "failed"},
        {{"al\0ice"s, "secret"}, "failed"},
        {{"alice", "se\0cret"s}, "failed"},
        {{"\xFF", "secret"}, "failed"},
        {{std::string(1025, 'a'), "secret"}, "failed"},
        {{std::string(65536, 'a'), "secret"}, "failed"},
        {{"alice", std::string(65536, 'a')}, "failed"},
    };
    for (auto const& c : cases) {
        auto const x = sasl_exchange::start("LOGIN");
        EXPECT_EQ(tell(x->initial(std::nullopt)), "? Username:");
        auto step = x->next(c.responses[0]);
        if (step.now == sasl_exchange::state::challenge) {
            EXPECT_EQ(step.challenge, "Password:");
            step = x->next(c.responses[1]);
        }
        EXPECT_EQ(tell(step), c.want) << base::printable(c.responses[0], 40);
        EXPECT_EQ(tell(x->next("more")), "failed");  // it has ended
        auto const early = sasl_exchange::start("LOGIN");  // the name at once
        step = early->initial(c.responses[0]);
        if (step.now == sasl_exchange::state::challenge) step = early->next(c.responses[1]);
        EXPECT_EQ(tell(step), c.want);
    }
}

TEST(catalogue, A1_hostile_names_fail_alone)
{
    mansio::test::auth_rig r;
    r.add_domain("example.test");
    auto const secret = r.password_for(r.add("alice@example.test"));
    for (auto const& user : {"%"s, "_lice@example.test"s, "alice@example.test' OR '1'='1"s, "*)(uid=*"s, "alice\0@example.test"s, "alice@example.test\0"s,
                             "\xFF\xFE"s, "../alice"s, "\"alice\"@example.test "s, " alice@example.test"s, std::string(1024, 'a'), "@example.test"s,
                             "alice@example.test\r\nbob"s, "al%69ce@example.test"s})
    {
        auto const hostile = r.run(r.door.check(user, secret, r.from()));
        ASSERT_FALSE(hostile) << base::printable(user);
        EXPECT_EQ(hostile.error().say, "authentication failed");
        EXPECT_TRUE(r.run(r.door.check("alice@example.test", secret, r.from())));
    }
    EXPECT_EQ(r.log.text().find('\0'), std::string::npos);
}
