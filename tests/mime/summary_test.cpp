// Envelope, codec, preview, base subject, wire strings, decoding of bodies.
#include <gtest/gtest.h>

#include "mime/message.hpp"
#include "mime/support.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
summary of(std::string_view text) { return check_message(crlf(text)); }
}  // namespace

TEST(wire, strings)
{
    EXPECT_EQ(imap_string(""), "\"\"");
    EXPECT_EQ(imap_string("a b"), "\"a b\"");
    EXPECT_EQ(imap_string("a\"b\\c"), "\"a\\\"b\\\\c\"");
    EXPECT_EQ(imap_string("a\r\nb"), "{4}\r\na\r\nb");
    EXPECT_EQ(imap_string("\xC3\xA9"), "{2}\r\n\xC3\xA9");
    EXPECT_EQ(imap_string(std::string_view{"a\0b", 3}), "\"a?b\"");                  // NUL is in no string (RFC 9051 §9, CHAR8)
    EXPECT_EQ(imap_string(std::string_view{"\xC3\0", 2}), "{2}\r\n\xC3?");
    EXPECT_EQ(imap_string(std::string(1001, 'x')), "{1001}\r\n" + std::string(1001, 'x'));
    EXPECT_EQ(imap_nstring(""), "NIL");
}

TEST(envelope, has_its_ten_fields_in_order)
{
    auto const s =
        of("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nFrom: Terry Gray <gray@cac.washington.edu>\nSubject: IMAP4rev2 WG mtg summary and minutes\n"
           "To: imap@cac.washington.edu\ncc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\nMessage-Id: <B27397-0100000@cac.washington.edu>\n\n");
    // RFC 9051 §8, word for word.
    EXPECT_EQ(s.envelope_text,
              R"~(("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) )~"
              R"~((("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) )~"
              R"~(((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>"))~");
}

TEST(envelope, odd_headers)
{
    struct {
        std::string_view header, envelope;
    } const cases[] = {
        {"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
        {"Sender: s@x\nReply-To: r@x\n", R"~((NIL NIL NIL ((NIL NIL "s" "x")) ((NIL NIL "r" "x")) NIL NIL NIL NIL NIL))~"},
        {"From: a@b\nSender:\nReply-To: \n", R"~((NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL))~"},
        {"To: G: a@b;\n", R"~((NIL NIL NIL NIL NIL ((NIL NIL "G" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) NIL NIL NIL NIL))~"},
        {"To: <@r:a@b>, postmaster\n", R"~((NIL NIL NIL NIL NIL ((NIL "@r" "a" "b")(NIL NIL "postmaster" "")) NIL NIL NIL NIL))~"},
        {"Subject: =?utf-8?Q?x?=\n y\n", R"~((NIL "=?utf-8?Q?x?= y" NIL NIL NIL NIL NIL NIL NIL NIL))~"},  // as written, unfolded
        {"Subject: \xE9\n", "(NIL {1}\r\n\xE9 NIL NIL NIL NIL NIL NIL NIL NIL)"},
        {"To: a@b\nTo: c@d\n", R"~((NIL NIL NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL))~"},  // RFC 5322 §4.5.3
        {"From: a@b\nFrom: c@d\n", R"~((NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL))~"},
    };
    for (auto const& c : cases) EXPECT_EQ(of(std::string{c.header} + "\n").envelope_text, c.envelope) << c.header;
    EXPECT_EQ(of(std::string{"Subject: a\0b\n\n", 14}).envelope_text, R"~((NIL "a?b" NIL NIL NIL NIL NIL NIL NIL NIL))~");
}

TEST(summary, tells_what_a_list_shows)
{
    auto const s = of("Received: one\nReceived: two\nDate: Tue, 1 Jul 2003 10:52:37 +0200\nFrom: =?utf-8?Q?J=C3=B6rg?= <j@x>\nSubject: Re: [list] "
                      "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n"
                      "Message-ID: <3@x>\nIn-Reply-To: <2@x> <1@x>\nReferences: <1@x>\n <2@x> junk <unclosed <b c@x>\nX-Other: no\nList-Id: <l.x>\n\n> "
                      "quoted\n\nHello \xC3\xA9\n  world\n");
    EXPECT_EQ(s.received_count, 2U);
    EXPECT_EQ(s.from_display, "Jörg");
    EXPECT_EQ(s.subject, "Re: [list] Grüße");
    EXPECT_EQ(s.base_subject, "Grüße");
    EXPECT_EQ(s.message_id, "<3@x>");
    EXPECT_EQ(s.in_reply_to, "<2@x>");
    EXPECT_EQ(s.references, (std::vector<std::string>{"<1@x>", "<2@x>", "<bc@x>"}));
    EXPECT_EQ(s.preview, "Hello é world");
    EXPECT_TRUE(s.has_8bit);
    EXPECT_FALSE(s.has_nul);
    EXPECT_FALSE(s.has_attachment);
    ASSERT_TRUE(s.date);
    EXPECT_EQ(s.date->zone_minutes, 120);
    std::vector<std::string> names;
    for (auto const& [name, body] : s.fields) names.push_back(name);
    EXPECT_EQ(names, (std::vector<std::string>{"Date", "From", "Subject", "Message-ID", "In-Reply-To", "References", "List-Id"}));
    EXPECT_EQ(s.fields[5].second, " <1@x> <2@x> junk <unclosed <b c@x>");
    EXPECT_TRUE(std::ranges::is_sorted(kept_fields()));
}

TEST(summary, keeps_the_last_hundred_references)
{
    std::string header = "References:";
    for (int i = 0; i < 250; ++i) header += "\n <" + std::to_string(i) + "@x>";
    auto const s = of(header + "\n\n");
    ASSERT_EQ(s.references.size(), 100U);
    EXPECT_EQ(s.references.front(), "<150@x>");
    EXPECT_EQ(s.references.back(), "<249@x>");
}

TEST(summary, attachments)
{
    auto const has = [](std::string_view part) {
        return of("Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n" + std::string{part} + "\n\nx\n--b--\n").has_attachment;
    };
    EXPECT_FALSE(has("Content-Type: text/html"));
    EXPECT_TRUE(has("Content-Type: application/pdf"));
    EXPECT_TRUE(has("Content-Type: text/plain\nContent-Disposition: attachment"));
    EXPECT_TRUE(has("Content-Type: text/plain; name=x.txt"));
    EXPECT_TRUE(has("Content-Type: message/rfc822"));
    EXPECT_FALSE(has("Content-Type: image/png\nContent-ID: <x>"));
    EXPECT_FALSE(has("Content-Type: application/pgp-signature"));
    EXPECT_FALSE(has("Content-Type: image/png\nContent-Disposition: inline; filename=x.png"));
}

TEST(summary, previews)
{
    struct {
        std::string_view message, preview;
    } const cases[] = {
        {"\n", ""},
        {"Content-Type: text/html\n\n<html><head><title>t</title><style>p {x}</style></head><body><p>Hi&nbsp;&amp; <b>b</b>ye &#233;&#x20AC; "
         "&bogus;<script>x</script></p>",
         "Hi & bye é€ &bogus;"},
        {"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=\n=DFe\n", "Grüße"},
        {"Content-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-8\n\nR3LDvMOfZQ==\n", "Grüße"},
        {"\n> only\n> quoted\n", "> only > quoted"},
        {"Content-Type: multipart/alternative; boundary=b\n\n--b\n\n\n--b\nContent-Type: text/html\n\n<p>html\n--b--\n", "html"},
        {"Content-Type: application/pdf\n\nx", ""},
        {"Content-Type: text/plain\nContent-Disposition: attachment\n\nx", ""},
        {"\na\x01\x02\x7f b", "a b"},
    };
    for (auto const& c : cases) EXPECT_EQ(of(c.message).preview, c.preview) << c.message;
    std::string text = "Content-Type: text/plain; charset=utf-8\n\n";
    for (int i = 0; i < 3000; ++i) text += "é";
    auto const s = of(text);
    EXPECT_EQ(s.preview.size(), 400U);  // RFC 8970 §3.3: 200 characters, not octets
}

TEST(summary, base_subjects)
{
    struct {
        std::string_view subject, base;
    } const cases[] = {
        {"", ""},
        {"hello", "hello"},
        {"Re: hello", "hello"},
        {"RE:re : Fwd:FW: hello (fwd) (FWD)", "hello"},
        {"[list] Re: hello", "hello"},
        {"Re: [list] hello", "hello"},
        {"[a][b] hello", "hello"},
        {"[only]", "[only]"},
        {"Re: [only]", "[only]"},
        {"[Fwd: Re: hello]", "hello"},
        {"[fwd: [fwd: hello]]", "hello"},
        {"Re[2]: hello", "hello"},
        {"Rebate: hello", "Rebate: hello"},
        {"a\t b   c", "a b c"},
        {"Re:", ""},
        {"[x", "[x"},
        {"[a]", "[a]"},
        {"hello (fwd) x", "hello (fwd) x"},
        {"[a] Re: [b] Re [c] : hello", "hello"},
        {"Re: [a] (fwd)", "[a]"},
        {"[Fwd: hello", "[Fwd: hello"},
        {"[fwd:]", ""},
        {"[fwd: hello (fwd)] (fwd)", "hello"},
        {"Re: a [b", "a [b"},
        {"[a[b]] x", "[a[b]] x"},
        {"re : [x]y", "y"},
        {"(fwd)", ""},
        {"fwdd: x", "fwdd: x"},
    };
    for (auto const& c : cases) EXPECT_EQ(base_subject(c.subject), c.base) << c.subject;
    // Many blobs stay linear: this would take minutes if each were looked at again for each.
    std::string blobs;
    for (int i = 0; i < 100000; ++i) blobs += "[a]";
    EXPECT_EQ(base_subject(blobs), "[a]");
    EXPECT_EQ(base_subject(blobs + "Re: x"), "x");
}

TEST(summary, replies_and_forwards)
{
    for (auto const* subject : {"Re: x", "fw: x", "[list] RE[3]: x", "x (FWD)", "[fwd: x]", "Re:"}) EXPECT_TRUE(is_reply_or_forward(subject)) << subject;
    for (auto const* subject : {"", "x", "[list] x", "x (fwd) y", "[fwd: x", "Rex: y", "(fwd) [x] y"}) EXPECT_FALSE(is_reply_or_forward(subject)) << subject;
}

TEST(summary, a_damaged_row_is_an_error_and_never_a_lie)
{
    auto const s = of("From: a@b\nDate: Tue, 1 Jul 2003 10:52:37 +0200\nReferences: <1@x>\nContent-Type: multipart/mixed; "
                      "boundary=b\n\n--b\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--b--\n");
    auto const row = encode(s);
    for (std::size_t cut = 0; cut < row.size(); ++cut) EXPECT_FALSE(decode_summary(std::string_view{row}.substr(0, cut)).has_value()) << cut;
    EXPECT_FALSE(decode_summary(row + 'x').has_value());
    for (std::size_t at = 0; at < row.size(); ++at)
        for (unsigned const flip : {1U, 0x80U, 0xFFU}) {
            auto damaged = row;
            damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ flip);
            auto const r = decode_summary(damaged);
            if (!r) continue;
            for (auto const& p : r->parts) {
                EXPECT_TRUE(p.header_offset <= p.body_offset && p.body_offset <= p.end_offset && p.end_offset <= r->size);
                auto const& outer = r->parts[p.parent];
                if (&p != &outer) EXPECT_TRUE(outer.body_offset <= p.header_offset && p.end_offset <= outer.end_offset);
            }
            for (std::vector<std::uint32_t> const& path : {std::vector<std::uint32_t>{1}, {2}, {2, 1}})
                for (auto const which : {section_kind::body, section_kind::header, section_kind::text, section_kind::mime})
                    if (auto const found = locate(*r, path, which)) EXPECT_LE(found->offset + found->length, r->size);
        }
    summary empty;
    EXPECT_FALSE(decode_summary(encode(empty)).has_value());
}

TEST(body, transfer_encodings)
{
    struct {
        std::string_view encoding, in, out;
    } const cases[] = {
        {"7bit", "a=41", "a=41"},
        {"BASE64", "YWJj", "abc"},
        {"base64", "YW\r\nJj", "abc"},
        {"base64", "YW Jj!ZA", "abcd"},
        {"base64", "YQ==YQ==", "aa"},
        {"base64", "YQ", "a"},
        {"base64", "Y", ""},
        {"base64", "=", ""},
        {"quoted-printable", "a=41=\r\nb \t\r\nc", "aAb\r\nc"},
        {"quoted-printable", "a=4", "a=4"},
        {"quoted-printable", "a=zz=c3=a9", "a=zz\xC3\xA9"},
        {"quoted-printable", "a= \r\nb", "ab"},
        {"quoted-printable", "a=\nb\n", "ab\n"},
        {"quoted-printable", "=", ""},
        {"x-other", "x", "x"},
    };
    for (auto const& c : cases) EXPECT_EQ(decode_body(c.in, c.encoding), c.out) << c.in;
    EXPECT_EQ(decode_body("6Q==", "base64", "iso-8859-1"), "é");
}

TEST(catalogue, W2_line_ends_become_crlf_once)
{
    struct {
        std::string_view in, out;
    } const cases[] = {
        {"", ""},
        {"a", "a"},
        {"a\n", "a\r\n"},
        {"a\r", "a\r\n"},
        {"a\r\n", "a\r\n"},
        {"\n.\n", "\r\n.\r\n"},
        {"\r.\r", "\r\n.\r\n"},
        {"\r\r\n", "\r\n\r\n"},
        {"\n\r", "\r\n\r\n"},
        {"\r\n.\r\r\n", "\r\n.\r\n\r\n"},
        {"a\rb\nc", "a\r\nb\r\nc"},
    };
    for (auto const& c : cases) {
        EXPECT_EQ(normalize_line_ends(c.in), c.out) << base::printable(c.in);
        EXPECT_EQ(normalize_line_ends(c.out), c.out);
    }
}
