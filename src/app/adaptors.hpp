// Joins parts that must not know each other (the include table): the queue's routes and IMAP's people over the directory.
#pragma once
#include "auth/directory.hpp"
#include "imap/services.hpp"
#include "queue/queue.hpp"

namespace mansio::app {

/// Where mail to an address goes, as the queue wants it: local accounts, or the address itself. A free function so that the queue can be made first.
[[nodiscard]] task<result<std::vector<queue::recipient>>> route_address(auth::directory& people, std::string address);

/// IMAP's people, out of the directory.
class directory_people final : public imap::people {
public:
    explicit directory_people(auth::directory& d) : directory_(d) {}
    [[nodiscard]] task<result<std::optional<person>>> with_address(std::string address) override;
    [[nodiscard]] task<result<std::optional<person>>> with_number(store::account_number n) override;

private:
    auth::directory& directory_;
};

}  // namespace mansio::app
