#include "queue/rig.hpp"

using namespace mansio;
using namespace mansio::test;

TEST(queue, delivers_at_once_and_leaves_nothing_behind)
{
    world w;
    auto const id = w.send("a@ours.test", {remote("b@example.org")});
    ASSERT_FALSE(id.empty());
    w.loop.run_ready();
    ASSERT_EQ(w.relay.delivered.size(), 1U);
    EXPECT_EQ(w.relay.delivered[0].octets, "Received: by us\r\nSubject: x\r\n\r\nhello\r\n");
    EXPECT_EQ(w.q->size(), 0U);
    EXPECT_EQ(w.rows(), 0U);
}

TEST(queue, nothing_is_accepted_when_the_commit_fails)
{
    world w;
    w.fail_commits = true;
    EXPECT_TRUE(w.send("a@ours.test", {remote("b@example.org")}).empty());
    w.loop.run_for(1h);
    EXPECT_EQ(w.relay.attempts, 0U);
    EXPECT_EQ(w.q->size(), 0U);
}

TEST(queue, waits_longer_after_each_failure)
{
    world w;
    w.relay.script["b@example.org"] = {later()};
    w.send("a@ours.test", {remote("b@example.org")});
    w.loop.run_ready();
    // 300 s, doubled up to 14,400 s.
    std::vector<std::size_t> attempts;
    for (auto const wait : {299s, 1s, 599s, 1s, 1199s, 1s}) {
        w.loop.run_for(wait);
        attempts.push_back(w.relay.attempts);
    }
    EXPECT_EQ(attempts, (std::vector<std::size_t>{1, 2, 2, 3, 3, 4}));
}

TEST(queue, bounces_once_with_the_other_sides_words)
{
    world w;
    w.relay.script["b@example.org"] = {never()};
    w.send("a@ours.test", {remote("b@example.org"), remote("c@example.org")});
    w.loop.run_ready();
    ASSERT_EQ(w.relay.delivered.size(), 1U);
    EXPECT_EQ(w.relay.delivered[0].address, "c@example.org");
    ASSERT_EQ(w.local.delivered.size(), 1U);
    auto const& dsn = w.local.delivered[0];
    EXPECT_EQ(dsn.sender, "");
    EXPECT_EQ(dsn.address, "a@ours.test");
    for (auto const* part : {"To: <a@ours.test>\r\n", "Auto-Submitted: auto-replied\r\n", "report-type=delivery-status",
                             "Final-Recipient: rfc822; b@example.org\r\n", "Action: failed\r\n", "Status: 5.1.1\r\n", "Remote-MTA: dns; mx.example.org\r\n",
                             "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n", "Subject: x\r\n", "Reporting-MTA: dns; mail.ours.test\r\n"})
        EXPECT_NE(dsn.octets.find(part), std::string::npos) << part << "\n" << dsn.octets;
    EXPECT_EQ(dsn.octets.find("hello"), std::string::npos);
    EXPECT_EQ(w.q->size(), 0U);
    EXPECT_EQ(w.rows(), 0U);
}

TEST(queue, words_of_others_add_no_field_to_a_bounce)
{
    world w;
    auto bad = never();
    bad.reply = "550 no\r\nX-Injected: yes\r\n\r\nbody";
    bad.host = "mx\r\nX-Injected: yes";
    w.relay.script["b@example.org"] = {bad};
    w.send("a@ours.test", {remote("b@example.org")});
    w.loop.run_ready();
    ASSERT_EQ(w.local.delivered.size(), 1U);
    EXPECT_EQ(w.local.delivered[0].octets.find("\nX-Injected"), std::string::npos);
}

TEST(queue, never_answers_a_notification)
{
    world w;
    w.relay.script["b@example.org"] = {never()};
    w.send("", {remote("b@example.org")});
    w.loop.run_ready();
    EXPECT_TRUE(w.local.delivered.empty());
    EXPECT_TRUE(w.relay.delivered.empty());
    EXPECT_EQ(w.q->size(), 0U);
    EXPECT_NE(w.log.text().find("double_bounce"), std::string::npos);
}

TEST(queue, gives_up_after_its_lifetime_and_says_so)
{
    world w;
    w.limits.queue_delay_notice = 0;
    w.relay.script["b@example.org"] = {later()};
    w.send("a@ours.test", {remote("b@example.org")});
    w.loop.run_for(119h);
    EXPECT_TRUE(w.local.delivered.empty());
    w.loop.run_for(6h);
    ASSERT_EQ(w.local.delivered.size(), 1U);
    EXPECT_NE(w.local.delivered[0].octets.find("Status: 4.4.7"), std::string::npos);
    EXPECT_EQ(w.q->size(), 0U);
}

TEST(queue, a_jumping_clock_bounces_nothing_and_freezes_nothing)
{
    for (auto const jump : {std::chrono::seconds{10 * 365 * 24h}, std::chrono::seconds{-10 * 365 * 24h}}) {
        world w;
        w.relay.script["b@example.org"] = {later(), later(), good()};
        w.send("a@ours.test", {remote("b@example.org")});
        w.loop.run_ready();
        w.clock.jump_wall(jump);
        w.restart();
        w.loop.run_for(9h);
        EXPECT_EQ(w.relay.delivered.size(), 1U);
        for (auto const& d : w.local.delivered) EXPECT_EQ(d.octets.find("Action: failed"), std::string::npos);
    }
}

TEST(queue, after_a_restart_only_open_recipients_are_tried)
{
    world w;
    w.relay.script["b@example.org"] = {later()};
    w.send("a@ours.test", {remote("b@example.org"), remote("c@other.example")});
    w.loop.run_ready();
    EXPECT_EQ(w.relay.delivered.size(), 1U);
    w.relay.script.clear();
    w.restart();
    EXPECT_EQ(w.q->size(), 1U);
    w.loop.run_for(10min);
    ASSERT_EQ(w.relay.delivered.size(), 2U);
    EXPECT_EQ(w.relay.delivered[1].address, "b@example.org");
    EXPECT_EQ(w.rows(), 0U);
}

TEST(queue, local_and_remote_recipients_of_one_message_go_their_ways)
{
    world w;
    auto here = remote("x@ours.test");
    here.account = 5;
    w.send("a@ours.test", {here, remote("b@example.org"), remote("c@example.org"), remote("d@other.example")});
    w.loop.run_ready();
    EXPECT_EQ(w.local.delivered.size(), 1U);
    EXPECT_EQ(w.relay.delivered.size(), 3U);
    EXPECT_EQ(w.relay.attempts, 2U) << "one for each domain";
}

TEST(queue, a_dead_destination_takes_only_its_share_of_slots)
{
    world w;
    base::signal never_opens;
    w.limits.relay_connections = 10;
    w.limits.relay_connections_per_destination = 3;
    w.q.reset();
    w.open();
    w.relay.gate = &never_opens;
    for (int i = 0; i < 20; ++i) w.send("a@ours.test", {remote("b@dead.example")});
    w.loop.run_ready();
    EXPECT_EQ(w.relay.waiting, 3U);
    w.send("a@ours.test", {remote("b@alive.example")});
    w.loop.run_ready();
    EXPECT_EQ(w.relay.waiting, 4U);
    w.relay.gate = nullptr;
    for (int i = 0; i < 20; ++i) {
        base::spawn_detached(w.loop, [](base::signal& s) -> task<void> {
            s.notify_all();
            co_return;
        }(never_opens));
        w.loop.run_ready();
    }
    EXPECT_EQ(w.relay.delivered.size(), 21U);
    EXPECT_EQ(w.q->size(), 0U);
}

TEST(queue, operators_hold_release_retry_and_cancel)
{
    world w;
    w.limits.queue_delay_notice = 0;
    w.relay.script["b@example.org"] = {later()};
    auto const id = w.send("a@ours.test", {remote("b@example.org")});
    w.loop.run_ready();
    EXPECT_EQ(w.relay.attempts, 1U);
    ASSERT_TRUE(w.loop.run(w.q->hold(id, "looks odd")).has_value());
    w.loop.run_for(24h);
    EXPECT_EQ(w.relay.attempts, 1U);
    auto const shown = w.loop.run(w.q->show(id));
    ASSERT_TRUE(shown.has_value() && shown->has_value());
    EXPECT_EQ((*shown)->held, "looks odd");
    EXPECT_EQ((*shown)->recipients[0].last_reply, "connection refused");
    w.restart();
    w.loop.run_for(24h);
    EXPECT_EQ(w.relay.attempts, 1U) << "held across a restart";
    ASSERT_TRUE(w.loop.run(w.q->release(id)).has_value());
    w.loop.run_ready();
    EXPECT_EQ(w.relay.attempts, 2U);
    EXPECT_EQ(w.loop.run(w.q->retry(id)).value(), 1U);
    w.loop.run_ready();
    EXPECT_EQ(w.relay.attempts, 3U);
    auto const list = w.loop.run(w.q->list(10));
    ASSERT_TRUE(list.has_value());
    ASSERT_EQ(list->size(), 1U);
    EXPECT_EQ(list->front().waiting, 1U);
    ASSERT_TRUE(w.loop.run(w.q->cancel(id)).has_value());
    EXPECT_EQ(w.q->size(), 0U);
    EXPECT_EQ(w.rows(), 0U);
    EXPECT_TRUE(w.local.delivered.empty()) << "an operator's delete sends no notification (D4)";
    EXPECT_FALSE(w.loop.run(w.q->cancel(id)).has_value());
}

// D4: accepted = delivered + bounced + queued, whatever fails and whenever it restarts.
TEST(queue, every_recipient_ends_in_exactly_one_way)
{
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        world w;
        base::seeded_random dice{seed};
        bool flaky = true;
        w.engine = nullptr;
        w.q.reset();
        w.faults.fail = [&](store::change const& c) { return flaky && c.note != "enqueue" && dice.below(5) == 0; };
        w.engine = store::make_memory_engine(w.clock, w.random, w.faults);
        w.open();
        std::set<std::string> accepted, doomed;
        for (int i = 0; i < 12; ++i) {
            std::vector<queue::recipient> to;
            for (int k = 0; k < 3; ++k) {
                auto const address = "r" + std::to_string(i) + "." + std::to_string(k) + "@d" + std::to_string(dice.below(3)) + ".example";
                to.push_back(remote(address));
                std::deque<outcome> story;
                for (auto n = dice.below(3); n > 0; --n) story.push_back(later());
                bool const dies = dice.below(3) == 0;
                story.push_back(dies ? never() : good());
                w.relay.script[address] = story;
                accepted.insert(address);
                if (dies) doomed.insert(address);
            }
            w.send("a@ours.test", to);
            if (dice.below(4) == 0) w.restart();
            w.loop.run_for(std::chrono::minutes{dice.below(20)});
        }
        flaky = false;
        w.loop.run_for(4 * 24h);
        EXPECT_EQ(w.q->size(), 0U) << seed;
        EXPECT_EQ(w.rows(), 0U) << seed;
        std::map<std::string, int> delivered, bounced;
        for (auto const& d : w.relay.delivered) ++delivered[d.address];
        std::set<std::string> told;  // a repeated local delivery changes nothing: accounts remember the id
        for (auto const& d : w.local.delivered) {
            if (!told.insert(d.id).second) continue;
            for (auto const& a : accepted)
                if (d.octets.find("Final-Recipient: rfc822; " + a + "\r\n") != std::string::npos) ++bounced[a];
        }
        for (auto const& a : accepted) {
            if (doomed.contains(a)) {
                EXPECT_EQ(bounced[a], 1) << a << " seed " << seed;
                EXPECT_EQ(delivered[a], 0) << a;
            } else {
                // A mark that could not be written means another attempt (D3), never none.
                EXPECT_GE(delivered[a], 1) << a << " seed " << seed;
                EXPECT_EQ(bounced[a], 0) << a;
            }
        }
    }
}

TEST(queue_rows, read_back_and_notice_damage)
{
    queue::envelope e;
    e.sender = "a@b";
    e.recipients = {remote("x@y"), remote("z@y")};
    e.recipients[1].account = 7;
    e.recipients[1].sender = "SRS0=x@ours";
    e.prefix = "Received: x\r\n";
    e.size = 1ULL << 40U;
    e.smtputf8 = e.authenticated = e.sender_unproved = true;
    auto row = queue::encode_envelope(e);
    auto const back = queue::decode_envelope(row);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->recipients[1].sender, "SRS0=x@ours");
    EXPECT_EQ(back->size, e.size);
    EXPECT_TRUE(back->smtputf8 && back->authenticated && back->sender_unproved && !back->body_8bit);
    for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = static_cast<char>(row[i] ^ 0x10);
        EXPECT_FALSE(queue::decode_envelope(row).has_value()) << i;
        row[i] = static_cast<char>(row[i] ^ 0x10);
        EXPECT_FALSE(queue::decode_envelope(std::string_view{row}.substr(0, i)).has_value()) << i;
    }
    EXPECT_EQ(queue::partition_number("3f-aaaaaaaaaaaaaaaa"), 63U);
    for (auto const* bad : {"", "40-aaaaaaaaaaaaaaaa", "3f-aaaaaaaaaaaaaaa", "3f-aaaaaaaaaaaaaaa/", "zz-aaaaaaaaaaaaaaaa"})
        EXPECT_FALSE(queue::partition_number(bad)) << bad;
}
