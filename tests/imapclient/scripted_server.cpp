#include "scripted_server.hpp"

#include <filesystem>

#include "base/bytes.hpp"

namespace mansio::imapclient::test {
namespace {

task<void> play(world* w, std::unique_ptr<net::stream> s, std::vector<step> steps, net::tls_server_context* tls)
{
    net::buffered_stream peer{std::move(s)};
    auto const far = w->clock.monotonic() + std::chrono::hours{24};
    for (auto const& one : steps) {
        std::string tag;
        while (!one.heard.empty()) {
            auto const line = co_await peer.read_line(1U << 20U, far);
            if (!line) {
                w->left_over = one.heard;
                co_return;
            }
            w->lines.push_back(line->text);
            if (line->text.find(one.heard) == std::string::npos) continue;
            tag = line->text.substr(0, line->text.find(' '));
            break;
        }
        auto say = one.say;
        for (auto at = say.find("$TAG"); at != std::string::npos; at = say.find("$TAG")) say.replace(at, 4, tag);
        auto const sent = co_await peer.send(say, far);
        if (!sent) co_return;
        auto const flushed = co_await peer.flush(far);
        if (!flushed) co_return;
        if (one.then == step::also::close) {
            co_await peer.raw().finish();
            co_return;
        }
        if (one.then == step::also::tls) {
            auto const shaken = co_await peer.start_tls_server(*tls, far);
            if (!shaken) co_return;
        }
    }
    // Then it listens and says nothing: the client's deadlines end the wait.
    while (true) {
        auto const line = co_await peer.read_line(1U << 20U, far);
        if (!line) co_return;
        w->lines.push_back(line->text);
    }
}

}  // namespace

struct world::contexts {
    std::filesystem::path directory;
    std::unique_ptr<net::tls_server_context> server;
    std::unique_ptr<net::tls_client_context> client;
    ~contexts() { std::filesystem::remove_all(directory); }
};

world::world() : tls_(std::make_unique<contexts>()), group_(std::make_unique<base::task_group>(loop))
{
    std::string pattern = (std::filesystem::temp_directory_path() / "mansio-imapclient-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    tls_->directory = pattern;
    if (!net::make_demo_certificates(pattern, {"imap.example"}, {})) throw std::runtime_error("no certificates");
    tls_->server = std::move(*net::tls_server_context::make({pattern + "/cert.pem", pattern + "/key.pem", net::tls_profile::strict, {}, {}}));
    tls_->client = std::move(*net::tls_client_context::make(pattern + "/ca.pem"));
}

world::~world() { loop.run(group_->join()); }

net::tls_client_context& world::client_tls() { return *tls_->client; }
net::tls_server_context& world::server_tls() { return *tls_->server; }

std::unique_ptr<net::stream> world::serve(std::vector<step> steps, std::size_t cut)
{
    net::memory_pair_options o;
    o.cut = cut;
    auto pair = net::make_memory_pair(loop, o);
    group_->spawn(play(this, std::move(pair.server), std::move(steps), &server_tls()));
    return std::move(pair.client);
}

result<std::unique_ptr<client>> world::open(std::vector<step> steps, security how, std::size_t cut)
{
    client_options o;
    o.how = how;
    o.server_name = "imap.example";
    o.tls = &client_tls();
    return run(client::open(serve(std::move(steps), cut), std::move(o), limits, clock));
}

}  // namespace mansio::imapclient::test
