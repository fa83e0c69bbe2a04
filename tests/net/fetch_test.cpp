// Outgoing HTTPS against a server of our own streams: limits, redirects, the gate, certificates.
#include "net/fetch.hpp"

#include <cstdlib>

#include "net_fixture.hpp"
#include "support/support.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace mansio::net::test;

namespace {

constexpr std::string_view hi = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// A web server of one script: each connection is asked one question and answered with octets; "" never answers.
class web {
public:
    using script = std::function<std::string(std::string const& request)>;
    web(network& n, script s, bool tls = true) : net_(n), script_(std::move(s)), over_tls_(tls)
    {
        listen_options o;
        o.at = *endpoint::parse("127.0.0.1:0");
        auto opened = listener::open(n.run, std::move(o), table_, [this](shard&) {
            return accept_handler{[this](shard& here, accepted a) {
                ++open_;
                base::spawn_detached(here, serve(std::move(a)), [this] {
                    --open_;
                    open_.notify_all();
                });
            }};
        });
        EXPECT_TRUE(opened);
        face_ = std::move(*opened);
    }
    ~web()
    {
        face_->close();
        for (unsigned i = 0; i < net_.run.size(); ++i) on(net_.run.at(i), nothing());
        while (auto const left = open_.load()) open_.wait(left);
    }
    web(web const&) = delete;
    web& operator=(web const&) = delete;
    [[nodiscard]] std::string url(std::string const& host, std::string const& path = "/") const
    {
        return (over_tls_ ? "https://" : "http://") + host + ":" + std::to_string(face_->at().port) + path;
    }
    [[nodiscard]] std::vector<std::string> asked() const
    {
        std::lock_guard const lock{mutex_};
        return asked_;
    }
    tls_pair tls;

private:
    static task<void> nothing() { co_return; }

    static std::size_t body_length(std::string const& head)
    {
        auto const at = head.find("Content-Length: ");
        return at == std::string::npos ? 0 : static_cast<std::size_t>(std::strtoul(head.c_str() + at + 16, nullptr, 10));
    }

    static task<std::string> read_request(buffered_stream& io)
    {
        std::string request;
        std::size_t end = std::string::npos;
        while (end == std::string::npos || request.size() < end + 4 + body_length(request)) {
            auto const chunk = co_await io.read_chunk(16'384, in(20s));
            if (!chunk || chunk->empty()) break;
            request += *chunk;
            end = request.find("\r\n\r\n");
        }
        co_return request;
    }

    task<void> serve(accepted a)
    {
        buffered_stream io{std::move(a.connection)};
        if (over_tls_) {
            auto const shaken = co_await io.start_tls_server(*tls.server, in(20s));
            if (!shaken) {
                co_await io.raw().finish();
                co_return;
            }
        }
        auto const request = co_await read_request(io);
        auto const reply = answer(request);
        if (reply.empty()) {
            auto const gone = co_await io.read_chunk(1, in(20s));  // until the other side gives up
            EXPECT_TRUE(!gone || gone->empty());
        } else {
            io.put(reply);
            auto const sent = co_await io.flush(in(20s));
            (void)sent;  // a client that saw enough may have gone
        }
        co_await io.raw().finish();
    }
    std::string answer(std::string const& request)
    {
        if (request.empty()) return std::string{hi};  // it left after the handshake: what it saw was not to its liking
        std::lock_guard const lock{mutex_};
        asked_.push_back(request);
        return script_(request);
    }

    network& net_;
    script script_;
    bool over_tls_;
    base::limits limits_;
    connection_table table_{limits_, base::system_clock(), net_.metrics};
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;  // guarded
    std::atomic<int> open_{0};
    std::unique_ptr<listener> face_;
};

web::script always(std::string_view reply)
{
    return [reply = std::string{reply}](std::string const&) { return reply; };
}

/// A fetcher that trusts one web server's authority, may dial loopback, and knows mx.example.test.
struct fetching : network {
    scripted_resolver dns;
    std::unique_ptr<fetcher> out;

    fetching() { knows("mx.example.test", {"127.0.0.1"}); }
    void knows(std::string const& name, std::vector<std::string> const& addresses)
    {
        std::vector<ip_address> all;
        all.reserve(addresses.size());
        for (auto const& a : addresses) all.push_back(*ip_address::parse(a));
        dns.set_addresses(name, dns_found(std::move(all)));
    }
    void trust(web const& w, egress_gate const& gate) { out = make_fetcher(dns, gate, log, metrics, {.ca_file = w.tls.directory.path / "ca.pem"}); }
    void trust(web const& w) { trust(w, loopback); }
    result<fetch_response> get(fetch_request r) { return on(run.at(0), out->fetch(std::move(r))); }
    result<fetch_response> get(std::string const& url)
    {
        fetch_request r;
        r.url = url;
        return get(r);
    }
};
struct fetch_test : ::testing::Test, fetching {};

std::string fault_text(result<fetch_response> const& r)
{
    return r ? "status " + std::to_string(r->status) : base::name_of(r.error().what) + (": " + r.error().say);
}

}  // namespace

TEST_F(fetch_test, asks_and_is_answered)
{
    web w{*this, always("HTTP/1.1 201 Created\r\nReplay-Nonce:  abc \r\nContent-Length: 2\r\n\r\nhi")};
    trust(w);
    fetch_request r;
    r.method = "POST";
    r.url = w.url("MX.example.test.", "/a?b#c");
    r.fields = {{"Content-Type", "application/jose+json"}};
    r.body = std::string{"{\0}", 3};
    auto const got = get(r);
    ASSERT_TRUE(got) << describe(got.error());
    EXPECT_EQ(got->status, 201U);
    EXPECT_EQ(got->body, "hi");
    EXPECT_EQ(got->field("replay-nonce"), "abc");
    EXPECT_EQ(got->url, w.url("mx.example.test", "/a?b"));
    auto const asked = w.asked().at(0);
    EXPECT_TRUE(asked.starts_with("POST /a?b HTTP/1.1\r\n")) << asked;
    EXPECT_NE(asked.find("User-Agent: mansio\r\n"), std::string::npos) << asked;
    EXPECT_NE(asked.find("Content-Type: application/jose+json\r\n"), std::string::npos) << asked;
    EXPECT_EQ(asked.find("Accept-Encoding"), std::string::npos) << asked;
    EXPECT_TRUE(asked.ends_with(std::string_view{"\r\n\r\n{\0}", 7})) << asked;
}

TEST_F(fetch_test, asks_only_what_it_may)
{
    web w{*this, always(hi)};
    trust(w);
    for (auto const* url : {"http://mx.example.test/", "ftp://mx.example.test/", "file:///etc/passwd", "https://user:secret@mx.example.test/", "https:///", "",
                            "https://[fe80::1%25eth0]/", "mx.example.test", "https://mx.example.test:0/", "https://mx.example.test:99999/"})
        EXPECT_EQ(fault_text(get(url)), "refused: the URL cannot be used") << url;
    EXPECT_EQ(fault_text(get("https://unknown.example.test/")), "not_found: no such host");
    dns.set_addresses("dead.example.test", dns_without<ip_address>(dns_status::failed, "SERVFAIL"));
    EXPECT_EQ(fault_text(get("https://dead.example.test/")), "try_later: the name cannot be resolved now");
    EXPECT_TRUE(w.asked().empty());
}

// trust.md R7: one gate for whatever is fetched, asked with the address, however it is written.
TEST(catalogue, R7_fetches_no_private_address)
{
    fetching f;
    web w{f, always(hi)};
    egress_gate const nothing_private{{}};
    f.trust(w, nothing_private);
    f.knows("mixed.example.test", {"127.0.0.1", "::1", "10.0.0.1", "169.254.169.254"});
    for (auto const* host :
         {"mx.example.test", "mixed.example.test", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0"})
        EXPECT_EQ(fault_text(f.get(w.url(host))), "refused: the address may not be connected to") << host;
    EXPECT_TRUE(w.asked().empty());
}

TEST(catalogue, R7_a_redirect_passes_the_gate_again)
{
    fetching f;
    web inside{f, always(hi)};
    web w{f, always("HTTP/1.1 302 Found\r\nLocation: " + inside.url("inside.example.test") + "\r\nContent-Length: 0\r\n\r\n")};
    egress_gate const one_address{{*cidr::parse("127.0.0.1/32")}};
    f.trust(w, one_address);
    f.knows("inside.example.test", {"127.0.0.2"});
    fetch_request r;
    r.url = w.url("mx.example.test");
    r.redirects = 3;
    EXPECT_EQ(fault_text(f.get(r)), "refused: the address may not be connected to");
    EXPECT_TRUE(inside.asked().empty());
}

// The environment's proxies would dial for us, behind the gate's back.
TEST_F(fetch_test, uses_no_proxy_of_the_environment)
{
    web w{*this, always(hi)};
    trust(w);
    for (auto const* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) ::setenv(name, "http://127.0.0.1:9", 1);
    auto const got = get(w.url("mx.example.test"));
    for (auto const* name : {"https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"}) ::unsetenv(name);
    EXPECT_EQ(fault_text(got), "status 200");
}

TEST_F(fetch_test, tries_the_next_address)
{
    web w{*this, always(hi)};
    trust(w);
    knows("mx.example.test", {"::1", "127.0.0.2", "127.0.0.3", "127.0.0.1"});
    EXPECT_EQ(fault_text(get(w.url("mx.example.test"))), "status 200");
    knows("mx.example.test", {"::1", "::1", "::1", "::1", "::1", "127.0.0.1"});
    EXPECT_EQ(fault_text(get(w.url("mx.example.test"))), "status 200") << "IPv6 must not crowd IPv4 out";
    knows("mx.example.test", {"::1"});
    EXPECT_EQ(fault_text(get(w.url("mx.example.test"))), "try_later: the server cannot be reached");
}

TEST_F(fetch_test, wants_a_trusted_certificate_for_the_name)
{
    web w{*this, always(hi)};
    web stranger{*this, always(hi)};
    trust(w);
    knows("other.example.test", {"127.0.0.1"});
    EXPECT_EQ(fault_text(get(w.url("mx.example.test"))), "status 200");
    auto const wrong = "refused: " + std::string{certificate_not_trusted};
    EXPECT_EQ(fault_text(get(w.url("other.example.test"))), wrong);
    EXPECT_EQ(fault_text(get(stranger.url("mx.example.test"))), wrong);
    out = make_fetcher(dns, loopback, log, metrics, {});  // the system's authorities know neither
    EXPECT_EQ(fault_text(get(w.url("mx.example.test"))), wrong);
    out = make_fetcher(dns, loopback, log, metrics, {.ca_file = "/nonexistent/ca.pem"});
    EXPECT_EQ(fault_text(get(w.url("mx.example.test"))), "broken: the file of trusted certificates cannot be read");
    EXPECT_EQ(w.asked().size(), 1U);
    EXPECT_TRUE(stranger.asked().empty());
}

TEST_F(fetch_test, reads_no_more_than_it_wants)
{
    std::string reply;
    web w{*this, [&](std::string const&) { return reply; }};
    trust(w);
    fetch_request r;
    r.url = w.url("mx.example.test");
    r.most_body = 1000;
    r.most_header = 300;
    auto const header = [](std::size_t n, std::string const& more) { return "HTTP/1.1 200 OK\r\n" + more + "X: " + std::string(n, 'x') + "\r\n\r\n"; };
    struct {
        std::string reply, want;
    } const cases[] = {
        {header(1, "Content-Length: 1000\r\n") + std::string(1000, 'b'), "status 200"},
        {header(1, "Content-Length: 1001\r\n") + std::string(1001, 'b'), "over_limit: the answer is too large"},
        {header(1, "Connection: close\r\n") + std::string(1001, 'b'), "over_limit: the answer is too large"},
        {header(1, "Transfer-Encoding: chunked\r\n") + "3e8\r\n" + std::string(1000, 'b') + "\r\n0\r\n\r\n", "status 200"},
        {header(1, "Transfer-Encoding: chunked\r\n") + "3e9\r\n" + std::string(1001, 'b') + "\r\n0\r\n\r\n", "over_limit: the answer is too large"},
        {header(200, "Content-Length: 0\r\n"), "status 200"},
        {header(300, "Content-Length: 0\r\n"), "over_limit: the answer is too large"},
        {header(1, "Content-Length: 10\r\n") + "short", "try_later: the connection failed"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "syntax: the server does not speak HTTP"},
    };
    for (auto const& c : cases) {
        reply = c.reply;
        EXPECT_EQ(fault_text(get(r)), c.want) << c.reply.substr(0, 60);
    }
}

TEST_F(fetch_test, undoes_no_content_coding)
{
    web w{*this, always("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08!")};
    trust(w);
    auto const got = get(w.url("mx.example.test"));
    ASSERT_TRUE(got) << describe(got.error());
    EXPECT_EQ(got->body, "\x1f\x8b\x08!");
}

TEST_F(fetch_test, waits_no_longer_than_told)
{
    web w{*this, always("")};
    trust(w);
    fetch_request r;
    r.url = w.url("mx.example.test");
    r.total = 200ms;
    EXPECT_EQ(fault_text(get(r)), "timeout: the server did not answer in time");
}

TEST_F(fetch_test, follows_as_many_redirects_as_told)
{
    std::string next;
    web w{*this, [&](std::string const& request) {
              return request.starts_with("GET /end ") ? std::string{hi} : "HTTP/1.1 301 Moved\r\nLocation: " + next + "\r\nContent-Length: 0\r\n\r\n";
          }};
    trust(w);
    knows("127-0-0-1.example.test", {"127.0.0.1"});
    fetch_request r;
    r.url = w.url("mx.example.test", "/start");
    next = "/end";
    EXPECT_EQ(fault_text(get(r)), "status 301");
    r.redirects = 1;
    auto const got = get(r);
    ASSERT_TRUE(got) << describe(got.error());
    EXPECT_EQ(got->url, w.url("mx.example.test", "/end"));
    next = "/again";
    EXPECT_EQ(fault_text(get(r)), "status 301");
    EXPECT_EQ(w.asked().size(), 5U);  // 1, 2 and 2 again
    next = "http://mx.example.test/end";
    r.cleartext = true;
    EXPECT_EQ(fault_text(get(r)), "refused: the URL cannot be used") << "from https to http";
    next = "/end";
    r.method = "POST";
    EXPECT_EQ(fault_text(get(r)), "status 301") << "nothing is posted twice";
}

TEST_F(fetch_test, own_fields_are_for_one_origin_alone)
{
    web other{*this, always(hi)};
    web w{*this, always("HTTP/1.1 302 Found\r\nLocation: " + other.url("mx.example.test") + "\r\nContent-Length: 0\r\n\r\n")};
    std::filesystem::copy_file(w.tls.directory.path / "cert.pem", other.tls.directory.path / "cert.pem", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy_file(w.tls.directory.path / "key.pem", other.tls.directory.path / "key.pem", std::filesystem::copy_options::overwrite_existing);
    ASSERT_TRUE(other.tls.server->reload());
    trust(w);
    fetch_request r;
    r.url = w.url("mx.example.test");
    r.redirects = 1;
    r.fields = {{"Authorization", "Bearer x"}};
    EXPECT_EQ(fault_text(get(r)), "status 200");
    EXPECT_NE(w.asked().at(0).find("Authorization: Bearer x"), std::string::npos);
    EXPECT_EQ(other.asked().at(0).find("Authorization"), std::string::npos);
}

TEST_F(fetch_test, clear_text_only_when_told)
{
    web w{*this, always(hi), false};
    trust(w);
    fetch_request r;
    r.url = w.url("127.0.0.1");
    EXPECT_EQ(fault_text(get(r)), "refused: the URL cannot be used");
    r.cleartext = true;
    EXPECT_EQ(fault_text(get(r)), "status 200");
}

TEST_F(fetch_test, bounds_what_is_under_way_and_answers_all_when_it_stops)
{
    web w{*this, always("")};
    out = make_fetcher(dns, loopback, log, metrics, {.ca_file = w.tls.directory.path / "ca.pem", .most_under_way = 2});
    fetch_request r;
    r.url = w.url("mx.example.test");
    std::array<std::promise<result<fetch_response>>, 2> waiting;
    for (auto& p : waiting) base::spawn_detached(run.at(0), deliver(out->fetch(r), p));
    // The third is on the same shard, after the two took their places.
    EXPECT_EQ(fault_text(get(r)), "over_limit: the server is busy, try again later");
    out->stop();
    for (auto& p : waiting) EXPECT_EQ(fault_text(p.get_future().get()), "closed: the server is shutting down");
    EXPECT_EQ(fault_text(get(r)), "closed: the server is shutting down");
}

TEST(scripted_fetcher_test, answers_what_was_set_then_the_script)
{
    base::manual_clock clock;
    base::manual_executor loop{clock};
    scripted_fetcher f{[](fetch_request const& r) -> result<fetch_response> {
        fetch_response a;
        a.status = 200;
        a.body = r.method;
        return a;
    }};
    f.set("https://a.test/", fail(fault::kind::timeout, "late"));
    fetch_request r;
    r.url = "https://a.test/";
    EXPECT_EQ(fault_text(loop.run(f.fetch(r))), "timeout: late");
    r.url = "https://b.test/";
    EXPECT_EQ(loop.run(f.fetch(r))->body, "GET");
    EXPECT_EQ(f.asked().size(), 2U);
    scripted_fetcher empty;
    EXPECT_EQ(fault_text(loop.run(empty.fetch(r))), "not_found: no such host");
}
