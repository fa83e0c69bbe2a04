// NOTIFY (RFC 5465).
#include "imap/notify.hpp"

#include <algorithm>

#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::size_t most_groups = 100;
constexpr std::size_t most_names = 1000;

struct notify_args {
    bool none = false;
    bool status = false;
    std::vector<notify_group> groups;
};

// one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"
result<void> parse_names(session const& s, wire::scanner& in, notify_group& g)
{
    if (auto sp = in.space(); !sp) return sp;
    bool const many = in.take('(');
    do {
        auto const name = in.astring();
        if (!name) return fail(name);
        if (g.names.size() == most_names) return fail(fault::kind::over_limit, "[LIMIT] too many names");
        // A name that cannot be one of ours refers to no mailbox and is ignored (RFC 5465 §3.1).
        if (auto ours = mailbox_from_wire(*name, s.names(), name_use::existing, s.limits())) g.names.push_back(std::move(*ours));
    } while (many && in.take(' '));
    return many ? in.expect(')') : result<void>{};
}

result<void> parse_filter(session const& s, wire::scanner& in, notify_group& g)
{
    using filter = notify_group::filter;
    struct {
        std::string_view name;
        filter of;
        bool named;
    } constexpr filters[] = {{"SELECTED", filter::selected, false},     {"SELECTED-DELAYED", filter::selected_delayed, false},
                             {"PERSONAL", filter::personal, false},     {"INBOXES", filter::personal, false},  // RFC 5465 §6.3
                             {"SUBSCRIBED", filter::subscribed, false}, {"SUBTREE", filter::subtree, true},
                             {"MAILBOXES", filter::mailboxes, true}};
    for (auto const& f : filters) {
        if (!in.take_word(f.name)) continue;
        g.of = f.of;
        return f.named ? parse_names(s, in, g) : result<void>{};
    }
    return fail(fault::kind::syntax, "there is no such mailbox filter");
}

// event = "MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"] / …
result<void> parse_event(session const& s, wire::scanner& in, notify_group& g)
{
    struct {
        std::string_view name;
        notify_events bit;
        extension part_of = extension::none;
    } constexpr known[] = {{"MessageNew", event::message_new},
                           {"MessageExpunge", event::message_expunge},
                           {"FlagChange", event::flag_change},
                           {"MailboxName", event::mailbox_name},
                           {"SubscriptionChange", event::subscription_change},
                           {"MailboxMetadataChange", event::mailbox_metadata, extension::metadata},
                           {"ServerMetadataChange", event::server_metadata, extension::metadata}};
    for (auto const& k : known) {
        if (!s.on().has(k.part_of) || !in.take_word(k.name)) continue;
        g.events |= k.bit;
        if (k.bit != event::message_new || !in.rest().starts_with(" (")) return {};
        if (!g.of_selected()) return fail(fault::kind::syntax, "only of the selected mailbox are new messages fetched");
        if (auto sp = in.space(); !sp) return sp;
        auto items = parse_fetch_items(in, s.on());
        if (!items) return fail(items);
        for (auto& section : items->sections) section.peek = true;  // hearing of a message is not reading it
        g.arrivals = std::move(*items);
        return {};
    }
    if (auto const name = in.atom(); !name) return fail(name);
    std::string all;
    for (auto const& k : known)
        if (s.on().has(k.part_of)) all += (all.empty() ? "" : " ") + std::string{k.name};
    return fail(fault::kind::refused, "[BADEVENT (" + all + ")] that event is not known here");
}

// event-group = "(" filter-mailboxes SP events ")"
result<notify_group> parse_group(session const& s, wire::scanner& in)
{
    notify_group g;
    if (auto open = in.expect('('); !open) return fail(open);
    if (auto filter = parse_filter(s, in, g); !filter) return fail(filter);
    if (auto sp = in.space(); !sp) return fail(sp);
    if (!in.take_word("NONE")) {
        bool const listed = in.take('(');  // the RFC's examples leave it out
        do {
            if (auto one = parse_event(s, in, g); !one) return fail(one);
        } while (in.take(' '));
        if (listed)
            if (auto close = in.expect(')'); !close) return fail(close);
    }
    if (auto close = in.expect(')'); !close) return fail(close);
    bool const news = (g.events & event::message_new) != 0;
    bool const expunges = (g.events & event::message_expunge) != 0;
    if (news != expunges || ((g.events & event::flag_change) != 0 && !news))
        return fail(fault::kind::syntax, "MessageNew and MessageExpunge go together, and FlagChange with both");  // RFC 5465 §5
    if (g.of_selected() && (g.events & ~event::of_messages) != 0) return fail(fault::kind::syntax, "the selected mailbox has events of messages only");
    return g;
}

// notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")
result<notify_args> parse_notify(session const& s, wire::scanner& in)
{
    notify_args a;
    if (auto sp = in.space(); !sp) return fail(sp);
    a.none = in.take_word("NONE");
    if (!a.none) {
        if (!in.take_word("SET")) return fail(fault::kind::syntax, "NOTIFY takes SET or NONE");
        if (auto sp = in.space(); !sp) return fail(sp);
        a.status = in.take_word("STATUS");
        if (a.status)
            if (auto sp = in.space(); !sp) return fail(sp);
        do {
            auto group = parse_group(s, in);
            if (!group) return fail(group);
            if (a.groups.size() == most_groups) return fail(fault::kind::over_limit, "[LIMIT] too many event groups");
            a.groups.push_back(std::move(*group));
        } while (in.take(' '));
        if (std::ranges::count_if(a.groups, &notify_group::of_selected) > 1) return fail(fault::kind::syntax, "SELECTED is said once");
    }
    if (auto end = in.end(); !end) return fail(end);
    return a;
}

}  // namespace

task<result<reply>> notify(invocation& c)
{
    auto args = parse_notify(c.s, c.in);
    if (!args) co_return fail(args);
    auto fresh = std::make_unique<notifier>(c.s, std::move(args->groups));
    auto const begun = co_await fresh->begin(args->status);
    if (!begun) co_return fail(begun);
    auto const listening = co_await c.s.notify(std::move(fresh));
    if (!listening) co_return fail(listening);
    co_return reply::ok("NOTIFY completed");
}

}  // namespace mansio::imap::commands
