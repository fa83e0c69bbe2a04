// What senders ask of the queue: notifications (RFC 3461), times (RFC 2852, 4865), order (RFC 6710).
#include "queue/rig.hpp"

using namespace mansio;
using namespace mansio::test;

namespace {

bool says(std::string const& octets, std::string_view part) { return octets.find(part) != std::string::npos; }

queue::recipient asking(std::string address, queue::notify wanted, std::string orcpt = {})
{
    auto r = remote(std::move(address));
    r.wanted = wanted;
    r.orcpt = std::move(orcpt);
    return r;
}
queue::recipient mailbox(queue::notify wanted)
{
    auto r = asking("x@ours.test", wanted);
    r.account = 5;
    return r;
}
queue::notify const success{true, true, false, false}, failure{true, false, true, false}, delay{true, false, false, true}, nothing{true, false, false, false};

std::string const letter = "Subject: x\r\n\r\nhello\r\n";
queue::requests const plain;

/// What the sender (a@ours.test) was sent.
std::vector<std::string> reports(world const& w)
{
    std::vector<std::string> out;
    for (auto const& d : w.local.delivered)
        if (d.sender.empty()) out.push_back(d.octets);
    return out;
}

}  // namespace

TEST(queue_dsn, a_failure_is_told_as_it_was_asked)
{
    struct {
        queue::notify wanted;
        bool told;
    } const cases[] = {{{}, true}, {failure, true}, {success, false}, {delay, false}, {nothing, false}};
    for (auto const& c : cases) {
        world w;
        w.relay.script["b@example.org"] = {never()};
        w.send("a@ours.test", {asking("b@example.org", c.wanted)});
        w.loop.run_ready();
        EXPECT_EQ(reports(w).size(), c.told ? 1U : 0U) << c.wanted.text();
        EXPECT_EQ(says(w.log.text(), "bounce_unwanted"), !c.told) << c.wanted.text();
        EXPECT_EQ(w.q->size(), 0U);
        EXPECT_EQ(w.rows(), 0U);
    }
}

TEST(queue_dsn, fields_of_the_request_stand_in_the_report)
{
    world w;
    w.relay.script["b@example.org"] = {never()};
    w.relay.script["c@example.org"] = {never()};
    queue::requests asked;
    asked.envelope_id = "Q+2B1";
    asked.by = {queue::deliver_by::mode::notify, false, 600s};
    w.send("a@ours.test", {asking("b@example.org", failure, "rfc822;Bob+2Bx@Example.COM"), remote("c@example.org")}, letter, asked);
    w.loop.run_ready();
    ASSERT_EQ(reports(w).size(), 1U);
    auto const text = reports(w)[0];
    for (auto const* part :
         {"Original-Envelope-ID: Q+1\r\n", "Original-Recipient: rfc822; Bob+x@Example.COM\r\nFinal-Recipient: rfc822; b@example.org\r\nAction: failed\r\n",
          "Arrival-Date: ", "Deliver-By-Date: ", "\r\n\r\nFinal-Recipient: rfc822; c@example.org\r\n", "text/rfc822-headers"})
        EXPECT_TRUE(says(text, part)) << part << "\n" << text;
    EXPECT_FALSE(says(text, "hello"));
}

/// Neither failure nor success nor delay is told to an address that anybody may have put there.
TEST(catalogue, R4_an_unproved_sender_is_told_nothing)
{
    world w;
    w.sender_unproved = true;
    w.relay.script["b@example.org"] = {never()};
    w.send("victim@elsewhere.example", {asking("b@example.org", failure), mailbox(success)}, letter);
    w.loop.run_ready();
    EXPECT_TRUE(reports(w).empty());
    EXPECT_EQ(w.rows(), 0U) << "closed all the same";
    EXPECT_NE(w.log.text().find("double_bounce"), std::string::npos);
    w.sender_unproved = false;
    w.send("a@ours.test", {asking("b@example.org", failure)}, letter);
    w.loop.run_ready();
    EXPECT_EQ(reports(w).size(), 1U);
}

TEST(queue_dsn, ret_full_returns_the_message_where_it_may)
{
    struct {
        char const* name;
        std::function<void(queue::requests&, base::limits&)> set;
        bool whole;
    } const cases[] = {
        {"not asked", [](auto&, auto&) {}, false},
        {"HDRS", [](auto& q, auto&) { q.content = queue::returned::headers; }, false},
        {"FULL", [](auto& q, auto&) { q.content = queue::returned::full; }, true},
        {"too large", [](auto& q, auto& l) { q.content = queue::returned::full, l.queue_returned_size = 10; }, false},
        {"REQUIRETLS", [](auto& q, auto&) { q.content = queue::returned::full, q.require_tls = true; }, false},  // RFC 8689 §5
        {"binary", [](auto& q, auto&) { q.content = queue::returned::full, q.binary = true; }, false},
    };
    for (auto const& c : cases) {
        world w;
        w.relay.script["b@example.org"] = {never()};
        queue::requests asked;
        c.set(asked, w.limits);
        w.send("a@ours.test", {remote("b@example.org")}, letter, asked);
        w.loop.run_ready();
        ASSERT_EQ(reports(w).size(), 1U) << c.name;
        EXPECT_EQ(says(reports(w)[0], "Content-Type: message/rfc822\r\n\r\nReceived: by us\r\nSubject: x\r\n\r\nhello\r\n"), c.whole) << c.name;
        EXPECT_EQ(w.local.delivered[0].asked.require_tls, asked.require_tls) << c.name;
    }
}

TEST(queue_dsn, success_is_told_by_whoever_hands_over_last)
{
    world w;
    auto on = good();
    on.dsn_passed_on = true;
    w.relay.script["passed@example.org"] = {on};
    w.send("a@ours.test", {mailbox(success), asking("b@example.org", success), asking("passed@example.org", success), asking("quiet@example.org", failure),
                           remote("unsaid@example.org")});
    w.loop.run_ready();
    auto const all = reports(w);
    ASSERT_EQ(all.size(), 2U) << "one commit, one report";
    auto const& here = says(all[0], "delivered") && says(all[0], "x@ours.test") ? all[0] : all[1];
    auto const& there = &here == &all[0] ? all[1] : all[0];
    EXPECT_TRUE(says(here, "Final-Recipient: rfc822; x@ours.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n")) << here;
    EXPECT_TRUE(says(there, "Final-Recipient: rfc822; b@example.org\r\nAction: relayed\r\nStatus: 2.0.0\r\n")) << there;
    for (auto const* other : {"passed@", "quiet@", "unsaid@"}) EXPECT_FALSE(says(here + there, other)) << other;
    EXPECT_EQ(w.rows(), 0U);
}

TEST(queue_dsn, the_report_of_a_delivery_is_in_the_commit_that_marks_it)
{
    world w;
    std::size_t seen = 0;
    w.q.reset();
    w.engine = nullptr;
    w.faults.fail = [&](store::change const& c) {
        if (c.note == "attempt" && !c.rows.empty() && !c.new_blobs.empty()) ++seen;
        return false;
    };
    w.engine = store::make_memory_engine(w.clock, w.random, w.faults);
    w.open();
    w.send("a@ours.test", {mailbox(success), remote("later@example.org")});
    w.loop.run_ready();
    EXPECT_EQ(seen, 1U);
}

TEST(queue_dsn, an_alias_that_became_several_is_told_as_expanded)
{
    world w;
    auto alias = asking("team@ours.test", success, "rfc822;team@ours.test");
    alias.expansion = true;
    w.send("a@ours.test", {alias, remote("b@example.org")});
    w.loop.run_ready();
    ASSERT_EQ(reports(w).size(), 1U);
    EXPECT_TRUE(says(reports(w)[0], "Final-Recipient: rfc822; team@ours.test\r\nAction: expanded\r\nStatus: 2.0.0\r\n")) << reports(w)[0];
    EXPECT_EQ(w.relay.delivered.size(), 1U);
    EXPECT_EQ(w.rows(), 0U);
}

TEST(queue_dsn, a_delay_is_told_once_and_in_time)
{
    for (auto const& wanted : {queue::notify{}, delay, failure, nothing}) {
        world w;
        w.relay.script["b@example.org"] = {later()};
        w.send("a@ours.test", {asking("b@example.org", wanted)});
        w.loop.run_for(4h - 1s);
        EXPECT_TRUE(reports(w).empty()) << "too early";
        w.loop.run_for(2s);
        ASSERT_EQ(reports(w).size(), wanted.wants_delay() ? 1U : 0U) << wanted.text();
        w.restart();
        w.loop.run_for(80h);
        EXPECT_EQ(reports(w).size(), wanted.wants_delay() ? 1U : 0U) << "told again: " << wanted.text();
        if (!wanted.wants_delay()) continue;
        for (auto const* part :
             {"Subject: Your mail is delayed\r\n", "Action: delayed\r\nStatus: 4.4.1\r\n", "Will-Retry-Until: ", "need not\r\nsend it again"})
            EXPECT_TRUE(says(reports(w)[0], part)) << part << reports(w)[0];
    }
}

// D10: the clock on the wall says nothing about how long mail was tried.
TEST(queue_dsn, a_jumping_clock_tells_no_delay)
{
    for (auto const jump : {std::chrono::seconds{10 * 365 * 24h}, std::chrono::seconds{-10 * 365 * 24h}}) {
        world w;
        w.relay.script["b@example.org"] = {later()};
        queue::requests asked;
        asked.by = {queue::deliver_by::mode::give_back, false, 7200s};
        w.send("a@ours.test", {remote("b@example.org")}, letter, asked);
        w.loop.run_ready();
        w.clock.jump_wall(jump);
        w.loop.run_for(7199s);
        EXPECT_TRUE(reports(w).empty());
        w.loop.run_for(2s);
        EXPECT_EQ(reports(w).size(), 1U);
    }
}

TEST(queue_dsn, no_warning_goes_to_nobody)
{
    world w;
    w.relay.script["b@example.org"] = {later()};
    w.send("", {asking("b@example.org", {true, true, true, true})});
    w.loop.run_for(200h);
    EXPECT_TRUE(w.local.delivered.empty());
    EXPECT_EQ(w.q->size(), 0U);
    EXPECT_TRUE(says(w.log.text(), "double_bounce"));
    EXPECT_TRUE(says(w.metrics.exposition(), "mansio_queue_double_bounces_total 1"));
}

TEST(queue_dsn, a_report_that_cannot_be_delivered_is_a_double_bounce)
{
    world w;
    w.relay.script["b@example.org"] = {never()};
    w.relay.script["gone@elsewhere.example"] = {never()};
    w.send("gone@elsewhere.example", {remote("b@example.org")});
    w.loop.run_ready();
    EXPECT_EQ(w.q->size(), 0U);
    EXPECT_EQ(w.rows(), 0U);
    EXPECT_TRUE(says(w.metrics.exposition(), "mansio_queue_double_bounces_total 1"));
    EXPECT_TRUE(w.local.delivered.empty());
}

TEST(queue_deliver_by, gives_back_when_the_time_has_passed)
{
    world w;
    w.relay.script["b@example.org"] = {later()};
    queue::requests asked;
    asked.by = {queue::deliver_by::mode::give_back, false, 1000s};
    w.send("a@ours.test", {remote("b@example.org")}, letter, asked);
    w.loop.run_for(999s);
    auto const tried = w.relay.attempts;
    EXPECT_TRUE(reports(w).empty());
    w.restart();
    w.loop.run_for(2s);
    EXPECT_EQ(w.relay.attempts, tried) << "no attempt after the time (RFC 2852 §4.1.3)";
    ASSERT_EQ(reports(w).size(), 1U);
    EXPECT_TRUE(says(reports(w)[0], "Action: failed\r\nStatus: 5.4.7\r\n")) << reports(w)[0];
    EXPECT_EQ(w.q->size(), 0U);
}

TEST(queue_deliver_by, notifies_when_the_time_has_passed_and_goes_on)
{
    world w;
    w.relay.script["b@example.org"] = {later()};
    queue::requests asked;
    asked.by = {queue::deliver_by::mode::notify, false, 1000s};
    w.send("a@ours.test", {remote("b@example.org"), asking("c@example.org", nothing)}, letter, asked);
    w.relay.script["c@example.org"] = {later()};
    w.loop.run_for(999s);
    EXPECT_TRUE(reports(w).empty());
    w.loop.run_for(2s);
    ASSERT_EQ(reports(w).size(), 1U);
    EXPECT_TRUE(says(reports(w)[0], "Action: delayed\r\nStatus: 4.4.7\r\n")) << reports(w)[0];
    EXPECT_FALSE(says(reports(w)[0], "c@example.org"));
    EXPECT_EQ(w.q->size(), 1U);
    w.relay.script.clear();
    w.loop.run_for(2h);
    EXPECT_EQ(w.relay.delivered.size(), 2U);
}

TEST(queue_deliver_by, trace_and_servers_that_keep_no_time)
{
    struct {
        queue::deliver_by by;
        bool passed_on;
        queue::notify wanted;
        bool told;
    } const cases[] = {
        {{queue::deliver_by::mode::notify, false, 100s}, true, {}, false},     {{queue::deliver_by::mode::notify, false, 100s}, false, {}, true},
        {{queue::deliver_by::mode::notify, false, -1s}, false, {}, false},     {{queue::deliver_by::mode::notify, true, 100s}, true, {}, true},
        {{queue::deliver_by::mode::give_back, true, 100s}, true, {}, true},    {{queue::deliver_by::mode::give_back, false, 100s}, true, {}, false},
        {{queue::deliver_by::mode::notify, true, 100s}, true, nothing, false},
    };
    for (auto const& c : cases) {
        world w;
        auto o = good();
        o.by_passed_on = c.passed_on;
        o.dsn_passed_on = true;
        w.relay.script["b@example.org"] = {o};
        queue::requests asked;
        asked.by = c.by;
        w.send("a@ours.test", {asking("b@example.org", c.wanted)}, letter, asked);
        w.loop.run_ready();
        EXPECT_EQ(reports(w).size(), c.told ? 1U : 0U) << &c - cases;
    }
}

TEST(queue_hold, waits_as_long_as_its_sender_wished)
{
    world w;
    queue::requests asked;
    asked.hold = 3 * 24h;
    asked.hold_words = "for;259200";
    w.relay.script["b@example.org"] = {never()};
    auto const id = w.send("a@ours.test", {remote("b@example.org")}, letter, asked);
    w.loop.run_for(24h);
    w.restart();  // an attempt waits no longer than four hours; this is no attempt
    w.loop.run_for(24h);
    EXPECT_EQ(w.loop.run(w.q->retry("")).value(), 0U);
    EXPECT_EQ(w.loop.run(w.q->retry(id)).value(), 0U);
    w.restart();
    w.loop.run_for(24h - 1s);
    EXPECT_EQ(w.relay.attempts, 0U);
    w.loop.run_for(2s);
    EXPECT_EQ(w.relay.attempts, 1U);
    ASSERT_EQ(reports(w).size(), 1U);
    EXPECT_TRUE(says(reports(w)[0], "Future-Release-Request: for;259200\r\n")) << reports(w)[0];
}

TEST(queue_hold, its_lifetime_begins_when_it_is_released)
{
    world w;
    w.limits.queue_delay_notice = 0;
    queue::requests asked;
    asked.hold = 20 * 24h;
    w.relay.script["b@example.org"] = {later(), good()};
    w.send("a@ours.test", {remote("b@example.org")}, letter, asked);
    w.loop.run_for(20 * 24h + 1h);
    EXPECT_EQ(w.relay.delivered.size(), 1U);
    EXPECT_TRUE(reports(w).empty());
}

TEST(queue_hold, cancel_undoes_the_sending_and_release_hastens_it)
{
    for (bool const cancel : {true, false}) {
        world w;
        queue::requests asked;
        asked.hold = 60s;
        auto const id = w.send("a@ours.test", {remote("b@example.org")}, letter, asked);
        w.loop.run_for(59s);
        w.restart();
        ASSERT_TRUE(w.loop.run(cancel ? w.q->cancel(id) : w.q->release(id)).has_value());
        w.loop.run_ready();
        EXPECT_EQ(w.relay.delivered.size(), cancel ? 0U : 1U);
        w.loop.run_for(24h);
        EXPECT_EQ(w.relay.delivered.size(), cancel ? 0U : 1U);
        EXPECT_EQ(w.rows(), 0U);
        EXPECT_TRUE(w.local.delivered.empty());
    }
}

TEST(queue_hold, a_clock_that_goes_back_freezes_nothing)
{
    world w;
    queue::requests asked;
    asked.hold = 3600s;
    w.send("a@ours.test", {remote("b@example.org")}, letter, asked);
    w.clock.jump_wall(-std::chrono::seconds{10 * 365 * 24h});
    w.restart();
    w.loop.run_for(3601s);
    EXPECT_EQ(w.relay.delivered.size(), 1U);
}

TEST(queue_priority, the_higher_goes_first)
{
    world w;
    w.limits.relay_connections = 1;
    w.limits.relay_connections_per_destination = 1;
    w.q.reset();
    w.open();
    base::signal gate;
    w.relay.gate = &gate;
    w.send("a@ours.test", {remote("first@example.org")});  // takes the slot
    w.loop.run_ready();
    for (int const p : {0, -3, 9, 4, 9}) {
        queue::requests asked;
        asked.priority = p;
        w.send("a@ours.test", {remote("p" + std::to_string(p) + "@example.org")}, letter, asked);
    }
    w.loop.run_ready();
    w.relay.gate = nullptr;
    base::spawn_detached(w.loop, [](base::signal& s) -> task<void> {
        s.notify_all();
        co_return;
    }(gate));
    w.loop.run_ready();
    std::vector<std::string> order;
    for (auto const& d : w.relay.delivered) order.push_back(d.address);
    EXPECT_EQ(order,
              (std::vector<std::string>{"first@example.org", "p9@example.org", "p9@example.org", "p4@example.org", "p0@example.org", "p-3@example.org"}));
}

TEST(queue_rows, carry_what_was_asked)
{
    queue::envelope e;
    e.recipients = {asking("x@y", {true, true, false, true}, "rfc822;X@y"), remote("z@y")};
    e.recipients[1].expansion = true;
    e.asked.content = queue::returned::full;
    e.asked.envelope_id = "id+2B";
    e.asked.binary = e.asked.require_tls = true;
    e.asked.priority = -9;
    e.asked.by = {queue::deliver_by::mode::notify, true, -5s};
    e.asked.hold = 300s;
    e.asked.hold_words = "for;300";
    auto row = queue::encode_envelope(e);
    auto const back = queue::decode_envelope(row);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->asked, e.asked);
    EXPECT_EQ(back->recipients[0].wanted, e.recipients[0].wanted);
    EXPECT_EQ(back->recipients[0].orcpt, "rfc822;X@y");
    EXPECT_TRUE(back->recipients[1].expansion && !back->recipients[0].expansion);
    for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = static_cast<char>(row[i] ^ 0x10);
        EXPECT_FALSE(queue::decode_envelope(row).has_value()) << i;
        row[i] = static_cast<char>(row[i] ^ 0x10);
    }
    queue::schedule s;
    s.priority = -4;
    s.hold_left = 7s;
    s.waited = 8s;
    auto const plan = queue::decode_schedule(queue::encode_schedule(s));
    ASSERT_TRUE(plan.has_value());
    EXPECT_EQ(plan->priority, -4);
    EXPECT_EQ(plan->hold_left, 7s);
    EXPECT_EQ(plan->waited, 8s);
    queue::recipient told;
    told.by_told = true;
    queue::recipient read;
    ASSERT_TRUE(queue::decode_recipient_state(queue::encode_recipient_state(told), read).has_value());
    EXPECT_TRUE(read.by_told && !read.delay_told);
}

// Rows of format 1, as the version before wrote them; and what asks for nothing new is still written so, for a way back.
TEST(queue_rows, of_the_format_before_are_read_and_written)
{
    auto const blob = *store::blob_id::from_octets(std::string(16, 'b'));
    base::row_writer w;
    w.u8(1).u8(1 | 4).octets("a@b").raw(blob.view()).octets("Received: x\r\n").varint(99).octets("s1").octets("<m@b>");
    w.signed_varint(1'700'000'000'000'000).varint(1).octets("x@y").varint(7).octets("detail").octets("X@y").octets("SRS0=x@ours");
    auto const envelope_row = w.take_sealed();
    auto const e = queue::decode_envelope(envelope_row);
    ASSERT_TRUE(e.has_value());
    EXPECT_EQ(e->asked, plain);
    EXPECT_EQ(e->recipients[0].wanted, queue::notify{});
    EXPECT_EQ(e->recipients[0].sender, "SRS0=x@ours");
    EXPECT_EQ(queue::encode_envelope(*e), envelope_row);

    auto const state_row = base::row_writer{}.u8(1).u8(1).varint(3).octets("2.0.0").octets("ok").octets("mx").take_sealed();
    queue::recipient r;
    ASSERT_TRUE(queue::decode_recipient_state(state_row, r).has_value());
    EXPECT_EQ(queue::encode_recipient_state(r), state_row);

    auto const schedule_row = base::row_writer{}.u8(1).signed_varint(10).signed_varint(9).signed_varint(8).varint(2).octets("held").take_sealed();
    auto const s = queue::decode_schedule(schedule_row);
    ASSERT_TRUE(s.has_value());
    EXPECT_EQ(s->hold_left, 0s);
    EXPECT_EQ(queue::encode_schedule(*s), schedule_row);

    auto const future = base::row_writer{}.u8(3).signed_varint(10).signed_varint(9).signed_varint(8).varint(2).octets("").take_sealed();
    EXPECT_FALSE(queue::decode_schedule(future).has_value());
}
