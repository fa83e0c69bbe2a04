// When each app password was last used, written lazily and together. Private to auth.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "auth/directory_impl.hpp"

namespace mansio::auth {

/// Collects uses and writes them in one commit a few seconds later, each credential at most once in ten minutes.
/// What was not yet written when the process dies is lost: it is a hint for people, nothing depends on it.
/// Threads: note() and pending() any; flush() any.
class last_uses : public std::enable_shared_from_this<last_uses> {
public:
    explicit last_uses(directory::impl& d) : dir_(d) {}
    void note(account_number n, std::string const& id, std::string row_key, rows::last_use use);
    /// Not yet written.
    [[nodiscard]] std::optional<rows::last_use> pending(account_number n, std::string const& id) const;
    /// Writes what is pending.
    [[nodiscard]] static task<void> flush(std::shared_ptr<last_uses> self);
    /// note() does nothing from now on.
    void close();

private:
    using name = std::pair<account_number, std::string>;
    struct waiting {
        std::string row_key;  // of the app password: a revoked one is not written
        rows::last_use use;
    };
    task<result<void>> write(std::map<name, waiting> batch);
    void schedule();
    directory::impl& dir_;
    mutable std::mutex mutex_;
    std::map<name, waiting> pending_;
    std::map<name, std::int64_t> noted_;
    bool scheduled_ = false, closed_ = false;
};

}  // namespace mansio::auth
