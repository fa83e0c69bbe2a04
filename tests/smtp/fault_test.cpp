// Each commit of the engine fails in turn: what was answered 250 is there, once and whole; what was not is not there at all (D1, D2).
#include <gtest/gtest.h>

#include "queue/queue.hpp"
#include "smtp/rig.hpp"

namespace mansio::test {
namespace {

using accept::door;

enum class fault_kind { fail, conflict, lose_ack };

/// Counts commits once armed, and says which of them goes wrong.
struct saboteur {
    bool armed = false;
    int countdown = 0;
    fault_kind kind = fault_kind::fail;
    bool struck = false;
    bool now(fault_kind k)
    {
        if (!armed || k != kind) return false;
        if (countdown-- != 0) return false;
        struck = true;
        return true;
    }
    store::memory_faults faults()
    {
        store::memory_faults f;
        f.fail = [this](store::change const&) { return now(fault_kind::fail); };
        f.conflict = [this](store::change const&) { return now(fault_kind::conflict); };
        f.lose_ack = [this](store::change const&) { return now(fault_kind::lose_ack); };
        return f;
    }
};

std::size_t copies(std::vector<std::string> const& mail, std::string const& marker)
{
    return static_cast<std::size_t>(
        std::ranges::count_if(mail, [&](auto const& m) { return m.ends_with("From: x@elsewhere.example\r\nSubject: " + marker + "\r\n\r\nwhole\r\n"); }));
}

struct case_of {
    char const* name;
    door through;
    std::string envelope;
    bool queued;
};

TEST(smtp_faults, no_positive_reply_without_a_commit)
{
    case_of const cases[] = {
        {"one account", door::mx, "RCPT TO:<bob@example.test>\r\n", false},
        {"an envelope", door::mx, "RCPT TO:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\n", true},
        {"lmtp", door::lmtp, "RCPT TO:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\n", false},
    };
    for (auto const& c : cases) {
        for (auto const kind : {fault_kind::fail, fault_kind::conflict, fault_kind::lose_ack}) {
            saboteur s;
            s.kind = kind;
            smtp_rig r{{.limits = {}, .faults = s.faults(), .server = {}, .accept = {}}};
            queue::mail_queue queue{*r.engine, [&r](store::partition_id) -> base::executor& { return r.loop; },
                                    {},        r.limits,
                                    r.random,  r.log,
                                    r.metrics, {"mx.example.test", "postmaster@example.test"}};
            smtp::queued_envelopes real{queue};
            r.envelopes.instead = [&real](queue::submission q) { return real.enqueue(std::move(q)); };
            for (int n = 0; n < 12; ++n) {
                auto const marker = std::string{c.name} + " " + std::to_string(static_cast<int>(kind)) + "." + std::to_string(n);
                auto const queued_before = r.must(queue.list(1000)).size();
                s.armed = true;
                s.struck = false;
                s.countdown = n;
                std::string said;
                {
                    smtp_peer p{r, c.through, "127.0.0.1", c.through == door::lmtp};
                    (void)p.line(c.through == door::lmtp ? "LHLO client.example" : "EHLO client.example");
                    EXPECT_EQ(smtp_peer::last_code(p.say("MAIL FROM:<x@elsewhere.example>\r\n" + c.envelope + "DATA\r\n")), "354");
                    said = p.say("From: x@elsewhere.example\r\nSubject: " + marker + "\r\n\r\nwhole\r\n.\r\n");
                    for (int i = 0; said.empty() && i < 100; ++i) {
                        r.loop.run_for(std::chrono::seconds{1});
                        said = p.drain();
                    }
                    EXPECT_FALSE(said.empty()) << marker;
                }
                s.armed = false;
                auto const lost = kind == fault_kind::lose_ack;  // applied, though nobody heard
                if (c.queued) {
                    auto const more = r.must(queue.list(1000)).size() - queued_before;
                    if (said.starts_with("250"))
                        EXPECT_EQ(more, 1U) << marker << said;
                    else
                        EXPECT_LE(more, lost ? 1U : 0U) << marker << said;
                    continue;
                }
                auto const first = said.substr(0, said.find("\r\n"));
                auto const at_bob = copies(r.mail_of(r.bob), marker);
                if (first.starts_with("250"))
                    EXPECT_EQ(at_bob, 1U) << marker << said;
                else
                    EXPECT_LE(at_bob, lost ? 1U : 0U) << marker << said;
                if (c.through != door::lmtp) continue;
                auto const at_alice = copies(r.mail_of(r.alice), marker);
                auto const second = said.substr(said.find("\r\n") + 2);
                if (second.starts_with("250"))
                    EXPECT_EQ(at_alice, 1U) << marker << said;
                else
                    EXPECT_LE(at_alice, lost ? 1U : 0U) << marker << said;
            }
            EXPECT_TRUE(s.countdown >= 0 || s.struck);
        }
    }
}

TEST(smtp_faults, every_refusal_is_temporary_and_the_next_try_succeeds)
{
    saboteur s;
    smtp_rig r{{.limits = {}, .faults = s.faults(), .server = {}, .accept = {}}};
    smtp_peer p{r, door::mx};
    (void)p.line("EHLO client.example");
    s.armed = true;
    EXPECT_EQ(smtp_peer::last_code(p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")), "354");
    EXPECT_EQ(p.say("From: x@elsewhere.example\r\nSubject: a\r\n\r\nwhole\r\n.\r\n").substr(0, 9), "451 4.3.0");
    EXPECT_TRUE(s.struck);
    EXPECT_EQ(smtp_peer::last_code(p.say("MAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")), "354");
    EXPECT_EQ(p.say("From: x@elsewhere.example\r\nSubject: a\r\n\r\nwhole\r\n.\r\n").substr(0, 9), "250 2.0.0");
    EXPECT_EQ(copies(r.mail_of(r.bob), "a"), 1U);
}

// The connection ends at each octet of the transaction: nothing is there unless 250 could be said.
TEST(smtp_faults, a_connection_cut_anywhere_stores_all_or_nothing)
{
    std::string const whole = "EHLO c.example\r\nMAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: "
                              "x@elsewhere.example\r\nSubject: a\r\n\r\nwhole\r\n.\r\n";
    smtp_rig r;
    std::size_t expected = 0;
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        {
            smtp_peer p{r, door::mx};
            (void)p.say(whole.substr(0, cut));
        }
        if (cut == whole.size()) ++expected;
        EXPECT_EQ(r.mail_of(r.bob).size(), expected) << cut;
    }
    EXPECT_EQ(r.memory.used(), 0U);
}

}  // namespace
}  // namespace mansio::test
