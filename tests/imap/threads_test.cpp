// Threading, the forest below it, and the order of SORT: pure functions.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "imap/link_forest.hpp"
#include "imap/sorting.hpp"
#include "imap/threads.hpp"

namespace mansio::imap {
namespace {

/// One message as the tables below write it.
struct written {
    std::int64_t sent;
    std::uint64_t id;
    std::vector<std::uint64_t> references;
    std::string_view subject = "S";
    bool reply = false;
};

std::string threads(thread_algorithm how, std::vector<written> const& messages)
{
    std::vector<thread_message> in;
    for (auto const& m : messages) in.push_back({static_cast<std::uint32_t>(in.size() + 1), m.sent, m.id, m.references, m.subject, m.reply});
    return make_threads(how, in);
}

struct threading {
    char const* what;
    std::vector<written> messages;
    std::string_view want;
};

TEST(threads, ordered_subject)
{
    threading const cases[] = {
        {"none", {}, ""},
        {"one", {{1, 1, {}}}, "(1)"},
        {"two of one subject", {{1, 1, {}, "A"}, {2, 2, {}, "A"}}, "(1 2)"},
        {"no grandchildren", {{1, 1, {}, "A"}, {2, 2, {}, "A"}, {3, 3, {}, "A"}}, "(1 (2)(3))"},
        {"by date, threads by their first", {{5, 1, {}, "B"}, {3, 2, {}, "A"}, {1, 3, {}, "B"}, {4, 4, {}, "A"}}, "(3 1)(2 4)"},
        {"the same date: mailbox order", {{1, 1, {}, "B"}, {1, 2, {}, "A"}}, "(1)(2)"},
    };
    for (auto const& c : cases) EXPECT_EQ(threads(thread_algorithm::ordered_subject, c.messages), c.want) << c.what;
}

TEST(threads, references)
{
    threading const cases[] = {
        {"none", {}, ""},
        {"no ids at all", {{1, 0, {}, "A"}, {2, 0, {}, "B"}}, "(1)(2)"},
        {"a chain", {{1, 1, {}}, {2, 2, {1}}, {3, 3, {1, 2}}}, "(1 2 3)"},
        {"a fork", {{1, 1, {}}, {2, 2, {1}}, {3, 3, {1}}, {4, 4, {1, 3}}}, "(1 (2)(3 4))"},
        {"the child comes first", {{2, 2, {1}}, {1, 1, {}}}, "(2 1)"},
        {"a parent nobody has, one child", {{1, 1, {9}}}, "(1)"},
        {"a parent nobody has, two children", {{1, 1, {9}}, {2, 2, {9}}}, "((1)(2))"},
        {"dummies below dummies", {{1, 1, {8, 9}}, {2, 2, {8, 9}}, {3, 3, {8}}}, "((1)(2)(3))"},
        {"a dummy in the middle", {{1, 1, {}}, {2, 2, {1, 9}}, {3, 3, {1, 9}}}, "(1 (2)(3))"},
        {"the last reference wins over an earlier guess", {{1, 1, {}}, {4, 4, {1, 3}}, {2, 2, {}, "T"}, {3, 3, {2}, "T"}}, "(1)(3 4 2)"},
        {"a message without references loses a guessed parent", {{3, 3, {1, 2}, "A"}, {2, 2, {}, "B"}, {1, 1, {}, "C"}}, "(3)(2 1)"},
        {"one id twice: the second is its own", {{1, 1, {}, "A"}, {2, 1, {}, "B"}, {3, 3, {1}, "A"}}, "(1 3)(2)"},
        {"its own reference", {{1, 1, {1}}}, "(1)"},
        {"a circle of two", {{1, 1, {2}}, {2, 2, {1}}}, "(2 1)"},
        {"a circle of three", {{1, 1, {3}}, {2, 2, {1}}, {3, 3, {2}}}, "(3 1 2)"},
        {"a circle in one header", {{1, 7, {1, 2, 1, 2}, "A"}}, "(1)"},
        {"siblings by date", {{1, 1, {}}, {5, 2, {1}}, {3, 3, {1}}, {4, 4, {1}}}, "(1 (3)(4)(2))"},
        {"roots by date, a dummy by its first child", {{5, 1, {}, "A"}, {6, 2, {9}, "B"}, {4, 3, {9}, "B"}}, "((3)(2))(1)"},
        // (5): threads of one base subject
        {"a reply without references", {{1, 1, {}}, {2, 2, {}, "S", true}}, "(1 2)"},
        {"two that are no replies", {{1, 1, {}}, {2, 2, {}}}, "((1)(2))"},
        {"the reply came first", {{1, 1, {}, "S", true}, {2, 2, {}}}, "(2 1)"},
        {"two replies, no original", {{1, 1, {}, "S", true}, {2, 2, {}, "S", true}}, "((1)(2))"},
        {"three that are no replies", {{1, 1, {}}, {2, 2, {}}, {3, 3, {}}}, "((1)(2)(3))"},
        {"a dummy takes a message in", {{1, 1, {9}}, {2, 2, {9}}, {3, 3, {}}}, "((1)(2)(3))"},
        {"a dummy takes an earlier message in", {{2, 1, {9}}, {3, 2, {9}}, {1, 3, {}}}, "((3)(1)(2))"},
        {"two dummies are one", {{1, 1, {9}}, {2, 2, {9}}, {3, 3, {8}}, {4, 4, {8}}}, "((1)(2)(3)(4))"},
        {"empty subjects are not joined", {{1, 1, {}, ""}, {2, 2, {}, ""}}, "(1)(2)"},
        {"the thread's subject is its root's", {{1, 1, {}, "A"}, {2, 2, {1}, "B"}, {3, 3, {}, "B", true}}, "(1 2)(3)"},
    };
    for (auto const& c : cases) EXPECT_EQ(threads(thread_algorithm::references, c.messages), c.want) << c.what;
}

TEST(threads, refs)
{
    threading const cases[] = {
        {"not joined by subject", {{1, 1, {}}, {2, 2, {}, "S", true}}, "(1)(2)"},
        {"by the newest message", {{1, 1, {}}, {2, 2, {}}, {9, 3, {1}}}, "(2)(1 3)"},
        {"a dummy too", {{1, 1, {9}}, {8, 2, {9}}, {5, 3, {}}}, "(3)((1)(2))"},
    };
    for (auto const& c : cases) EXPECT_EQ(threads(thread_algorithm::refs, c.messages), c.want) << c.what;
}

/// Hostile mailboxes end in time that is hardly more than their size: each of these would take hours if every message walked its chain.
TEST(threads, long_chains_and_circles)
{
    constexpr std::uint32_t n = 100000;
    std::vector<written> chain, backwards, circle, star;
    for (std::uint32_t i = 1; i <= n; ++i) {
        chain.push_back({i, i, i == 1 ? std::vector<std::uint64_t>{} : std::vector<std::uint64_t>{i - 1}});
        backwards.push_back({i, n - i + 1, i == n ? std::vector<std::uint64_t>{} : std::vector<std::uint64_t>{n - i}});
        circle.push_back({i, i, {i == 1 ? n : i - 1, i % n + 1}});
        star.push_back({i, i, {n + 1}, ""});
    }
    for (auto const how : {thread_algorithm::references, thread_algorithm::refs, thread_algorithm::ordered_subject})
        for (auto const* messages : {&chain, &backwards, &circle, &star}) {
            auto const text = threads(how, *messages);
            std::uint32_t numbers = 0;
            std::int64_t depth = 0;
            for (std::size_t i = 0; i < text.size(); ++i) {
                depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
                ASSERT_GE(depth, 0);
                bool const digit = text[i] >= '0' && text[i] <= '9';
                numbers += digit && (text[i - 1] < '0' || text[i - 1] > '9') ? 1 : 0;
            }
            EXPECT_EQ(depth, 0);
            EXPECT_EQ(numbers, n);  // each message once
        }
}

/// What the forest answers is what walking would answer, on foot and with splay trees alike.
TEST(link_forest, knows_the_root)
{
    for (std::uint64_t const patience : {0U, 40U, 1000000U}) {
        link_forest f;
        f.patience = patience;
        std::mt19937 random{7};  // NOLINT(cert-msc32-c,cert-msc51-cpp)
        std::vector<std::uint32_t> parent;
        for (int step = 0; step < 20000; ++step) {
            if (parent.size() < 60 && step % 10 == 0) {
                EXPECT_EQ(f.add(), parent.size());
                parent.push_back(link_forest::none);
            }
            auto const a = static_cast<std::uint32_t>(random() % parent.size()), b = static_cast<std::uint32_t>(random() % parent.size());
            ASSERT_EQ(f.parent(a), parent[a]);
            if (parent[a] != link_forest::none) {
                if (random() % 3 == 0) {
                    f.cut(a);
                    parent[a] = link_forest::none;
                }
                continue;
            }
            auto top = b;
            while (parent[top] != link_forest::none) top = parent[top];
            ASSERT_EQ(f.below(b, a), top == a) << step;
            if (top == a) continue;
            f.link(a, b);
            parent[a] = b;
        }
    }
}

TEST(sorting, criteria)
{
    wire::scanner in{"(REVERSE DATE subject reverse displayfrom DATE)"};
    auto const all = extension_set::all();
    auto const order = parse_sort_order(in, all);
    ASSERT_TRUE(order.has_value());
    EXPECT_EQ(*order, (sort_order{{sort_key::date, true}, {sort_key::subject, false}, {sort_key::display_from, true}}));
    for (auto const* bad : {"", "()", "(", "DATE", "(DATE", "(REVERSE)", "(REVERSE REVERSE DATE)", "(DATES)", "(DATE  SIZE)"}) {
        wire::scanner wrong{bad};
        EXPECT_FALSE(parse_sort_order(wrong, all).has_value()) << bad;
    }
    auto without = all;
    extension_set off;
    off.add(extension::sort_display);
    without.remove(off);
    wire::scanner display{"(DISPLAYTO)"};
    EXPECT_FALSE(parse_sort_order(display, without).has_value());
}

TEST(sorting, orders)
{
    std::vector<mail_facts> facts(4);
    std::string const texts[] = {"ABCDEFGHI", "ABCDEFGHA", "", "ABCDEFGH"};
    std::vector<sort_item> items;
    for (std::uint32_t i = 0; i < 4; ++i) {
        facts[i].octets = texts[i].data();
        facts[i].ends.fill(static_cast<std::uint32_t>(texts[i].size()));
        facts[i].sent = std::int64_t{i} % 2 - 1;
        items.push_back({i, &facts[i], -std::int64_t{i}, i / 2, 0});
    }
    auto const sorted = [&items](sort_order const& o) {
        auto copy = items;
        sort_items(copy, o);
        std::vector<std::uint32_t> out;
        for (auto const& i : copy) out.push_back(i.position);
        return out;
    };
    using list = std::vector<std::uint32_t>;
    EXPECT_EQ(sorted({{sort_key::subject, false}}), (list{2, 3, 1, 0}));  // the empty string first, more than eight octets counted
    EXPECT_EQ(sorted({{sort_key::subject, true}}), (list{0, 1, 3, 2}));
    EXPECT_EQ(sorted({{sort_key::arrival, false}}), (list{3, 2, 1, 0}));
    EXPECT_EQ(sorted({{sort_key::date, false}}), (list{0, 2, 1, 3}));
    EXPECT_EQ(sorted({{sort_key::date, true}}), (list{1, 3, 0, 2}));  // equal ones stay in mailbox order
    EXPECT_EQ(sorted({{sort_key::size, true}, {sort_key::subject, false}}), (list{2, 3, 1, 0}));
    EXPECT_EQ(sorted({{sort_key::from, false}}), (list{0, 1, 2, 3}));
}

}  // namespace
}  // namespace mansio::imap
