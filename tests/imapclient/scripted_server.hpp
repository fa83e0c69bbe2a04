// A server that says what a test wrote, at the other end of the pair in memory.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "imapclient/client.hpp"
#include "net/stream.hpp"

namespace mansio::imapclient::test {

/// One step: wait until the client has said a line with `heard` in it (empty: nothing to wait for), then say `say`.
/// In `say` the word $TAG stands for the tag of that line. `then`: what else to do.
struct step {
    enum class also : std::uint8_t { nothing, tls, close };
    std::string heard, say;
    also then = also::nothing;
};

struct world {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    bounds limits;
    std::vector<std::string> lines;   ///< all that the client said
    std::string left_over;            ///< what it was still waited for, when it left

    world();
    ~world();
    world(world const&) = delete;
    world& operator=(world const&) = delete;
    /// The client's end; the server plays `steps` at the other. `cut`: how the network cuts what it says.
    [[nodiscard]] std::unique_ptr<net::stream> serve(std::vector<step> steps, std::size_t cut = 1U << 20U);
    [[nodiscard]] result<std::unique_ptr<client>> open(std::vector<step> steps, security how = security::none, std::size_t cut = 1U << 20U);
    template <class T> T run(task<T> t) { return loop.run(std::move(t)); }

    net::tls_server_context& server_tls();
    net::tls_client_context& client_tls();

private:
    struct contexts;
    std::unique_ptr<contexts> tls_;
    std::vector<net::stream*> open_;
    std::unique_ptr<base::task_group> group_;
};

}  // namespace mansio::imapclient::test
