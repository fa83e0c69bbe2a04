#include "rig.hpp"

#include <cstdlib>

#include "base/bytes.hpp"

namespace mansio::imap::test {

contexts& contexts::get()
{
    static contexts one = [] {
        contexts c;
        std::string name = (std::filesystem::temp_directory_path() / "mansio-tls-XXXXXX").string();
        std::string const dir = ::mkdtemp(name.data());
        auto const made = net::make_demo_certificates(dir, {"localhost"}, {"127.0.0.1"});
        MANSIO_ASSERT(made);
        net::tls_server_context::options o;
        o.certificate_file = dir + "/cert.pem";
        o.key_file = dir + "/key.pem";
        auto server = net::tls_server_context::make(o);
        MANSIO_ASSERT(server);
        c.server = std::move(*server);
        auto client = net::tls_client_context::make(dir + "/ca.pem");
        MANSIO_ASSERT(client);
        c.client = std::move(*client);
        std::filesystem::remove_all(dir);
        return c;
    }();
    return one;
}

task<result<std::optional<people::person>>> rig_people::with_address(std::string address)
{
    if (!address.contains('@')) co_return std::nullopt;
    auto const a = co_await directory_.find_account(std::move(address));
    if (!a || !*a) co_return std::nullopt;
    co_return person{(*a)->number, (*a)->address};
}

task<result<std::optional<people::person>>> rig_people::with_number(store::account_number n)
{
    auto const a = co_await directory_.account_by_number(n);
    if (!a) co_return fail(a);
    if (!*a) co_return std::nullopt;
    co_return person{(*a)->number, (*a)->address};
}

namespace {

/// One end of a connection that holds only so much: the server's end waits with writing while the client has `window` octets to read; the client's end
/// (`window` 0) counts what is read.
class narrow_stream final : public net::stream {
public:
    narrow_stream(std::unique_ptr<net::stream> inner, std::shared_ptr<std::size_t> unread, std::size_t window, base::executor& loop)
        : inner_(std::move(inner)),
          unread_(std::move(unread)),
          window_(window),
          loop_(loop)
    {}
    task<result<net::readiness>> wait_readable(base::monotonic_time deadline) override { return inner_->wait_readable(deadline); }
    task<result<std::size_t>> read_some(std::span<char> into, base::monotonic_time deadline) override
    {
        auto const got = co_await inner_->read_some(into, deadline);
        if (got && window_ == 0) *unread_ -= *got;
        co_return got;
    }
    result<std::optional<std::size_t>> try_read(std::span<char> into) override
    {
        auto const got = inner_->try_read(into);
        if (got && *got && window_ == 0) *unread_ -= **got;
        return got;
    }
    task<result<void>> write(std::string_view octets, base::monotonic_time deadline) override
    {
        while (window_ != 0 && octets.size() > window_ - *unread_) {
            auto const part = octets.substr(0, window_ - *unread_);
            auto const sent = co_await put(part, deadline);
            if (!sent) co_return sent;
            octets.remove_prefix(part.size());
            if (loop_.clock().monotonic() >= deadline) co_return fail(fault::kind::timeout, "timeout");
            co_await base::sleep_for{std::chrono::milliseconds{10}};
        }
        co_return co_await put(octets, deadline);
    }
    task<result<void>> start_tls_server(net::tls_server_context& c, base::monotonic_time d) override { return inner_->start_tls_server(c, d); }
    task<result<void>> start_tls_client(net::tls_client_context& c, net::tls_client_options o, base::monotonic_time d) override
    {
        return inner_->start_tls_client(c, std::move(o), d);
    }
    net::tls_facts const* tls() const noexcept override { return inner_->tls(); }
    net::endpoint const& peer() const noexcept override { return inner_->peer(); }
    net::endpoint const& here() const noexcept override { return inner_->here(); }
    bool local() const noexcept override { return inner_->local(); }
    void interrupt() noexcept override { inner_->interrupt(); }
    void abort() noexcept override { inner_->abort(); }
    task<void> finish() override { return inner_->finish(); }
    std::unique_ptr<net::detached_stream> release() override { return inner_->release(); }

private:
    task<result<void>> put(std::string_view octets, base::monotonic_time deadline)
    {
        if (window_ != 0) *unread_ += octets.size();
        co_return co_await inner_->write(octets, deadline);
    }
    std::unique_ptr<net::stream> inner_;
    std::shared_ptr<std::size_t> unread_;
    std::size_t window_;
    base::executor& loop_;
};

}  // namespace

rig::rig(rig_options o) : limits(o.limits), options_(std::move(o))
{
    std::string name = (std::filesystem::temp_directory_path() / "mansio-imap-XXXXXX").string();
    spool_directory_ = ::mkdtemp(name.data());
    engine = store::make_memory_engine(clock, random);
    accounts = std::make_unique<store::accounts>(
        *engine, [this](store::partition_id) -> base::executor& { return loop; }, limits, random, log, metrics, store::accounts::options{});
    people = std::make_unique<auth::directory>(*engine, loop, limits, random, log);
    door = std::make_unique<auth::sign_in>(*people, *engine, loop, std::string(32, 'p'), limits, random, log, metrics);
    spool = std::make_unique<store::spool>(spool_directory_.string(), limits.memory_per_message, budget);
    auth::domain d;
    d.name = "example.test";
    MANSIO_ASSERT(loop.run(people->add_domain(d)));
    for (std::string const who : {"alice", "bob", "carol"}) {
        auto const a = loop.run(people->add_account(who + "@example.test", "", 0, false));
        MANSIO_ASSERT(a);
        MANSIO_ASSERT(loop.run(accounts->create(a->number, 0)));
        MANSIO_ASSERT(loop.run(people->account_ready(a->number)));
        // Few and small: what a limit does is shown with her.
        if (who == "carol") MANSIO_ASSERT(loop.run(accounts->open(a->number, store::principal::server("test")).set_quota(100 * 1024, 3)));
        auto const secret = loop.run(door->add_app_password(a->number, "test", auth::all_mail_protocols, false, std::chrono::days{400}));
        MANSIO_ASSERT(secret);
        variables[who] = who + "@example.test";
        variables[who + "_secret"] = secret->secret;
        variables[who + "_id"] = secret->info.id;
        variables[who + "_number"] = std::to_string(a->number);
        variables[who + "_plain"] = base::to_base64(std::string{'\0'} + variables[who] + '\0' + secret->secret);
    }
    who_is = std::make_unique<rig_people>(*people);
    services srv{*accounts, *door, *spool,  options_.with_tls ? contexts::get().server.get() : nullptr,     nullptr,     limits, clock,
                 random,    log,   metrics, {options_.cleartext, "mail.example.test", "0.1", options_.off}, who_is.get()};
    server = std::make_unique<imap::server>(srv, [](base::executor&, std::unique_ptr<net::detached_stream>) { return std::unique_ptr<net::stream>{}; });
}

rig::~rig()
{
    loop.run(server->stop(clock.monotonic() + std::chrono::seconds{1}));
    loop.run(accounts->stop());
    loop.run(door->stop());
    loop.run_ready();
    std::filesystem::remove_all(spool_directory_);
}

std::unique_ptr<net::stream> rig::connect(std::string_view name)
{
    net::memory_pair_options o;
    o.cut = options_.cut;
    o.peer.address = name.starts_with("far") ? net::ip_address::v4({192, 0, 2, 7}) : net::ip_address::v4({127, 0, 0, 1});
    auto pair = net::make_memory_pair(loop, o);
    if (options_.window != SIZE_MAX) {
        auto const unread = std::make_shared<std::size_t>(0);
        pair.server = std::make_unique<narrow_stream>(std::move(pair.server), unread, options_.window, loop);
        pair.client = std::make_unique<narrow_stream>(std::move(pair.client), unread, 0, loop);
    }
    net::accepted a;
    a.connection = std::move(pair.server);
    server->serve(loop, std::move(a), name.starts_with("tls"));
    if (name.starts_with("tls"))
        MANSIO_ASSERT(loop.run(pair.client->start_tls_client(*contexts::get().client, {}, clock.monotonic() + std::chrono::seconds{5})));
    return std::move(pair.client);
}

mansio::test::dialog_setting rig::setting()
{
    return {loop, [this](std::string_view name) { return connect(name); }, variables, 0, contexts::get().client.get()};
}

void rig::talk(std::string_view dialog, std::size_t client_cut)
{
    auto s = setting();
    s.cut = client_cut;
    EXPECT_EQ(mansio::test::run_dialog(dialog, std::move(s)), "");
}

std::uint64_t rig::counter(std::string_view name) { return metrics.get_counter(name, "").value(); }

wire_client::wire_client(rig& r, std::string_view name) : rig_(r), stream_(r.connect(name)) {}
wire_client::~wire_client()
{
    stream_->abort();
    rig_.loop.run_ready();
}

void wire_client::only_say(std::string_view octets)
{
    static_cast<void>(rig_.loop.run(stream_->write(octets, base::monotonic_time::max())));
    rig_.loop.run_ready();
}

std::string wire_client::say(std::string_view octets)
{
    only_say(octets);
    return hear();
}

std::string wire_client::hear()
{
    rig_.loop.run_ready();
    std::string out;
    while (!ended_) {
        char piece[4096];
        auto const got = stream_->try_read(piece);
        if (!got || (*got && **got == 0)) ended_ = true;
        if (ended_ || !*got) break;
        out.append(piece, **got);
        rig_.loop.run_ready();
    }
    return out;
}

bool wire_client::closed()
{
    hear();
    return ended_;
}

}  // namespace mansio::imap::test
