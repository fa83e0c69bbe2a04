#include "http/message.hpp"

#include <gtest/gtest.h>

using namespace mansio;
using namespace mansio::http;

namespace {
/// "METHOD path ?query body", or the error; the text is given in two pieces.
std::string read_in_two(std::string_view text, std::size_t cut)
{
    message_parser p{message_parser::side::request, 512, 64};
    std::string held;
    for (auto const piece : {text.substr(0, cut), text.substr(cut)}) {
        held += piece;
        if (p.done() || held.empty()) continue;
        auto const used = p.feed(held);
        if (!used)
            return std::string{"!"} + base::name_of(used.error().what) + used.error().detail.substr(0, used.error().what == fault::kind::over_limit ? 6 : 0);
        held.erase(0, *used);
    }
    if (!p.done()) return "more";
    auto const r = p.take_request();
    return r.method + " " + r.path + " ?" + r.query + " " + r.body + (held.empty() ? "" : " +" + held);
}
}  // namespace

TEST(http_message, does_not_depend_on_where_the_network_cuts)
{
    struct {
        std::string text, want;
    } const cases[] = {
        {"GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /metrics ?a=b "},
        {"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "POST /v1/x ? hello"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel", "more"},
        {"GET / HTTP/1.1\r\nHost: x\r\n", "more"},
        {"GET / HTTP/1.1\r\nBad header\r\n\r\n", "!syntax"},
        // Two framings are none (trust.md I13).
        {"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "!syntax"},
        {"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n", "!over_limitbody"},
        {"GET / HTTP/1.1\r\nX: " + std::string(600, 'a') + "\r\n\r\n", "!over_limitheader"},
    };
    for (auto const& c : cases)
        for (std::size_t cut = 0; cut <= c.text.size(); ++cut) EXPECT_EQ(read_in_two(c.text, cut), c.want) << c.text << " cut at " << cut;
}

TEST(http_message, answers_have_a_length_and_safe_fields)
{
    response r;
    r.status = 404;
    r.body = "no\n";
    auto const text = serialize(r, false);
    EXPECT_TRUE(text.starts_with("HTTP/1.1 404 Not Found\r\n"));
    for (auto const* part : {"Content-Length: 3\r\n", "X-Content-Type-Options: nosniff\r\n", "Connection: close\r\n"})
        EXPECT_NE(text.find(part), std::string::npos) << part;
    EXPECT_TRUE(text.ends_with("\r\n\r\nno\n"));
}
