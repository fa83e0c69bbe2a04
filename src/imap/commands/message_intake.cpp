#include "imap/commands/message_intake.hpp"

#include <algorithm>

#include "imap/commands/catenate.hpp"
#include "imap/session.hpp"
#include "mime/transfer.hpp"

namespace mansio::imap::commands {
namespace {

constexpr std::size_t most_messages = 1000;
constexpr std::size_t most_parts = 1000;  // texts and URLs of CATENATE in one command
constexpr std::uint64_t small_enough_to_parse_here = 1U << 20U;
constexpr std::uint64_t worth_reading = 65536;  // of a message that is too big anyway: more ends the conversation
constexpr std::size_t step = mime::base64_line_octets * 1024;

std::unexpected<fault> gone() { return fail(fault::kind::closed, "connection closed", "mid-literal"); }

}  // namespace

message_intake::message_intake(session& s, std::string_view line, std::optional<wire::literal_head> next) : s_(s), line_(line), in_(line_), next_(next) {}

// [SP flag-list] [SP date-time] SP
result<message_intake::options> message_intake::parse_options()
{
    options o;
    if (!more()) return fail(fault::kind::syntax, "a message is missing");
    if (auto sp = in_.space(); !sp) return fail(sp);
    if (in_.peek() == '(') {
        auto flags = in_.flag_list();
        if (!flags) return fail(flags);
        o.flags = std::move(*flags);
        if (auto sp = in_.space(); !sp) return fail(sp);
    }
    if (in_.peek() == '"') {
        auto const date = in_.date_time();
        if (!date) return fail(date);
        o.date = *date;
        if (auto sp = in_.space(); !sp) return fail(sp);
    }
    return o;
}

task<result<store::new_message>> message_intake::take()
{
    if (taken_ == most_messages) co_return fail(fault::kind::over_limit, "[LIMIT] too many messages in one command");
    ++taken_;
    auto o = parse_options();
    if (!o) co_return fail(o);
    auto c = co_await collect();
    if (!c) co_return fail(c);
    co_return co_await finish(std::move(*c), std::move(*o));
}

// append-data = literal / literal8 / "CATENATE" SP "(" cat-part *(SP cat-part) ")" / "UTF8" SP "(" literal8 ")"
task<result<message_intake::collected>> message_intake::collect()
{
    if (in_.at_end() && next_) co_return co_await collect_literal(false);
    if (s_.offers(extension::utf8_accept) && in_.take_text("UTF8 (")) co_return co_await collect_literal(true);
    if (s_.offers(extension::catenate) && in_.take_text("CATENATE (")) co_return co_await catenate();
    co_return fail(fault::kind::syntax, "a message is missing");
}

result<void> message_intake::objection(std::uint64_t before) const
{
    if (!in_.at_end() || !next_) return fail(fault::kind::syntax, "a literal is missing");
    if (next_->octets > s_.limits().message_size || before + next_->octets > s_.limits().message_size)
        return fail(fault::kind::over_limit, "[TOOBIG] the message is too big");
    // RFC 7888 §5: BAD, with this code.
    if (!next_->synchronizing && next_->octets > s_.bounds().unasked) return fail(fault::kind::syntax, "[TOOBIG] the literal is too long to come unasked");
    return {};
}

task<result<message_intake::collected>> message_intake::collect_literal(bool utf8)
{
    if (auto const ok = objection(0); !ok) co_return fail(ok);
    if (next_->octets == 0) co_return fail(fault::kind::refused, "[CANNOT] an empty message");  // RFC 3502 §5: nothing of the command is done
    if (utf8 && !next_->binary) co_return fail(fault::kind::syntax, "UTF8 takes a literal8");  // RFC 6855 §4
    if (!utf8 && next_->binary && !s_.offers(extension::binary)) co_return fail(fault::kind::syntax, "a literal8 belongs to BINARY");
    bool const raw = next_->binary;
    collected c{s_.srv().spool.open(raw ? store::line_ends::as_they_are : store::line_ends::normalized, next_->octets), raw};
    auto const received = co_await receive(c.to);
    if (!received) co_return fail(received);
    if (utf8) {
        if (auto const close = in_.expect(')'); !close) co_return fail(close);
    }
    co_return c;
}

task<result<message_intake::collected>> message_intake::catenate()
{
    collected c{s_.srv().spool.open(store::line_ends::normalized), false};
    do {
        if (parts_++ == most_parts) co_return fail(fault::kind::over_limit, "[LIMIT] too many parts in one command");
        auto const added = co_await add_part(c.to);
        if (!added) co_return fail(added);
    } while (in_.take(' '));
    if (auto const close = in_.expect(')'); !close) co_return fail(close);
    if (c.to.size() == 0) co_return fail(fault::kind::refused, "[CANNOT] an empty message");
    co_return c;
}

// cat-part = "TEXT" SP literal / "URL" SP astring (RFC 4469 §5) / "UTF8" SP "(" literal8 ")" (RFC 6855 §4)
task<result<void>> message_intake::add_part(store::spool::writer& to)
{
    if (in_.take_text("TEXT ")) {
        if (next_ && next_->binary) co_return fail(fault::kind::syntax, "TEXT takes a literal");
        co_return co_await add_literal(to);
    }
    if (s_.offers(extension::utf8_accept) && in_.take_text("UTF8 (")) {
        if (next_ && !next_->binary) co_return fail(fault::kind::syntax, "UTF8 takes a literal8");
        auto const added = co_await add_literal(to);
        if (!added) co_return fail(added);
        co_return in_.expect(')');
    }
    if (!in_.take_text("URL ")) co_return fail(fault::kind::syntax, "CATENATE takes TEXT and URL");
    auto url = co_await url_argument();
    if (!url) co_return fail(url);
    co_return co_await append_url(s_, std::move(*url), to);
}

task<result<void>> message_intake::add_literal(store::spool::writer& to)
{
    if (auto const ok = objection(to.size()); !ok) co_return fail(ok);
    co_return co_await receive(to);
}

task<result<std::string>> message_intake::url_argument()
{
    if (!in_.at_end() || !next_) co_return in_.astring();
    auto const head = *next_;
    if (head.binary) co_return fail(fault::kind::syntax, "a literal8 is for messages only");
    if (head.octets > s_.limits().imap_literal) co_return fail(fault::kind::over_limit, "[TOOBIG] the literal is too long");
    if (!head.synchronizing && head.octets > s_.bounds().unasked) co_return fail(fault::kind::syntax, "[TOOBIG] the literal is too long to come unasked");
    auto const asked = co_await ask();
    if (!asked) co_return fail(asked);
    auto url = co_await s_.peer().read_exactly(static_cast<std::size_t>(head.octets), s_.timing().read_by);
    if (!url) co_return fail(url);
    auto const on = co_await read_on();
    if (!on) co_return fail(on);
    co_return url;
}

task<result<void>> message_intake::ask()
{
    if (next_->synchronizing) s_.peer().put("+ OK\r\n");
    co_return co_await s_.peer().flush(s_.write_by());
}

/// Takes the announced literal's octets; a failure to keep them is told once all have come.
task<result<void>> message_intake::receive(store::spool::writer& to)
{
    auto const asked = co_await ask();
    if (!asked) co_return fail(asked);
    auto left = next_->octets;
    next_.reset();
    unread_ = true;
    std::optional<fault> failed;
    while (left != 0) {
        auto const chunk = co_await s_.peer().read_chunk(static_cast<std::size_t>(std::min<std::uint64_t>(left, 65536)), s_.timing().read_by);
        if (!chunk) co_return fail(chunk);
        if (chunk->empty()) co_return gone();
        left -= chunk->size();
        if (failed) continue;
        if (auto put = to.append(*chunk); !put) failed = put.error();
    }
    if (failed) co_return std::unexpected(std::move(*failed));
    co_return co_await read_on();
}

/// The line after a literal.
task<result<void>> message_intake::read_on()
{
    auto line = co_await s_.peer().read_line(static_cast<std::size_t>(s_.limits().imap_line), s_.timing().read_by);
    if (!line && line.error().what == fault::kind::over_limit) {
        s_.close("[TOOBIG] the command line is too long");
        co_return fail(fault::kind::closed, "", "line");
    }
    if (!line) co_return fail(line);
    unread_ = false;
    line_ = std::move(line->text);
    next_ = wire::literal_at_end(line_);
    if (next_) line_.resize(line_.size() - next_->length);
    in_ = wire::scanner{line_};
    co_return result<void>{};
}

task<result<void>> message_intake::drop_rest()
{
    std::uint64_t literals = 0;
    while (true) {
        if (unread_) {
            auto const on = co_await read_on();
            if (!on) co_return fail(on);
        }
        if (!next_ || next_->synchronizing) co_return result<void>{};  // the client waits to be asked and is not: the command ends here
        if (next_->octets > s_.limits().message_size + worth_reading || ++literals > s_.limits().imap_literals) {
            s_.close("[TOOBIG] the message is too big");
            co_return fail(fault::kind::closed, "", "literal");
        }
        for (auto left = next_->octets; left != 0;) {
            auto const chunk = co_await s_.peer().read_chunk(static_cast<std::size_t>(std::min<std::uint64_t>(left, 65536)), s_.timing().read_by);
            if (!chunk) co_return fail(chunk);
            if (chunk->empty()) co_return gone();
            left -= chunk->size();
        }
        next_.reset();
        unread_ = true;
    }
}

namespace {

task<result<std::shared_ptr<mime::summary const>>> summarize(session& s, mime::octets message)
{
    auto const* const limits = &s.limits();
    if (message.size() <= small_enough_to_parse_here || s.srv().heavy == nullptr)
        co_return std::make_shared<mime::summary const>(mime::summarize(message, *limits));
    auto summary = co_await s.srv().heavy->run([message, limits] { return mime::summarize(message, *limits); });
    if (!summary) co_return fail(summary);
    co_return std::make_shared<mime::summary const>(std::move(*summary));
}

/// How to write it so that it is mail for every protocol; empty: it already is.
task<result<std::vector<mime::portable_piece>>> plan(session& s, mime::octets message)
{
    using planned = result<std::vector<mime::portable_piece>>;
    auto const* const limits = &s.limits();
    auto const work = [message, limits]() -> planned {
        if (mime::is_portable(message.view())) return {};
        return mime::plan_portable(message, mime::parse_parts(message, *limits), *limits);
    };
    if (message.size() <= small_enough_to_parse_here || s.srv().heavy == nullptr) co_return work();
    auto done = co_await s.srv().heavy->run(work);
    if (!done) co_return fail(done);
    co_return std::move(*done);
}

}  // namespace

/// A literal8 may hold what mail cannot carry: its binary parts become base64 (RFC 3516 §4.4), and as everywhere at the door lines end in CRLF (trust.md W2).
task<result<mime::octets>> message_intake::make_portable(mime::octets message)
{
    auto const pieces = co_await plan(s_, message);
    if (!pieces) co_return fail(pieces);
    if (pieces->empty()) co_return message;
    auto w = s_.srv().spool.open(store::line_ends::normalized, message.size());
    std::string lines;
    for (auto const& p : *pieces) {
        if (!p.text.empty()) {
            if (auto put = w.append(p.text); !put) co_return fail(put);
        }
        auto const end = p.range.offset + p.range.length;
        for (auto at = p.range.offset; at < end; at += step) {
            auto const some = message.view().substr(static_cast<std::size_t>(at), static_cast<std::size_t>(std::min<std::uint64_t>(step, end - at)));
            lines.clear();
            if (p.base64) mime::append_base64_lines(lines, some, at + step < end);
            auto put = w.append(p.base64 ? std::string_view{lines} : some);
            if (!put) co_return fail(put);
            co_await base::yield_now{};
        }
    }
    if (w.size() > s_.limits().message_size) co_return fail(fault::kind::over_limit, "[TOOBIG] the message is too big once its binary parts are encoded");
    auto octets = w.finish();
    if (!octets) co_return fail(octets);
    kept_.push_back(std::move(w));
    co_return octets;
}

task<result<store::new_message>> message_intake::finish(collected c, options o)
{
    auto octets = c.to.finish();
    if (!octets) co_return fail(octets);
    kept_.push_back(std::move(c.to));
    if (c.raw) octets = co_await make_portable(*octets);
    if (!octets) co_return fail(octets);
    store::new_message m;
    auto summary = co_await summarize(s_, *octets);
    if (!summary) co_return fail(summary);
    auto const header = octets->view().substr(0, static_cast<std::size_t>((*summary)->header_size));
    // RFC 6855 §4: who has not said that it knows UTF-8 in headers may not bring any.
    if (s_.offers(extension::utf8_accept) && s_.names() != name_form::utf8 &&
        std::ranges::any_of(header, [](char b) { return static_cast<unsigned char>(b) >= 0x80; }))
        co_return fail(fault::kind::refused, "[CANNOT] header fields hold octets beyond ASCII: ENABLE UTF8=ACCEPT first");
    m.summary = std::move(*summary);
    auto blob = co_await s_.srv().accounts.storage().stage(*octets);
    if (!blob) co_return fail(blob);
    m.blob = std::move(*blob);
    m.flags = std::move(o.flags);
    auto const now = std::chrono::floor<std::chrono::seconds>(s_.srv().clock.wall()).time_since_epoch().count();
    m.internal_date = o.date.value_or(mime::date_time{now, 0});
    co_return m;
}

}  // namespace mansio::imap::commands
