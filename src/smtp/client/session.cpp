#include "smtp/client/session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "smtp/client/dot_stuffer.hpp"

namespace mansio::smtp::client {
namespace {
using outcome = queue::outcome;
using level = tls_demand::level;
constexpr std::size_t piece = 256 * 1024;

/// What went wrong with the whole attempt.
struct trouble {
    outcome what;
    bool connection_level = true;
};
template <class T> using step = std::expected<T, trouble>;

class conversation {
public:
    conversation(std::unique_ptr<net::stream> s, session_options o, transaction t, base::clock& clock)
        : io_(std::move(s)),
          options_(std::move(o)),
          mail_(std::move(t)),
          clock_(clock)
    {
        mail_.further.name_is_sure = options_.demand.certain_host;
    }

    task<session_result> run()
    {
        auto opened = co_await open();
        if (!opened) {
            result_.connection_level = opened.error().connection_level;
            result_.outcomes.assign(mail_.recipients.size(), opened.error().what);
            co_await leave();
            co_return std::move(result_);
        }
        auto sent = co_await send_mail();
        if (!sent) {
            // Recipients that were answered keep their answer; the others share the trouble.
            result_.connection_level = sent.error().connection_level;
            for (std::size_t i = 0; i < mail_.recipients.size(); ++i)
                if (!settled_[i]) result_.outcomes[i] = sent.error().what;
        }
        co_await leave();
        co_return std::move(result_);
    }

private:
    [[nodiscard]] base::monotonic_time within(std::uint64_t seconds) const { return clock_.monotonic() + std::chrono::seconds{seconds}; }

    std::unexpected<trouble> lost(fault const& f, std::string_view when, bool connection_level = true)
    {
        outcome o;
        o.what = outcome::kind::later;
        o.status = f.what == fault::kind::timeout ? "4.4.1" : "4.4.2";
        o.reply = fmt::format("{} while {}", f.what == fault::kind::timeout ? "no answer in time" : f.say.empty() ? "the connection was lost" : f.say, when);
        o.tls = io_.raw().tls() != nullptr;
        broken_ = true;
        return std::unexpected(trouble{std::move(o), connection_level});
    }

    [[nodiscard]] outcome said(server_reply const& r) const
    {
        outcome o;
        o.what = r.positive() ? outcome::kind::delivered : r.permanent() ? outcome::kind::never : outcome::kind::later;
        // RFC 2034 §4: the first digit must agree with the reply's; otherwise the generic code says what the reply said.
        bool const fits = !r.status.empty() && r.status.front() - '0' == static_cast<int>(r.code / 100);
        o.status = fits ? r.status : fmt::format("{}.0.0", r.code / 100 == 3 ? 5 : r.code / 100);
        o.reply = r.text();
        o.host = options_.server_name;
        o.tls = io_.raw().tls() != nullptr;
        o.dsn_passed_on = passes_dsn_on(known());
        o.by_passed_on = passes_by_on(mail_.further, known());
        return o;
    }

    task<result<server_reply>> read_reply(std::uint64_t wait_seconds)
    {
        reply_parser parser{options_.limits->relay_reply_size};
        auto const until = within(wait_seconds);
        while (true) {
            auto const line = co_await io_.read_line(options_.limits->relay_reply_size, until);
            if (!line) co_return fail(line);
            auto done = parser.feed(line->text);
            if (!done) co_return fail(done);
            if (*done) co_return std::move(**done);
        }
    }

    task<result<server_reply>> ask(std::string command)
    {
        io_.put(command);
        io_.put("\r\n");
        auto const flushed = co_await io_.flush(within(options_.limits->relay_reply_wait));
        if (!flushed) co_return fail(flushed);
        auto r = co_await read_reply(options_.limits->relay_reply_wait);
        co_return r;
    }

    task<step<void>> open()
    {
        result_.outcomes.resize(mail_.recipients.size());
        settled_.assign(mail_.recipients.size(), false);
        auto const greeting = co_await read_reply(options_.limits->relay_reply_wait);
        if (!greeting) co_return lost(greeting.error(), "waiting for the greeting");
        result_.greeted = true;
        if (greeting->code != 220) co_return turned_away(*greeting);
        auto hello = co_await say_hello();
        if (!hello) co_return hello;
        if (options_.tls != nullptr) {
            auto secured = co_await secure();
            if (!secured) co_return secured;
        }
        if (mail_.insists_on_tls() && !offers_.require_tls)
            co_return unsafe("30",
                             fmt::format("{} does not promise to send the message on under TLS (REQUIRETLS), as its sender requires", options_.server_name));
        co_return step<void>{};
    }

    /// 521 and 556 say that no mail is taken here at all (RFC 7504); any other refusal to talk is worth another address and another time.
    std::unexpected<trouble> turned_away(server_reply const& r) const
    {
        auto o = said(r);
        bool const final = r.code == 521 || r.code == 556;
        if (!final) {
            o.what = outcome::kind::later;
            if (o.status.front() != '4') o.status = "4.3.2";
        }
        return std::unexpected(trouble{std::move(o), !final});
    }

    task<step<void>> say_hello()
    {
        auto ehlo = co_await ask("EHLO " + options_.hostname);
        if (!ehlo) co_return lost(ehlo.error(), "saying EHLO");
        if (ehlo->positive()) {
            offers_ = read_extensions(*ehlo);
            co_return step<void>{};
        }
        if (!ehlo->permanent()) co_return turned_away(*ehlo);
        // RFC 5321 §3.2: a server of RFC 821's time.
        auto const helo = co_await ask("HELO " + options_.hostname);
        if (!helo) co_return lost(helo.error(), "saying HELO");
        if (!helo->positive()) co_return turned_away(*helo);
        offers_ = {};
        co_return step<void>{};
    }

    void observe(mailauth::tls_result r, std::string reason = {})
    {
        if (options_.observer == nullptr || options_.demand.reported) return;
        auto o = options_.demand.about;
        o.from = io_.raw().here().address;
        o.result = r;
        o.reason = std::move(reason);
        options_.observer->observed(std::move(o));
    }

    /// What the mail cannot go without: the demand where it is enforced, and what the message asks.
    [[nodiscard]] level least() const
    {
        if (mail_.insists_on_tls()) return level::verified;
        return options_.demand.enforced ? options_.demand.least : level::offered;
    }

    /// `detail`: of the status code X.7.*. What a message requires its sender is told at once (RFC 8689 §4.2.1), what a policy requires may be mended.
    std::unexpected<trouble> unsafe(std::string_view detail, std::string words)
    {
        outcome o;
        bool const final = mail_.insists_on_tls();
        o.what = final ? outcome::kind::never : outcome::kind::later;
        o.status = fmt::format("{}.7.{}", final ? 5 : 4, detail);
        o.reply = std::move(words);
        o.tls = io_.raw().tls() != nullptr;
        result_.unsafe = true;
        return std::unexpected(trouble{std::move(o), true});
    }

    [[nodiscard]] std::string asked_by() const
    {
        return mail_.insists_on_tls() ? std::string{"the message requires it (REQUIRETLS)"} : options_.demand.because;
    }

    /// The server does not start TLS.
    step<void> without_tls(std::string how)
    {
        observe(mailauth::tls_result::starttls_not_supported, how);
        if (least() == level::offered) return {};
        return unsafe(mail_.insists_on_tls() ? "10" : "4", fmt::format("{} {}, but {}: nothing is sent in clear", options_.server_name, how, asked_by()));
    }

    /// What the certificate said is worth, after the handshake.
    step<void> judge(net::tls_facts const& facts)
    {
        // Who asked for encryption alone has it.
        bool const fits = facts.peer_verified || options_.demand.least != level::verified;
        observe(fits ? mailauth::tls_result::success : mailauth::result_of(facts.problem), fits ? std::string{} : facts.verify_error);
        if (facts.peer_verified || least() != level::verified) return {};
        return unsafe(mail_.insists_on_tls() ? "10" : "5",
                      fmt::format("the certificate of {} is not verified ({}), but {}", options_.server_name, facts.verify_error, asked_by()));
    }

    task<step<void>> secure()
    {
        if (!offers_.starttls) co_return without_tls("offers no TLS (STARTTLS)");
        auto const go = co_await ask("STARTTLS");
        if (!go) co_return lost(go.error(), "asking for TLS");
        if (!go->positive()) co_return without_tls("refuses to start TLS (" + base::printable(go->text(), 100) + ")");
        auto const shaken = co_await io_.start_tls_client(*options_.tls, options_.demand.tls, within(options_.limits->relay_connect_wait));
        if (!shaken) {
            auto const why = shaken.error().detail.empty() ? shaken.error().say : shaken.error().detail;
            observe(mailauth::tls_result::validation_failure, why);
            auto gone = lost(shaken.error(), "starting TLS");
            result_.tls_failed = least() == level::offered;
            if (result_.tls_failed) co_return gone;
            // Refused: both were there and did not agree. Anything else may be the network's fault and is no answer.
            if (shaken.error().what != fault::kind::refused) co_return gone;
            co_return unsafe(mail_.insists_on_tls() ? "10" : "5", fmt::format("TLS with {} failed ({}), but {}: nothing is sent in clear", options_.server_name,
                                                                              base::printable(why, 100), asked_by()));
        }
        result_.tls = *io_.raw().tls();
        if (auto const judged = judge(*result_.tls); !judged) co_return judged;
        // RFC 3207 §4.2: everything known from before TLS is forgotten.
        auto hello = co_await say_hello();
        co_return hello;
    }

    [[nodiscard]] facts known() const
    {
        auto const* tls = io_.raw().tls();
        return {offers_, tls != nullptr && tls->peer_verified, tls != nullptr, mail_.sender.empty()};
    }

    [[nodiscard]] std::string rcpt_command(std::size_t i) const
    {
        return fmt::format("RCPT TO:<{}>{}", mail_.recipients[i], rcpt_parameters(mail_.further, known(), i));
    }

    [[nodiscard]] std::string mail_command() const
    {
        std::string out = fmt::format("MAIL FROM:<{}>", mail_.sender);
        if (offers_.size_known) out += fmt::format(" SIZE={}", mail_.message->size());
        auto const now = known();
        if (mail_.body_8bit && offers_.eight_bit && !goes_binary(mail_.further, now)) out += " BODY=8BITMIME";
        out += mail_parameters(mail_.further, now);
        if (mail_.smtputf8) out += " SMTPUTF8";
        return out;
    }

    std::unexpected<trouble> impossible(std::string status, std::string why) const
    {
        outcome o;
        o.what = outcome::kind::never;
        o.status = std::move(status);
        o.reply = std::move(why);
        return std::unexpected(trouble{std::move(o), false});
    }

    task<step<void>> send_mail()
    {
        if (mail_.smtputf8 && !offers_.smtputf8) co_return impossible("5.6.7", options_.server_name + " does not take internationalised addresses (SMTPUTF8)");
        if (offers_.size && *offers_.size < mail_.message->size())
            co_return impossible("5.3.4",
                                 fmt::format("the message has {} octets, {} takes at most {}", mail_.message->size(), options_.server_name, *offers_.size));
        let_time_pass(mail_.further, clock_.monotonic());
        if (auto const why = find_obstacle(mail_.further, known(), options_.server_name)) co_return impossible(why->status, why->why);
        bool const binary = goes_binary(mail_.further, known());
        auto giving = offers_.pipelining && !binary ? envelope_pipelined() : envelope_step_by_step();
        auto envelope = co_await std::move(giving);
        if (!envelope) co_return std::unexpected(envelope.error());
        if (!*envelope) co_return step<void>{};  // nobody is left
        auto sending = binary ? send_chunk() : send_content();
        auto const content = co_await std::move(sending);
        if (!content) co_return lost(content.error(), "sending the message", false);
        // Past this point a lost reply may mean a delivery: it is tried again, so that a duplicate is possible and a loss is not (D3).
        auto const last = co_await read_reply(options_.limits->relay_final_wait);
        if (!last) co_return lost(last.error(), "waiting for the reply to the message", false);
        for (std::size_t i = 0; i < mail_.recipients.size(); ++i)
            if (!settled_[i]) settle(i, *last);
        co_return step<void>{};
    }

    void settle(std::size_t i, server_reply const& r)
    {
        result_.outcomes[i] = said(r);
        settled_[i] = true;
    }

    /// A refused MAIL speaks for all recipients.
    bool mail_refused(server_reply const& r)
    {
        if (r.positive()) return false;
        for (std::size_t i = 0; i < mail_.recipients.size(); ++i) settle(i, r);
        return true;
    }

    [[nodiscard]] bool anybody_left() const { return std::find(settled_.begin(), settled_.end(), false) != settled_.end(); }

    /// True: DATA was answered with 354.
    task<step<bool>> envelope_step_by_step()
    {
        auto const mail = co_await ask(mail_command());
        if (!mail) co_return lost(mail.error(), "giving the sender", false);
        if (mail_refused(*mail)) co_return false;
        for (std::size_t i = 0; i < mail_.recipients.size(); ++i) {
            auto const rcpt = co_await ask(rcpt_command(i));
            if (!rcpt) co_return lost(rcpt.error(), "giving a recipient", false);
            if (!rcpt->positive()) settle(i, *rcpt);
        }
        if (!anybody_left()) co_return false;
        if (goes_binary(mail_.further, known())) co_return true;  // RFC 3030 §3: BDAT, never DATA
        auto const data = co_await ask("DATA");
        if (!data) co_return lost(data.error(), "asking to send the message", false);
        co_return data_answered(*data);
    }

    bool data_answered(server_reply const& r)
    {
        if (r.intermediate()) return true;
        for (std::size_t i = 0; i < mail_.recipients.size(); ++i)
            if (!settled_[i]) settle(i, r);
        return false;
    }

    /// RFC 2920: MAIL, all RCPT and DATA in one go; the answers come in order.
    task<step<bool>> envelope_pipelined()
    {
        io_.put(mail_command() + "\r\n");
        for (std::size_t i = 0; i < mail_.recipients.size(); ++i) io_.put(rcpt_command(i) + "\r\n");
        io_.put("DATA\r\n");
        auto const flushed = co_await io_.flush(within(options_.limits->relay_reply_wait));
        if (!flushed) co_return lost(flushed.error(), "giving the envelope", false);
        auto const mail = co_await read_reply(options_.limits->relay_reply_wait);
        if (!mail) co_return lost(mail.error(), "giving the sender", false);
        bool const refused = mail_refused(*mail);
        for (std::size_t i = 0; i < mail_.recipients.size(); ++i) {
            auto const rcpt = co_await read_reply(options_.limits->relay_reply_wait);
            if (!rcpt) co_return lost(rcpt.error(), "giving a recipient", false);
            if (!refused && !rcpt->positive()) settle(i, *rcpt);
        }
        auto const data = co_await read_reply(options_.limits->relay_reply_wait);
        if (!data) co_return lost(data.error(), "asking to send the message", false);
        bool const nobody = !anybody_left();
        if (nobody && data->intermediate()) {
            // RFC 2920 §3.1: a server that answers 354 with no valid recipient must be sent an empty message.
            io_.put(".\r\n");
            auto const ended = co_await io_.flush(within(options_.limits->relay_reply_wait));
            if (!ended) co_return false;
            auto const told = co_await read_reply(options_.limits->relay_reply_wait);
            if (!told) co_return false;
            co_return false;
        }
        if (nobody) co_return false;
        co_return data_answered(*data);
    }

    task<result<void>> send_content()
    {
        dot_stuffer stuff;
        std::uint64_t offset = 0;
        while (offset < mail_.message->size()) {
            auto const octets = co_await mail_.message->read(offset, piece);
            if (!octets) co_return fail(octets);
            if (octets->empty()) co_return fail(fault::kind::broken, "the message ended early", "stored size and octets disagree");
            offset += octets->size();
            std::string out;
            stuff.feed(*octets, out);
            auto const sent = co_await io_.send(out, within(options_.limits->relay_reply_wait));
            if (!sent) co_return fail(sent);
        }
        std::string end;
        stuff.finish(end);
        io_.put(end);
        auto flushed = co_await io_.flush(within(options_.limits->relay_reply_wait));
        co_return flushed;
    }

    /// The message as it is, counted (RFC 3030 §2).
    task<result<void>> send_chunk()
    {
        auto const size = mail_.message->size();
        io_.put(fmt::format("BDAT {} LAST\r\n", size));
        for (std::uint64_t offset = 0; offset < size;) {
            auto octets = co_await mail_.message->read(offset, piece);
            if (!octets) co_return fail(octets);
            if (octets->empty()) co_return fail(fault::kind::broken, "the message ended early", "stored size and octets disagree");
            if (octets->size() > size - offset) octets->resize(static_cast<std::size_t>(size - offset));
            offset += octets->size();
            auto const sent = co_await io_.send(*octets, within(options_.limits->relay_reply_wait));
            if (!sent) co_return fail(sent);
        }
        auto flushed = co_await io_.flush(within(options_.limits->relay_reply_wait));
        co_return flushed;
    }

    task<void> leave()
    {
        // After a failure in the middle QUIT could be taken for part of the message.
        if (broken_) io_.raw().abort();
        if (broken_) co_return;
        // The outcome is known: QUIT is a courtesy with a short wait (RFC 5321 §4.1.1.10).
        io_.put("QUIT\r\n");
        auto const sent = co_await io_.flush(within(5));
        if (sent) {
            auto const bye = co_await io_.read_line(options_.limits->relay_reply_size, within(5));
            if (!bye) io_.raw().abort();
        }
        co_await io_.raw().finish();
    }

    net::buffered_stream io_;
    session_options options_;
    transaction mail_;
    base::clock& clock_;
    extensions offers_;
    bool broken_ = false;
    std::vector<bool> settled_;
    session_result result_;
};
}  // namespace

task<session_result> run_session(std::unique_ptr<net::stream> connection, session_options o, transaction t, base::clock& clock)
{
    conversation talk{std::move(connection), std::move(o), std::move(t), clock};
    auto done = co_await talk.run();
    co_return done;
}

}  // namespace mansio::smtp::client
