// MTA-STS policies of other domains, kept over restarts (docs/formats/sts.md).
#pragma once
#include "mailauth/sts_policies.hpp"
#include "store/engine.hpp"

namespace mansio::app {

/// Rows of the partition {directory, 1}. Threads: any executor. Lifetime: the engine outlives it. A damaged row is as if it were not there, and logged.
class sts_store final : public mailauth::policy_store {
public:
    sts_store(store::engine& e, base::random& r, base::log& log) : engine_(e), random_(r), log_(log) {}
    task<result<std::optional<mailauth::stored_policy>>> load(std::string domain) override;
    task<result<void>> save(mailauth::stored_policy p) override;
    task<result<void>> remove(std::string domain) override;
    task<result<std::vector<mailauth::stored_policy>>> list(std::string after, std::size_t most) override;

private:
    [[nodiscard]] task<result<void>> write(std::string domain, std::optional<std::string> row);
    [[nodiscard]] std::optional<mailauth::stored_policy> read(std::string_view key, std::string_view row) const;
    store::engine& engine_;
    base::random& random_;
    base::log& log_;
};

}  // namespace mansio::app
