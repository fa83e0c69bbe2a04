// The queue's way to accounts of this server.
#pragma once
#include "deliver/deliver.hpp"
#include "queue/queue.hpp"
#include "store/engine.hpp"
#include "store/spool.hpp"

namespace mansio::app {

/// Each recipient is delivered under the id "<queue id>/<index>": repeated after a crash, nothing happens twice (D3).
/// Threads: any executor. What it is handed outlives it.
class local_transport final : public queue::transport {
public:
    local_transport(deliver::local_delivery& d, store::engine& e, store::spool& s, base::worker_pool& pool, base::limits const& l);
    ~local_transport() override;
    task<std::vector<queue::outcome>> deliver(queue::envelope const& e, std::vector<std::size_t> which, queue::message_source& message) override;

private:
    [[nodiscard]] task<result<std::shared_ptr<mime::summary const>>> summarize(queue::envelope const& e);
    deliver::local_delivery& delivery_;
    store::engine& engine_;
    store::spool& spool_;
    base::worker_pool& pool_;
    base::limits const& limits_;
};

}  // namespace mansio::app
