// SETMETADATA (RFC 5464 §4.3). What all see of the server is its operator's; filters are checked (RFC 5466 §3.2), and so is a special use (RFC 6154 §4).
#include <algorithm>

#include "base/bytes.hpp"
#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/commands/metadata.hpp"
#include "imap/commands/search_program.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {
namespace {

using changes_of = std::vector<store::annotation_change>;

result<void> check_filter(session const& s, store::annotation_change const& c)
{
    if (!c.name.starts_with("/private/filters/values") || !s.offers(extension::filters)) return {};
    if (!is_filter_name(filter_of_entry(c.name))) return fail(fault::kind::refused, "[CANNOT] that cannot be the name of a filter");
    if (!c.value) return {};
    auto const whole = search_program::check(*c.value, s.limits().imap_search_keys, s.on());
    if (!whole) return fail(fault::kind::refused, "[CANNOT] the filter is not a whole search");
    return {};
}

result<void> check_server(session const& s, changes_of const& changes)
{
    for (auto const& c : changes) {
        // RFC 5464 §3.3 lets a server restrict them: who may sign in is not yet who may speak to all.
        if (c.name.starts_with("/shared/")) return fail(fault::kind::refused, "[NOPERM] what all see of this server is set by its operator");
        if (auto const ok = check_filter(s, c); !ok) return ok;
    }
    return {};
}

/// "\Drafts"; nothing: none.
result<store::special_use> use_of(std::optional<std::string> const& value)
{
    auto const text = base::trim_blanks(value ? std::string_view{*value} : std::string_view{});
    if (text.empty()) return store::special_use::none;
    auto const use = text.starts_with('\\') ? settable_use(text.substr(1)) : std::nullopt;
    if (!use) return fail(fault::kind::refused, "[USEATTR] that special use is not possible here");
    return *use;
}

/// Takes /private/specialuse, which is kept with the mailbox itself, out of `changes`.
result<std::optional<store::special_use>> take_use(session const& s, changes_of& changes)
{
    auto const at = std::ranges::find(changes, "/private/specialuse", &store::annotation_change::name);
    if (at == changes.end()) return std::nullopt;
    if (!s.offers(extension::special_use)) return fail(fault::kind::refused, "[CANNOT] there are no special uses here");
    auto const use = use_of(at->value);
    if (!use) return fail(use);
    changes.erase(at);
    return *use;
}

std::unexpected<fault> in_words_of_metadata(session const& s, fault f)
{
    if (f.detail == "metadata_value") f.say = "[METADATA MAXSIZE " + std::to_string(s.limits().metadata_value) + "] the value is too long";
    if (f.detail == "metadata_entries") f.say = "[METADATA TOOMANY] there are too many annotations";
    return std::unexpected(std::move(f));
}

}  // namespace

task<result<reply>> setmetadata(invocation& c)
{
    auto args = parse_setmetadata(c.in);
    if (!args) co_return fail(args);
    auto account = c.s.own_account();
    store::mailbox_id mailbox = 0;
    std::optional<store::special_use> use;
    if (args->mailbox.empty()) {
        auto const allowed = check_server(c.s, args->changes);
        if (!allowed) co_return fail(allowed);
    } else {
        auto known = mailbox_from_wire(args->mailbox, c.s.names(), name_use::existing, c.s.limits());
        if (!known) co_return fail(known);
        auto found = co_await find_mailbox(c.s, std::move(*known));
        if (!found) co_return fail(found);
        account = found->account;
        mailbox = found->info.id;
        auto const taken = take_use(c.s, args->changes);
        if (!taken) co_return fail(taken);
        use = *taken;
    }
    auto const done = co_await account.annotate(mailbox, std::move(args->changes), use, c.s.author());
    if (!done) co_return in_words_of_metadata(c.s, done.error());
    co_return reply::ok("SETMETADATA completed");
}

}  // namespace mansio::imap::commands
