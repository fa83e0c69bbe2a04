// DATA (RFC 5321 §4.1.1.4): everything up to CRLF "." CRLF, and nothing less, is the message.
#include "smtp/server/session.hpp"

namespace mansio::smtp::commands {

task<reply> data(session& s, std::string_view args)
{
    if (!args.empty()) co_return reply{501, "5.5.4", "DATA stands alone"};
    if (s.chunks) co_return reply{503, "5.5.1", "BDAT has begun the message"};  // RFC 3030 §3
    if (s.mail.wishes.binary) co_return reply{503, "5.5.1", "BODY=BINARYMIME wants BDAT"};  // RFC 3030 §3
    if (s.mail.recipients.empty()) co_return reply{503, "5.5.1", "no recipients"};  // RFC 2920 §3.1: a pipelined DATA after refused RCPTs
    s.house.with.acceptance.open(s.mail);
    s.put({354, {}, "go on, end with a line that is a dot"});
    auto const flushed = co_await s.io.flush(s.in(s.limits().smtp_command_wait));
    if (!flushed) co_return read_failed(s, flushed.error());

    auto const ends = s.who.mends_line_ends() ? wire::data_decoder::line_ends::normalise : wire::data_decoder::line_ends::keep;
    wire::data_decoder decoder{ends, wire::data_decoder::framing::dots};
    into_message sink{s.mail};
    slow_peer const pace{s};
    while (!decoder.done()) {
        auto const chunk = co_await s.io.read_chunk(65536, s.in(s.limits().smtp_data_wait));
        if (!chunk) co_return read_failed(s, chunk.error());
        if (chunk->empty()) co_return silence();  // gone before the end: nothing was accepted
        auto const taken = decoder.feed(*chunk, sink);
        if (taken < chunk->size()) s.io.put_back(chunk->size() - taken);  // commands of the next transaction
        judge_line_ends(s, decoder);
        if (decoder.done()) break;
        if (s.mail.incoming->hopeless()) co_return reply{552, "5.3.4", "the message is too large"}.and_hang_up();
        if (pace.too_slow(s.mail.incoming->received())) co_return read_failed(s, fault{fault::kind::timeout, "too slow"});
    }
    co_return co_await finish_message(s);
}

}  // namespace mansio::smtp::commands
