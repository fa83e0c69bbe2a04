// Random operations against a model that is a list of messages, with a store that conflicts, forgets to answer and fails.
// After each step what is seen equals the model, and what rows tell equals what is seen (trust.md D1, D2, D5, D6).
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "account_support.hpp"

using namespace mansio;
using namespace mansio::store;
using namespace mansio::store::test;

namespace {

struct model_message {
    store::uid uid = 0;
    std::set<std::string> flags;
    std::size_t size = 0;
    std::string key;  ///< which email it is
    mod_seq modseq = 0;
};
struct model_box {
    mailbox_id id = 0;
    std::uint32_t validity = 0;
    store::uid highest_uid = 0;
    mod_seq highest = 0;
    std::vector<model_message> messages;
};

class model_run {
public:
    model_run(std::uint64_t seed, bool with_faults, std::uint32_t slice, std::uint32_t fold) : w_(seed), random_(seed * 77 + 5), with_faults_(with_faults)
    {
        w_.options.slice_messages = slice;
        w_.options.fold_rows = fold;
        w_.options.page_entries = 8;
        w_.restart();
        w_.make(anna, 0, false);
        adopt("INBOX");
        for (auto const* name : {"a", "b"}) {
            static_cast<void>(w_.box(name));
            adopt(name);
        }
        if (with_faults) set_faults();
    }

    void step()
    {
        switch (random_.below(14)) {
        case 0:
        case 1:
        case 2: append(1 + random_.below(4)); break;
        case 3:
        case 4:
        case 5: change_flags(); break;
        case 6: expunge(); break;
        case 7:
        case 8: transfer(false); break;
        case 9: transfer(true); break;
        case 10: recreate(); break;
        case 11: append(20); break;
        case 12: both_at_once(); break;
        case 13:
            if (random_.below(3) == 0) w_.crash();
            break;
        }
        compare();
    }
    void end()
    {
        w_.faults = {};
        w_.run(w_.open().counts(boxes_.begin()->second.id));  // wakes what waited for a store that works
        add_one();
        w_.settle();
        expect_sound(w_);
    }
    [[nodiscard]] std::size_t failures() const { return failures_; }

private:
    void adopt(std::string const& name)
    {
        auto const info = w_.run(w_.open().find_mailbox(name));
        ASSERT_TRUE(info) << name << base::describe(info.error());
        auto& b = boxes_[name];
        ASSERT_TRUE(validities_.insert(info->uid_validity).second) << "a UIDVALIDITY came twice";
        b = model_box{};
        b.id = info->id;
        b.validity = info->uid_validity;
    }
    void set_faults()
    {
        w_.faults.conflict = [this](change const&) { return random_.below(8) == 0; };
        w_.faults.lose_ack = [this](change const&) { return random_.below(8) == 0; };
        w_.faults.fail = [this](change const&) { return random_.below(12) == 0; };
        w_.faults.delay = [this](change const&) { return std::chrono::nanoseconds{random_.below(20) == 0 ? 1000 : 0}; };
    }
    std::pair<std::string const, model_box>& pick() { return *std::next(boxes_.begin(), static_cast<std::ptrdiff_t>(random_.below(boxes_.size()))); }
    std::vector<new_message> letters(std::size_t n)
    {
        std::vector<new_message> out;
        for (std::size_t i = 0; i < n; ++i) {
            ++serial_;
            out.push_back(w_.letter("s" + std::to_string(random_.below(3)), "m" + std::to_string(serial_), "m" + std::to_string(random_.below(serial_)),
                                    random_.below(50)));
            if (random_.below(2) == 0) out.back().flags.emplace_back("\\Seen");
            if (random_.below(4) == 0) out.back().flags.emplace_back("k" + std::to_string(random_.below(70)));
        }
        return out;
    }
    /// An error is allowed only while the store fails; then nothing may have happened.
    template <class R> bool did(R const& r)
    {
        if (r) return true;
        ++failures_;
        EXPECT_TRUE(with_faults_) << base::describe(r.error());
        EXPECT_TRUE(r.error().what == fault::kind::broken || r.error().what == fault::kind::conflict || r.error().what == fault::kind::try_later)
            << base::describe(r.error());
        return false;
    }
    void arrived(model_box& b, store::uid u, std::set<std::string> flags, std::size_t size, std::string key)
    {
        EXPECT_GT(u, b.highest_uid) << "a UID was used again or fell";
        b.highest_uid = u;
        b.messages.push_back(model_message{.uid = u, .flags = std::move(flags), .size = size, .key = std::move(key), .modseq = 0});
    }
    void note(model_box& b, std::vector<new_message> const& sent, std::vector<std::size_t> const& sizes, appended const& done)
    {
        ASSERT_EQ(done.uids.size(), sent.size());
        EXPECT_EQ(done.uid_validity, b.validity);
        for (std::size_t i = 0; i < sent.size(); ++i)
            arrived(b, done.uids[i], {sent[i].flags.begin(), sent[i].flags.end()}, sizes[i], "e" + std::to_string(++keys_));
    }
    static std::vector<std::size_t> sizes_of(std::vector<new_message> const& m)
    {
        std::vector<std::size_t> out;
        for (auto const& one : m) out.push_back(one.prefix.size() + one.blob->size());
        return out;
    }
    void append(std::size_t n)
    {
        auto& [name, b] = pick();
        auto const sent = letters(n);
        auto const sizes = sizes_of(sent);
        auto const id = random_.below(2) == 0 ? "d" + std::to_string(serial_) : std::string{};
        auto const done = w_.run(w_.open().append(b.id, sent, id));
        if (did(done)) note(b, sent, sizes, *done);
        if (!done || id.empty()) return;
        auto const again = w_.run(w_.open().append(b.id, sent, id));
        if (!did(again)) return;
        EXPECT_TRUE(again->already);
        EXPECT_EQ(again->uids, done->uids);
    }
    void add_one()
    {
        auto& [name, b] = pick();
        auto const sent = letters(1);
        auto const done = w_.run(w_.open().append(b.id, sent));
        ASSERT_TRUE(done) << base::describe(done.error());
        note(b, sent, sizes_of(sent), *done);
    }
    uid_set some(model_box const& b)
    {
        if (b.highest_uid == 0) return {{1, 1}};
        auto const from = 1 + static_cast<store::uid>(random_.below(b.highest_uid));
        return {{from, from + static_cast<store::uid>(random_.below(12))}};
    }
    static bool in(uid_set const& s, store::uid u) { return u >= s[0].first && u <= s[0].second; }
    void change_flags()
    {
        auto& [name, b] = pick();
        auto const which = some(b);
        flag_change c;
        c.how = static_cast<flag_operation>(random_.below(3));
        for (auto const* f : {"\\Seen", "\\Deleted", "\\Flagged", "work"})
            if (random_.below(3) == 0) c.names.emplace_back(f);
        if (random_.below(10) == 0) c.names.push_back("k" + std::to_string(random_.below(70)));
        auto const done = w_.run(w_.open().change_flags(b.id, which, c));
        if (!did(done)) return;
        std::vector<store::uid> changed;
        for (auto& m : b.messages) {
            if (!in(which, m.uid)) continue;
            auto now = c.how == flag_operation::replace ? std::set<std::string>{} : m.flags;
            for (auto const& f : c.names) {
                if (c.how == flag_operation::remove)
                    now.erase(f);
                else
                    now.insert(f);
            }
            if (now != m.flags) changed.push_back(m.uid);
            m.flags = now;
        }
        EXPECT_EQ(done->changed, changed);
    }
    void expunge()
    {
        auto& [name, b] = pick();
        bool const all = random_.below(2) == 0;
        auto const which = some(b);
        auto const done = all ? w_.run(w_.open().expunge(b.id, std::nullopt)) : w_.run(w_.open().expunge(b.id, which, true));
        if (!did(done)) return;
        std::vector<store::uid> gone;
        for (auto const& m : b.messages)
            if (all ? m.flags.contains("\\Deleted") : in(which, m.uid)) gone.push_back(m.uid);
        std::erase_if(b.messages, [&](auto const& m) { return std::find(gone.begin(), gone.end(), m.uid) != gone.end(); });
        EXPECT_EQ(*done, gone);
    }
    void transfer(bool moving)
    {
        auto& from = pick().second;
        auto& to = pick().second;
        auto const which = random_.below(3) == 0 ? uid_set{{1, ~store::uid{0}}} : some(from);
        auto const done = moving ? w_.run(w_.open().move(from.id, which, to.id)) : w_.run(w_.open().copy(from.id, which, to.id));
        if (!did(done)) return;
        std::vector<model_message> chosen;
        for (auto const& m : from.messages)
            if (in(which, m.uid)) chosen.push_back(m);
        ASSERT_EQ(done->from.size(), chosen.size());
        ASSERT_EQ(done->to.size(), chosen.size());
        if (moving) std::erase_if(from.messages, [&](auto const& m) { return in(which, m.uid); });
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            EXPECT_EQ(done->from[i], chosen[i].uid);
            arrived(to, done->to[i], chosen[i].flags, chosen[i].size, chosen[i].key);
        }
    }
    void recreate()
    {
        auto const* const name = random_.below(2) == 0 ? "a" : "b";
        if (!did(w_.run(w_.open().delete_mailbox(name)))) return;
        boxes_.erase(name);
        while (!did(w_.run(w_.open().create_mailbox(name)))) {
        }
        adopt(name);
    }
    /// Several calls wait at once: they share commits, keep their order and do not spoil each other.
    void both_at_once()
    {
        auto& [name, b] = pick();
        auto const one = letters(1);
        auto const two = letters(2);
        std::optional<result<appended>> first, second;
        std::optional<result<flags_changed>> third;
        flag_change c;
        c.how = flag_operation::add;
        c.names = {"together"};
        uid_set const all{{1, ~store::uid{0}}};
        auto const keep = []<class T>(task<T> t, std::optional<T>& into) -> task<void> { into.emplace(co_await std::move(t)); };
        auto me = w_.open();
        base::spawn_detached(w_.loop, keep(me.append(b.id, one), first));
        base::spawn_detached(w_.loop, keep(me.change_flags(b.id, all, c), third));
        base::spawn_detached(w_.loop, keep(me.append(b.id, two), second));
        ASSERT_TRUE(w_.loop.run_until([&] { return first && second && third; }));
        if (did(*first)) note(b, one, sizes_of(one), **first);
        if (did(*third))
            for (auto& m : b.messages) m.flags.insert("together");
        if (did(*second)) note(b, two, sizes_of(two), **second);
    }
    void compare()
    {
        std::map<std::string, email_id> emails;
        for (auto& [name, b] : boxes_) {
            auto view = w_.run(w_.open().view(b.id));
            for (int i = 0; !view && with_faults_ && i < 20; ++i) view = w_.run(w_.open().view(b.id));
            ASSERT_TRUE(view) << base::describe(view.error());
            auto const& v = **view;
            ASSERT_EQ(v.size(), b.messages.size()) << name;
            EXPECT_EQ(v.uid_validity(), b.validity);
            EXPECT_GT(v.uid_next(), b.highest_uid);
            EXPECT_GE(v.highest_modseq(), b.highest) << "HIGHESTMODSEQ fell";
            b.highest = v.highest_modseq();
            for (std::uint32_t i = 0; i < v.size(); ++i) {
                auto const e = v.at(i);
                auto& m = b.messages[i];
                ASSERT_EQ(e.uid, m.uid) << name;
                auto const names = v.names(e.flags);
                EXPECT_EQ((std::set<std::string>{names.begin(), names.end()}), m.flags);
                EXPECT_EQ(e.size, m.size);
                EXPECT_GE(e.modseq, m.modseq);
                m.modseq = e.modseq;
                auto const known = emails.try_emplace(m.key, e.email).first;
                EXPECT_EQ(known->second, e.email) << "EMAILID must survive COPY and MOVE";
                EXPECT_EQ(v.find(e.uid), i);
            }
        }
        std::set<email_id> distinct;
        for (auto const& [key, e] : emails) EXPECT_TRUE(distinct.insert(e).second) << "two emails with one id";
    }

    world w_;
    base::seeded_random random_;
    bool with_faults_;
    std::map<std::string, model_box> boxes_;
    std::set<std::uint32_t> validities_;
    std::uint64_t serial_ = 0, keys_ = 0;
    std::size_t failures_ = 0;
};

void go(std::uint64_t seed, bool with_faults, std::uint32_t slice, std::uint32_t fold, int steps)
{
    SCOPED_TRACE("seed " + std::to_string(seed));
    model_run run{seed, with_faults, slice, fold};
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) run.step();
    if (!testing::Test::HasFailure()) run.end();
    if (with_faults) EXPECT_GT(run.failures(), 0U);
}

}  // namespace

TEST(account_model, follows_the_model)
{
    for (std::uint64_t seed = 1; seed <= 6 && !testing::Test::HasFailure(); ++seed) go(seed, false, 1000, 1000, 120);
}
TEST(account_model, with_small_pages_and_slices)
{
    for (std::uint64_t seed = 11; seed <= 18 && !testing::Test::HasFailure(); ++seed) go(seed, false, 3, 4, 120);
}
TEST(account_model, with_a_store_that_fails)
{
    for (std::uint64_t seed = 31; seed <= 38 && !testing::Test::HasFailure(); ++seed) go(seed, true, 1000, 1000, 120);
}
TEST(account_model, with_everything_at_once)
{
    for (std::uint64_t seed = 51; seed <= 58 && !testing::Test::HasFailure(); ++seed) go(seed, true, 3, 4, 120);
}
