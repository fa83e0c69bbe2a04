// The resolver over libunbound's threaded asynchronous mode: its own thread asks and validates, one of ours takes the answers off its pipe.
#include <poll.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_set>

#include "base/bytes.hpp"
#include "net/dns_wire.hpp"
#include "net/socket.hpp"

namespace mansio::net {
namespace {

constexpr std::size_t most_records = 256;
constexpr std::size_t most_cnames = 8;
constexpr std::size_t largest_answer = 64U * 1024U;
constexpr std::size_t most_questions = 8192;  // under way at once; more are answered `failed`
enum record_type : int { type_a = 1, type_cname = 5, type_ptr = 12, type_mx = 15, type_txt = 16, type_aaaa = 28, type_tlsa = 52 };
constexpr int class_in = 1;

/// An answer before its records are read.
struct raw_answer {
    dns_status status = dns_status::failed;
    bool secure = false;
    std::string why;
    std::string canonical_name;
    std::vector<std::string> rdata;
};

raw_answer failed(std::string why)
{
    raw_answer a;
    a.why = std::move(why);
    return a;
}

std::string rcode_name(int rcode)
{
    constexpr std::array<char const*, 6> names{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
    auto const i = static_cast<std::size_t>(rcode);
    return i < names.size() ? names[i] : "rcode " + std::to_string(rcode);
}

raw_answer from_result(ub_result const& r)
{
    if (r.bogus != 0) return failed("DNSSEC validation failed: " + std::string{r.why_bogus != nullptr ? r.why_bogus : "bogus"});
    std::string_view const packet{static_cast<char const*>(r.answer_packet), r.answer_packet != nullptr ? static_cast<std::size_t>(r.answer_len) : 0};
    raw_answer a;
    a.secure = r.secure != 0;
    if (r.nxdomain != 0 || r.rcode == 3) {
        a.status = dns_status::no_such_name;
        return a;
    }
    if (r.rcode != 0) return failed(rcode_name(r.rcode));
    if (r.havedata == 0) {
        a.status = dns_status::no_data;
        return a;
    }
    if (packet.size() > largest_answer) return failed("the answer is too large");
    if (!packet.empty()) {
        auto const cnames = count_cnames(packet);
        if (!cnames) return failed("the answer is malformed");
        if (*cnames > most_cnames) return failed("too many CNAME records");
    }
    auto canonical = askable_name(r.canonname != nullptr ? r.canonname : r.qname);
    if (canonical) a.canonical_name = std::move(*canonical);
    std::size_t octets = 0;
    for (std::size_t i = 0; r.data[i] != nullptr && i < most_records; ++i) {
        auto const length = static_cast<std::size_t>(r.len[i]);
        octets += length;
        if (octets > largest_answer) return failed("the answer is too large");
        a.rdata.emplace_back(r.data[i], length);
    }
    a.status = dns_status::found;
    return a;
}

/// One question. Held by libunbound (through `self`) until its callback ran or ub_cancel() said that it never will.
struct question {
    std::mutex mutex;
    std::move_only_function<void(raw_answer)> done;  // empty once answered
    std::shared_ptr<question> self;
    class engine* of = nullptr;
    int id = 0;

    void answer(raw_answer a)
    {
        std::move_only_function<void(raw_answer)> then;
        {
            std::lock_guard const lock{mutex};
            then = std::exchange(done, nullptr);
        }
        if (then) then(std::move(a));
    }
};

/// Owns the libunbound context and the thread that takes answers from it.
class engine {
public:
    explicit engine(base::limits const& l, base::metrics& m)
        : wait_(base::limits::seconds(l.dns_wait)),
          asked_(m.get_counter("mansio_dns_questions_total", "Questions to the DNS.")),
          failures_(m.get_counter("mansio_dns_failures_total", "Questions to the DNS that failed.")),
          wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          context_(ub_ctx_create())
    {
        MANSIO_ASSERT(context_ != nullptr && wake_);
    }
    ~engine() { stop(); }
    engine(engine const&) = delete;
    engine& operator=(engine const&) = delete;

    [[nodiscard]] result<void> configure(resolver_options const& o);
    void start()
    {
        thread_ = std::thread{[this] { serve(); }};
        pthread_setname_np(thread_.native_handle(), "dns");
    }
    void stop();
    void ask(std::shared_ptr<question> const& q, std::string const& name, int type);
    void give_up(std::shared_ptr<question> const& q, std::string why);
    [[nodiscard]] std::chrono::seconds wait() const noexcept { return wait_; }

private:
    [[nodiscard]] result<void> set(char const* option, std::string const& value, std::string const& what);
    [[nodiscard]] result<void> set_anchors(resolver_options const& o);
    [[nodiscard]] result<void> set_servers(resolver_options const& o);
    [[nodiscard]] result<void> unlock_local_zones(resolver_options const& o);
    static void answered(void* cookie, int error, ub_result* r);
    void forget(std::shared_ptr<question> const& q)
    {
        std::lock_guard const lock{mutex_};
        under_way_.erase(q);
    }
    void serve();

    std::chrono::seconds wait_;
    base::counter& asked_;
    base::counter& failures_;
    unique_fd wake_;
    std::shared_mutex context_mutex_;  // shared: uses context_; unique: deletes it
    ub_ctx* context_;
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::unordered_set<std::shared_ptr<question>> under_way_;
    std::thread thread_;
};

void engine::serve()
{
    std::array<pollfd, 2> const watched{pollfd{ub_fd(context_), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    while (!stopping_.load(std::memory_order_acquire)) {
        auto now = watched;
        if (::poll(now.data(), now.size(), -1) < 0 && errno != EINTR) break;
        if ((now[0].revents & POLLIN) != 0) ub_process(context_);
    }
}

void engine::stop()
{
    if (stopping_.exchange(true)) return;
    std::unordered_set<std::shared_ptr<question>> left;
    {
        std::lock_guard const lock{mutex_};
        left = under_way_;
    }
    for (auto const& q : left) give_up(q, "the resolver is shutting down");
    left.clear();
    std::uint64_t const one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
    if (thread_.joinable()) thread_.join();
    {
        std::unique_lock const lock{context_mutex_};
        ub_ctx_delete(std::exchange(context_, nullptr));
    }
    // What libunbound took back without a callback is answered all the same: nobody may wait for ever.
    {
        std::lock_guard const lock{mutex_};
        left.swap(under_way_);
    }
    for (auto const& q : left) {
        q->answer(failed("the resolver is shutting down"));
        q->self.reset();
    }
}

void engine::answered(void* cookie, int error, ub_result* r)
{
    auto* const raw = static_cast<question*>(cookie);
    auto const q = std::exchange(raw->self, nullptr);
    auto* const e = q->of;
    e->forget(q);
    auto a = error != 0 || r == nullptr ? failed(ub_strerror(error)) : from_result(*r);
    ub_resolve_free(r);
    if (a.status == dns_status::failed) e->failures_.add();
    q->answer(std::move(a));
}

void engine::ask(std::shared_ptr<question> const& q, std::string const& name, int type)
{
    asked_.add();
    q->of = this;
    bool room = false;
    {
        std::lock_guard const lock{mutex_};
        room = under_way_.size() < most_questions && !stopping_.load();
        if (room) {
            under_way_.insert(q);
            q->self = q;
        }
    }
    if (!room) return q->answer(failed("too many DNS questions under way"));
    int id = 0;
    int error = UB_INITFAIL;
    {
        std::shared_lock const lock{context_mutex_};
        // The final dot makes it absolute.
        if (context_ != nullptr) error = ub_resolve_async(context_, (name + ".").c_str(), type, class_in, q.get(), answered, &id);
    }
    if (error == 0) {
        std::lock_guard const lock{q->mutex};
        q->id = id;
        return;
    }
    q->self.reset();
    forget(q);
    failures_.add();
    q->answer(failed(ub_strerror(error)));
}

void engine::give_up(std::shared_ptr<question> const& q, std::string why)
{
    int id = 0;
    {
        std::lock_guard const lock{q->mutex};
        if (!q->done) return;
        id = q->id;
    }
    {
        std::shared_lock const lock{context_mutex_};
        // Zero: the callback will never run, the cookie is ours again. Anything else: it ran or is about to, and answers.
        if (id == 0 || context_ == nullptr || ub_cancel(context_, id) != 0) return;
    }
    q->self.reset();
    forget(q);
    failures_.add();
    q->answer(failed(std::move(why)));
}

std::string at_form(endpoint const& e) { return e.address.text() + "@" + std::to_string(e.port); }

result<void> engine::set(char const* option, std::string const& value, std::string const& what)
{
    auto const error = ub_ctx_set_option(context_, option, value.c_str());
    if (error == 0) return {};
    return fail(fault::kind::refused, "the resolver does not take " + what + " \"" + value + "\": " + ub_strerror(error));
}

result<void> engine::set_anchors(resolver_options const& o)
{
    constexpr char const* debian_anchor = "/usr/share/dns/root.key";
    bool const root = o.trust_anchor_file != "none";
    if (root) {
        auto const file = o.trust_anchor_file.empty() ? std::string{debian_anchor} : o.trust_anchor_file;
        if (::access(file.c_str(), R_OK) != 0)
            return fail(fault::kind::refused,
                        "cannot read the DNSSEC trust anchor " + file + ": install dns-root-data, name another file, or say \"none\" to do without validation");
        if (ub_ctx_add_ta_file(context_, file.c_str()) != 0) return fail(fault::kind::refused, "the resolver does not take the trust anchor " + file);
    }
    for (auto const& anchor : o.extra_trust_anchors)
        if (ub_ctx_add_ta(context_, anchor.c_str()) != 0) return fail(fault::kind::refused, "the resolver does not take the trust anchor \"" + anchor + "\"");
    if (root || !o.extra_trust_anchors.empty()) return {};
    return set("module-config:", "iterator", "module-config");
}

result<void> engine::set_servers(resolver_options const& o)
{
    bool loopback = false;
    for (auto const& f : o.forwarders) {
        loopback = loopback || f.address.is_loopback();
        if (ub_ctx_set_fwd(context_, at_form(f).c_str()) != 0) return fail(fault::kind::refused, "the resolver does not take the forwarder " + f.text());
    }
    for (auto const& text : o.stub_zones) {
        auto const at = text.find('@');
        auto const zone = askable_name(text.substr(0, at));
        auto const server = at == std::string::npos ? std::nullopt : endpoint::parse(text.substr(at + 1));
        if (!zone || !server) return fail(fault::kind::refused, "\"" + text + "\" is not a stub zone: write zone@address:port");
        loopback = loopback || server->address.is_loopback();
        if (ub_ctx_set_stub(context_, (*zone + ".").c_str(), at_form(*server).c_str(), 0) != 0)
            return fail(fault::kind::refused, "the resolver does not take the stub zone " + text);
        auto const covered = std::ranges::any_of(o.extra_trust_anchors, [&](std::string const& anchor) {
            auto const owner = askable_name(anchor.substr(0, anchor.find_first_of(" \t")));
            return owner && (*zone == *owner || zone->ends_with("." + *owner));
        });
        // The operator says where the zone is, the public root may know nothing of it: without an anchor of its own it cannot be validated.
        if (!covered)
            if (auto const r = set("domain-insecure:", *zone + ".", "stub zone"); !r) return r;
    }
    if (!loopback) return {};
    return set("do-not-query-localhost:", "no", "do-not-query-localhost");
}

/// libunbound answers some zones itself (test., home.arpa., private reverse zones): not those the operator has a server for. It has no working
/// option for that ("nodefault" is taken and ignored); removing a zone ends the time when options can be set.
result<void> engine::unlock_local_zones(resolver_options const& o)
{
    std::vector<std::string> zones;
    if (!o.forwarders.empty()) zones.emplace_back("test.");
    for (auto const& text : o.stub_zones) {
        auto const zone = *askable_name(text.substr(0, text.find('@')));
        for (std::size_t at = 0; at != std::string::npos; at = zone.find('.', at)) {
            if (at != 0) ++at;
            zones.push_back(zone.substr(at) + ".");
        }
    }
    for (auto const& zone : zones)
        if (auto const error = ub_ctx_zone_remove(context_, zone.c_str()); error != 0)
            return fail(fault::kind::refused,
                        "the resolver does not start: " + std::string{ub_strerror(error)} + "; check its trust anchors, forwarders and stub zones",
                        "zone " + zone);
    return {};
}

result<void> engine::configure(resolver_options const& o)
{
    ub_ctx_debugout(context_, nullptr);  // what matters comes back with the answers
    MANSIO_ASSERT(ub_ctx_async(context_, 1) == 0);
    // A mail server asks much at once: ports and questions beyond the library's small defaults, caches that stay small.
    constexpr std::array<std::array<char const*, 2>, 6> settings{{{"outgoing-range:", "2048"},
                                                                  {"num-queries-per-thread:", "2048"},
                                                                  {"outgoing-num-tcp:", "64"},
                                                                  {"msg-cache-size:", "8m"},
                                                                  {"rrset-cache-size:", "16m"},
                                                                  {"edns-buffer-size:", "1232"}}};
    for (auto const& [option, value] : settings)
        if (auto const r = set(option, value, option); !r) return r;
    if (auto const r = set_anchors(o); !r) return r;
    if (auto const r = set_servers(o); !r) return r;
    if (auto const r = unlock_local_zones(o); !r) return r;
    // Settings are only checked at the first question: ask one that needs no network.
    ub_result* r = nullptr;
    auto const error = ub_resolve(context_, "localhost.", type_a, class_in, &r);
    ub_resolve_free(r);
    if (error != 0)
        return fail(fault::kind::refused,
                    std::string{"the resolver does not start: "} + ub_strerror(error) + "; check its trust anchors, forwarders and stub zones");
    return {};
}

/// Several questions for one name at once; answers in the order of `types`.
struct all_answers {
    std::mutex mutex;
    std::vector<raw_answer> answers;
    std::size_t left;
    base::await_callback<bool>::done done;
    all_answers(std::size_t n, base::await_callback<bool>::done d) : answers(n), left(n), done(std::move(d)) {}
    void take(std::size_t i, raw_answer a)
    {
        {
            std::lock_guard const lock{mutex};
            answers[i] = std::move(a);
            if (--left != 0) return;
        }
        done(true);
    }
};

task<std::vector<raw_answer>> ask_all(std::shared_ptr<engine> e, std::string name, std::vector<int> types)
{
    auto& home = base::executor::current();
    std::vector<std::shared_ptr<question>> questions;
    questions.reserve(types.size());
    for (std::size_t i = 0; i < types.size(); ++i) questions.push_back(std::make_shared<question>());
    std::shared_ptr<all_answers> all;
    base::executor::timer_id timer = 0;
    base::await_callback<bool> wait{[&](base::await_callback<bool>::done done) {
        all = std::make_shared<all_answers>(types.size(), std::move(done));
        timer = home.call_after(e->wait(), [e, questions] {
            for (auto const& q : questions) e->give_up(q, "timeout");
        });
        for (std::size_t i = 0; i < types.size(); ++i) {
            questions[i]->done = [all, i](raw_answer a) { all->take(i, std::move(a)); };
            e->ask(questions[i], name, types[i]);
        }
    }};
    co_await wait;
    home.cancel(timer);
    co_return std::move(all->answers);
}

template <class Record, class Read> dns_answer<Record> typed(raw_answer&& raw, Read read)
{
    dns_answer<Record> a;
    a.status = raw.status;
    a.secure = raw.secure;
    a.why = std::move(raw.why);
    a.canonical_name = std::move(raw.canonical_name);
    for (auto const& rdata : raw.rdata)
        if (auto r = read(rdata)) a.records.push_back(std::move(*r));
    if (a.status == dns_status::found && a.records.empty()) {
        a.status = dns_status::failed;
        a.why = "no record of the answer can be used";
    }
    return a;
}

template <class Record> dns_answer<Record> not_a_name() { return dns_without<Record>(dns_status::no_such_name, "not a domain name"); }

dns_answer<ip_address> both_families(dns_answer<ip_address> v6, dns_answer<ip_address> v4)
{
    auto const failure = v6.status == dns_status::failed ? &v6 : v4.status == dns_status::failed ? &v4 : nullptr;
    if (v6.status != dns_status::found && v4.status != dns_status::found) {
        if (failure != nullptr) return std::move(*failure);
        return v6.status == dns_status::no_data ? std::move(v6) : std::move(v4);
    }
    auto all = v6.status == dns_status::found ? std::move(v6) : dns_answer<ip_address>{v4.status, v4.secure, {}, v4.canonical_name, {}};
    if (v4.status == dns_status::found) {
        all.secure = all.secure && v4.secure;
        all.records.insert(all.records.end(), v4.records.begin(), v4.records.end());
    }
    return all;
}

class unbound_resolver final : public resolver {
public:
    explicit unbound_resolver(std::shared_ptr<engine> e) : engine_(std::move(e)) {}
    ~unbound_resolver() override { engine_->stop(); }
    unbound_resolver(unbound_resolver const&) = delete;
    unbound_resolver& operator=(unbound_resolver const&) = delete;

    task<dns_answer<mx_record>> mx(std::string name) override { return one<mx_record>(engine_, std::move(name), type_mx, read_mx); }
    task<dns_answer<std::string>> txt(std::string name) override { return one<std::string>(engine_, std::move(name), type_txt, read_txt, name_of::anything); }
    task<dns_answer<std::string>> ptr(ip_address address) override { return one<std::string>(engine_, reverse_name(address), type_ptr, read_single_name); }
    task<dns_answer<tlsa_record>> tlsa(std::string name) override { return one<tlsa_record>(engine_, std::move(name), type_tlsa, read_tlsa); }
    task<dns_answer<std::string>> cname(std::string name) override { return one<std::string>(engine_, std::move(name), type_cname, read_single_name); }
    task<dns_answer<ip_address>> addresses(std::string name) override { return both(engine_, std::move(name)); }
    task<dns_answer<ip_address>> ipv4(std::string name) override { return one<ip_address>(engine_, std::move(name), type_a, read_address, name_of::anything); }
    task<dns_answer<ip_address>> ipv6(std::string name) override
    {
        return one<ip_address>(engine_, std::move(name), type_aaaa, read_address, name_of::anything);
    }

private:
    template <class Record> static task<dns_answer<Record>> one(std::shared_ptr<engine> e, std::string name, int type,
                                                                std::optional<Record> (*read)(std::string_view), name_of what = name_of::host)
    {
        auto const askable = askable_name(name, what);
        if (!askable) co_return not_a_name<Record>();
        std::vector<int> types{type};
        auto answers = co_await ask_all(std::move(e), *askable, std::move(types));
        co_return typed<Record>(std::move(answers.front()), read);
    }
    static task<dns_answer<ip_address>> both(std::shared_ptr<engine> e, std::string name)
    {
        auto const askable = askable_name(name);
        if (!askable) co_return not_a_name<ip_address>();
        std::vector<int> types{type_aaaa, type_a};
        auto answers = co_await ask_all(std::move(e), *askable, std::move(types));
        co_return both_families(typed<ip_address>(std::move(answers[0]), read_address), typed<ip_address>(std::move(answers[1]), read_address));
    }
    std::shared_ptr<engine> engine_;
};

}  // namespace

task<dns_answer<tlsa_record>> resolver::tlsa(std::string) { co_return dns_without<tlsa_record>(dns_status::failed, "TLSA records are not looked for"); }
task<dns_answer<std::string>> resolver::cname(std::string) { co_return dns_without<std::string>(dns_status::failed, "CNAME records are not looked for"); }

result<std::unique_ptr<resolver>> make_resolver(resolver_options o, base::limits const& l, base::metrics& m)
{
    auto e = std::make_shared<engine>(l, m);
    if (auto const configured = e->configure(o); !configured) return fail(configured);
    e->start();
    return std::make_unique<unbound_resolver>(std::move(e));
}

}  // namespace mansio::net
