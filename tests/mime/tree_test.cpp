// The part tree, BODYSTRUCTURE and sections.
#include <gtest/gtest.h>

#include "mime/message.hpp"
#include "mime/support.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
base::limits const limits;
std::string tree_of(std::string const& message) { return show(parse_parts(octets{message}, limits)); }
std::string body_of(std::string const& message) { return summarize(octets{message}, limits).bodystructure_text; }
}  // namespace

TEST(tree, parts_begin_and_end_where_rfc_2046_says)
{
    struct {
        char const* what;
        std::string_view message;  // LF stands for CRLF
        std::string_view tree;
    } const cases[] = {
        {"nothing", "", "text/plain 0 0-0 0\n"},
        {"no header", "\nbody\n", "text/plain 0 2-8 1\n"},
        {"no empty line", "Subject: x\n", "text/plain 0 12-12 0\n"},
        {"plain text", "Subject: x\n\nbody\n", "text/plain 0 14-20 1\n"},
        {"two parts", "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n",
         "*multipart/mixed 0 45-123 11\n text/plain 60 62-65 0\n text/html 72 99-104 1\n"},
        {"the line end before a delimiter belongs to it", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\n--b--\n",
         "*multipart/mixed 0 45-61 4\n text/plain 50 52-52 0\n"},
        {"no closing delimiter", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n", "*multipart/mixed 0 45-57 3\n text/plain 50 52-57 1\n"},
        {"padding", "Content-Type: multipart/mixed; boundary=b\n\n--b \t \n\none\n--b-- \n", "*multipart/mixed 0 45-68 4\n text/plain 53 55-58 0\n"},
        {"a header only", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b--\n",
         "*multipart/mixed 0 45-82 3\n text/html 50 75-75 0\n"},
        {"no boundary parameter", "Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n", "text/plain 0 33-52 4\n"},
        {"no part", "Content-Type: multipart/mixed; boundary=b\n\nbody\n", "*multipart/mixed 0 45-51 1\n text/plain 51 51-51 0\n"},
        {"closing delimiter only", "Content-Type: multipart/mixed; boundary=b\n\n--b--\nbody\n", "*multipart/mixed 0 45-58 2\n text/plain 58 58-58 0\n"},
        {"outer delimiter ends inner parts",
         "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\none\n--o\n\ntwo\n--o--\n",
         "*multipart/mixed 0 45-126 10\n *multipart/mixed 50 95-105 2\n  text/plain 100 102-105 0\n text/plain 112 114-117 0\n"},
        {"equal boundaries belong to the outer multipart",
         "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
         "*multipart/mixed 0 45-114 7\n *multipart/mixed 50 95-95 0\n  text/plain 95 95-95 0\n text/plain 100 102-105 0\n"},
        {"a boundary that begins another",
         "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b--\n",
         "*multipart/mixed 0 45-124 8\n *multipart/mixed 50 96-115 3\n  text/plain 102 104-107 0\n"},
        {"embedded message", "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: text/html\n\n<p>\n",
         "@message/rfc822 0 32-76 4\n text/html 32 71-76 1\n"},
        {"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\none\n--b--\n",
         "*multipart/digest 0 46-79 6\n @message/rfc822 51 53-70 2\n  text/plain 53 67-70 0\n"},
        {"embedded message cut by a delimiter", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n--b--\n",
         "*multipart/mixed 0 45-89 4\n @message/rfc822 50 82-82 0\n  text/plain 82 82-82 0\n"},
        {"message in base64 is not opened", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n",
         "message/rfc822 0 67-85 1\n"},
        {"malformed type", "Content-Type: text\n\nx", "text/plain 0 22-23 0\n"},
        {"first Content-Type counts", "Content-Type: text/html\nContent-Type: image/png\n\nx", "text/html 0 52-53 0\n"},
        {"a delimiter begins a line", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx--b\n --b\n--b--",
         "*multipart/mixed 0 45-69 4\n text/plain 50 52-62 1\n"},
        {"closed means closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n",
         "*multipart/mixed 0 45-76 7\n text/plain 50 52-55 0\n"},
        {"quoted boundary with blanks", "Content-Type: multipart/mixed; boundary=\"a b \"\n\n--a b\n\none\n--a b--\n",
         "*multipart/mixed 0 50-73 4\n text/plain 57 59-62 0\n"},
    };
    for (auto const& c : cases) {
        auto const message = crlf(c.message);
        EXPECT_EQ(tree_of(message), c.tree) << c.what;
        check_message(message);
        for (std::size_t cut = 0; cut < message.size(); ++cut) check_message(message.substr(0, cut));
    }
}

TEST(tree, bare_lf_is_a_line_end)
{
    EXPECT_EQ(tree_of("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\r\n\r\ntwo\n--b--\n"),
              "*multipart/mixed 0 43-69 7\n text/plain 47 48-51 0\n text/plain 57 59-62 0\n");
}

TEST(tree, long_boundaries_match_by_their_first_256_octets)
{
    std::string const boundary(300, 'b');
    auto const message = crlf("Content-Type: multipart/mixed; boundary=" + boundary + "\n\n--" + boundary + "\n\none\n--" + boundary + "--\n");
    auto const s = check_message(message);
    EXPECT_TRUE(s.degraded);
    EXPECT_EQ(s.parts.size(), 3U);  // with the end of the boundary cut off, the closing line looks like another delimiter
}

TEST(bodystructure, follows_rfc_9051)
{
    struct {
        std::string_view message;
        std::string_view body;
    } const cases[] = {
        {"\nx\n", R"~(("TEXT" "PLAIN" ("charset" "us-ascii") NIL NIL "7BIT" 3 1 NIL NIL NIL NIL))~"},
        {"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: Quoted-Printable\nContent-ID: <a@b>\nContent-Description: say "
         "\"hi\"\nContent-MD5: Q2hlY2s=\n"
         "Content-Disposition: inline; filename=\"a b.html\"\nContent-Language: de, en\nContent-Location: http://x/\n y\n\n",
         R"~(("TEXT" "HTML" ("charset" "utf-8") "<a@b>" "say \"hi\"" "QUOTED-PRINTABLE" 0 0 "Q2hlY2s=" ("INLINE" ("filename" "a b.html")) ("de" "en") "http://x/y"))~"},
        {"Content-Type: image/png\n\nxx", R"~(("IMAGE" "PNG" NIL NIL NIL "7BIT" 2 NIL NIL NIL NIL))~"},
        {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: application/pdf; name*=utf-8''%C3%A9\nContent-Disposition: "
         "attachment\n\n%\n--b--\n",
         "((\"TEXT\" \"PLAIN\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 3 0 NIL NIL NIL NIL)"
         "(\"APPLICATION\" \"PDF\" (\"name*\" {2}\r\n\xC3\xA9) NIL NIL \"7BIT\" 1 NIL (\"ATTACHMENT\" NIL) NIL NIL) \"MIXED\" (\"boundary\" \"b\") NIL NIL "
         "NIL)"},
        {"Content-Type: multipart/mixed; boundary=b\n\n",
         R"~((("TEXT" "PLAIN" ("charset" "us-ascii") NIL NIL "7BIT" 0 0 NIL NIL NIL NIL) "MIXED" ("boundary" "b") NIL NIL NIL))~"},
        {"Content-Type: message/rfc822\n\nFrom: A <a@b>\nSubject: x\n\nbody\n",
         R"~(("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 35 (NIL "x" (("A" NIL "a" "b")) (("A" NIL "a" "b")) (("A" NIL "a" "b")) NIL NIL NIL NIL NIL) )~"
         R"~(("TEXT" "PLAIN" ("charset" "us-ascii") NIL NIL "7BIT" 6 1 NIL NIL NIL NIL) 4 NIL NIL NIL NIL))~"},
        {"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\neA==\n",
         R"~(("APPLICATION" "OCTET-STREAM" NIL NIL NIL "BASE64" 6 NIL NIL NIL NIL))~"},
        {"Content-Type: message/delivery-status\n\nx\n", R"~(("MESSAGE" "DELIVERY-STATUS" NIL NIL NIL "7BIT" 3 NIL NIL NIL NIL))~"},
        {"Content-Type: multipart/mixed\n\nx\n", R"~(("TEXT" "PLAIN" ("charset" "us-ascii") NIL NIL "7BIT" 3 1 NIL NIL NIL NIL))~"},
    };
    for (auto const& c : cases) {
        auto const message = crlf(c.message);
        EXPECT_EQ(body_of(message), c.body) << c.message;
        check_message(message);
    }
}

TEST(bodystructure, body_has_no_extension_data)
{
    auto const s = summarize(octets{crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-MD5: x\n\none\n--b--\n")}, limits);
    EXPECT_EQ(s.body_text, R"~((("TEXT" "PLAIN" ("charset" "us-ascii") NIL NIL "7BIT" 3 0) "MIXED"))~");
}

TEST(sections, the_example_of_rfc_9051)
{
    // RFC 9051 §6.4.5.1's complex message.
    auto const message = crlf("Subject: outer\nContent-Type: multipart/mixed; boundary=a\n\n"
                              "--a\nContent-Type: text/plain\n\nP1\n"
                              "--a\nContent-Type: application/octet-stream\n\nP2\n"
                              "--a\nContent-Type: message/rfc822\n\nSubject: three\nContent-Type: multipart/mixed; boundary=b\n\n"
                              "--b\n\nP3.1\n--b\nContent-Type: application/octet-stream\n\nP3.2\n--b--\n"
                              "--a\nContent-Type: multipart/mixed; boundary=c\n\n"
                              "--c\nContent-Type: image/gif\n\nP4.1\n"
                              "--c\nContent-Type: message/rfc822\n\nSubject: four\nContent-Type: multipart/mixed; boundary=d\n\n"
                              "--d\n\nP4.2.1\n--d\nContent-Type: multipart/alternative; boundary=e\n\n"
                              "--e\n\nP4.2.2.1\n--e\nContent-Type: text/richtext\n\nP4.2.2.2\n--e--\n--d--\n--c--\n--a--\n");
    auto const s = check_message(message);
    using path = std::vector<std::uint32_t>;
    auto const octets_of = [&](path const& p, section_kind which) {
        auto const r = locate(s, p, which);
        return r ? message.substr(r->offset, r->length) : std::string{"(none)"};
    };
    using enum section_kind;
    EXPECT_EQ(octets_of({}, body), message);
    EXPECT_EQ(octets_of({}, header) + octets_of({}, text), message);
    EXPECT_EQ(octets_of({}, mime), "(none)");
    EXPECT_EQ(octets_of({1}, body), "P1");
    EXPECT_EQ(octets_of({1}, mime), "Content-Type: text/plain\r\n\r\n");
    EXPECT_EQ(octets_of({1}, header), "(none)");
    EXPECT_EQ(octets_of({1, 1}, body), "(none)");
    EXPECT_EQ(octets_of({2}, body), "P2");
    EXPECT_TRUE(octets_of({3}, body).starts_with("Subject: three\r\n"));
    EXPECT_EQ(octets_of({3}, header), "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
    EXPECT_TRUE(octets_of({3}, text).starts_with("--b\r\n"));
    EXPECT_EQ(octets_of({3}, mime), "Content-Type: message/rfc822\r\n\r\n");
    EXPECT_EQ(octets_of({3, 1}, body), "P3.1");
    EXPECT_EQ(octets_of({3, 2}, body), "P3.2");
    EXPECT_EQ(octets_of({3, 3}, body), "(none)");
    EXPECT_TRUE(octets_of({4}, body).starts_with("--c\r\n"));
    EXPECT_EQ(octets_of({4}, text), "(none)");
    EXPECT_EQ(octets_of({4, 1}, body), "P4.1");
    EXPECT_EQ(octets_of({4, 1}, mime), "Content-Type: image/gif\r\n\r\n");
    EXPECT_EQ(octets_of({4, 2}, header), "Subject: four\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n");
    EXPECT_EQ(octets_of({4, 2, 1}, body), "P4.2.1");
    EXPECT_EQ(octets_of({4, 2, 2, 1}, body), "P4.2.2.1");
    EXPECT_EQ(octets_of({4, 2, 2, 2}, body), "P4.2.2.2");
    for (path const& p : {path{0}, path{5}, path{1, 0}, path{4, 2, 2, 3}, path{4294967295U}}) EXPECT_EQ(octets_of(p, body), "(none)");
}

TEST(sections, a_message_without_parts_has_part_1)
{
    auto const plain = crlf("Subject: x\n\nbody\n");
    auto const s = summarize(octets{plain}, limits);
    auto const r = locate(s, {1}, section_kind::body);
    ASSERT_TRUE(r);
    EXPECT_EQ(plain.substr(r->offset, r->length), "body\r\n");
    EXPECT_EQ(locate(s, {1}, section_kind::mime)->length, s.header_size);
    EXPECT_EQ(locate(s, {2}, section_kind::body), std::nullopt);
    EXPECT_EQ(locate(s, {1, 1}, section_kind::body), std::nullopt);
    auto const inside = crlf("Content-Type: message/rfc822\n\nSubject: y\n\ninner\n");
    auto const t = summarize(octets{inside}, limits);
    auto const part_of = [&](std::vector<std::uint32_t> const& path, section_kind which) {
        auto const found = locate(t, path, which);
        return found ? inside.substr(found->offset, found->length) : std::string{"(none)"};
    };
    EXPECT_EQ(part_of({1}, section_kind::body), "Subject: y\r\n\r\ninner\r\n");
    EXPECT_EQ(part_of({1}, section_kind::header), "Subject: y\r\n\r\n");
    EXPECT_EQ(part_of({1}, section_kind::text), "inner\r\n");
    EXPECT_EQ(part_of({1, 1}, section_kind::body), "inner\r\n");
    EXPECT_EQ(part_of({1, 1, 1}, section_kind::body), "(none)");
    EXPECT_EQ(part_of({2}, section_kind::body), "(none)");
}
