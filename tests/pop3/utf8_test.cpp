// UTF8 and LANG (RFC 6856): what is sent to whom, in which words.
#include <algorithm>
#include <fstream>

#include "base/bytes.hpp"
#include "mime/build.hpp"
#include "mime/header.hpp"
#include "pop3/language.hpp"
#include "pop3/surrogate.hpp"
#include "rig.hpp"

using namespace mansio;
using namespace mansio::pop3;
using namespace mansio::pop3::test;

namespace {
std::string ascii(std::string_view header)
{
    base::limits const l;
    auto const made = ascii_header(header, l);
    return made ? *made : "!" + made.error().say;
}
struct bob_in {
    rig r;
    wire_client c;
    std::string say(std::string_view what) { return c.say(what); }
    bob_in(std::string message, bool with_utf8, std::string prefix = {}) : c(prepared(r, std::move(message), std::move(prefix)), "c")
    {
        c.hear();
        if (with_utf8) EXPECT_EQ(c.say("UTF8\r\n"), "+OK UTF8 on\r\n");
        EXPECT_EQ(c.say(sign_in_lines(r, "bob")), "+OK go on\r\n+OK 1 messages\r\n");
    }
    static rig& prepared(rig& r, std::string message, std::string prefix)
    {
        r.deliver(rig::bob, std::move(message), std::move(prefix));
        return r;
    }
};
}  // namespace

TEST(utf8, headers_become_ascii_and_mean_the_same)
{
    struct {
        std::string_view header, want;  ///< as a reader has it who decodes encoded words
    } const cases[] = {
        {"Subject: plain\r\n\r\n", "Subject: plain\r\n\r\n"},
        {"Subject: Gr\xC3\xBC\xC3\x9F"
         "e an alle\r\nTo: a@b\r\n\r\n",
         "Subject: Gr\xC3\xBC\xC3\x9F"
         "e an alle\r\nTo: a@b\r\n\r\n"},
        {"Subject: a\r\n \xC3\xBC\r\n\r\n", "Subject: a \xC3\xBC\r\n\r\n"},
        {"Subject: =?utf-8?Q?=C3=A4?= \xC3\xBC\r\n\r\n", "Subject: \xC3\xA4 \xC3\xBC\r\n\r\n"},
        {"From: J\xC3\xBCrgen <j@x.test>\r\n\r\n", "From: J\xC3\xBCrgen <j@x.test>\r\n\r\n"},
        {"To: \"M. M\xC3\xBCller\" <m@x.test>, b@x.test\r\n", "To: M. M\xC3\xBCller <m@x.test>, b@x.test\r\n"},
        {"From: =?utf-8?Q?J=C3=BC?= <j@x.test>\r\nCc: \xC3\xBC <c@x.test>\r\n", "From: J\xC3\xBC <j@x.test>\r\nCc: \xC3\xBC <c@x.test>\r\n"},
        {"Cc: =?utf-8?Q?=C3=A4?= <j@x.test>, \xC3\xBC <c@x.test>\r\n", "Cc: \xC3\xA4 <j@x.test>, \xC3\xBC <c@x.test>\r\n"},
        {"To: \xC3\xBC: a@x.test, b@x.test;\r\n", "To: \xC3\xBC: a@x.test, b@x.test;\r\n"},
        {"From: <j\xC3\xBC@x.test>\r\n", "!this message has addresses that only UTF8 can show"},
        {"From: a <j@\xC3\xBC.test>\r\n", "!this message has addresses that only UTF8 can show"},
        {"Content-Type: text/plain; name=\"\xC3\xBC b.txt\"; charset=utf-8\r\n", "Content-Type: text/plain; name=\"\xC3\xBC b.txt\"; charset=utf-8\r\n"},
        // What is no UTF-8 is older than all this, and stays.
        {"Subject: Gr\xFC\xDF"
         "e\r\n\r\n",
         "Subject: Gr\xFC\xDF"
         "e\r\n\r\n"},
        {"no field \xC3\xBC\r\n\r\n", "no field \xC3\xBC\r\n\r\n"},
        {"", ""},
    };
    for (auto const& q : cases) {
        auto const got = ascii(q.header);
        bool const stays = got == q.header;
        EXPECT_TRUE(is_ascii(got) || stays) << got;
        if (stays) EXPECT_EQ(got, q.want);
        if (stays) continue;
        std::string meant;  // line by line: a decoder unfolds
        for (std::size_t at = 0; at < got.size();) {
            auto const end = got.find("\r\n", at);
            meant += mime::decode_encoded_words(got.substr(at, end - at)) + (end == std::string::npos ? "" : "\r\n");
            at = end == std::string::npos ? got.size() : end + 2;
        }
        EXPECT_EQ(meant, q.want) << q.header;
    }
}

TEST(utf8, where_a_header_ends)
{
    EXPECT_EQ(header_length("A: b\r\n\r\nbody"), 8U);
    EXPECT_EQ(header_length("A: b\n\nbody"), 6U);
    EXPECT_EQ(header_length("\r\nbody"), 2U);
    EXPECT_EQ(header_length("A: b\r\n"), std::string_view::npos);
    EXPECT_EQ(header_length(""), std::string_view::npos);
    EXPECT_EQ(header_length("A: b\r\nC\r"), std::string_view::npos);
}

TEST(utf8, who_did_not_ask_gets_ascii_and_its_size)
{
    std::string const message = "Subject: \xC3\xBC\r\n\r\nbody \xC3\xBC\r\n";
    bob_in plain{message, false};
    auto const got = plain.say("RETR 1\r\n");
    auto const header = "Subject: " + mime::encode_words("\xC3\xBC") + "\r\n\r\n";
    EXPECT_EQ(got, "+OK " + std::to_string(header.size() + 9) + " octets\r\n" + header + "body \xC3\xBC\r\n.\r\n");
    EXPECT_EQ(plain.say("TOP 1 0\r\n"), "+OK top of message\r\n" + header + ".\r\n");
    bob_in asked{message, true};
    EXPECT_EQ(asked.say("RETR 1\r\n"), "+OK " + std::to_string(message.size()) + " octets\r\n" + message + ".\r\n");
}

TEST(utf8, an_address_that_has_no_ascii_form_is_refused_with_its_code)
{
    std::string const message = "From: j\xC3\xBC@x.test\r\n\r\nbody\r\n";
    bob_in plain{message, false};
    std::string const refusal = "-ERR [UTF8] this message has addresses that only UTF8 can show\r\n";
    EXPECT_EQ(plain.say("RETR 1\r\nTOP 1 0\r\n"), refusal + refusal);
    EXPECT_TRUE(plain.say("LIST 1\r\n").starts_with("+OK 1 "));
    bob_in asked{message, true};
    EXPECT_TRUE(asked.say("RETR 1\r\n").starts_with("+OK "));
    bob_in in_prefix{"Subject: x\r\n\r\n", false, "Return-Path: <\xC3\xBC@x.test>\r\n"};
    EXPECT_EQ(in_prefix.say("RETR 1\r\n"), refusal);
}

TEST(utf8, a_header_longer_than_a_piece)
{
    std::string message = "X: " + std::string(60, 'x') + "\r\n";
    while (message.size() < 300'000) message += "Y: " + std::string(60, 'y') + "\r\n";
    message += "Subject: \xC3\xBC\r\n\r\nbody\r\n";
    bob_in plain{message, false};
    auto const got = plain.say("RETR 1\r\n");
    EXPECT_NE(got.find("Subject: =?"), std::string::npos);
    EXPECT_TRUE(got.ends_with("\r\n\r\nbody\r\n.\r\n"));
}

TEST(utf8, after_it_no_tls_and_only_before_sign_in)
{
    rig r;
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(c.say("UTF8 x\r\n"), "-ERR UTF8 has no arguments\r\n");
    EXPECT_EQ(c.say("UTF8\r\nutf8\r\n"), "+OK UTF8 on\r\n+OK UTF8 on\r\n");
    EXPECT_EQ(c.say("STLS\r\n"), "-ERR UTF8 is on: TLS comes before it\r\n");
    EXPECT_EQ(c.say("CAPA\r\n").find("STLS"), std::string::npos);
    EXPECT_EQ(c.say(sign_in_lines(r, "alice")), "+OK go on\r\n+OK 4 messages\r\n");
    EXPECT_EQ(c.say("UTF8\r\n"), "-ERR already signed in\r\n");
}

// "UTF8 USER" (RFC 6856 §2.2): such a name signs in, before or after UTF8; what is no UTF-8 never does.
TEST(utf8, names_in_utf8_sign_in)
{
    rig r;
    auto const made = r.loop.run(r.people->add_account("gr\xC3\xBC\xC3\x9F"
                                                       "e@example.test",
                                                       "", 0, false));
    ASSERT_TRUE(made);
    ASSERT_TRUE(r.loop.run(r.accounts->create(made->number, 0)));
    auto const secret = r.loop.run(r.door->add_app_password(made->number, "x", auth::all_mail_protocols, false, std::chrono::days{400}));
    ASSERT_TRUE(secret);
    for (std::string const name : {"gr\xC3\xBC\xC3\x9F"
                                   "e@example.test",
                                   "GR\xC3\x9C\xC3\x9F"
                                   "E@example.test",
                                   "gru\xCC\x88\xC3\x9F"
                                   "e@example.test"})
    {
        wire_client c{r, "c"};
        c.hear();
        EXPECT_EQ(c.say("USER " + name + "\r\nPASS " + secret->secret + "\r\nQUIT\r\n"), "+OK go on\r\n+OK 0 messages\r\n+OK goodbye\r\n") << name;
    }
    wire_client c{r, "c"};
    c.hear();
    EXPECT_EQ(c.say("USER gr\xFC\xDF"
                    "e@example.test\r\nPASS " +
                    secret->secret + "\r\n"),
              "+OK go on\r\n-ERR [AUTH] authentication failed\r\n");
}

TEST(language, tags)
{
    EXPECT_EQ(find_language("de")->tag, "de");
    EXPECT_EQ(find_language("DE-at")->tag, "de");
    EXPECT_EQ(find_language("en-GB")->tag, "en");
    EXPECT_EQ(find_language("*")->tag, "en");
    for (std::string_view const none : {"", "d", "den", "deutsch", "mul", "x-de", "de_AT"}) EXPECT_FALSE(find_language(none)) << none;
}

TEST(language, replies_keep_their_codes_and_numbers)
{
    EXPECT_EQ(in_language(language::german, "4 messages"), "4 Nachrichten");
    EXPECT_EQ(in_language(language::german, "[AUTH] authentication failed"), "[AUTH] Anmeldung fehlgeschlagen");
    EXPECT_EQ(in_language(language::german, "not base64"), "kein Base64");
    EXPECT_EQ(in_language(language::german, "[LOGIN-DELAY] the last sign-in was less than 60 seconds ago"),
              "[LOGIN-DELAY] die letzte Anmeldung ist weniger als 60 Sekunden her");
    EXPECT_EQ(in_language(language::english, "4 messages"), "4 messages");
    for (std::string_view const data : {"1 76", "1 m.17", "4 200", "", "[", "[]", "[X", "something else"})  // what programs read
        EXPECT_EQ(in_language(language::german, data), data);
}

// A sentence that nobody says any more, or says in other words, is found here.
TEST(language, every_translation_is_of_something_said)
{
    std::string source;
    for (auto const* const file : {"session.cpp", "surrogate.cpp", "commands/auth.cpp", "commands/capa.cpp", "commands/dele.cpp", "commands/lang.cpp",
                                   "commands/list.cpp", "commands/quit.cpp", "commands/retr.cpp", "commands/stat.cpp", "commands/stls.cpp",
                                   "commands/table.cpp", "commands/table.hpp", "commands/user.cpp", "commands/utf8.cpp"})
    {
        std::ifstream in{std::string{MANSIO_SOURCE "/src/pop3/"} + file};
        source.append(std::istreambuf_iterator<char>{in}, {});
    }
    ASSERT_FALSE(source.empty());
    std::string digits_as_hash;
    for (std::size_t i = 0; i < source.size(); ++i) {
        bool const digit = source[i] >= '0' && source[i] <= '9';
        if (!digit) digits_as_hash += source[i];
        if (digit && !digits_as_hash.ends_with('#')) digits_as_hash += '#';
    }
    for (auto const& [english, german] : german_sentences()) {
        // What stands before, between and behind inserted numbers must be there.
        std::size_t at = 0;
        bool const whole = digits_as_hash.find(english) != std::string::npos;
        while (!whole && at <= english.size()) {
            auto const end = std::min(english.find('#', at), english.size());
            EXPECT_NE(digits_as_hash.find(english.substr(at, end - at)), std::string::npos) << english;
            at = end + 1;
        }
        EXPECT_EQ(std::ranges::count(english, '#') > 0, std::ranges::count(german, '#') > 0) << english;
        EXPECT_TRUE(base::is_utf8(german)) << english;
    }
}
