// Published vectors: what another careful parser makes of the same octets. Where we differ the case stands in a table here and is argued by RFC in
// docs/mime-disagreements.md; a difference that is in neither, or an entry that no longer differs, fails.
#include <algorithm>
#include <boost/json/src.hpp>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

#include "base/bytes.hpp"
#include "mime/address.hpp"
#include "mime/date.hpp"
#include "mime/header.hpp"
#include "mime/message.hpp"
#include "support/archive.hpp"
#include "support/support.hpp"

namespace json = boost::json;
using namespace mansio;
using namespace mansio::mime;

namespace {
base::limits const limits;

std::map<std::string, std::string> const& files()
{
    static auto const all = test::read_archive(MANSIO_TEST_DATA "/mime/vectors-mime.tar.zst");
    return all;
}
json::array table(std::string const& name) { return json::parse(files().at("resources/" + name)).as_array(); }

/// A vector is a header field's text up to the end of the field; what follows it is another field.
std::string_view field_of(std::string const& header)
{
    static std::string kept;
    kept = "X:" + header;
    static header_block block;
    block = parse_header(kept, limits);
    return block.fields.empty() ? std::string_view{} : block.fields.front().body;
}

/// Compares one table and checks that exactly the listed cases differ.
class comparison {
public:
    /// Cases by their text as base::printable() shows it, each with the paragraph of docs/mime-disagreements.md that argues it.
    explicit comparison(std::map<std::string, std::string> listed) : listed_(std::move(listed)) {}
    ~comparison()
    {
        static auto const argued = test::read_file(MANSIO_SOURCE "/docs/mime-disagreements.md");
        for (auto const& [what, why] : listed_) {
            EXPECT_TRUE(seen_.contains(what)) << "listed as a disagreement, but we agree: " << what;
            EXPECT_NE(argued.find("## " + why + ":"), std::string::npos) << "not argued: " << why;
        }
    }
    void check(std::string const& what, std::string const& ours, std::string const& theirs)
    {
        if (ours == theirs) return;
        auto const name = base::printable(what, 4096);
        seen_.insert(name);
        EXPECT_TRUE(listed_.contains(name)) << name << "\n  ours:   " << ours << "\n  theirs: " << theirs;
    }

private:
    std::map<std::string, std::string> listed_;
    std::set<std::string> seen_;
};

std::string text_or_null(json::value const& v) { return v.is_string() ? std::string{v.as_string()} : std::string{}; }

std::string their_addresses(json::value const& expected)
{
    std::string out;
    auto const mailbox = [&](json::value const& a) { out += "[" + text_or_null(a.at("name")) + "|" + text_or_null(a.at("address")) + "]"; };
    if (expected.is_null()) return out;
    if (auto const* const list = expected.as_object().if_contains("List"))
        for (auto const& a : list->as_array()) mailbox(a);
    if (auto const* const groups = expected.as_object().if_contains("Group"))
        for (auto const& g : groups->as_array()) {
            bool const named = !g.at("name").is_null();
            if (named) out += "{" + text_or_null(g.at("name")) + ":";
            for (auto const& a : g.at("addresses").as_array()) mailbox(a);
            if (named) out += "}";
        }
    return out;
}

std::string our_addresses(std::string_view body)
{
    base::budget most{1000};
    std::string out;
    for (auto const& a : parse_address_list(body, most)) {
        auto const name = decode_encoded_words(a.name);
        switch (a.what) {
        case address::kind::group_start: out += "{" + decode_encoded_words(a.mailbox) + ":"; break;
        case address::kind::group_end: out += "}"; break;
        case address::kind::mailbox:
            out += "[" + name + "|" + (a.route.empty() ? "" : a.route + ":") + a.mailbox + (a.host.empty() ? "" : "@" + a.host) + "]";
            break;
        }
    }
    return out;
}
}  // namespace

TEST(vectors, addresses)
{
    comparison all{{
        {R"~(Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\x0a)~", "A1"},
        {R"~(Pete(A nice \x0a \\\x0a ) chap) <pete(his\x0a account)@silly\x0a .test(his host)>\x0a)~", "A1"},
        {R"~(A Group(Some people)\x0a        :Chris Jones <c@(Chris's host.)public.example>,\x0a            joe@example.org,\x0a     John <jdoe@one.test> (my dear friend); (the end of the group)\x0a)~",
         "A1"},
        {R"~((Empty list)(start)Hidden recipients  :(nobody(that I know))  ;\x0a)~", "A1"},
        {R"~(Nathaniel Borenstein <nsb@thumper.bellcore.com>\x0a    (=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=)\x0a)~", "A1"},
        {R"~(Name (comment) =?utf-8?q?Doe?= <a@b.com>\x0a)~", "A1"},
        {R"~(John Doe <jdoe@machine(comment).  example>\x0a)~", "A1"},
        {R"~(Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example\x0a)~", "A2"},
    }};
    for (auto const& c : table("address.json")) {
        std::string const header{c.at("header").as_string()};
        all.check(header, our_addresses(field_of(header)), their_addresses(c.at("expected")));
    }
}

TEST(vectors, dates)
{
    comparison all{{
        {R"~(20 11 (some \x0a 44 comments(more comments\x0a )) 79 05:34:27 -0300)~", "D1"},
        {R"~( 4 8 15 16 23 42, 4 8 15 16 23 42, 4 8 15 16 23 42, )~", "D1"},
        {R"~(Tue, 1 Jul 2003 ((invalid)\x0acomment) 10:52:37 +0200)~", "D2"},
        {R"~(Thu, 10 Jul 1997 14:53:31 EST5EDT)~", "D3"},
    }};
    for (auto const& c : table("date.json")) {
        std::string const header{c.at("header").as_string()};
        auto const& e = c.at("expected");
        std::string theirs = "none";
        if (!e.is_null()) {
            auto const n = [&](char const* name) { return e.at(name).as_int64(); };
            theirs = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} {}{:02}{:02}", n("year"), n("month"), n("day"), n("hour"), n("minute"), n("second"),
                                 e.at("tz_before_gmt").as_bool() ? '-' : '+', n("tz_hour"), n("tz_minute"));
        }
        std::string ours = "none";
        if (auto const d = parse_date(field_of(header))) {
            auto const text = format_date(*d);
            ours = text;
            auto const imap = format_imap_date_time(*d);
            static std::string_view const months = "JanFebMarAprMayJunJulAugSepOctNovDec";
            ours = fmt::format("{}-{:02}-{}{} {}", imap.substr(7, 4), months.find(imap.substr(3, 3)) / 3 + 1, imap[0] == ' ' ? '0' : imap[0], imap[1],
                               imap.substr(12));
        }
        all.check(header, ours, theirs);
    }
}

TEST(vectors, content_types)
{
    comparison all{{
        {R"~(application/pdf\x0a   filename*0*=iso-8859-1'es'%D1and%FA\x0a   filename*1*=iso-8859-1'%20r%E1pido\x0a   filename*2*="iso-8859-1' (versi%F3n \\'99 \\"oficial\\").pdf"\x0a)~",
         "P1"},
        {R"~(image/jpeg;\x0a   name="=?iso-8859-1?B?4Q==?= =?utf-8?B?w6k=?= =?iso-8859-1?q?=ED?=.jpeg"\x0a)~", "P2"},
        {R"~(test/encoded; key4*=us-ascii''foo; key*9999=ba%; key2*0=a; key3*0*=us-ascii'en'xyz; key*0="f\x00oo"; key2*1*=b%25; key3*1=plop%; key*1=baz; *=test; =test2;\x0a)~",
         "P3"},
        {R"~(malicious/attempt; 1*2*=a; 3**=b; 4***=c; *5**6*=d;*****7*8*=e; 9*10*11*12*13*14=f; 15*x***fff*===g;1 * 999999999999999999 *= h; 18 *=*=*=*=*==i;\x0a)~",
         "P4"},
        {R"~(test/\x0a)~", "P5"},
        {R"~(/invalid\x0a)~", "P5"},
        {R"~(/\x0a)~", "P5"},
        {R"~(/ ; name=value\x0a)~", "P5"},
        {R"~(;charset=us-ascii\x0a)~", "P5"},
        {R"~( ;charset=us-ascii\x0a)~", "P5"},
        {R"~(/;charset=us-ascii\x0a)~", "P5"},
        {R"~(/ ;charset=us-ascii\x0a)~", "P5"},
        {R"~(text/\x0a)~", "P5"},
        {R"~(text/;charset=us-ascii\x0a)~", "P5"},
        {R"~(text/ ;charset=us-ascii\x0a)~", "P5"},
        {R"~(/plain\x0a)~", "P5"},
        {R"~(/plain;charset=us-ascii\x0a)~", "P5"},
        {R"~(/plain ;charset=us-ascii\x0a)~", "P5"},
    }};
    for (auto const& c : table("content_type.json")) {
        std::string const header{c.at("header").as_string()};
        auto const& e = c.at("expected");
        std::string theirs = "none";
        if (!e.is_null()) {
            theirs = text_or_null(e.at("c_type"));
            if (!e.at("c_subtype").is_null()) theirs += "/" + text_or_null(e.at("c_subtype"));
            if (auto const* const a = e.as_object().if_contains("attributes"); a != nullptr && !a->is_null())
                for (auto const& p : a->as_array())
                    if (!p.at(0).as_string().ends_with("-language")) theirs += ";" + std::string{p.at(0).as_string()} + "=" + std::string{p.at(1).as_string()};
        }
        auto const p = parse_parameterized(field_of(header), limits);
        std::string ours = p.value.empty() ? "none" : p.value;
        for (auto const& [name, value] : p.parameters) ours += ";" + name + "=" + decode_encoded_words(value);
        all.check(header, ours, theirs);
    }
}

TEST(vectors, unstructured)
{
    comparison all{{
        {R"~( Fwd: \x0a\x09Saying \x0a Hello\x0d\x0a)~", "U1"},
        {R"~( FWD: \x0a Saying Hello \x0aX-Mailer: 123\x0d\x0a)~", "U1"},
        {R"~( from x.y.test\x0a      by example.net\x0a      via TCP\x0a      with ESMTP\x0a      id ABC12345\x0a      for <mary@example.net>;  21 Nov 1997 10:05:43 -0600\x0a)~",
         "U1"},
        {R"~( let's = try =?iso-8859-1? to break\x0a =? the \x0a parser\x0a)~", "U1"},
        {R"~([SUSPECTED SPAM]=?utf-8?B?VGhpcyBpcyB0aGUgb3JpZ2luYWwgc3ViamVjdA==?=\x0a)~", "U2"},
        {R"~(Some text =?utf-8?Q??=here\x0a)~", "U2"},
        {R"~(=?utf-8?Q?Hello\x0a _there!?=\x0a)~", "U1"},
        {R"~(=?utf-8?Q?Hello\x0d\x0a _there!?=\x0d\x0a)~", "U1"},
        {R"~(=?utf-8?Q?Hello\x0d\x0a   \x09  _there!?=\x0d\x0a)~", "U1"},
        {R"~([SUSPECTED SPAM]=?utf-8?B?VGhpcyBpcyB0aGUgb\x0a 3JpZ2luYWwgc3ViamVjdA==?=\x0a)~", "U2"},
        {R"~([SUSPECTED SPAM]=?utf-8?B?VGhpcyBpcyB0aGUgb\x0d\x0a 3JpZ2luYWwgc3ViamVjdA==?=\x0d\x0a)~", "U2"},
    }};
    for (auto const& c : table("unstructured.json")) {
        std::string const header{c.at("header").as_string()};
        auto const ours = decode_encoded_words(base::trim_blanks(unfold(field_of(header))));
        all.check(header, ours, std::string{c.at("expected").as_string()});
    }
}

TEST(vectors, message_ids)
{
    comparison all{{
        {R"~(<1234   @   local(blah)  .machine .example>\x0a)~", "I1"},
        {R"~(malformed@id.machine.example\x0a)~", "I2"},
        {R"~(   malformed2@id.machine.example \x09  \x0a)~", "I2"},
        {R"~(   m \x0a)~", "I2"},
    }};
    for (auto const& c : table("id.json")) {
        std::string const header{c.at("header").as_string()};
        std::string theirs;
        if (!c.at("expected").is_null())
            for (auto const& id : c.at("expected").as_array()) theirs += "<" + std::string{id.as_string()} + ">";
        std::string ours;
        for (auto const& id : message_ids(field_of(header), 100)) ours += id;
        all.check(header, ours, theirs);
    }
}

namespace {
struct their_part {
    std::string kind, type;
    std::int64_t header = 0, body = 0, end = 0;
};

void flatten(json::array const& parts, std::size_t index, std::string& out)
{
    auto const& p = parts[index].as_object();
    std::string type = "text/plain";
    std::string kind = "leaf";
    for (auto const& h : p.at("headers").as_array()) {
        if (h.at("name") != "content_type" || !h.at("value").is_object()) continue;
        auto const& t = h.at("value").at("ContentType").as_object();
        type = text_or_null(t.at("c_type")) + "/" + (t.contains("c_subtype") ? text_or_null(t.at("c_subtype")) : "");
    }
    static json::object const none;
    auto const& body = p.at("body").is_object() ? p.at("body").as_object() : none;
    if (body.contains("Multipart")) kind = "multipart";
    if (body.contains("Message")) kind = "message";
    out +=
        kind + " " + base::to_lower_ascii(type) + " " + std::to_string(p.at("offset_header").as_int64()) + " " + std::to_string(p.at("offset_body").as_int64());
    // A multipart's end is a convention: ours includes the epilogue.
    if (kind != "multipart") out += " " + std::to_string(p.at("offset_end").as_int64());
    out += "\n";
    if (kind == "multipart")
        for (auto const& i : body.at("Multipart").as_array()) flatten(parts, static_cast<std::size_t>(i.as_int64()), out);
    if (kind == "message") flatten(body.at("Message").at("parts").as_array(), 0, out);
}

std::string our_tree(std::string const& message)
{
    std::string out;
    for (auto const& p : parse_parts(octets{message}, limits)) {
        static constexpr std::array<char const*, 3> kinds{"leaf", "multipart", "message"};
        out += fmt::format("{} {}/{} {} {}", kinds[static_cast<std::size_t>(p.what)], p.type, p.subtype, p.header_offset, p.body_offset);
        if (p.what != part::kind::multipart) out += " " + std::to_string(p.end_offset);
        out += "\n";
    }
    return out;
}
}  // namespace

TEST(vectors, part_trees)
{
    // "X.json" describes the message with LF line ends, "X.crlf.json" the one with CRLF.
    comparison all{{
        {R"~(malformed/000)~", "T1"},   {R"~(malformed/001)~", "T2"},   {R"~(malformed/002)~", "T3"},  {R"~(malformed/003)~", "T2"},
        {R"~(malformed/004)~", "T4"},   {R"~(malformed/005)~", "T5"},   {R"~(malformed/007)~", "T6"},  {R"~(malformed/008)~", "T4"},
        {R"~(malformed/009)~", "T7"},   {R"~(malformed/011)~", "T7"},   {R"~(malformed/012)~", "T7"},  {R"~(malformed/013)~", "T2"},
        {R"~(malformed/014)~", "T1"},   {R"~(malformed/016)~", "T7"},   {R"~(malformed/019)~", "T3"},  {R"~(malformed/020)~", "T8"},
        {R"~(malformed/021)~", "T8"},   {R"~(malformed/022)~", "T9"},   {R"~(rfc/004)~", "T10"},       {R"~(rfc/008)~", "T11"},
        {R"~(thirdparty/005)~", "T12"}, {R"~(thirdparty/007)~", "T10"}, {R"~(thirdparty/015)~", "T7"},
    }};
    for (auto const& [name, message] : files()) {
        if (!name.ends_with(".eml")) continue;
        auto const stem = name.substr(0, name.size() - 4);
        auto const crlf = normalize_line_ends(message);
        std::string lf;
        for (std::size_t i = 0; i < message.size(); ++i)
            if (message[i] != '\r' || i + 1 == message.size() || message[i + 1] != '\n') lf += message[i];
        for (auto const& [octets, suffix] : {std::pair<std::string const&, char const*>{lf, ".json"}, {crlf, ".crlf.json"}}) {
            auto const parsed = json::parse(files().at(stem + suffix));
            std::string theirs;
            flatten(parsed.at("parts").as_array(), 0, theirs);
            all.check(stem.substr(std::string_view{"resources/eml/"}.size()), our_tree(octets), theirs);
        }
    }
}
