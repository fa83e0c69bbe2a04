// What the switches of extensions change, where a dialogue with the usual set cannot show it.
#include "rig.hpp"

#include "base/bytes.hpp"
#include "imap/wire/message_url.hpp"

namespace mansio::imap::test {
namespace {

rig_options without(std::vector<std::string> const& names)
{
    rig_options o;
    o.off = extensions_named(names);
    return o;
}

// RFC 7888 §5: LITERAL- instead of LITERAL+, and then 4,096 octets may come unasked.
TEST(literals, bigger_ones_come_unasked_with_literal_plus_only)
{
    rig r{without({"LITERAL+"})};
    auto const more = std::string(4097, 'x');
    r.talk(R"(c <~ ^\* OK \[CAPABILITY IMAP4rev2 IMAP4rev1 .*LITERAL- 
c -> 1 LOGIN ${alice} ${alice_secret}
c <~ ^1 OK .*LITERAL- 
c => 2 LIST {+)" +
           more + R"(+} x\r\n
c <~ ^2 BAD \[TOOBIG\]
c => 3 APPEND INBOX {+)" +
           more + R"(+}\r\n
c <~ ^3 BAD \[TOOBIG\]
c => 4 APPEND INBOX CATENATE (TEXT {+)" +
           more + R"(+})\r\n
c <~ ^4 BAD \[TOOBIG\]
c => 5 APPEND INBOX {+A: b\r\n\r\n+}\r\n
c <~ ^5 OK
c -> 6 APPEND INBOX {4097}
c <- + OK
c => )" + more +
           R"(\r\n
c <~ ^6 OK
)");
}

TEST(literals, none_come_unasked_without_both)
{
    rig r{without({"LITERAL+", "LITERAL-"})};
    r.talk(R"(c <~ ^\* OK \[CAPABILITY IMAP4rev1 
c => 1 LOGIN {+alice+} x\r\n
c <~ ^1 BAD
c -> 2 LOGIN ${alice} ${alice_secret}
c <~ ^2 OK
c => 3 APPEND INBOX {+A: b\r\n\r\n+}\r\n
c <~ ^3 BAD
)");
}

TEST(literals, with_literal_plus_any_size)
{
    rig r;
    r.talk(R"(c <~ LITERAL\+ 
c -> 1 LOGIN ${alice} ${alice_secret}
c <~ ^1 OK
c => 2 APPEND INBOX {+)" +
           std::string(5000, 'x') + R"(+}\r\n
c <~ ^2 OK
c -> 3 CAPABILITY
c <~ ^\* CAPABILITY (?!.*LITERAL-)
c <~ ^3 OK
)");
}

TEST(extensions, a_switched_off_one_is_not_taken)
{
    struct {
        char const* name;
        char const* say;
    } const cases[] = {
        {"BINARY", "APPEND INBOX ~{8}"},
        {"UTF8=ACCEPT", "APPEND INBOX UTF8 (~{8}"},
        {"REPLACE", "UID REPLACE 1 INBOX {8}"},
    };
    for (auto const& c : cases) {
        SCOPED_TRACE(c.name);
        rig r{without({c.name})};
        r.talk(R"(c <~ ^\* OK
c -> 1 LOGIN ${alice} ${alice_secret}
c <~ ^1 OK (?!.* )" +
               std::string{c.name} + R"([ \]])
c => 2 APPEND INBOX {+A: b\r\n\r\n+}\r\n
c <~ ^2 OK
c -> 3 SELECT INBOX
c <* ^3 OK
c -> 4 )" + c.say +
               R"(
c <~ ^4 BAD
c -> 5 NOOP
c <~ ^5 OK
)");
    }
}

// A part beyond what is held in memory at once is decoded while it is sent, cut as asked.
TEST(binary, large_parts_are_decoded_while_they_are_sent)
{
    rig r;
    std::string want;
    for (unsigned i = 0; want.size() < 700'000; ++i) want += "line " + std::to_string(i) + "\r\n";
    std::string encoded;
    for (std::size_t at = 0; at < want.size(); at += 57) encoded += base::to_base64(std::string_view{want}.substr(at, 57)) + "\r\n";
    auto const message = "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded;
    wire_client peer{r, "c"};
    auto said = peer.say("1 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n2 APPEND INBOX {" + std::to_string(message.size()) +
                         "+}\r\n" + message + "\r\n3 SELECT INBOX\r\n");
    ASSERT_TRUE(said.contains("3 OK")) << said.substr(0, 500);
    auto const octets = std::to_string(want.size());
    said = peer.say("4 FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1] UID)\r\n");
    EXPECT_EQ(said, "* 1 FETCH (UID 1 BINARY.SIZE[1] " + octets + " BINARY[1] {" + octets + "}\r\n" + want + ")\r\n4 OK FETCH completed\r\n");
    for (std::size_t const from : {0U, 1U, 400'000U, 699'000U, 900'000U}) {
        auto const some = from < want.size() ? want.substr(from, 300'000) : "";
        said = peer.say("5 FETCH 1 BINARY.PEEK[1]<" + std::to_string(from) + ".300000>\r\n");
        EXPECT_EQ(said, "* 1 FETCH (BINARY[1]<" + std::to_string(from) + "> {" + std::to_string(some.size()) + "}\r\n" + some + ")\r\n5 OK FETCH completed\r\n")
            << from;
    }
    // The size stays beside the record: no octet is read again for it.
    auto const reads = r.counter("mansio_store_blob_reads_total");
    EXPECT_NE(reads, 0U);
    peer.say("6 FETCH 1 BINARY.SIZE[1]\r\n");
    EXPECT_EQ(r.counter("mansio_store_blob_reads_total"), reads);
}

TEST(message_url, takes_messages_of_this_server_only)
{
    struct {
        std::string_view url, want;
    } const cases[] = {
        {"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME/;PARTIAL=5.1024", "Drafts 385759045 20 1.MIME 5+1024"},
        {"/Drafts/;UID=20", "Drafts 0 20  -"},
        {"/a/b%2Fc%20%c3%bc/;uid=1/;PARTIAL=7", "a/b/c \xC3\xBC 0 1  7+0"},
        {"/a;uidvalidity=1/;UID=2/;SECTION=HEADER.FIELDS%20(To)", "a 1 2 HEADER.FIELDS (To) -"},
        {"", "!"},
        {"/", "!"},
        {"//host/a/;UID=1", "!"},
        {"imap://host/a/;UID=1", "!"},
        {"a/;UID=1", "!"},
        {";UID=1", "!"},
        {"/;UID=1", "!"},
        {"/a", "!"},
        {"/a;UID=1", "!"},
        {"/a/;UID=0", "!"},
        {"/a/;UID=1x", "!"},
        {"/a/;UID=99999999999", "!"},
        {"/a/;UID=1/", "!"},
        {"/a/;UID=1/;SECTION=", "!"},
        {"/a/;UID=1/;PARTIAL=1.0", "!"},
        {"/a/;UID=1/;PARTIAL=.1", "!"},
        {"/a/;UID=1/;PARTIAL=1/;SECTION=1", "!"},
        {"/a/;UID=1;URLAUTH=anonymous:INTERNAL:91354a473744909de610943775f92038", "!"},
        {"/a%0/;UID=1", "!"},
        {"/a%00/;UID=1", "!"},
        {"/a%ff/;UID=1", "!"},
        {"/a b/;UID=1", "!"},
    };
    for (auto const& c : cases) {
        auto const u = wire::parse_message_url(c.url);
        std::string got{"!"};
        if (u) {
            got = u->mailbox + " " + std::to_string(u->uid_validity.value_or(0)) + " " + std::to_string(u->uid) + " " + u->section + " ";
            got += u->partial ? std::to_string(u->partial->offset) + "+" + std::to_string(u->partial->octets.value_or(0)) : "-";
        }
        EXPECT_EQ(got, c.want) << c.url;
    }
}

}  // namespace
}  // namespace mansio::imap::test
