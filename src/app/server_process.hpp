// The whole server in one object: reads a configuration, builds every part, hands each what it needs, ends them in order.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "admin/service.hpp"
#include "app/config.hpp"
#include "base/log.hpp"
#include "net/address.hpp"

namespace mansio::app {

inline constexpr char const* version_text = "0.1.0";

/// Lives in main()'s thread. make() → start() → wait() → stop().
class server_process {
public:
    /// Opens the store and builds the parts; nothing listens yet. Errors: refused with one sentence for the operator; then nothing on disk has changed.
    [[nodiscard]] static result<std::unique_ptr<server_process>> make(config c, base::log& log);
    ~server_process();
    server_process(server_process const&) = delete;
    server_process& operator=(server_process const&) = delete;
    /// Recovers, loads the queue, listens. Errors: refused (busy port …).
    [[nodiscard]] result<void> start();
    /// Returns when SIGTERM or SIGINT came. SIGHUP reloads.
    void wait();
    /// Drains: listeners close, conversations are told, attempts end, the store closes (trust.md D15).
    void stop();
    /// Face → address it listens at: "imaps" → 127.0.0.1:10993. Faces that do not listen are absent.
    [[nodiscard]] std::map<std::string, net::endpoint> const& faces() const noexcept;
    [[nodiscard]] std::string admin_socket() const;
    /// For making accounts before or after start(); calls run on shard 0.
    [[nodiscard]] admin::services const& services() const noexcept;
    [[nodiscard]] base::executor& first_shard() noexcept;

private:
    struct impl;
    explicit server_process(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::app
