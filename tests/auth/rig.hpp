// What auth's tests share: an engine that counts, a directory with people in it, a loop turned by hand.
#pragma once
#include <gtest/gtest.h>

#include "auth/directory.hpp"
#include "auth/sign_in.hpp"
#include "base/clock.hpp"
#include "store/engines.hpp"
#include "store/picture.hpp"

namespace mansio::test {

/// Passes everything on and counts the reads: equal work is shown by counts, not by stopwatch.
class counting_engine final : public store::engine {
public:
    explicit counting_engine(std::unique_ptr<store::engine> e) : inner_(std::move(e)) {}
    std::size_t gets = 0, scans = 0, commits = 0;
    /// The next commits are applied, but the answer is `timeout`.
    bool lose_acks = false;

    task<result<store::version>> commit(store::change c) override
    {
        ++commits;
        auto const lost = lose_acks;
        auto done = co_await inner_->commit(std::move(c));
        if (lost) co_return fail(fault::kind::timeout, "timeout");
        co_return done;
    }
    task<result<std::optional<store::version>>> committed_as(store::partition_id w, store::change_id id) override { return inner_->committed_as(w, id); }
    task<result<store::version>> current_version(store::partition_id w) override { return inner_->current_version(w); }
    task<result<std::optional<std::string>>> get(store::partition_id w, std::string key) override
    {
        ++gets;
        return inner_->get(w, std::move(key));
    }
    task<result<std::vector<store::row>>> scan(store::partition_id w, store::key_range r, std::size_t limit, store::direction d, store::reuse again) override
    {
        ++scans;
        return inner_->scan(w, std::move(r), limit, d, again);
    }
    task<result<std::vector<store::partition_id>>> partitions(store::partition_kind k) override { return inner_->partitions(k); }
    task<result<std::shared_ptr<store::staged_blob const>>> stage(mime::octets m) override { return inner_->stage(std::move(m)); }
    task<result<std::vector<std::optional<std::string>>>> blobs_read(std::vector<store::blob_id> ids, std::uint64_t most) override
    {
        return inner_->blobs_read(std::move(ids), most);
    }
    task<result<std::unique_ptr<store::picture>>> take_picture() override { return inner_->take_picture(); }
    task<result<std::shared_ptr<store::staged_blob const>>> stage_encoded(store::blob_id id, mime::octets e) override
    {
        return inner_->stage_encoded(id, std::move(e));
    }
    task<result<std::string>> blob_read(store::blob_id id, std::uint64_t o, std::uint64_t l) override { return inner_->blob_read(id, o, l); }
    task<result<std::uint64_t>> blob_size(store::blob_id id) override { return inner_->blob_size(id); }
    task<result<std::vector<store::holder>>> blob_holders(store::blob_id id) override { return inner_->blob_holders(id); }
    task<result<void>> blob_check(store::blob_id id) override { return inner_->blob_check(id); }
    task<result<void>> put_pages(store::partition_id w, std::vector<store::page> p) override { return inner_->put_pages(w, std::move(p)); }
    task<result<std::string>> get_page(store::partition_id w, store::page_id id) override { return inner_->get_page(w, id); }
    task<result<std::vector<store::page_id>>> list_pages(store::partition_id w) override { return inner_->list_pages(w); }
    std::shared_ptr<void> watch(store::partition_id w, base::executor& e, std::move_only_function<void()> f) override
    {
        return inner_->watch(w, e, std::move(f));
    }
    task<result<store::lease>> acquire(store::partition_id w, std::string o, std::chrono::seconds s) override { return inner_->acquire(w, std::move(o), s); }
    task<result<void>> renew(store::partition_id w, store::lease l, std::chrono::seconds s) override { return inner_->renew(w, std::move(l), s); }
    task<result<void>> release(store::partition_id w, store::lease l) override { return inner_->release(w, std::move(l)); }
    store::engine_health health() const override { return inner_->health(); }
    std::uint64_t sync_count() const noexcept override { return inner_->sync_count(); }
    task<result<sweep_report>> sweep() override { return inner_->sweep(); }

private:
    std::unique_ptr<store::engine> inner_;
};

/// A fresh server's sign-in side.
struct auth_rig {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{7};
    base::limits limits;
    base::memory_log log;
    base::metrics metrics;
    counting_engine engine{store::make_memory_engine(clock, random)};
    auth::directory people{engine, loop, limits, random, log};
    auth::sign_in door{people, engine, loop, std::string(32, 'p'), limits, random, log, metrics};

    ~auth_rig() { loop.run(door.stop()); }

    template <class T> T run(task<T> t) { return loop.run(std::move(t)); }
    /// The value, or a failed test.
    template <class T> T must(task<result<T>> t)
    {
        auto r = loop.run(std::move(t));
        EXPECT_TRUE(r.has_value()) << (r ? "" : describe(r.error()));
        MANSIO_ASSERT(r.has_value());
        if constexpr (!std::is_void_v<T>) return std::move(*r);
    }
    void add_domain(std::string name, std::optional<std::string> catch_all = {}, char separator = '+')
    {
        auth::domain d;
        d.name = std::move(name);
        d.catch_all = std::move(catch_all);
        d.subaddress_separator = separator;
        must(people.add_domain(std::move(d)));
    }
    auth::account_number add(std::string address, bool administrator = false)
    {
        auto const a = must(people.add_account(std::move(address), "", 0, administrator));
        must(people.account_ready(a.number));
        return a.number;
    }
    void add_alias(std::string address, std::vector<std::string> targets)
    {
        auth::alias a;
        a.address = std::move(address);
        a.targets = std::move(targets);
        must(people.set_alias(std::move(a)));
    }
    std::string password_for(auth::account_number n, auth::protocols scope = auth::all_mail_protocols, bool read_only = false)
    {
        return must(door.add_app_password(n, "test", scope, read_only, std::chrono::days{400})).secret;
    }
    static auth::source from(auth::protocol p = auth::protocol::imap)
    {
        auth::source s;
        s.door = p;
        s.peer = "192.0.2.7";
        s.peer_prefix = "192.0.2.7/32";
        s.session = "c-test";
        s.secure = true;
        return s;
    }
    /// "alice@example.test 1 2+detail f x@other" : what it means, in one line.
    std::string means(std::string_view address)
    {
        auto const at = address.rfind('@');
        mime::mailbox_address a;
        a.local = address.substr(0, at);
        if (at != std::string_view::npos) a.domain = address.substr(at + 1);
        auto const r = run(people.resolve(std::move(a)));
        if (!r) return "error " + describe(r.error());
        using enum auth::resolution::kind;
        std::string out;
        switch (r->what) {
        case local: out = "local"; break;
        case unknown: out = "unknown"; break;
        case elsewhere: out = "elsewhere"; break;
        case disabled: out = "disabled"; break;
        case loop: out = "loop"; break;
        }
        for (auto const& to : r->recipients) {
            out += " " + (to.account != 0 ? std::to_string(to.account) : to.address);
            if (!to.detail.empty()) out += "+" + to.detail;
            if (to.forwarded) out += "*";
        }
        return out;
    }
};

}  // namespace mansio::test
