// Every command × every right × another person's mailbox, from the command table: a command without a row here fails the test.
// The rights are those of RFC 4314 §4; who may not look a mailbox up cannot tell it from one that is not there, nor its owner from nobody (trust.md I8).
#include <algorithm>
#include <set>

#include "imap/commands/table.hpp"
#include "rig.hpp"

namespace mansio::imap::test {
namespace {

using store::right;
using store::rights;
constexpr rights bit(right r) { return static_cast<rights>(r); }
template <class... R> constexpr rights all_of(R... r) { return static_cast<rights>((0 | ... | bit(r))); }
constexpr rights none = 0;

enum class kind : std::uint8_t {
    apart,     ///< names no mailbox and works on none
    named,     ///< names one: "${box}"
    selected,  ///< works on the one that is open
    quiet,     ///< names one and never says NO: what it may not touch it passes over
};
struct row {
    std::string_view command;
    kind what = kind::apart;
    rights needed = none;       ///< besides lookup, and read for what is selected
    std::string_view text = {}; ///< "${box}": the other person's mailbox
    std::string_view role = {}; ///< where a command has several
};

std::vector<row> const& rows()
{
    using enum kind;
    using enum store::right;
    static std::vector<row> const all{
        {"APPEND", named, all_of(insert), "APPEND ${box} {22+}\r\nSubject: a\r\n\r\nletter\r\n"},
        {"AUTHENTICATE"},
        {"CANCELUPDATE"},
        {"CAPABILITY"},
        {"CHECK", selected, none, "CHECK"},
        {"CLOSE", selected, none, "CLOSE"},
        {"COMPRESS"},
        {"COPY", selected, none, "COPY 1 INBOX", "from"},
        {"COPY", named, all_of(insert), "COPY 1 ${box}", "to"},
        {"CREATE", named, all_of(create), "CREATE ${box}/new"},
        {"DELETE", named, all_of(remove_mailbox), "DELETE ${box}"},
        {"DELETEACL", named, all_of(administer), "DELETEACL ${box} carol@example.test"},
        {"ENABLE"},
        {"ESEARCH", quiet, all_of(read), "ESEARCH IN (mailboxes ${box}) TEXT secret"},
        {"EXAMINE", named, all_of(read), "EXAMINE ${box}"},
        {"EXPUNGE", selected, all_of(store::right::expunge), "EXPUNGE"},
        {"FETCH", selected, none, "FETCH 1 (BODY.PEEK[] ENVELOPE FLAGS)"},
        {"GETACL", named, all_of(administer), "GETACL ${box}"},
        {"GETQUOTA"},  // see the test of its own
        {"GETQUOTAROOT", named, all_of(read), "GETQUOTAROOT ${box}"},
        {"ID"},
        {"IDLE", selected, none, "IDLE\r\nDONE"},
        {"LIST", quiet, none, "LIST \"\" ${box}"},
        {"LISTRIGHTS", named, all_of(administer), "LISTRIGHTS ${box} carol@example.test"},
        {"LOGIN"},
        {"LOGOUT"},
        {"LSUB", quiet, none, "LSUB \"\" ${box}"},
        {"MOVE", selected, all_of(delete_message, store::right::expunge), "MOVE 1 INBOX", "from"},
        {"MOVE", named, all_of(insert), "MOVE 1 ${box}", "to"},
        {"MYRIGHTS", named, none, "MYRIGHTS ${box}"},
        {"NAMESPACE"},
        {"NOOP"},
        {"NOTIFY"},  // of one's own mailboxes alone
        {"RENAME", named, all_of(remove_mailbox), "RENAME ${box} ${box}-moved"},
        {"REPLACE", selected, all_of(delete_message, store::right::expunge), "REPLACE 1 INBOX {22+}\r\nSubject: a\r\n\r\nletter\r\n", "from"},
        {"REPLACE", named, all_of(insert), "REPLACE 1 ${box} {22+}\r\nSubject: a\r\n\r\nletter\r\n", "to"},
        {"SEARCH", selected, none, "SEARCH TEXT secret"},
        {"SELECT", named, all_of(read), "SELECT ${box}"},
        {"SETACL", named, all_of(administer), "SETACL ${box} carol@example.test lr"},
        {"SETQUOTA"},
        {"SORT", selected, none, "SORT (ARRIVAL) UTF-8 ALL"},
        {"STARTTLS"},
        {"STATUS", named, all_of(read), "STATUS ${box} (MESSAGES UIDNEXT DELETED-STORAGE)"},
        {"STORE", selected, all_of(keep_seen), "STORE 1 +FLAGS (\\Seen)", "seen"},
        {"STORE", selected, all_of(delete_message), "STORE 1 +FLAGS (\\Deleted)", "deleted"},
        {"STORE", selected, all_of(write), "STORE 1 +FLAGS (\\Flagged)", "others"},
        {"SUBSCRIBE", named, none, "SUBSCRIBE ${box}"},
        {"THREAD", selected, none, "THREAD REFERENCES UTF-8 ALL"},
        {"UID COPY", selected, none, "UID COPY 1 INBOX", "from"},
        {"UID COPY", named, all_of(insert), "UID COPY 1:* ${box}", "to"},
        {"UID EXPUNGE", selected, all_of(store::right::expunge), "UID EXPUNGE 1:*"},
        {"UID FETCH", selected, none, "UID FETCH 1 (BODY.PEEK[] ENVELOPE FLAGS)"},
        {"UID MOVE", selected, all_of(delete_message, store::right::expunge), "UID MOVE 1 INBOX", "from"},
        {"UID MOVE", named, all_of(insert), "UID MOVE 1:* ${box}", "to"},
        {"UID REPLACE", selected, all_of(delete_message, store::right::expunge), "UID REPLACE 1 INBOX {22+}\r\nSubject: a\r\n\r\nletter\r\n", "from"},
        {"UID REPLACE", named, all_of(insert), "UID REPLACE * ${box} {22+}\r\nSubject: a\r\n\r\nletter\r\n", "to"},
        {"UID SEARCH", selected, none, "UID SEARCH TEXT secret"},
        {"UID SORT", selected, none, "UID SORT (ARRIVAL) UTF-8 ALL"},
        {"UID STORE", selected, all_of(write), "UID STORE 1 +FLAGS (keyword)"},
        {"UID THREAD", selected, none, "UID THREAD REFERENCES UTF-8 ALL"},
        {"UNAUTHENTICATE"},
        {"UNSELECT", selected, none, "UNSELECT"},
        {"UNSUBSCRIBE", named, none, "UNSUBSCRIBE ${box}"},
    };
    return all;
}

/// alice's mailboxes below Top, which bob may use in every way, each with a message bob shall see or not.
class scene {
public:
    rig r;
    wire_client bob{r, "tls-bob"};

    scene()
    {
        say(bob, "LOGIN " + r.variables["bob"] + " " + r.variables["bob_secret"]);
        say(bob, "APPEND INBOX {17+}\r\nSubject: mine\r\n\r\n");
        grant(make("Top"), store::all_rights);
    }
    store::account_ref alice() { return r.accounts->open(number("alice"), store::principal::person(number("alice"), "alice@example.test")); }
    store::account_number number(std::string const& who) { return std::stoull(r.variables[who + "_number"]); }
    store::mailbox_id make(std::string const& name)
    {
        auto const made = r.loop.run(alice().create_mailbox(name));
        EXPECT_TRUE(made);
        return made->id;
    }
    /// A fresh one below Top; with a message.
    store::mailbox_id fresh(std::string& name)
    {
        name = "Top/box" + std::to_string(++made_);
        auto const id = make(name);
        wire_client own{r, "tls-alice"};
        say(own, "LOGIN " + r.variables["alice"] + " " + r.variables["alice_secret"]);
        say(own, "APPEND " + name + " {27+}\r\nSubject: s\r\n\r\nsecret text\r\n");
        return id;
    }
    void grant(store::mailbox_id m, rights held) { EXPECT_TRUE(r.loop.run(alice().set_acl(m, number("bob"), held))); }
    static std::string say(wire_client& who, std::string const& text) { return who.say("x " + text + "\r\n"); }

private:
    int made_ = 0;
};

std::string with_box(std::string_view text, std::string const& name)
{
    std::string out{text};
    for (auto at = out.find("${box}"); at != std::string::npos; at = out.find("${box}", at)) {
        auto const end = out.find_first_of(" \r)", at);
        auto const tail = out.substr(at + 6, end == std::string::npos ? end : end - at - 6);
        out.replace(at, 6 + tail.size(), "\"" + name + tail + "\"");
    }
    return out;
}
std::string others(std::string const& name, std::string const& who = "alice@example.test") { return "Other Users/" + who + "/" + name; }
std::string title(row const& w) { return std::string{w.command} + (w.role.empty() ? "" : " " + std::string{w.role}); }
bool ok(std::string const& said) { return said.starts_with("x OK") || said.contains("\r\nx OK"); }
bool no(std::string const& said, std::string_view code) { return said.contains("x NO [" + std::string{code} + "]"); }
/// A message to copy is in one's own mailbox.
bool wants_own_open(row const& w) { return w.role == "to"; }

std::vector<right> every_right()
{
    std::vector<right> out;
    for (unsigned i = 0; i < 11; ++i) out.push_back(static_cast<right>(1U << i));
    return out;
}

std::string run_named(scene& s, row const& w, std::string const& name)
{
    if (wants_own_open(w)) {
        EXPECT_TRUE(ok(scene::say(s.bob, "SELECT INBOX")));
        // MOVE empties it.
        scene::say(s.bob, "APPEND INBOX {17+}\r\nSubject: mine\r\n\r\n");
        scene::say(s.bob, "NOOP");
    }
    return scene::say(s.bob, with_box(w.text, name));
}

void check_named(scene& s, row const& w)
{
    for (auto const without : every_right()) {
        std::string name;
        auto const id = s.fresh(name);
        s.grant(id, static_cast<rights>(store::all_rights & ~bit(without)));
        auto const said = run_named(s, w, others(name));
        if (without == right::lookup) {
            auto const absent = run_named(s, w, others("Top-not-there/box"));
            auto const nobody = run_named(s, w, others(name, "nobody@example.test"));
            auto const stranger = run_named(s, w, others("INBOX", "carol@example.test"));
            EXPECT_TRUE(no(said, "NONEXISTENT") || no(said, "TRYCREATE")) << said;
            EXPECT_EQ(nobody, stranger);
            EXPECT_EQ(absent, nobody);
            EXPECT_EQ(said, nobody);
        } else if (store::has(w.needed, without)) {
            EXPECT_TRUE(no(said, "NOPERM")) << store::rights_text(bit(without)) << ": " << said;
        } else {
            EXPECT_TRUE(ok(said)) << store::rights_text(bit(without)) << ": " << said;
        }
    }
}

void check_selected(scene& s, row const& w)
{
    for (auto const without : every_right()) {
        std::string name;
        auto const id = s.fresh(name);
        bool const to_open = without == right::lookup || without == right::read;
        if (!to_open) s.grant(id, static_cast<rights>(store::all_rights & ~bit(without)));
        wire_client guest{s.r, "tls-bob"};
        scene::say(guest, "LOGIN " + s.r.variables["bob"] + " " + s.r.variables["bob_secret"]);
        ASSERT_TRUE(ok(scene::say(guest, "SELECT \"" + others(name) + "\"")));
        if (to_open) {
            // Taken away while it is open: nothing of it comes any more.
            s.grant(id, static_cast<rights>(store::all_rights & ~bit(without)));
            auto const said = scene::say(guest, std::string{w.text});
            EXPECT_FALSE(said.contains("secret")) << said;
            for (auto const result : {"* SEARCH 1", "* SORT 1", "* THREAD (1", "COPYUID"}) EXPECT_FALSE(said.contains(result)) << said;
            continue;
        }
        auto const said = scene::say(guest, std::string{w.text});
        if (store::has(w.needed, without))
            EXPECT_TRUE(no(said, "NOPERM")) << store::rights_text(bit(without)) << ": " << said;
        else
            EXPECT_TRUE(ok(said)) << store::rights_text(bit(without)) << ": " << said;
    }
}

void check_quiet(scene& s, row const& w)
{
    for (auto const without : every_right()) {
        std::string name;
        auto const id = s.fresh(name);
        s.grant(id, store::all_rights);
        ASSERT_TRUE(ok(scene::say(s.bob, "SUBSCRIBE \"" + others(name) + "\"")));
        if (w.command != "LSUB") ASSERT_TRUE(ok(scene::say(s.bob, "UNSUBSCRIBE \"" + others(name) + "\"")));
        s.grant(id, static_cast<rights>(store::all_rights & ~bit(without)));
        auto const said = scene::say(s.bob, with_box(w.text, others(name)));
        EXPECT_TRUE(ok(said)) << said;
        // A name one subscribed to may be told again (RFC 3501 §6.3.9); the others tell only what may be seen.
        bool const hidden = without == right::lookup || store::has(w.needed, without);
        if (w.command != "LSUB") EXPECT_EQ(said.contains("* " + std::string{w.command}), !hidden) << said;
    }
}

class authorisation : public ::testing::TestWithParam<std::string> {};

TEST_P(authorisation, takes_the_rights_it_needs)
{
    for (auto const& w : rows()) {
        if (w.command != GetParam() || w.what == kind::apart) continue;
        SCOPED_TRACE(title(w));
        scene s;
        if (w.what == kind::named) check_named(s, w);
        if (w.what == kind::selected) check_selected(s, w);
        if (w.what == kind::quiet) check_quiet(s, w);
    }
}

std::vector<std::string> command_names()
{
    std::vector<std::string> out;
    for (auto const& c : commands::all()) out.emplace_back(c.name);
    return out;
}
INSTANTIATE_TEST_SUITE_P(commands, authorisation, ::testing::ValuesIn(command_names()), [](auto const& p) {
    auto name = p.param;
    std::ranges::replace(name, ' ', '_');
    return name;
});

}  // namespace

TEST(catalogue, I8_every_command_has_its_row)
{
    std::set<std::string_view> known;
    for (auto const& w : rows()) known.insert(w.command);
    for (auto const& c : commands::all()) EXPECT_TRUE(known.contains(c.name)) << c.name << " has no row in the authorisation matrix";
    for (auto const& w : rows()) EXPECT_NE(commands::find(w.command), nullptr) << w.command << " is no command";
}

TEST(catalogue, I8_how_much_mail_others_have)
{
    scene s;
    auto const ask = [&](std::string const& root) { return scene::say(s.bob, "GETQUOTA " + root); };
    auto const stranger = ask("carol@example.test");
    EXPECT_TRUE(no(stranger, "NONEXISTENT")) << stranger;
    EXPECT_EQ(ask("nobody@example.test"), stranger);
    EXPECT_TRUE(ok(ask("alice@example.test")));
    auto const top = s.r.loop.run(s.alice().find_mailbox("Top"));
    s.grant(top->id, static_cast<rights>(store::all_rights & ~bit(right::read)));
    EXPECT_EQ(ask("alice@example.test"), stranger);
    s.grant(top->id, 0);
    EXPECT_EQ(ask("alice@example.test"), stranger);
}

TEST(catalogue, I8_nobody_is_in_anothers_lists_unasked)
{
    scene s;
    wire_client carol{s.r, "tls-carol"};
    scene::say(carol, "LOGIN " + s.r.variables["carol"] + " " + s.r.variables["carol_secret"]);
    EXPECT_FALSE(scene::say(carol, "LIST \"\" \"*\"").contains("Other"));
    EXPECT_FALSE(scene::say(carol, "LSUB \"\" \"*\"").contains("Other"));
}

TEST(sharing, switched_off_nothing_of_others_is_there)
{
    // Without anybody to ask who is who there are no lists either: the same switch.
    extension_set off;
    off.add(extension::acl);
    auto on = extension_set::all();
    on.remove(off);
    EXPECT_FALSE(on.has(extension::list_myrights));
    off = {};
    off.add(extension::quota);
    on = extension_set::all();
    on.remove(off);
    EXPECT_FALSE(on.has(extension::quota_storage) || on.has(extension::quota_message));
}

}  // namespace mansio::imap::test
