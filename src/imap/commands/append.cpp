// APPEND and MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502): messages go to the spool as they come, and into the store in one commit.
#include <algorithm>

#include "imap/commands/handlers.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::size_t most_messages = 1000;
constexpr std::uint64_t small_enough_to_parse_here = 1U << 20U;

/// What stands before a message.
struct message_options {
    std::vector<std::string> flags;
    std::optional<mime::date_time> date;
    bool utf8 = false;  ///< UTF8 (~{n}…): ")" follows the octets (RFC 6855 §4)
};

// append-opts = [SP flag-list] [SP date-time]; append-data = literal / literal8 / append-data-ext
result<message_options> parse_options(wire::scanner& in, extension_set const& on)
{
    message_options o;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (in.peek() == '(') {
        auto flags = in.flag_list();
        if (!flags) return fail(flags);
        o.flags = std::move(*flags);
        if (auto sp = in.space(); !sp) return fail(sp);
    }
    if (in.peek() == '"') {
        auto const date = in.date_time();
        if (!date) return fail(date);
        o.date = *date;
        if (auto sp = in.space(); !sp) return fail(sp);
    }
    o.utf8 = on.has(extension::utf8_accept) && in.take_text("UTF8 (");
    if (auto end = in.end(); !end) return fail(fault::kind::syntax, "APPEND takes flags, a date and a message");
    return o;
}

/// One APPEND under way. Its place in the conversation: before a literal (`next` says which) or after the whole command.
struct appending {
    session& s;
    std::optional<wire::literal_head> next;
    message_options options;                         ///< of the message that comes next
    std::optional<fault> failed;                     ///< the first thing that went wrong; octets already on their way are dropped
    std::vector<store::spool::writer> writers;       ///< what they hold in memory stays charged until the commit
    std::vector<store::new_message> messages;
};

/// Takes `head`'s octets into the spool. Errors: closed, timeout; anything else is noted and the octets dropped.
task<result<void>> receive(appending& a, wire::literal_head head)
{
    auto& s = a.s;
    auto w = s.srv().spool.open(store::line_ends::normalized, head.octets);
    for (auto left = head.octets; left != 0;) {
        auto const most = static_cast<std::size_t>(std::min<std::uint64_t>(left, 65536));
        auto const chunk = co_await s.peer().read_chunk(most, s.timing().read_by);
        if (!chunk) co_return fail(chunk);
        if (chunk->empty()) co_return fail(fault::kind::closed, "connection closed", "mid-literal");
        left -= chunk->size();
        if (a.failed) continue;
        if (auto put = w.append(*chunk); !put) a.failed = put.error();
    }
    if (!a.failed) a.writers.push_back(std::move(w));
    co_return result<void>{};
}

task<result<std::shared_ptr<mime::summary const>>> summarize(session& s, mime::octets message)
{
    auto const* const limits = &s.limits();
    if (message.size() <= small_enough_to_parse_here || s.srv().heavy == nullptr)
        co_return std::make_shared<mime::summary const>(mime::summarize(message, *limits));
    auto summary = co_await s.srv().heavy->run([message, limits] { return mime::summarize(message, *limits); });
    if (!summary) co_return fail(summary);
    co_return std::make_shared<mime::summary const>(std::move(*summary));
}

task<result<void>> prepare(appending& a)
{
    auto& s = a.s;
    auto const octets = a.writers.back().finish();
    if (!octets) co_return fail(octets);
    store::new_message m;
    auto summary = co_await summarize(s, *octets);
    if (!summary) co_return fail(summary);
    m.summary = std::move(*summary);
    auto blob = co_await s.srv().accounts.storage().stage(*octets);
    if (!blob) co_return fail(blob);
    m.blob = std::move(*blob);
    m.flags = std::move(a.options.flags);
    auto const now = std::chrono::floor<std::chrono::seconds>(s.srv().clock.wall()).time_since_epoch().count();
    m.internal_date = a.options.date.value_or(mime::date_time{now, 0});
    a.messages.push_back(std::move(m));
    co_return result<void>{};
}

/// Reads the line after a message: its end, or the options and announcement of another.
task<result<std::string>> read_on(appending& a)
{
    auto& s = a.s;
    auto line = co_await s.peer().read_line(static_cast<std::size_t>(s.limits().imap_line), s.timing().read_by);
    if (!line && line.error().what == fault::kind::over_limit) {
        s.close("[TOOBIG] the command line is too long");
        co_return fail(fault::kind::closed, "", "line");
    }
    if (!line) co_return fail(line);
    a.next = wire::literal_at_end(line->text);
    if (a.next) line->text.resize(line->text.size() - a.next->length);
    co_return std::move(line->text);
}

std::optional<fault> objection(appending const& a, wire::literal_head const& head)
{
    if (a.failed) return a.failed;
    if (head.octets > a.s.limits().message_size) return fault{fault::kind::over_limit, "[TOOBIG] the message is too big"};
    if (head.octets == 0) return fault{fault::kind::refused, "[CANNOT] an empty message"};  // RFC 3502 §5: nothing of the command is done
    if (a.messages.size() == most_messages) return fault{fault::kind::over_limit, "[LIMIT] too many messages in one command"};
    return std::nullopt;
}

/// What to do after one message.
enum class onward : std::uint8_t { another, done, answer_now };

/// `rest` stands between a message and the next announcement, or the command's end.
onward continue_with(appending& a, std::string_view rest)
{
    auto const note = [&a](fault f) {
        if (!a.failed) a.failed = std::move(f);
    };
    if (a.options.utf8 && !rest.starts_with(')')) note({fault::kind::syntax, "\")\" is missing"});
    if (a.options.utf8 && rest.starts_with(')')) rest.remove_prefix(1);
    if (!a.next) {
        if (!rest.empty()) note({fault::kind::syntax, "something follows the message"});
        return onward::done;
    }
    if (!a.s.offers(extension::multiappend)) note({fault::kind::syntax, "APPEND takes one message"});
    wire::scanner in{rest};
    auto more = parse_options(in, a.s.on());
    if (!more) note(more.error());
    a.options = more ? std::move(*more) : message_options{};
    return onward::another;
}

/// Takes or drops the message that `next` announces and reads up to the next announcement or the end. `answer_now`: the client waits to be asked for
/// octets and is not. Errors: closed, timeout.
task<result<onward>> one_message(appending& a)
{
    auto& s = a.s;
    auto const head = *a.next;
    a.failed = objection(a, head);
    if (a.failed && head.synchronizing) co_return onward::answer_now;
    if (a.failed && head.octets > s.limits().message_size + 65536) {  // too much to read for nothing
        s.close("[TOOBIG] the message is too big");
        co_return fail(fault::kind::closed, "", "literal");
    }
    if (head.synchronizing) s.peer().put("+ OK\r\n");
    auto const asked = co_await s.peer().flush(s.write_by());
    if (!asked) co_return fail(asked);
    auto const received = co_await receive(a, head);
    if (!received) co_return fail(received);
    if (!a.failed) {
        auto const prepared = co_await prepare(a);
        if (!prepared) a.failed = prepared.error();
    }
    auto const rest = co_await read_on(a);
    if (!rest) co_return fail(rest);
    co_return continue_with(a, *rest);
}

std::string append_uid(store::appended const& done)
{
    std::string code = "[APPENDUID " + std::to_string(done.uid_validity) + " ";
    wire::append_numbers(code, done.uids);
    return code + "] ";
}

/// What can be said before a message is sent: no such mailbox, no right, no room.
task<result<found_mailbox>> admit(session& s, std::string name, std::uint64_t octets)
{
    auto to = co_await find_destination(s, std::move(name));
    if (!to) co_return fail(to);
    if (!store::has(to->info.my_rights, store::right::insert)) co_return fail(fault::kind::refused, "[NOPERM] you have no right to do that");
    auto const quota = co_await to->account.get_quota();
    bool const full = quota && ((quota->limit_octets != 0 && quota->used_octets + octets > quota->limit_octets) ||
                                (quota->limit_messages != 0 && quota->messages >= quota->limit_messages));
    if (full) co_return fail(fault::kind::over_limit, "[OVERQUOTA] the mailbox is full");
    co_return to;
}

}  // namespace

// append = "APPEND" SP mailbox 1*append-message
task<result<reply>> append(invocation& c)
{
    auto& s = c.s;
    appending a{s, c.message, {}, {}, {}, {}};
    auto name = parse_mailbox(s, c.in);
    if (!name) a.failed = name.error();
    if (!a.next) {  // the line announced no message
        if (a.failed) co_return std::unexpected(*a.failed);
        co_return fail(fault::kind::syntax, "APPEND ends in a message");
    }
    auto options = name ? parse_options(c.in, s.on()) : result<message_options>{};
    if (!options) a.failed = options.error();
    if (options) a.options = std::move(*options);
    store::mailbox_id to = 0;
    store::account_ref account;
    if (!a.failed) {
        auto admitted = co_await admit(s, *name, a.next->octets);
        if (!admitted) a.failed = admitted.error();
        if (admitted) {
            to = admitted->info.id;
            account = std::move(admitted->account);
        }
    }
    auto then = onward::another;
    while (then == onward::another) {
        auto const one = co_await one_message(a);
        if (!one) co_return fail(one);
        then = *one;
    }
    if (a.failed) co_return std::unexpected(*a.failed);
    auto const count = a.messages.size();
    auto const done = co_await account.append(to, std::move(a.messages));
    if (!done) co_return fail(done);
    s.counts().appended.add(count);
    co_return reply::ok((s.offers(extension::uidplus) ? append_uid(*done) : "") + "APPEND completed");
}

}  // namespace mansio::imap::commands
