// links: imap net auth store mime base
// A whole IMAP conversation on the engine in memory. The first octet says how the network cuts, and whether the client is signed in with a mailbox open.
// Property: whatever is said, it is answered the same however it is cut, every line of an answer ends in CRLF, and the server can always be stopped.
#include "imap_world.hpp"

using namespace mansio;
using namespace std::string_view_literals;
using fuzz::must;

namespace {

constexpr std::string_view message = "From: a@b\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"sv;

std::string converse(bool signed_in, std::string_view said, std::size_t cut)
{
    fuzz::imap_world w{signed_in};
    auto const client = w.connect();
    if (signed_in)
        w.send(*client,
               "l LOGIN a " + w.secret + "\r\nm APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + std::string{message} + "\r\ns SELECT INBOX\r\n");
    for (std::size_t at = 0; at < said.size(); at += cut)
        if (!w.send(*client, said.substr(at, cut))) break;
    std::string heard;
    w.hear(*client, heard);
    client->abort();
    w.loop.run_ready();
    return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 2 || size > 4096) return 0;
    bool const signed_in = (data[0] & 1U) != 0;
    std::size_t const cut = 1U + (data[0] >> 1U);
    std::string_view const said{reinterpret_cast<char const*>(data) + 1, size - 1};
    auto const whole = converse(signed_in, said, said.size());
    must(whole == converse(signed_in, said, cut));
    must(whole.empty() || whole.ends_with("\r\n"));
    return 0;
}
