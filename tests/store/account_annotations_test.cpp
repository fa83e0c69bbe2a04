// Annotations (RFC 5464): whose they are, what they outlive and what they go with, and that they are bounded.
#include <gtest/gtest.h>

#include "account_support.hpp"
#include "store/account_rows.hpp"
#include "store/keys.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {

constexpr std::uint64_t somebody = 77;
constexpr rights bit(right r) { return static_cast<rights>(r); }

struct notes {
    world w;
    mailbox_id box = 0;
    notes()
    {
        w.make(anna);
        w.make(bert);
        box = w.box("Sent", anna);
    }
    account_ref anna_() { return w.open(anna); }
    account_ref bert_() { return w.open_as(anna, bert); }
    void share(rights r) { ASSERT_TRUE(w.run(anna_().set_acl(box, bert, r))); }
    result<void> set(account_ref a, mailbox_id m, std::string name, std::optional<std::string> value, std::optional<special_use> use = {})
    {
        std::vector<annotation_change> changes;
        changes.push_back({std::move(name), std::move(value)});
        return w.run(a.annotate(m, std::move(changes), use, somebody));
    }
    /// "/private/comment=x /shared/comment=y"
    std::string shown(account_ref a, mailbox_id m)
    {
        auto const all = w.run(a.annotations(m));
        if (!all) return std::string{"!"} + base::name_of(all.error().what);
        std::string out;
        for (auto const& e : *all) out += (out.empty() ? "" : " ") + e.name + "=" + e.value;
        return out;
    }
    std::string refusal(result<void> const& r) { return r ? "" : std::string{base::name_of(r.error().what)} + " " + r.error().detail; }
};

/// "name by": what changed, in order.
std::string told(annotation_news const& n)
{
    std::string out;
    for (auto const& i : n.changed) out += (out.empty() ? "" : " ") + i.mailbox_name + i.name + ":" + std::to_string(i.by);
    return out;
}

}  // namespace

TEST(account_annotations, are_private_or_shared_and_outlive_a_restart)
{
    notes n;
    n.share(all_rights);
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/private/comment", "hers"));
    ASSERT_TRUE(n.set(n.bert_(), n.box, "/private/comment", "his"));
    ASSERT_TRUE(n.set(n.bert_(), n.box, "/shared/comment", std::string("all\0's", 6)));
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/vendor/x/empty", ""));
    ASSERT_TRUE(n.set(n.anna_(), 0, "/private/filters/values/a", "SEEN"));
    for (int i = 0; i < 3; ++i) {
        SCOPED_TRACE(i);
        EXPECT_EQ(n.shown(n.anna_(), n.box), "/private/comment=hers /shared/comment=" + std::string("all\0's", 6) + " /shared/vendor/x/empty=");
        EXPECT_EQ(n.shown(n.bert_(), n.box), "/private/comment=his /shared/comment=" + std::string("all\0's", 6) + " /shared/vendor/x/empty=");
        EXPECT_EQ(n.shown(n.anna_(), 0), "/private/filters/values/a=SEEN");
        EXPECT_EQ(n.shown(n.bert_(), 0), "!not_found");
        EXPECT_EQ(n.w.rows_of("A"), 5U);
        if (i == 0) n.w.restart();
        if (i == 1) n.w.crash();
    }
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/private/comment", std::nullopt));
    EXPECT_EQ(n.shown(n.bert_(), n.box).substr(0, 20), "/private/comment=his");
    EXPECT_EQ(n.shown(n.anna_(), n.box).substr(0, 9), "/shared/c");
    EXPECT_EQ(n.w.rows_of("A"), 4U);
}

TEST(account_annotations, follow_a_rename_and_go_with_their_mailbox)
{
    notes n;
    n.share(all_rights);
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/comment", "sent"));
    ASSERT_TRUE(n.set(n.bert_(), n.box, "/private/comment", "his"));
    ASSERT_TRUE(n.set(n.anna_(), n.w.box("Trash"), "/shared/comment", "other"));
    ASSERT_TRUE(n.w.run(n.anna_().rename_mailbox("Sent", "Gone/Sent")));
    EXPECT_EQ(n.shown(n.anna_(), n.w.box("Gone/Sent")), "/shared/comment=sent");
    EXPECT_EQ(n.shown(n.bert_(), n.w.box("Gone/Sent")), "/private/comment=his /shared/comment=sent");
    ASSERT_TRUE(n.w.run(n.anna_().delete_mailbox("Gone/Sent")));
    EXPECT_EQ(n.shown(n.anna_(), n.box), "!not_found");
    EXPECT_EQ(n.w.rows_of("A"), 1U);
    ASSERT_TRUE(n.w.run(n.anna_().create_mailbox("Gone/Sent")));
    EXPECT_EQ(n.shown(n.anna_(), n.w.box("Gone/Sent")), "");
    EXPECT_EQ(n.shown(n.anna_(), n.w.box("Trash")), "/shared/comment=other");
    // Deleted before they were ever read: the rows go all the same, and what is left counts right.
    ASSERT_TRUE(n.set(n.anna_(), n.w.box("Gone/Sent"), "/shared/comment", "again"));
    n.w.restart();
    ASSERT_TRUE(n.w.run(n.anna_().delete_mailbox("Gone/Sent")));
    EXPECT_EQ(n.w.rows_of("A"), 1U);
    ASSERT_TRUE(n.w.run(n.w.service->remove(anna)));
    EXPECT_EQ(n.w.rows_of("A"), 0U);
}

// RFC 5464 §4.1: INBOX keeps its entries when it is renamed, and the new mailbox has them too.
TEST(account_annotations, of_inbox_are_copied_when_it_is_renamed)
{
    notes n;
    auto const inbox = n.w.box("INBOX");
    ASSERT_TRUE(n.set(n.anna_(), inbox, "/shared/comment", "a"));
    ASSERT_TRUE(n.set(n.anna_(), inbox, "/private/comment", "b"));
    n.w.add(inbox);
    ASSERT_TRUE(n.w.run(n.anna_().rename_mailbox("INBOX", "Old/2026")));
    for (int i = 0; i < 2; ++i) {
        for (auto const* name : {"INBOX", "Old/2026"}) EXPECT_EQ(n.shown(n.anna_(), n.w.box(name)), "/private/comment=b /shared/comment=a") << name;
        EXPECT_EQ(n.shown(n.anna_(), n.w.box("Old")), "");
        n.w.restart();
    }
    EXPECT_EQ(n.w.uids(n.w.box("Old/2026")).size(), 1U);
    expect_sound(n.w);
}

TEST(account_annotations, need_rights)
{
    notes n;
    struct {
        rights held;
        std::string see, mine, shared;
    } const cases[] = {
        {0, "!not_found", "not_found ", "not_found "},
        {static_cast<rights>(all_rights & ~bit(right::lookup)), "!not_found", "not_found ", "not_found "},
        {bit(right::lookup), "!refused", "refused noperm", "refused noperm"},
        {static_cast<rights>(bit(right::lookup) | bit(right::administer) | bit(right::create)), "!refused", "refused noperm", "refused noperm"},
        {static_cast<rights>(bit(right::lookup) | bit(right::read)), "", "", "refused noperm"},
        {static_cast<rights>(bit(right::lookup) | bit(right::keep_seen)), "", "", "refused noperm"},
        {static_cast<rights>(bit(right::lookup) | bit(right::insert)), "", "", "refused noperm"},
        {static_cast<rights>(bit(right::lookup) | bit(right::post)), "", "", "refused noperm"},
        {static_cast<rights>(bit(right::lookup) | bit(right::write)), "", "", ""},
    };
    for (auto const& c : cases) {
        SCOPED_TRACE(rights_text(c.held));
        n.share(c.held);
        EXPECT_EQ(n.shown(n.bert_(), n.box), c.see);
        EXPECT_EQ(n.refusal(n.set(n.bert_(), n.box, "/private/comment", "x")), c.mine);
        EXPECT_EQ(n.refusal(n.set(n.bert_(), n.box, "/private/comment", std::nullopt)), c.mine);
        EXPECT_EQ(n.refusal(n.set(n.bert_(), n.box, "/shared/comment", "x")), c.shared);
        EXPECT_EQ(n.refusal(n.set(n.bert_(), n.box, "/shared/comment", std::nullopt)), c.shared);
        EXPECT_FALSE(n.set(n.bert_(), 0, "/private/comment", "x"));
    }
    // A sign-in that may only read changes nothing of its own account either.
    auto const reader = n.w.open_as(anna, anna, static_cast<rights>(bit(right::lookup) | bit(right::read)));
    EXPECT_EQ(n.shown(reader, n.box), "");
    EXPECT_EQ(n.refusal(n.set(reader, n.box, "/private/comment", "x")), "refused noperm");
    EXPECT_EQ(n.refusal(n.set(reader, 0, "/private/comment", "x")), "refused noperm");
    EXPECT_EQ(n.w.rows_of("A"), 0U);
}

TEST(account_annotations, are_bounded)
{
    notes n;
    n.w.limits.metadata_value = 100;
    n.w.limits.metadata_entries = 3;
    n.w.limits.metadata_octets = 8000;
    auto const many = "over_limit metadata_entries";
    EXPECT_EQ(n.refusal(n.set(n.anna_(), n.box, "/shared/a", std::string(101, 'x'))), "over_limit metadata_value");
    EXPECT_TRUE(n.set(n.anna_(), n.box, "/shared/a", std::string(100, 'x')));
    EXPECT_TRUE(n.set(n.anna_(), n.box, "/shared/b", ""));
    EXPECT_TRUE(n.set(n.anna_(), n.box, "/shared/c", ""));
    EXPECT_EQ(n.refusal(n.set(n.anna_(), n.box, "/shared/d", "")), many);
    EXPECT_TRUE(n.set(n.anna_(), n.box, "/private/d", ""));
    EXPECT_TRUE(n.set(n.anna_(), n.box, "/shared/c", "other"));
    // All of it or nothing.
    std::vector<annotation_change> two{{"/private/e", "x"}, {"/shared/e", "x"}};
    EXPECT_FALSE(n.w.run(n.anna_().annotate(n.box, two, {}, somebody)));
    EXPECT_FALSE(n.shown(n.anna_(), n.box).contains("/e="));
    // One makes room for another in the same change.
    two = {{"/shared/c", std::nullopt}, {"/shared/d", ""}};
    EXPECT_TRUE(n.w.run(n.anna_().annotate(n.box, two, {}, somebody)));
    // A guest has a sixteenth of the whole: here one entry.
    n.share(all_rights);
    EXPECT_TRUE(n.set(n.bert_(), n.box, "/private/a", ""));
    EXPECT_EQ(n.refusal(n.set(n.bert_(), n.box, "/private/b", "")), many);
    EXPECT_TRUE(n.set(n.bert_(), n.box, "/private/a", "x"));
    n.w.restart();
    EXPECT_EQ(n.refusal(n.set(n.bert_(), n.box, "/private/b", "")), many);
    // All of the account together; what does not grow is always possible.
    n.w.limits.metadata_entries = 1000;
    int set = 0;
    while (set < 100 && n.set(n.anna_(), n.w.box("Trash"), "/shared/" + std::to_string(set), std::string(90, 'x'))) ++set;
    EXPECT_GT(set, 10);
    EXPECT_LT(set, 30);
    EXPECT_EQ(n.refusal(n.set(n.anna_(), 0, "/private/a", std::string(100, 'x'))), many);
    EXPECT_TRUE(n.set(n.anna_(), n.w.box("Trash"), "/shared/0", ""));
    // Too much for INBOX's entries twice: the rename does nothing.
    auto const inbox = n.w.box("INBOX");
    while (n.set(n.anna_(), n.w.box("Trash"), "/shared/" + std::to_string(--set), std::nullopt) && set > 5) {
    }
    while (n.set(n.anna_(), inbox, "/shared/" + std::to_string(++set), std::string(90, 'x'))) {
    }
    EXPECT_EQ(n.refusal(n.w.run(n.anna_().rename_mailbox("INBOX", "New"))), many);
    EXPECT_EQ(n.w.run(n.anna_().find_mailbox("New")).error().what, fault::kind::not_found);
}

TEST(account_annotations, tell_what_changed)
{
    notes n;
    n.share(static_cast<rights>(bit(right::lookup) | bit(right::read)));
    auto const begin = n.w.run(n.anna_().annotation_news_since(std::nullopt))->now;
    auto const news = [&](account_ref a, std::uint64_t since) { return told(*n.w.run(a.annotation_news_since(since))); };
    unsigned woken = 0;
    auto const held = *n.w.run(n.anna_().watch(all_annotations, [&] { ++woken; }));
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/comment", "a"));
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/private/comment", "a"));
    ASSERT_TRUE(n.set(n.bert_(), n.box, "/private/comment", "b"));
    ASSERT_TRUE(n.set(n.anna_(), 0, "/private/comment", "c"));
    n.w.settle();
    EXPECT_GT(woken, 0U);
    EXPECT_EQ(news(n.anna_(), begin), "Sent/shared/comment:77 Sent/private/comment:77 /private/comment:77");
    EXPECT_EQ(news(n.bert_(), begin), "Sent/shared/comment:77 Sent/private/comment:77");
    auto const now = n.w.run(n.anna_().annotation_news_since(begin))->now;
    EXPECT_EQ(news(n.anna_(), now), "");
    // What stays the same is no news; what goes is; each is told once.
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/comment", "a"));
    EXPECT_EQ(news(n.anna_(), now), "");
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/comment", std::nullopt));
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/comment", "z"));
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/comment", std::nullopt));
    EXPECT_EQ(news(n.anna_(), now), "Sent/shared/comment:77");
    // Too many to remember: all there is.
    for (int i = 0; i < 1100; ++i) ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/comment", std::to_string(i)));
    EXPECT_EQ(news(n.anna_(), begin), "/private/comment:0 Sent/shared/comment:0 Sent/private/comment:0");
    ASSERT_TRUE(n.w.run(n.anna_().delete_mailbox("Sent")));
    EXPECT_EQ(news(n.anna_(), begin), "/private/comment:0");
}

// RFC 6154 §4.
TEST(account_annotations, the_special_use_changes_with_them)
{
    notes n;
    auto const use_of = [&](std::string name) { return n.w.run(n.anna_().find_mailbox(std::move(name)))->use; };
    std::vector<annotation_change> const none;
    auto const set = [&](account_ref a, mailbox_id m, special_use u) { return n.refusal(n.w.run(a.annotate(m, none, u, somebody))); };
    EXPECT_EQ(set(n.anna_(), n.box, special_use::trash), "refused use_attr");
    EXPECT_EQ(n.refusal(n.set(n.anna_(), n.box, "/shared/comment", "x", special_use::trash)), "refused use_attr");
    EXPECT_EQ(n.shown(n.anna_(), n.box), "");
    EXPECT_EQ(set(n.anna_(), n.w.box("INBOX"), special_use::all), "refused use_attr");
    EXPECT_EQ(set(n.anna_(), n.box, special_use::none), "");
    EXPECT_EQ(use_of("Sent"), special_use::none);
    EXPECT_EQ(set(n.anna_(), n.w.box("Archive"), special_use::sent), "");
    n.share(all_rights);
    EXPECT_EQ(set(n.bert_(), n.box, special_use::archive), "refused noperm");
    EXPECT_EQ(set(n.anna_(), 0, special_use::archive), "refused noperm");
    n.w.restart();
    EXPECT_EQ(use_of("Archive"), special_use::sent);
    EXPECT_EQ(use_of("Sent"), special_use::none);
}

TEST(account_annotations, a_damaged_row_loses_one_note)
{
    notes n;
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/a", "1"));
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/b", "2"));
    auto const sound = rows::encode_annotation("value");
    EXPECT_EQ(*rows::decode_annotation(sound), "value");
    for (std::size_t i = 0; i < sound.size(); ++i) {
        auto damaged = sound;
        damaged[i] = static_cast<char>(damaged[i] ^ 1);
        EXPECT_FALSE(rows::decode_annotation(damaged)) << i;
        EXPECT_FALSE(rows::decode_annotation(sound.substr(0, i))) << i;
    }
    n.w.restart();
    change c;
    c.where.kind = partition_kind::account;
    c.where.number = anna;
    c.id = change_id::make(n.w.random);
    c.expected = *n.w.run(n.w.storage->current_version(c.where));
    c.rows.push_back(row_change{keys::annotation(n.box, 0, "/a"), sound.substr(1)});
    ASSERT_TRUE(n.w.run(n.w.storage->commit(std::move(c))));
    EXPECT_EQ(n.shown(n.anna_(), n.box), "/shared/b=2");
    ASSERT_TRUE(n.set(n.anna_(), n.box, "/shared/a", "3"));
    n.w.restart();
    EXPECT_EQ(n.shown(n.anna_(), n.box), "/shared/a=3 /shared/b=2");
}
