#include "mime/date.hpp"

#include <gtest/gtest.h>

using namespace mansio::mime;

TEST(date, header_fields)
{
    struct {
        std::string_view in, out;  // out as IMAP prints it; empty: no date
    } const cases[] = {
        {"Tue, 1 Jul 2003 10:52:37 +0200", " 1-Jul-2003 10:52:37 +0200"},
        {" 1 Jul 2003 10:52 +0200", " 1-Jul-2003 10:52:00 +0200"},
        {"1 jul 03 10:52:37 EDT", " 1-Jul-2003 10:52:37 -0400"},
        {"1 Jul 99 10:52:37 PST", " 1-Jul-1999 10:52:37 -0800"},
        {"1 Jul 49 10:52:37 Z", " 1-Jul-2049 10:52:37 +0000"},
        {"1 Jul 50 10:52:37 Z", " 1-Jul-1950 10:52:37 +0000"},
        {"1 Jul 103 10:52:37 Z", " 1-Jul-2003 10:52:37 +0000"},   // three digits: from 1900
        {"31 Dec 1998 23:59:60 +0000", " 1-Jan-1999 00:00:00 +0000"},
        {"1 Jul 2003", " 1-Jul-2003 00:00:00 +0000"},
        {"1 Jul 2003 25:00:00 +0200", " 1-Jul-2003 00:00:00 +0000"},
        {"1 Jul 2003 10:52:37", " 1-Jul-2003 10:52:37 +0000"},
        {"1 Jul 2003 10:52:37 -0930", " 1-Jul-2003 10:52:37 -0930"},
        {"1 Jul 2003 10:52:37 +0275", " 1-Jul-2003 10:52:37 +0000"},
        {"1 Jul 2003 10:52:37 +02:00", " 1-Jul-2003 10:52:37 +0200"},
        {"Fri,(a (nested\\) ) c)21 Nov(c)1997(c)09(c):(c)55 : 06 -0600", "21-Nov-1997 09:55:06 -0600"},
        {"Fri, 21-Nov-97 09:55:06 GMT", "21-Nov-1997 09:55:06 +0000"},
        {"from x by y; Fri, 21 Nov 1997 09:55:06 -0600", "21-Nov-1997 09:55:06 -0600"},
        {"29 Feb 2004 00:00:00 +0000", "29-Feb-2004 00:00:00 +0000"},
        {"29 Feb 2003 00:00:00 +0000", ""},
        {"0 Jul 2003 10:52:37 +0200", ""},
        {"32 Jul 2003 10:52:37 +0200", ""},
        {"1 Foo 2003 10:52:37 +0200", ""},
        {"Jul 1 2003", ""},
        {"", ""},
        {"(", ""},
        {"(\\", ""},
        {"999999999999999999999 Jul 2003", ""},
        {"1 Jul 99999", ""},
    };
    for (auto const& c : cases) {
        auto const d = parse_date(c.in);
        EXPECT_EQ(d ? format_imap_date_time(*d) : "", c.out) << c.in;
        if (!d) continue;
        EXPECT_EQ(parse_date(format_date(*d)), d) << c.in;
        EXPECT_EQ(parse_imap_date_time(format_imap_date_time(*d)), d) << c.in;
    }
}

TEST(date, seconds_and_days)
{
    auto const d = parse_date("Tue, 1 Jul 2003 00:52:37 +0200");
    ASSERT_TRUE(d);
    EXPECT_EQ(d->unix_seconds, 1057013557);
    EXPECT_EQ(format_date(*d), "Tue, 1 Jul 2003 00:52:37 +0200");
    EXPECT_EQ(parse_imap_date("1-Jul-2003"), day_number(*d));  // in its own zone, not on 30 June
    EXPECT_EQ(day_number({-1, 0}), -1);
    EXPECT_EQ(day_number({0, 0}), 0);
    EXPECT_EQ(day_number({-86400, 0}), -1);
    EXPECT_EQ(day_number({-86401, 0}), -2);
}

TEST(date, imap_forms)
{
    EXPECT_EQ(parse_imap_date("1-Feb-1994"), 8797);
    EXPECT_EQ(parse_imap_date("01-feb-1994"), 8797);
    for (auto const* bad : {"", "1-Feb-94", "1-Feb-19940", "-Feb-1994", "001-Feb-1994", "1-Fab-1994", "30-Feb-1994", "1 Feb 1994", "x-Feb-1994", "1-Feb-199x"})
        EXPECT_EQ(parse_imap_date(bad), std::nullopt) << bad;
    EXPECT_TRUE(parse_imap_date_time("17-Jul-1996 02:44:25 -0700"));
    EXPECT_TRUE(parse_imap_date_time(" 7-Jul-1996 02:44:25 -0700"));
    for (auto const* bad : {"", "7-Jul-1996 02:44:25 -0700", "17-Jul-1996 02:44:25 -07000", "17-Jul-1996 02:44:25 -0760", "17-Jul-1996 24:44:25 -0700",
                            "17-Jul-1996 02:44:25 0700 ", "17-Jul-1996 02:44:25 +07:0", "00-Jul-1996 02:44:25 -0700", "1x-Jul-1996 02:44:25 -0700"})
        EXPECT_EQ(parse_imap_date_time(bad), std::nullopt) << bad;
}

TEST(date, stays_in_four_digits)
{
    for (std::int64_t const seconds : {INT64_MIN, std::int64_t{-99999999999999}, std::int64_t{0}, std::int64_t{99999999999999}, INT64_MAX})
        for (int const zone : {-32768, -5999, 0, 5999, 32767}) {
            date_time const d{seconds, static_cast<std::int16_t>(zone)};
            EXPECT_EQ(format_imap_date_time(d).size(), 26U) << seconds << " " << zone;
            EXPECT_TRUE(parse_date(format_date(d)));
        }
}
