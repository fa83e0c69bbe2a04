// Every advertised capability has a dialogue that uses it; a switched-off one is neither advertised nor accepted.
#include "imap/capability.hpp"

#include <filesystem>
#include <map>

#include "base/bytes.hpp"
#include "rig.hpp"
#include "support/support.hpp"

namespace mansio::imap::test {
namespace {

/// What only this extension makes possible, said with INBOX open and holding one message: OK or NO with it, BAD (or another answer) without.
struct probe {
    extension what;
    std::string_view says;                 ///< without the tag
    std::string_view shows = {};           ///< empty: the tagged answer is not BAD; else this stands in the answers
};
constexpr probe probes[] = {
    {extension::acl, "MYRIGHTS INBOX"},
    {extension::appendlimit, "CAPABILITY", "APPENDLIMIT="},
    {extension::binary, "FETCH 1 BINARY.SIZE[1]"},
    {extension::catenate, "APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\")"},
    {extension::children, "LIST \"\" INBOX", "\\HasNoChildren"},
    {extension::compress_deflate, "COMPRESS DEFLATE"},
    {extension::condstore, "FETCH 1 (FLAGS) (CHANGEDSINCE 1)"},
    {extension::context_search, "SEARCH RETURN (UPDATE) ALL"},
    {extension::context_sort, "SORT RETURN (UPDATE) (DATE) UTF-8 ALL"},
    {extension::create_special_use, "CREATE Mine (USE (\\Drafts))"},
    {extension::enable, "ENABLE X", "BAD ENABLE comes before SELECT"},
    {extension::esearch, "SEARCH RETURN (COUNT) ALL"},
    {extension::esort, "SORT RETURN (COUNT) (DATE) UTF-8 ALL"},
    {extension::i18nlevel_1, "CAPABILITY", "I18NLEVEL=1"},
    {extension::id, "ID NIL"},
    {extension::idle, "IDLE\r\nDONE", "+ idling"},
    {extension::imap4rev2, "CAPABILITY", "IMAP4rev2"},
    {extension::list_extended, "LIST (SUBSCRIBED) \"\" *"},
    {extension::list_myrights, "LIST \"\" INBOX RETURN (MYRIGHTS)"},
    {extension::list_status, "LIST \"\" INBOX RETURN (STATUS (MESSAGES))"},
    {extension::literal_minus, "LIST \"\" {5+}\r\nINBOX"},
    {extension::literal_plus, "LIST \"\" {5+}\r\nINBOX"},
    {extension::move, "MOVE 1 INBOX"},
    {extension::multiappend, "APPEND INBOX {1+}\r\na {1+}\r\nb"},
    {extension::multisearch, "ESEARCH IN (selected) ALL"},
    {extension::name_space, "NAMESPACE"},
    {extension::notify, "NOTIFY NONE"},
    {extension::objectid, "FETCH 1 EMAILID"},
    {extension::partial, "UID FETCH 1 UID (PARTIAL -1:-1)"},
    {extension::preview, "FETCH 1 PREVIEW"},
    {extension::qresync, "CAPABILITY", "QRESYNC"},
    {extension::quota, "GETQUOTAROOT INBOX"},
    {extension::quota_message, "CAPABILITY", "QUOTA=RES-MESSAGE"},
    {extension::quota_storage, "STATUS INBOX (DELETED-STORAGE)"},
    {extension::replace, "REPLACE 1 INBOX {1+}\r\na"},
    {extension::sasl_ir, "AUTHENTICATE PLAIN AGE=", "already signed in"},
    {extension::savedate, "FETCH 1 SAVEDATE"},
    {extension::searchres, "SEARCH RETURN (SAVE) ALL"},
    {extension::sort, "SORT (DATE) UTF-8 ALL"},
    {extension::sort_display, "SORT (DISPLAYFROM) UTF-8 ALL"},
    {extension::special_use, "LIST \"\" Drafts", "\\Drafts"},
    {extension::status_size, "STATUS INBOX (SIZE)"},
    {extension::thread_orderedsubject, "THREAD ORDEREDSUBJECT UTF-8 ALL"},
    {extension::thread_references, "THREAD REFERENCES UTF-8 ALL"},
    {extension::thread_refs, "THREAD REFS UTF-8 ALL"},
    {extension::uidplus, "UID EXPUNGE 1"},
    {extension::unauthenticate, "UNAUTHENTICATE"},
    {extension::unselect, "UNSELECT"},
    {extension::url_partial, "APPEND INBOX CATENATE (URL \"/INBOX/;UID=1/;PARTIAL=0.1\")", "9 OK"},
    {extension::utf8_accept, "CAPABILITY", "UTF8=ACCEPT"},
    {extension::within, "SEARCH OLDER 1"},
};

std::string named(extension e)
{
    std::string out{name_of(e)};
    if (e == extension::literal_plus) out = "LITERAL_PLUS";  // apart from LITERAL-
    for (auto& c : out)
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    return out;
}

/// Which dialogues use a capability, by its name.
std::map<std::string, std::vector<std::string>> dialogues()
{
    std::map<std::string, std::vector<std::string>> out;
    for (auto const& file : mansio::test::dialogs_in(MANSIO_SOURCE "/tests/dialogs/imap")) {
        auto const text = mansio::test::read_file(file);
        constexpr std::string_view head = "# uses: ";
        if (!text.starts_with(head)) continue;
        for (auto const& word : base::words_of(text.substr(head.size(), text.find('\n') - head.size())))
            out[word].push_back(std::filesystem::path{file}.stem().string());
    }
    return out;
}

class capability_row : public ::testing::TestWithParam<capability> {};

TEST_P(capability_row, has_a_dialogue_that_uses_it)
{
    EXPECT_TRUE(dialogues().contains(std::string{GetParam().name})) << "no dialogue in tests/dialogs/imap says `# uses: " << GetParam().name << "`";
}

/// What comes back on a connection with INBOX open and one message in it.
std::string answer_to(probe const& p, rig_options o)
{
    rig r{o};
    wire_client c{r, "c"};
    auto const tls = c.hear();
    c.say("1 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n");
    c.say("2 APPEND INBOX {7}\r\n");
    c.say("N: 1\r\n\r\n");
    c.say("3 SELECT INBOX\r\n");
    return c.say("9 " + std::string{p.says} + "\r\n");
}

bool accepts(probe const& p, std::string const& answer)
{
    if (!p.shows.empty()) return answer.contains(p.shows);
    return !answer.contains("9 BAD") && !answer.contains("BYE") && answer.contains("9 ");
}

TEST_P(capability_row, is_accepted_exactly_when_it_is_on)
{
    auto const what = GetParam().what;
    auto const p = std::ranges::find(probes, what, &probe::what);
    ASSERT_NE(p, std::end(probes)) << "capability_test.cpp has no probe for " << GetParam().name;
    rig_options usual;
    if (what == extension::literal_minus) usual.off.add(extension::literal_plus);  // never both (RFC 7888 §5)
    auto const on = answer_to(*p, usual);
    EXPECT_TRUE(accepts(*p, on)) << on;
    auto o = usual;
    o.off.add(what);
    auto const off = answer_to(*p, o);
    // Without SASL-IR the initial response is one argument too many; after sign-in both say the same.
    if (what != extension::sasl_ir && what != extension::enable && what != extension::literal_plus) EXPECT_FALSE(accepts(*p, off)) << off;
}

TEST_P(capability_row, is_advertised_exactly_when_it_is_on)
{
    auto const told = [](rig_options o) {
        rig r{o};
        wire_client c{r, "c"};
        c.hear();
        auto const greeted = c.say("1 CAPABILITY\r\n");
        c.say("2 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n");
        auto all = c.say("3 CAPABILITY\r\n");
        std::ranges::replace(all, '\r', ' ');
        return std::pair{greeted, all};
    };
    auto const name = " " + std::string{GetParam().name};
    auto const has = [&](std::string const& text) { return text.contains(name + " ") || text.contains(name + "="); };
    rig_options usual;
    if (GetParam().what == extension::literal_minus) usual.off.add(extension::literal_plus);  // never both (RFC 7888 §5)
    auto const [greeting, after] = told(usual);
    EXPECT_TRUE(has(after)) << after;
    EXPECT_EQ(has(greeting), GetParam().before_sign_in) << greeting;
    auto o = usual;
    o.off.add(GetParam().what);
    auto const [greeting_off, after_off] = told(o);
    EXPECT_FALSE(has(after_off)) << after_off;
    EXPECT_FALSE(has(greeting_off));
    if (GetParam().in_rev2) EXPECT_FALSE(after_off.contains("IMAP4rev2")) << "IMAP4rev2 has " << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(all, capability_row, ::testing::ValuesIn(capabilities().begin(), capabilities().end()),
                         [](auto const& p) { return named(p.param.what); });

TEST(capability, the_page_lists_them_all)
{
    auto uses = dialogues();
    std::string table = "| capability | source | in IMAP4rev2 | before sign-in | dialogues |\n|---|---|---|---|---|\n";
    for (auto const& c : capabilities())
        table += "| `" + std::string{c.name} + "` | " + std::string{c.rfc} + " | " + (c.in_rev2 ? "yes" : "") + " | " + (c.before_sign_in ? "yes" : "") +
                 " | " + base::joined(uses[std::string{c.name}], ", ") + " |\n";
    EXPECT_TRUE(mansio::test::read_file(MANSIO_SOURCE "/docs/imap.md").contains(table)) << "docs/imap.md wants this table:\n" << table;
}

TEST(capability, of_one_account_switches_only_its_own_sessions)
{
    rig r;
    auto account = r.loop.run(r.people->find_account(r.variables["alice"]));
    ASSERT_TRUE(account && *account);
    (*account)->imap_off = {"IDLE", "NOT-OF-THIS-RELEASE"};
    ASSERT_TRUE(r.loop.run(r.people->update_account(**account)));
    wire_client a{r, "a"};
    a.hear();
    EXPECT_FALSE(a.say("1 LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"] + "\r\n").contains(" IDLE "));
    EXPECT_TRUE(a.say("2 IDLE\r\n").contains("2 BAD there is no such command"));
    wire_client b{r, "b"};
    b.hear();
    EXPECT_TRUE(b.say("1 LOGIN " + r.variables["bob"] + " " + r.variables["bob_secret"] + "\r\n").contains(" IDLE "));
    // The next person on the same connection has it again.
    EXPECT_TRUE(a.say("3 UNAUTHENTICATE\r\n").contains("3 OK"));
    EXPECT_TRUE(a.say("4 LOGIN " + r.variables["bob"] + " " + r.variables["bob_secret"] + "\r\n").contains(" IDLE "));
}

}  // namespace
}  // namespace mansio::imap::test
