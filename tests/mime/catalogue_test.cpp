// Hostile messages: trust.md §2, rows W12 (header bombs), I4 (deep and cyclic trees), I5 (parameters and encoded words).
// What is asked of each: time in proportion to the size, memory at most twice the size, the limit flagged, nothing read past the end.
#include <ctime>
#include <gtest/gtest.h>
#include <malloc.h>

#include "mime/address.hpp"
#include "mime/date.hpp"
#include "mime/message.hpp"
#include "mime/support.hpp"

using namespace mansio;
using namespace mansio::mime;

namespace {
base::limits const limits;

/// Processor time, not the wall's: a busy machine must not fail a test.
double seconds_of(auto const& work)
{
    auto const start = std::clock();
    work();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

/// Twice the input may take about twice the time: a quadratic parser takes four times and more. The small one is measured at its best of three,
/// and a tenth of a second is allowed for caches and neighbours.
void expect_linear(auto const& make, std::size_t n, auto const& parse)
{
    auto const small = make(n);
    auto const large = make(n * 4);
    double one = 1e9;
    for (int i = 0; i < 3; ++i) one = std::min(one, seconds_of([&] { parse(small); }));
    double four = 1e9;
    for (int i = 0; i < 3 && four > one * 10 + 0.1; ++i) four = std::min(four, seconds_of([&] { parse(large); }));
    EXPECT_LE(four, one * 10 + 0.1) << "four times the input: " << one << " s became " << four << " s";
}

std::string repeated(std::string_view what, std::size_t n)
{
    std::string out;
    out.reserve(what.size() * n);
    for (std::size_t i = 0; i < n; ++i) out += what;
    return out;
}
void parse_all(std::string const& message) { (void)summarize(octets{message}, limits); }
}  // namespace

TEST(catalogue, W12_a_million_header_fields)
{
    auto const message = repeated("X: y\r\n", 1000000) + "\r\nbody\r\n";
    auto const h = parse_header(message, limits);
    EXPECT_TRUE(h.over_limit);
    EXPECT_EQ(h.fields.size(), limits.header_fields);
    EXPECT_EQ(message.substr(h.body_offset), "body\r\n");
    auto const s = check_message(message);
    EXPECT_TRUE(s.degraded);
    EXPECT_EQ(s.header_size, h.body_offset);
    expect_linear([](std::size_t n) { return repeated("X: y\r\n", n); }, 50000, parse_all);
}

TEST(catalogue, W12_one_field_of_100_megabytes)
{
    std::string message = "Subject: ";
    message.append(100000000, 'x');
    message += "\r\nTo: a@b\r\n\r\nbody\r\n";
    auto const h = parse_header(message, limits);
    EXPECT_TRUE(h.over_limit);
    ASSERT_EQ(h.fields.size(), 1U);  // what follows lies beyond header_size
    EXPECT_EQ(h.fields[0].body.size(), limits.header_field_size);
    auto const o = octets{std::move(message)};
    auto const s = summarize(o, limits);
    EXPECT_TRUE(s.degraded);
    EXPECT_LE(encode(s).size(), 5 * limits.header_field_size);  // in the envelope, the field kept, and what is made of it
}

TEST(catalogue, W12_half_a_million_address_lines)
{
    for (auto const* field : {"To: a@b\r\n", "Cc: \"x\" <a@b>, c@d\r\n"}) {
        auto const s = summarize(octets{repeated(field, 500000) + "\r\n"}, limits);
        EXPECT_TRUE(s.degraded);
        EXPECT_LE(s.envelope_text.size(), limits.addresses_per_field * 64);
    }
    // The same as one field of 500,000 lines (CVE-2024-23184).
    auto const folded = "To: x@y" + repeated(",\r\n a@b", 500000) + "\r\n\r\n";
    EXPECT_TRUE(summarize(octets{folded}, limits).degraded);
    base::limits wide;
    wide.header_field_size = wide.header_size = wide.addresses_per_field = 100000000;
    expect_linear([](std::size_t n) { return "To: x@y" + repeated(",\r\n a@b", n) + "\r\n\r\n"; }, 10000,
                  [&](std::string const& m) { (void)summarize(octets{m}, wide); });
}

TEST(catalogue, W12_a_hundred_thousand_folded_lines)
{
    for (auto const* line : {"\r\n x", "\r\n =?utf-8?Q?x?=", "\r\n (", "\r\n \"", "\r\n <", "\r\n a=", "\r\n ;x*0=y"}) {
        auto const folded = repeated(line, 100000);
        for (auto const* field : {"Subject:", "To:", "Content-Type: a/b;", "Date:", "References:", "X:"}) {
            auto const message = field + folded + "\r\n\r\nbody";
            auto const s = summarize(octets{message}, limits);
            EXPECT_TRUE(s.degraded) << field << base::printable(line);
            EXPECT_EQ(s.size - s.header_size, 4U);
        }
    }
}

TEST(catalogue, W12_missing_colon)
{
    auto const message = repeated("no colon here\r\n", 200000) + "\r\nbody";
    auto const s = check_message(message);
    EXPECT_EQ(s.size - s.header_size, 4U);
    EXPECT_EQ(parse_header(message, limits).fields.size(), 0U);
    auto const long_name = std::string(10000000, 'x') + "\r\n\r\nbody";
    EXPECT_EQ(parse_header(long_name, limits).body_offset, long_name.size() - 4);
}

TEST(catalogue, W12_memory_stays_below_twice_the_size)
{
    auto const message = octets{repeated("To: a@b\r\n", 200000) + repeated("X: y\r\n", 500000) + "\r\n" + repeated("--b\r\n", 1000000)};
    auto const before = ::mallinfo2().uordblks;
    auto const s = summarize(message, limits);
    auto const held = ::mallinfo2().uordblks - before;
    EXPECT_LE(held, message.size()) << "with the message itself that is more than twice";
    EXPECT_TRUE(s.degraded);
}

TEST(catalogue, I4_a_hundred_levels_of_multipart)
{
    std::string message;
    for (int i = 0; i < 100; ++i) message += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "x\r\n\r\n--b" + std::to_string(i) + "x\r\n";
    message += "\r\ninnermost\r\n";
    auto const s = check_message(message);
    EXPECT_TRUE(s.degraded);
    EXPECT_EQ(s.parts.back().depth, limits.mime_depth);
    expect_linear(
        [](std::size_t n) {
            std::string m;
            for (std::size_t i = 0; i < n; ++i)
                m += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "x\r\n\r\n--b" + std::to_string(i) + "x\r\n";
            return m;
        },
        5000, parse_all);
}

TEST(catalogue, I4_two_hundred_messages_in_messages)
{
    auto const message = repeated("Subject: x\r\nContent-Type: message/rfc822\r\n\r\n", 200) + "Subject: last\r\n\r\nbody";
    auto const s = check_message(message);
    EXPECT_TRUE(s.degraded);  // rfc822 counts as depth too
    EXPECT_EQ(s.parts.size(), limits.mime_depth + 1);
    EXPECT_EQ(s.parts.back().depth, limits.mime_depth);
    EXPECT_NE(s.bodystructure_text.find("\"APPLICATION\" \"OCTET-STREAM\""), std::string::npos);
    // Digests nest without a header between.
    auto const digests = repeated("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n", 200);
    check_message(digests);
}

TEST(catalogue, I4_a_boundary_that_refers_to_itself)
{
    auto const level = std::string{"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"};
    auto const s = check_message(repeated(level, 100) + "\r\nx\r\n--b--\r\n");
    for (auto const& p : s.parts) EXPECT_LE(p.depth, 2U);  // each line is the outermost one's: it does not nest
    auto const t = check_message("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n" + repeated("--\r\n", 1000));
    EXPECT_EQ(t.parts.size(), 1U);
    check_message("Content-Type: multipart/mixed; boundary=-\r\n\r\n" + repeated("-----------\r\n", 1000));
}

TEST(catalogue, I4_a_hundred_thousand_parts)
{
    auto const make = [](std::size_t n) { return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated("--b\r\n\r\nx\r\n", n) + "--b--\r\n"; };
    auto const s = check_message(make(100000));
    EXPECT_TRUE(s.degraded);
    EXPECT_EQ(s.parts.size(), limits.mime_parts);
    expect_linear(make, 20000, parse_all);
    // Sixty-four boundaries, all of them compared with each line.
    std::string deep;
    for (int i = 0; i < 63; ++i)
        deep += "Content-Type: multipart/mixed; boundary=" + std::string(60, 'b') + std::to_string(100 + i) + "\r\n\r\n--" + std::string(60, 'b') +
                std::to_string(100 + i) + "\r\n";
    check_message(deep + "\r\n" + repeated("--" + std::string(60, 'b') + "999\r\n", 5000));
}

TEST(catalogue, I4_an_address_bomb)
{
    for (auto const* piece : {"a@b,", "a@b ", "<a@b", "<@a,", "((((", "\"\\\"", "G:", ";", "[a:", "\\", ":::", "@", "a.", "<<<<", "=?a?q?"}) {
        auto const field = repeated(piece, 65536 / std::string_view{piece}.size());
        base::budget most{limits.addresses_per_field};
        auto const took = seconds_of([&] { EXPECT_LE(parse_address_list(field, most).size(), limits.addresses_per_field); });
        EXPECT_LT(took, 3.0) << piece;
        check_message("To: " + field + "\r\n\r\n");
    }
}

TEST(catalogue, I5_parameters)
{
    EXPECT_EQ(parse_parameterized("a/b; name*0*=utf-8''a; name*99999=z", limits).get("name"), "a");
    EXPECT_EQ(parse_parameterized("a/b; name*4294967296=z; name*-1=y; name*=x", limits).get("name"), "x");
    EXPECT_EQ(parse_parameterized("a/b; charset=x; charset=y", limits).get("charset"), "x");
    EXPECT_EQ(parse_parameterized("a/b; n*0*=utf-8''%e4; n*1*=iso-8859-1''%e4", limits).get("n"), "\xEF\xBF\xBDiso-8859-1''\xEF\xBF\xBD");
    std::string many = "a/b";
    for (int i = 0; i < 100000; ++i) many += "; x*" + std::to_string(i) + "=y";
    auto const took = seconds_of([&] { EXPECT_EQ(parse_parameterized(many, limits).get("x")->size(), limits.mime_parameters); });
    EXPECT_LT(took, 3.0);
    EXPECT_TRUE(summarize(octets{"Content-Type: " + many.substr(0, 60000) + "\r\n\r\n"}, limits).degraded);
    for (auto const* piece : {"a=b c ", "a=\"", "a=(", ";", "=", "a*0=", "%", "'", "\\", "a=b(", "\"", "a "}) {
        auto const field = "a/b;" + repeated(piece, 200000 / std::string_view{piece}.size());
        EXPECT_LT(seconds_of([&] { (void)parse_parameterized(field, limits); }), 3.0) << piece;
    }
}

TEST(catalogue, I5_encoded_words)
{
    auto const words = repeated("=?utf-8?Q?=C3?= =?utf-8?Q?=B6?= ", 50000);
    EXPECT_EQ(decode_encoded_words(words).size(), 100000U + 1);  // 50,000 times "ö", and the last blank
    EXPECT_EQ(decode_encoded_words(repeated("=?utf-8?Q?a?=x", 100000)).size(), 200000U);
    auto const giant = "=?iso-2022-jp?B?" + base::to_base64("\x1B$B" + repeated("F|K\\", 200000) + "\x1B(B") + "?=";
    EXPECT_EQ(decode_encoded_words(giant).size(), 200000U * 6);
    for (auto const* piece : {"=?", "?=", "=?a?q?", "=?a?q?b", "=?a?b?", "=??", "=?a", "?", "=?x?Q?=", "=?euc-jp?B?pA?= =?koi8-r?B?0A?= "}) {
        auto const text = repeated(piece, 200000 / std::string_view{piece}.size());
        EXPECT_LT(seconds_of([&] { EXPECT_TRUE(base::is_utf8(decode_encoded_words(text))); }), 3.0) << piece;
    }
}

TEST(catalogue, I5_a_comment_that_ends_in_a_backslash)
{
    // Views of exact allocations, so that the sanitizer sees one octet too far.
    for (auto const* text : {"(\\", "a (\\", "\"\\", "<a@b (\\", "a@b \"\\", "=?\\", "a/b; x=(\\", "a/b; x=\"\\", "\\", "(", "[", "[\\"}) {
        std::string const exact{text};
        std::vector<char> const octets_of{exact.begin(), exact.end()};
        std::string_view const view{octets_of.data(), octets_of.size()};
        base::budget most{10};
        (void)parse_address_list(view, most);
        (void)parse_parameterized(view, limits);
        (void)parse_date(view);
        (void)decode_encoded_words(view);
        (void)parse_mailbox(view, true);
        (void)message_ids(view, 10);
        (void)base_subject(view);
        (void)html_to_text(view);
        check_message("To: " + exact + "\r\nSubject: " + exact + "\r\nContent-Type: " + exact + "\r\nDate: " + exact + "\r\n\r\n");
    }
}

TEST(catalogue, I5_html_in_previews)
{
    for (auto const* piece : {"<", "&", "<!--", "<style>", "</", "<script", "&#x", "&#99999999999;", "<a ", "\xC3"}) {
        auto const html = repeated(piece, 200000 / std::string_view{piece}.size());
        EXPECT_LT(seconds_of([&] { (void)html_to_text(html); }), 3.0) << piece;
        check_message("Content-Type: text/html\r\n\r\n" + html.substr(0, 100000));
    }
}
