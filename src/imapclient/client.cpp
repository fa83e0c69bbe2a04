#include "imapclient/client.hpp"

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imapclient {
namespace {

std::unexpected<fault> said_no(response const& r)
{
    return fail(r.name == "BAD" ? fault::kind::syntax : fault::kind::refused, "the other server says: " + base::printable(r.text, 300), r.code);
}

template <class T> T number_in(std::string_view text)
{
    T n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

std::string quoted(std::string_view s)
{
    std::string out;
    imap::wire::append_string(out, s);
    return out;
}

}  // namespace

std::string ranges_text(std::vector<number_range> const& ranges)
{
    std::string out;
    for (auto const& [first, last] : ranges) {
        if (!out.empty()) out += ',';
        out += std::to_string(first);
        if (last != first) out += ':' + std::to_string(last);
    }
    return out;
}

std::vector<number_range> ranges_of(std::vector<std::uint32_t> numbers)
{
    std::sort(numbers.begin(), numbers.end());
    std::vector<number_range> out;
    for (auto const n : numbers) {
        if (!out.empty() && n <= out.back().second) continue;
        if (!out.empty() && n == out.back().second + 1)
            out.back().second = n;
        else
            out.emplace_back(n, n);
    }
    return out;
}

client::client(std::unique_ptr<net::stream> connection, client_options o, bounds const& l, base::clock& clock)
    : peer_(std::move(connection)),
      options_(std::move(o)),
      limits_(l),
      clock_(clock)
{}
client::~client() = default;

task<result<std::unique_ptr<client>>> client::open(std::unique_ptr<net::stream> connection, client_options o, bounds const& l, base::clock& clock)
{
    std::unique_ptr<client> made{new client{std::move(connection), std::move(o), l, clock}};
    if (made->options_.how == security::tls) {
        auto const secured = co_await made->start_tls();
        if (!secured) co_return fail(secured);
    }
    auto const greeted = co_await made->greet();
    if (!greeted) co_return fail(greeted);
    co_return made;
}

task<result<void>> client::start_tls()
{
    net::tls_client_options t;
    t.server_name = options_.server_name;
    t.require_verified = options_.verify;
    // buffered_stream refuses when octets wait already: nothing said in clear is taken as said under TLS (CVE-2011-0411, trust.md W4).
    auto const shaken = co_await peer_.start_tls_client(*options_.tls, t, within(limits_.connect_wait));
    if (!shaken) co_return fail(shaken.error().what, "TLS with " + options_.server_name + " failed: " + shaken.error().say, shaken.error().detail);
    capabilities_.clear();
    co_return result<void>{};
}

task<result<void>> client::greet()
{
    auto const hello = co_await next(within(limits_.wait));
    if (!hello) co_return fail(hello);
    if (hello->what != response::kind::untagged || (hello->name != "OK" && hello->name != "PREAUTH" && hello->name != "BYE"))
        co_return fail(fault::kind::syntax, "that is no IMAP server", base::printable(hello->text, 100));
    if (hello->name == "BYE") co_return fail(fault::kind::closed, "the other server says goodbye: " + base::printable(hello->text, 300));
    if (hello->name == "PREAUTH") co_return fail(fault::kind::refused, "the other server signed us in unasked (PREAUTH), as nobody knows whom", "preauth");
    if (options_.how == security::starttls) {
        auto const go = co_await run("STARTTLS");
        if (!go) co_return fail(go.error().what, "the other server does not start TLS: " + go.error().say, go.error().detail);
        auto const secured = co_await start_tls();
        if (!secured) co_return fail(secured);
    }
    if (!capabilities_.empty()) co_return result<void>{};
    co_return co_await ask_capabilities();
}

task<result<void>> client::ask_capabilities()
{
    auto const done = co_await run("CAPABILITY");
    if (!done) co_return fail(done);
    co_return result<void>{};
}

bool client::offers(std::string_view capability) const { return capabilities_.contains(base::to_upper_ascii(capability)); }

/// Facts that any answer may bring.
void client::note(response const& r)
{
    if (r.name == "CAPABILITY") capabilities_ = {r.words.begin(), r.words.end()};
    if (r.code != "CAPABILITY") return;
    capabilities_.clear();
    std::string_view rest = r.code_argument;
    while (!rest.empty()) {
        auto const n = std::min(rest.find(' '), rest.size());
        if (n != 0) capabilities_.insert(base::to_upper_ascii(rest.substr(0, n)));
        rest.remove_prefix(std::min(n + 1, rest.size()));
    }
}

task<result<response>> client::next(base::monotonic_time until, body_sink* sink)
{
    auto r = co_await read_response(peer_, limits_, clock_, until, sink);
    if (!r) co_return fail(r);
    note(*r);
    co_return r;
}

task<result<void>> client::send(std::string_view octets)
{
    auto sent = co_await peer_.send(octets, within(limits_.wait));
    co_return sent;
}

/// Says a command. Literals wait for their "+" (RFC 9051 §4.3) unless LITERAL+ spares it, or LITERAL- for small ones (RFC 7888).
task<result<std::string>> client::begin(std::vector<piece> pieces)
{
    auto const tag = "m" + std::to_string(++last_tag_);
    peer_.put(tag + " ");
    for (auto const& p : pieces) {
        if (p.literal) {
            constexpr std::size_t small = 4096;
            bool const at_once = offers("LITERAL+") || (offers("LITERAL-") && p.octets.size() <= small);
            peer_.put("{" + std::to_string(p.octets.size()) + (at_once ? "+}\r\n" : "}\r\n"));
            if (!at_once) {
                auto const flushed = co_await peer_.flush(within(limits_.wait));
                if (!flushed) co_return fail(flushed);
                while (true) {
                    auto const go = co_await next(within(limits_.command_wait));
                    if (!go) co_return fail(go);
                    if (go->what == response::kind::more) break;
                    if (go->what == response::kind::tagged) co_return said_no(*go);
                }
            }
        }
        auto const sent = co_await send(p.octets);
        if (!sent) co_return fail(sent);
    }
    peer_.put("\r\n");
    auto const flushed = co_await peer_.flush(within(limits_.wait));
    if (!flushed) co_return fail(flushed);
    co_return tag;
}

/// Reads up to the tagged answer; what comes before it goes to `each`. Answers OK.
task<result<response>> client::finish(std::string tag, std::move_only_function<void(response&)> each)
{
    auto const until = within(limits_.command_wait);
    for (std::uint64_t n = 0; n < limits_.responses; ++n) {
        auto r = co_await next(until);
        if (!r) co_return fail(r);
        if (r->what == response::kind::tagged) {
            if (r->tag != tag) co_return fail(fault::kind::syntax, "the other server's answer makes no sense", "a tag we never sent");
            if (!r->ok()) co_return said_no(*r);
            co_return std::move(*r);
        }
        if (r->name == "BYE") co_return fail(fault::kind::closed, "the other server says goodbye: " + base::printable(r->text, 300));
        if (each) each(*r);
    }
    co_return fail(fault::kind::over_limit, "the other server's answer has no end", "responses");
}

task<result<response>> client::run(std::string text, std::move_only_function<void(response&)> each)
{
    std::vector<piece> const pieces{{text, false}};
    auto tag = co_await begin(pieces);
    if (!tag) co_return fail(tag);
    auto done = co_await finish(std::move(*tag), std::move(each));
    co_return done;
}

task<result<void>> client::login(std::string user, std::string password)
{
    if (options_.how != security::none && peer_.raw().tls() == nullptr) co_return fail(fault::kind::refused, "no password is said in clear");
    bool const known_before = !capabilities_.empty();
    result<response> done;
    if (offers("AUTH=PLAIN")) {
        std::string plain;  // RFC 4616: authorization identity empty
        plain.append(1, '\0').append(user).append(1, '\0').append(password);
        auto const base64 = base::to_base64(plain);
        if (offers("SASL-IR")) {
            done = co_await run("AUTHENTICATE PLAIN " + base64);
        } else {
            std::vector<piece> const ask{{"AUTHENTICATE PLAIN", false}};
            auto tag = co_await begin(ask);
            if (!tag) co_return fail(tag);
            auto const go = co_await next(within(limits_.wait));
            if (!go) co_return fail(go);
            if (go->what == response::kind::tagged) co_return said_no(*go);
            if (go->what != response::kind::more) co_return fail(fault::kind::syntax, "the other server's answer makes no sense", "no continuation");
            auto const sent = co_await send(base64 + "\r\n");
            if (!sent) co_return fail(sent);
            auto const flushed = co_await peer_.flush(within(limits_.wait));
            if (!flushed) co_return fail(flushed);
            done = co_await finish(std::move(*tag), {});
        }
    } else {
        if (offers("LOGINDISABLED")) co_return fail(fault::kind::refused, "the other server takes no password here (LOGINDISABLED)");
        std::vector<piece> const pieces{{"LOGIN ", false}, {user, true}, {" ", false}, {password, true}};
        auto tag = co_await begin(pieces);
        if (!tag) co_return fail(tag);
        done = co_await finish(std::move(*tag), {});
    }
    if (!done) co_return fail(done);
    // RFC 9051 §6.2.2: what is offered may be more after sign-in; servers that tell have told by now.
    if (known_before && done->code != "CAPABILITY") co_return co_await ask_capabilities();
    co_return result<void>{};
}

task<result<void>> client::identify(std::string name, std::string version)
{
    if (!offers("ID")) co_return result<void>{};
    auto const done = co_await run("ID (\"name\" " + quoted(name) + " \"version\" " + quoted(version) + ")");
    if (!done && done.error().what != fault::kind::refused) co_return fail(done);
    co_return result<void>{};
}

task<result<std::vector<list_entry>>> client::list()
{
    constexpr std::size_t most = 100'000;
    std::vector<list_entry> out;
    std::set<std::string, std::less<>> subscribed;
    bool const extended = offers("LIST-EXTENDED") || offers("IMAP4REV2");
    bool const uses = offers("SPECIAL-USE") || offers("IMAP4REV2");
    std::string const returns = uses ? "(SUBSCRIBED SPECIAL-USE)" : "(SUBSCRIBED)";
    auto const take = [&out](response& r) {
        if (r.name == "LIST" && r.list && out.size() < most) out.push_back(std::move(*r.list));
    };
    auto const listed = co_await run(extended ? "LIST \"\" \"*\" RETURN " + returns : std::string{"LIST \"\" \"*\""}, take);
    if (!listed) co_return fail(listed);
    if (!extended) {
        auto const note_name = [&subscribed](response& r) {
            if (r.name == "LSUB" && r.list && subscribed.size() < most && !r.list->has("\\noselect")) subscribed.insert(r.list->raw);
        };
        auto const known = co_await run("LSUB \"\" \"*\"", note_name);
        if (!known && known.error().what != fault::kind::refused) co_return fail(known);
        for (auto& e : out)
            if (subscribed.contains(e.raw)) e.attributes.emplace_back("\\subscribed");
    }
    co_return out;
}

task<result<selected_mailbox>> client::select(std::string raw, bool read_only, std::optional<known_state> known)
{
    if (known && offers("QRESYNC") && !qresync_) {
        auto const enabled = co_await run("ENABLE QRESYNC");
        if (!enabled) co_return fail(enabled);
        qresync_ = true;
    }
    std::string command = read_only ? "EXAMINE " : "SELECT ";
    imap::wire::append_string(command, raw);
    if (known && qresync_)
        command += " (QRESYNC (" + std::to_string(known->uid_validity) + ' ' + std::to_string(known->modseq) + "))";
    else if (offers("CONDSTORE"))
        command += " (CONDSTORE)";
    selected_mailbox m;
    auto const take = [&m](response& r) {
        if (r.name == "EXISTS") m.exists = r.number;
        if (r.code == "UIDVALIDITY") m.uid_validity = number_in<std::uint32_t>(r.code_argument);
        if (r.code == "UIDNEXT") m.uid_next = number_in<std::uint32_t>(r.code_argument);
        if (r.code == "HIGHESTMODSEQ") m.highest_modseq = number_in<std::uint64_t>(r.code_argument);
        if (r.name == "FETCH" && r.fetch && m.changed.size() < 1'000'000) m.changed.push_back(std::move(*r.fetch));
        if (r.name == "VANISHED" && r.search) m.vanished.insert(m.vanished.end(), r.search->numbers.begin(), r.search->numbers.end());
    };
    auto const done = co_await run(std::move(command), take);
    if (!done) co_return fail(done);
    m.read_only = done->code == "READ-ONLY";
    co_return m;
}

task<result<std::vector<fetch_data>>> client::fetch_facts(std::uint32_t first_uid, std::size_t most)
{
    std::vector<fetch_data> out;
    bool too_many = false;
    auto const take = [&](response& r) {
        if (r.name != "FETCH" || !r.fetch || r.fetch->uid < first_uid || !r.fetch->size) return;
        if (out.size() == most) too_many = true;
        if (!too_many) out.push_back(std::move(*r.fetch));
    };
    auto const done = co_await run("UID FETCH " + std::to_string(std::max(first_uid, 1U)) + ":* (UID FLAGS INTERNALDATE RFC822.SIZE)", take);
    if (!done) co_return fail(done);
    if (too_many) co_return fail(fault::kind::over_limit, "the mailbox holds too many messages", "messages");
    std::sort(out.begin(), out.end(), [](fetch_data const& a, fetch_data const& b) { return a.uid < b.uid; });
    auto const twice = std::unique(out.begin(), out.end(), [](fetch_data const& a, fetch_data const& b) { return a.uid == b.uid; });
    out.erase(twice, out.end());
    co_return out;
}

task<result<void>> client::fetch_messages(std::vector<number_range> uids, message_taker& taker)
{
    auto const text = "UID FETCH " + ranges_text(uids) + " (UID BODY.PEEK[])";
    std::vector<piece> const pieces{{text, false}};
    auto const tag = co_await begin(pieces);
    if (!tag) co_return fail(tag);
    auto const until = within(limits_.command_wait);
    for (std::uint64_t n = 0; n < limits_.responses; ++n) {
        auto r = co_await next(until, &taker);
        if (!r) co_return fail(r);
        if (r->what == response::kind::tagged) {
            if (!r->ok()) co_return said_no(*r);
            co_return result<void>{};
        }
        if (r->name == "BYE") co_return fail(fault::kind::closed, "the other server says goodbye: " + base::printable(r->text, 300));
        if (!r->fetch || (!r->fetch->streamed && !r->fetch->body)) continue;
        if (!r->fetch->streamed) {  // a message that fits a quoted string: empty, or from a server with humour
            if (taker.begin(r->fetch->body->size())) {
                auto const put = taker.append(*r->fetch->body);
                if (!put) co_return fail(put);
            }
        }
        auto const done = co_await taker.done(std::move(*r->fetch));
        if (!done) co_return fail(done);
    }
    co_return fail(fault::kind::over_limit, "the other server's answer has no end", "responses");
}

task<result<std::vector<std::uint32_t>>> client::search(std::string criteria)
{
    std::vector<number_range> found;
    auto const take = [&found](response& r) {
        if (r.search) found.insert(found.end(), r.search->numbers.begin(), r.search->numbers.end());
    };
    bool const extended = offers("ESEARCH") || offers("IMAP4REV2");
    auto const done = co_await run((extended ? "UID SEARCH RETURN (ALL) " : "UID SEARCH ") + criteria, take);
    if (!done) co_return fail(done);
    std::sort(found.begin(), found.end());
    constexpr std::size_t most = 10'000'000;
    std::vector<std::uint32_t> out;
    for (auto const& [first, last] : found) {
        if (last - first > most - out.size()) co_return fail(fault::kind::over_limit, "the other server found too much", "search");
        for (std::uint64_t n = first; n <= last; ++n)
            if (out.empty() || n > out.back()) out.push_back(static_cast<std::uint32_t>(n));
    }
    co_return out;
}

task<result<void>> client::store_flags(std::vector<number_range> uids, char how, std::vector<std::string> flags)
{
    std::string command = "UID STORE " + ranges_text(uids) + ' ';
    if (how != '\0') command += how;
    command += "FLAGS.SILENT ";
    imap::wire::append_list(command, flags);
    auto const done = co_await run(std::move(command));
    if (!done) co_return fail(done);
    co_return result<void>{};
}

task<result<appended_message>> client::append(std::string raw, std::vector<std::string> flags, std::optional<mime::date_time> date, std::string_view octets)
{
    std::string head = "APPEND ";
    imap::wire::append_string(head, raw);
    head += ' ';
    imap::wire::append_list(head, flags);
    if (date) head += " \"" + mime::format_imap_date_time(*date) + '"';
    head += ' ';
    std::vector<piece> const pieces{{head, false}, {octets, true}};
    auto tag = co_await begin(pieces);
    if (!tag) co_return fail(tag);
    auto const done = co_await finish(std::move(*tag), {});
    if (!done) co_return fail(done);
    appended_message m;
    if (done->code == "APPENDUID") {
        auto const blank = std::min(done->code_argument.find(' '), done->code_argument.size());
        m.uid_validity = number_in<std::uint32_t>(std::string_view{done->code_argument}.substr(0, blank));
        if (blank < done->code_argument.size()) m.uid = number_in<std::uint32_t>(std::string_view{done->code_argument}.substr(blank + 1));
    }
    co_return m;
}

task<result<void>> client::create(std::string raw)
{
    auto const done = co_await run("CREATE " + quoted(raw));
    if (!done) co_return fail(done);
    co_return result<void>{};
}

task<result<void>> client::move(std::vector<number_range> uids, std::string raw)
{
    auto const set = ranges_text(uids);
    if (offers("MOVE") || offers("IMAP4REV2")) {
        auto const done = co_await run("UID MOVE " + set + ' ' + quoted(raw));
        if (!done) co_return fail(done);
        co_return result<void>{};
    }
    // RFC 6851 §3.3 describes MOVE as these three; without UID EXPUNGE others' deleted messages would go too.
    if (!offers("UIDPLUS")) co_return fail(fault::kind::refused, "the other server can neither MOVE nor expunge single messages");
    auto const copied = co_await run("UID COPY " + set + ' ' + quoted(raw));
    if (!copied) co_return fail(copied);
    auto const marked = co_await store_flags(uids, '+', {"\\Deleted"});
    if (!marked) co_return fail(marked);
    auto const gone = co_await run("UID EXPUNGE " + set);
    if (!gone) co_return fail(gone);
    co_return result<void>{};
}

task<result<bool>> client::idle(base::monotonic_time until)
{
    if (!offers("IDLE") && !offers("IMAP4REV2")) co_return fail(fault::kind::refused, "the other server has no IDLE");
    std::vector<piece> const ask{{"IDLE", false}};
    auto const tag = co_await begin(ask);
    if (!tag) co_return fail(tag);
    bool news = false, started = false;
    while (!news) {
        if (started) {
            auto const ready = co_await peer_.wait_readable(until);
            if (!ready && ready.error().what == fault::kind::timeout) break;
            if (!ready) co_return fail(ready);
            if (*ready == net::readiness::interrupted) break;
        }
        auto const r = co_await next(within(limits_.wait));
        if (!r) co_return fail(r);
        if (r->what == response::kind::tagged) co_return r->ok() ? result<bool>{news} : said_no(*r);
        if (r->what == response::kind::more) started = true;
        if (r->name == "BYE") co_return fail(fault::kind::closed, "the other server says goodbye: " + base::printable(r->text, 300));
        if (r->name == "EXISTS" || r->name == "EXPUNGE" || r->name == "FETCH" || r->name == "VANISHED") news = true;
    }
    auto const sent = co_await send("DONE\r\n");
    if (!sent) co_return fail(sent);
    auto const flushed = co_await peer_.flush(within(limits_.wait));
    if (!flushed) co_return fail(flushed);
    auto const note_news = [&news](response& r) {
        if (r.name == "EXISTS" || r.name == "EXPUNGE" || r.name == "FETCH" || r.name == "VANISHED") news = true;
    };
    auto const done = co_await finish(*tag, note_news);
    if (!done) co_return fail(done);
    co_return news;
}

task<void> client::logout()
{
    constexpr std::chrono::seconds courtesy{5};
    peer_.put("m" + std::to_string(++last_tag_) + " LOGOUT\r\n");
    auto const sent = co_await peer_.flush(within(courtesy));
    if (sent) {
        auto const bye = co_await next(within(courtesy));
        if (!bye) peer_.raw().abort();
    }
    co_await peer_.raw().finish();
}

}  // namespace mansio::imapclient
