#include "accept/pipeline.hpp"

#include <array>
#include <chrono>
#include <span>

#include "accept/stages.hpp"
#include "accept/trace.hpp"
#include "base/bytes.hpp"
#include "mime/date.hpp"

namespace mansio::accept {
namespace {
// What runs when. A new check is a new file and a line here.
constexpr std::array on_connect{stage{"connect", &stages::connect}};
constexpr std::array on_greet{stage{"greet", &stages::greet}};
constexpr std::array on_sender{stage{"sender", &stages::sender}};
constexpr std::array on_recipient{stage{"recipient", &stages::recipient}};
constexpr std::array on_message{stage{"octets", &stages::octets}, stage{"parse", &stages::parse}, stage{"authenticate", &stages::authenticate},
                                stage{"sign", &stages::sign}, stage{"commit", &stages::commit}};
constexpr std::array stage_names{on_connect[0].name, on_greet[0].name,   on_sender[0].name,  on_recipient[0].name, on_message[0].name,
                                 on_message[1].name, on_message[2].name, on_message[3].name, on_message[4].name};
constexpr std::array doors{door::mx, door::submission, door::lmtp};
}  // namespace

struct pipeline::impl {
    workshop shop;
    struct figures {
        base::histogram* seconds = nullptr;
        base::counter* refused = nullptr;
    };
    std::array<figures, stage_names.size()> by_stage;
    std::array<base::counter*, doors.size()> accepted{};
    // Figures of the limits that acceptance keeps (base/limits.def names them).
    base::counter& loops;
    base::counter& harvest_blocks;
    base::counter& too_many_recipients;
    base::counter& message_too_big;
    base::counter& header_too_big;
    base::counter& memory_refusals;
    base::counter& spooled;

    impl(parts p, options o)
        : shop{p, o, srs{o.srs_key}, harvest_table{p.clock, p.limits.smtp_unknown_recipients}, {}},
          loops(p.metrics.get_counter("mansio_mail_loops_total", "messages refused because they went in a circle")),
          harvest_blocks(p.metrics.get_counter("mansio_smtp_harvest_blocks_total", "answers to networks that asked for too many unknown recipients")),
          too_many_recipients(p.metrics.get_counter("mansio_smtp_too_many_recipients_total", "recipients over the number a message may have")),
          message_too_big(p.metrics.get_counter("mansio_message_too_big_total", "messages refused for their size")),
          header_too_big(p.metrics.get_counter("mansio_header_too_big_total", "messages refused for the size of their header")),
          memory_refusals(p.metrics.get_counter("mansio_memory_refusals_total", "messages put off because memory or disk had no room")),
          spooled(p.metrics.get_counter("mansio_messages_spooled_total", "messages too large to stay in memory until they were committed"))
    {
        for (std::size_t i = 0; i < stage_names.size(); ++i) {
            auto const label = "stage=\"" + std::string{stage_names[i]} + "\"";
            by_stage[i].seconds = &p.metrics.get_histogram("mansio_accept_stage_seconds", "time a message spent in a stage of acceptance", {}, label);
            by_stage[i].refused = &p.metrics.get_counter("mansio_accept_refused_total", "what a stage of acceptance rejected or deferred", label);
        }
        for (std::size_t i = 0; i < doors.size(); ++i)
            accepted[i] =
                &p.metrics.get_counter("mansio_messages_accepted_total", "messages accepted and committed", "door=\"" + std::string{name_of(doors[i])} + "\"");
        shop.authserv_ids.push_back(base::to_lower_ascii(o.hostname));
        for (auto const& id : o.authserv_ids) shop.authserv_ids.push_back(base::to_lower_ascii(id));
    }

    figures const& figures_of(std::string_view name) const
    {
        std::size_t i = 0;
        while (i + 1 < stage_names.size() && stage_names[i] != name) ++i;
        return by_stage[i];
    }
    void refused(message const& m, decision const& d);
    task<decision> run(std::span<stage const> list, message& m);
};

void pipeline::impl::refused(message const& m, decision const& d)
{
    figures_of(d.stage).refused->add();
    if (d.say.status == "5.4.6")
        loops.add();
    else if (d.say.code == 421)
        harvest_blocks.add();
    else if (d.say.status == "4.5.3")
        too_many_recipients.add();
    else if (d.say.status == "4.3.1")
        memory_refusals.add();
    else if (d.say.status == "5.3.4")
        (d.say.text == header_refusal ? header_too_big : message_too_big).add();
    shop.with.log.info("message_refused", {{"session", m.from->session},
                                           {"message", m.id},
                                           {"door", name_of(m.from->through)},
                                           {"peer", m.from->peer},
                                           {"stage", d.stage},
                                           {"reply", describe(d.say)},
                                           {"sender", m.sender_text()},
                                           {"recipient", m.asked ? m.asked->text() : std::string{}}});
}

/// The driver: one stage after the other until one does not go on.
task<decision> pipeline::impl::run(std::span<stage const> list, message& m)
{
    decision last = decision::pass();
    for (auto const& s : list) {
        auto const began = shop.with.clock.monotonic();
        last = co_await s.run(shop, m);
        figures_of(s.name).seconds->observe(std::chrono::duration<double>(shop.with.clock.monotonic() - began).count());
        if (last) continue;
        last.stage = s.name;
        refused(m, last);
        break;
    }
    co_return last;
}

pipeline::pipeline(parts p, options o) : impl_(std::make_unique<impl>(p, std::move(o))) {}
pipeline::~pipeline() = default;

task<decision> pipeline::connect(message& m) { return impl_->run(on_connect, m); }

task<decision> pipeline::greet(message& m, std::string name, bool extended)
{
    m.from->greeting = std::move(name);
    m.from->extended = extended;
    return impl_->run(on_greet, m);
}

task<decision> pipeline::begin(message& m)
{
    m.id = base::to_base32(impl_->shop.with.random.octets(10));
    auto d = co_await impl_->run(on_sender, m);
    m.begun = static_cast<bool>(d);
    co_return d;
}

task<decision> pipeline::recipient(message& m)
{
    MANSIO_ASSERT(m.begun && m.asked);
    auto d = co_await impl_->run(on_recipient, m);
    m.asked.reset();
    co_return d;
}

void pipeline::open(message& m)
{
    auto& shop = impl_->shop;
    header_rules rules;
    rules.own_authserv_ids = shop.authserv_ids;
    rules.keep_original = m.from->through == door::mx;
    if (m.from->through == door::submission) {
        rules.remove_bcc = true;
        rules.add_date = mime::format_date({std::chrono::floor<std::chrono::seconds>(shop.with.clock.wall()).time_since_epoch().count(), 0});
        rules.add_message_id = "<" + m.id + "@" + shop.set.hostname + ">";
    }
    auto const expected = std::min(m.declared_size, shop.with.limits.message_size);
    m.incoming = std::make_shared<intake>(shop.with.spool.open(store::line_ends::as_they_are, expected), std::move(rules), shop.with.limits, shop.with.memory);
}

task<decision> pipeline::finish(message& m)
{
    auto const began = impl_->shop.with.clock.monotonic();
    auto d = co_await impl_->run(on_message, m);
    if (!d) co_return d;
    if (m.octets.mapped()) impl_->spooled.add();
    bool any = false;
    for (auto const& r : m.outcomes) any = any || r.positive();
    if (any) impl_->accepted[static_cast<std::size_t>(m.from->through)]->add();
    auto const seconds = std::chrono::duration<double>(impl_->shop.with.clock.monotonic() - began).count();
    impl_->shop.with.log.info(any ? "message_accepted" : "message_refused", {{"session", m.from->session},
                                                                             {"message", m.id},
                                                                             {"door", name_of(m.from->through)},
                                                                             {"peer", m.from->peer},
                                                                             {"account", m.from->account_address},
                                                                             {"sender", m.sender_text()},
                                                                             {"recipients", m.recipients.size()},
                                                                             {"size", m.octets.size()},
                                                                             {"message_id", m.summary->message_id},
                                                                             {"queued_as", m.queued_as},
                                                                             {"reply", m.outcomes.empty() ? std::string{} : describe(m.outcomes.back())},
                                                                             {"seconds", std::to_string(seconds)}});
    co_return d;
}

void pipeline::distrust(client const& c, std::uint64_t weight)
{
    if (impl_->shop.set.address_limits && !c.local) impl_->shop.harvest.count(c.peer_prefix, weight);
}

void pipeline::reset(message& m)
{
    auto* const from = m.from;
    m = message{};
    m.from = from;
}

}  // namespace mansio::accept
