// Joins parts that must not know each other (the include table): the queue's routes over the directory.
#pragma once
#include "auth/directory.hpp"
#include "queue/queue.hpp"

namespace mansio::app {

/// Where mail to an address goes, as the queue wants it: local accounts, or the address itself. A free function so that the queue can be made first.
[[nodiscard]] task<result<std::vector<queue::recipient>>> route_address(auth::directory& people, std::string address);

}  // namespace mansio::app
