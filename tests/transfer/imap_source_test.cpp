// Another IMAP server as a source: what it cannot give takes nothing else with it.
#include "rig.hpp"
#include "transfer/imap_source.hpp"

using namespace mansio;
using namespace mansio::transfer;
using namespace mansio::transfer::test;
using strings = std::vector<std::string>;

namespace {
/// What the other server does when it is asked for message 3, alone or among others.
enum class manner : std::uint8_t { gives, says_no, hangs_up, gives_nothing };

struct other_server {
    manner at_three = manner::gives;
    unsigned connections = 0;
    unsigned dies_after = 1000;  ///< connections it takes
    strings heard;

    static constexpr std::uint32_t messages = 6;

    std::string facts() const
    {
        std::string out;
        for (std::uint32_t u = 1; u <= messages; ++u)
            out += "* " + std::to_string(u) + " FETCH (UID " + std::to_string(u) +
                   " FLAGS (\\Seen \\Recent) INTERNALDATE \" 1-Feb-2024 10:00:00 +0100\" RFC822.SIZE 10)\r\n";
        return out;
    }
};

task<void> converse(other_server* me, std::unique_ptr<net::stream> s, base::clock* clock)
{
    net::buffered_stream peer{std::move(s)};
    auto const far = clock->monotonic() + std::chrono::hours{24};
    if (++me->connections > me->dies_after) {
        peer.raw().abort();
        co_return;
    }
    peer.put("* OK [CAPABILITY IMAP4rev1] hello\r\n");
    while (true) {
        auto const flushed = co_await peer.flush(far);
        if (!flushed) co_return;
        auto const line = co_await peer.read_line(10'000, far);
        if (!line) co_return;
        std::string_view text = line->text;
        auto const tag = std::string{text.substr(0, text.find(' '))};
        text.remove_prefix(tag.size() + 1);
        me->heard.emplace_back(text);
        if (text.starts_with("LIST")) peer.put("* LIST (\\HasNoChildren) \".\" INBOX\r\n* LIST (\\Flagged) \".\" Starred\r\n* LIST (\\Noselect) \".\" a/b\r\n");
        if (text.starts_with("LSUB")) peer.put("* LSUB () \".\" INBOX\r\n");
        if (text.starts_with("EXAMINE")) peer.put("* 6 EXISTS\r\n* OK [UIDVALIDITY 77] .\r\n* OK [UIDNEXT 9] .\r\n");
        if (text.starts_with("UID FETCH 1:*")) {
            peer.put(me->facts());
        } else if (text.starts_with("UID FETCH")) {
            auto const set = text.substr(10, text.find(' ', 10) - 10);
            bool refused = false;
            for (auto const& [first, last] : *imapclient::parse_ranges(set)) {
                for (auto u = first; u <= last && !refused; ++u) {
                    if (u == 3 && me->at_three == manner::hangs_up) {
                        peer.put("* 3 FETCH (UID 3 BODY[] {10}\r\nS: a");
                        static_cast<void>(co_await peer.flush(far));
                        co_await peer.raw().finish();
                        co_return;
                    }
                    if (u == 3 && me->at_three == manner::gives_nothing) continue;
                    if (u == 3 && me->at_three == manner::says_no)
                        refused = true;
                    else
                        peer.put("* " + std::to_string(u) + " FETCH (UID " + std::to_string(u) + " BODY[] {8}\r\nS: a\r\n\r\n)\r\n");
                }
            }
            if (refused) {
                peer.put(tag + " NO [SERVERBUG] it is damaged\r\n");
                continue;
            }
        }
        peer.put(tag + " OK done\r\n");
    }
}

/// An import from it, by the rig's own clock.
struct moving {
    rig r;
    other_server there;
    imapclient::bounds bounds;
    base::task_group group{r.loop};

    ~moving() { r.run(group.join()); }
    task<result<std::unique_ptr<imapclient::client>>> connect()
    {
        auto pair = net::make_memory_pair(r.loop, {});
        group.spawn(converse(&there, std::move(pair.server), &r.clock));
        imapclient::client_options o;
        o.how = imapclient::security::none;
        return imapclient::client::open(std::move(pair.client), std::move(o), bounds, r.clock);
    }
    import_report import()
    {
        auto const from = open_imap([this] { return connect(); }, "imap.example", "anna", *r.spool, r.limits);
        import_options o;
        o.account = "anna";
        o.keep_uids = true;
        return r.import(*from, o);
    }
    std::size_t here() { return r.picture("anna", "INBOX").size(); }
};
}  // namespace

TEST(imap_source, brings_everything_and_leaves_views_out)
{
    moving m;
    m.r.make("anna");
    auto const report = m.import();
    EXPECT_TRUE(report.complete());
    EXPECT_EQ(report.imported, 6U);
    auto const inbox = m.r.picture("anna", "INBOX");
    ASSERT_EQ(inbox.size(), 6U);
    EXPECT_EQ(inbox.at(6).flags, strings{"\\Seen"});
    EXPECT_EQ(inbox.at(6).octets, "S: a\r\n\r\n");
    EXPECT_EQ(inbox.at(6).date, 1'706'778'000);
    ASSERT_EQ(report.notes.size(), 1U);
    EXPECT_EQ(report.notes[0].folder, "Starred");
    for (auto const& line : m.there.heard) EXPECT_FALSE(line.starts_with("SELECT") || line.starts_with("UID STORE")) << line;
    EXPECT_EQ(m.import().already, 6U);
}

TEST(imap_source, one_bad_message_takes_no_other_with_it)
{
    for (auto const how : {manner::says_no, manner::hangs_up, manner::gives_nothing}) {
        moving m;
        m.r.make("anna");
        m.there.at_three = how;
        auto const report = m.import();
        EXPECT_EQ(report.imported, 5U) << static_cast<int>(how);
        EXPECT_EQ(report.skipped, 1U);
        ASSERT_EQ(report.problems.size(), 1U);
        EXPECT_EQ(report.problems[0].message, "UID 3");
        EXPECT_EQ(m.here(), 5U);
        // Mended there, it comes with the next import, under a number that nothing else had.
        m.there.at_three = manner::gives;
        auto const again = m.import();
        EXPECT_EQ(again.imported, 1U);
        EXPECT_EQ(again.renumbered, 1U);
        EXPECT_TRUE(m.r.picture("anna", "INBOX").contains(9));
    }
}

TEST(imap_source, a_server_that_went_away_is_told)
{
    moving m;
    m.r.make("anna");
    m.there.at_three = manner::hangs_up;
    m.there.dies_after = 1;
    auto const report = m.import();
    EXPECT_EQ(report.imported, 2U);
    EXPECT_EQ(report.skipped, 4U);
    ASSERT_EQ(report.problems.size(), 1U);
    EXPECT_EQ(report.problems[0].folder, "INBOX");
}
