// Mailbox names are keys, never paths (trust.md I7), and other small values.
#include <gtest/gtest.h>

#include "account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {
base::limits const defaults;
std::string canonical(std::string_view name)
{
    auto const r = canonical_mailbox_name(name, defaults);
    return r ? *r : "!" + r.error().detail;
}
}  // namespace

TEST(mailbox_name, has_one_form)
{
    struct {
        std::string_view given, want;
    } const cases[] = {
        {"INBOX", "INBOX"},
        {"inbox", "INBOX"},
        {"iNbOx/Work", "INBOX/Work"},
        {"Inboxes", "Inboxes"},
        {"a/inbox", "a/inbox"},
        {"Work", "Work"},
        {"caf\x65\xCC\x81", "caf\xC3\xA9"},
        {"\xC3\xA9t\xC3\xA9", "\xC3\xA9t\xC3\xA9"},
        {"100% *done*", "100% *done*"},
        {"~root", "~root"},
        {"a.", "a."},
        {"...", "..."},
        {"&AC8-", "&AC8-"},
        {"\xF0\x9F\x93\xAC\xEF\xB8\x8F", "\xF0\x9F\x93\xAC\xEF\xB8\x8F"},
        {"", "!cannot"},
        {"/", "!cannot"},
        {"/a", "!cannot"},
        {"a/", "!cannot"},
        {"a//b", "!cannot"},
        {"#news", "!cannot"},
        {"\xFF", "!cannot"},
        {"\xC0\xAF", "!cannot"},
        {"a\x7F", "!cannot"},
        {"a\r\nb", "!cannot"},
        {"a\xC2\x85", "!cannot"},
        {"a\xED\xA0\x80", "!cannot"},
        {"a\xEF\xBF\xBF", "!cannot"},
    };
    for (auto const& c : cases) EXPECT_EQ(canonical(c.given), c.want) << base::printable(c.given);
    EXPECT_EQ(canonical(std::string_view{"a\0b", 3}), "!cannot");
    std::string deep = "a";
    for (std::uint64_t i = 1; i < defaults.mailbox_depth; ++i) deep += "/a";
    EXPECT_EQ(canonical(deep), deep);
    EXPECT_EQ(canonical(deep + "/a"), "!cannot");
    // What is canonical stays so.
    for (auto const& c : cases)
        if (!c.want.starts_with("!")) EXPECT_EQ(canonical(c.want), c.want);
}

TEST(catalogue, I7_dot_levels_are_refused)
{
    for (auto const* name : {"../x", "a/../../etc", "..", ".", "a/.", "./a", "a/../b"}) EXPECT_EQ(canonical(name), "!cannot") << name;
}
TEST(catalogue, I7_nul_is_refused)
{
    EXPECT_EQ(canonical(std::string_view{"\0", 1}), "!cannot");
    EXPECT_EQ(canonical(std::string_view{"INBOX\0x", 7}), "!cannot");
}
TEST(catalogue, I7_five_thousand_octets_are_refused)
{
    EXPECT_EQ(canonical(std::string(5000, 'a')), "!cannot");
    EXPECT_EQ(canonical(std::string(defaults.mailbox_name, 'a')), std::string(defaults.mailbox_name, 'a'));
    // Composition may also make it longer.
    std::string growing;
    while (growing.size() + 3 <= defaults.mailbox_name) growing += "\xE0\xA5\x98";
    EXPECT_EQ(canonical(growing), "!cannot");
}
TEST(catalogue, I7_nfc_and_nfd_twins_are_one_mailbox)
{
    world w;
    w.make(anna, 0, false);
    auto const made = w.run(w.open().create_mailbox("Entw\x75\xCC\x88rfe"));
    ASSERT_TRUE(made);
    EXPECT_EQ(made->name, "Entw\xC3\xBCrfe");
    EXPECT_EQ(w.run(w.open().create_mailbox("Entw\xC3\xBCrfe")).error().detail, "already_exists");
    EXPECT_EQ(w.run(w.open().find_mailbox("Entw\xC3\xBCrfe"))->id, made->id);
    EXPECT_EQ(w.run(w.open().find_mailbox("Entwu\xCC\x88rfe"))->id, made->id);
}
TEST(catalogue, I7_bidi_and_zero_width_are_refused)
{
    for (auto const* name : {"a\xE2\x80\xAE"
                             "b",
                             "a\xE2\x81\xA6"
                             "b",
                             "a\xE2\x80\x8B"
                             "b",
                             "a\xE2\x80\x8D"
                             "b",
                             "a\xEF\xBB\xBF",
                             "a\xC2\xAD"
                             "b",
                             "a\xD8\x9C", "a\xF3\xA0\x81\x81", "a\xE2\x80\xA8", "a\xE1\x85\x9F"})
        EXPECT_EQ(canonical(name), "!cannot") << base::printable(name);
}
TEST(catalogue, I7_blanks_at_the_ends_are_refused)
{
    for (auto const* name : {"a ", " a", "a /b", "a/ b", "a\xC2\xA0",
                             "\xE3\x80\x80"
                             "a",
                             "\t"})
        EXPECT_EQ(canonical(name), "!cannot") << base::printable(name);
    EXPECT_EQ(canonical("a b"), "a b");
}

TEST(principal, rights_read_back)
{
    EXPECT_EQ(rights_text(all_rights), "lrswipkxtea");
    for (rights r = 0; r <= all_rights; r = static_cast<rights>(r + 37)) {
        rights back = 0;
        ASSERT_TRUE(parse_rights(rights_text(r), back));
        EXPECT_EQ(back, r);
    }
    rights r = 0;
    EXPECT_TRUE(parse_rights("lcd", r));
    EXPECT_EQ(rights_text(r), "lkxte");
    EXPECT_FALSE(parse_rights("lz", r));
    EXPECT_EQ(rights_text(r), "lkxte") << "an error changes nothing";
}

TEST(flag_set, holds_any_index)
{
    base::seeded_random random{9};
    flag_set f;
    std::set<unsigned> model;
    for (int i = 0; i < 2000; ++i) {
        auto const index = static_cast<unsigned>(random.below(300));
        bool const on = random.below(2) == 0;
        f.set(index, on);
        if (on)
            model.insert(index);
        else
            model.erase(index);
        ASSERT_EQ(f.has(index), on);
    }
    EXPECT_EQ(f.indexes(), (std::vector<unsigned>{model.begin(), model.end()}));
    for (auto const i : model) f.set(i, false);
    EXPECT_TRUE(f.empty());
    EXPECT_EQ(f, flag_set{});
    flag_set a, b;
    for (auto const i : {1U, 70U, 200U}) a.set(i);
    for (auto const i : {2U, 70U}) b.set(i);
    auto sum = a;
    sum.add(b);
    EXPECT_EQ(sum.indexes(), (std::vector<unsigned>{1, 2, 70, 200}));
    sum.remove(a);
    EXPECT_EQ(sum.indexes(), (std::vector<unsigned>{2}));
    EXPECT_EQ(sum.high(), nullptr);
}
