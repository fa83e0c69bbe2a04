#include "transfer/link.hpp"

#include <algorithm>
#include <array>

namespace mansio::transfer {
namespace {

constexpr std::size_t most_under_way = 128;
constexpr std::uint64_t most_octets_under_way = 16ULL << 20U;
constexpr std::size_t sent_at_once = 256UL << 10U;
constexpr std::uint64_t most_fetched = 64ULL << 20U;
constexpr std::size_t answer_line = 16UL << 20U;  ///< a list of mailboxes is one line; the server is ours

fault::kind kind_of(std::string_view name)
{
    using enum fault::kind;
    for (auto const k : {syntax, refused, try_later, broken, not_found, conflict, over_limit, timeout, closed})
        if (base::name_of(k) == name) return k;
    return broken;
}

}  // namespace

link::link(std::unique_ptr<net::stream> connection, base::clock& clock) : peer_(std::move(connection)), clock_(clock) {}

task<result<std::unique_ptr<link>>> link::open(net::shard& here, std::string socket)
{
    auto dialled = co_await here.connect_unix(socket, here.clock().monotonic() + std::chrono::seconds{10});
    if (!dialled)
        co_return fail(fault::kind::closed, "cannot reach the server at " + socket + ": is it running, and may you open its socket?", dialled.error().detail);
    co_return std::make_unique<link>(std::move(*dialled), here.clock());
}

task<result<json::object>> link::hear()
{
    auto const line = co_await peer_.read_line(answer_line, by());
    if (!line) co_return fail(fault::kind::closed, "the server ended the conversation", line.error().detail);
    auto answer = parse_object(line->text);
    if (!answer) co_return fail(fault::kind::closed, "the server's answer makes no sense");
    if (!answer->contains("error")) co_return answer;
    co_return fail(kind_of(text_of(*answer, "kind")), text_of(*answer, "error"), text_of(*answer, "detail"));
}

task<result<void>> link::hear_append()
{
    auto const answer = co_await hear();
    if (!answer && answer.error().what == fault::kind::closed) co_return fail(answer);
    auto first = std::move(appends_.front());
    appends_.pop_front();
    octets_ -= first.octets;
    if (answer)
        first.then(append_answer{static_cast<std::uint32_t>(number_of(*answer, "uid")), flag_of(*answer, "already")});
    else
        first.then(fail(answer));
    co_return result<void>{};
}

task<result<void>> link::settle()
{
    auto const flushed = co_await peer_.flush(by());
    if (!flushed) co_return flushed;
    while (!appends_.empty()) {
        auto const one = co_await hear_append();
        if (!one) co_return one;
    }
    co_return result<void>{};
}

task<result<json::object>> link::ask(json::object request)
{
    auto const settled = co_await settle();
    if (!settled) co_return fail(settled);
    peer_.put(json::serialize(request) + "\r\n");
    auto const sent = co_await peer_.flush(by());
    if (!sent) co_return fail(sent);
    auto answer = co_await hear();
    co_return answer;
}

task<result<void>> link::append(json::object request, mime::octets message, when_appended then)
{
    while (!appends_.empty() && (appends_.size() >= most_under_way || octets_ + message.size() > most_octets_under_way)) {
        auto const flushed = co_await peer_.flush(by());
        if (!flushed) co_return flushed;
        auto const one = co_await hear_append();
        if (!one) co_return one;
    }
    request["do"] = "append";
    request["octets"] = message.size();
    peer_.put(json::serialize(request) + "\r\n");
    appends_.push_back({message.size(), std::move(then)});
    octets_ += message.size();
    for (std::size_t at = 0; at < message.size(); at += sent_at_once) {
        auto const sent = co_await peer_.send(message.view().substr(at, sent_at_once), by());
        if (!sent) co_return sent;
        message.done_with(std::min(at + sent_at_once, message.size()));
    }
    co_return result<void>{};
}

task<result<void>> link::read(json::object request, std::move_only_function<result<void>(std::string_view)> take)
{
    request["do"] = "read";
    auto head = co_await ask(std::move(request));
    while (true) {
        if (!head) co_return fail(head);
        for (auto left = number_of(*head, "octets"); left != 0;) {
            auto const chunk = co_await peer_.read_chunk(static_cast<std::size_t>(std::min<std::uint64_t>(left, sent_at_once)), by());
            if (!chunk || chunk->empty()) co_return fail(fault::kind::closed, "the server ended the conversation");
            left -= chunk->size();
            auto const taken = take(*chunk);
            if (!taken) co_return taken;
        }
        if (flag_of(*head, "last")) co_return result<void>{};
        head = co_await hear();
    }
}

task<result<link::piece>> link::fetch(json::object request)
{
    piece out;
    auto head = co_await ask(std::move(request));
    if (!head) co_return fail(head);
    out.head = std::move(*head);
    auto const announced = number_of(out.head, "octets");
    if (announced > most_fetched) co_return fail(fault::kind::closed, "the server's answer makes no sense");
    out.octets.reserve(static_cast<std::size_t>(announced));
    while (out.octets.size() < announced) {
        auto const chunk = co_await peer_.read_chunk(static_cast<std::size_t>(std::min<std::uint64_t>(announced - out.octets.size(), sent_at_once)), by());
        if (!chunk || chunk->empty()) co_return fail(fault::kind::closed, "the server ended the conversation");
        out.octets += *chunk;
    }
    co_return out;
}

}  // namespace mansio::transfer
