// What stands in the data directory, and the keys in it.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/result.hpp"

namespace mansio::app {

/// store/ the engine's, keys/ secrets (0600), spool/ messages that are arriving, run/ the admin socket.
struct data_directory {
    std::string root;
    [[nodiscard]] std::string store() const { return root + "/store"; }
    [[nodiscard]] std::string keys() const { return root + "/keys"; }
    [[nodiscard]] std::string spool() const { return root + "/spool"; }
    [[nodiscard]] std::string run() const { return root + "/run"; }
    [[nodiscard]] std::string admin_socket() const { return run() + "/admin.sock"; }
    [[nodiscard]] std::string transfer_socket() const { return run() + "/transfer.sock"; }
};

/// Checks that the directory is there and ours to write, before anything in it is touched. Errors: refused, one sentence that says what to do.
[[nodiscard]] result<void> check_data_directory(data_directory const& d);
/// Makes the parts that are missing, mode 0700.
[[nodiscard]] result<void> make_parts(data_directory const& d);
/// Reads a secret of 32 octets, or makes it when neither it nor a store exists: with a store, a missing key is an error, because a new one would
/// open nothing that the old one closed.
[[nodiscard]] result<std::string> read_or_make_key(data_directory const& d, std::string const& name, bool store_exists, base::random& r);
/// A file of keys/. nullopt: there is none. Errors: refused, too large (64 KiB) included.
[[nodiscard]] result<std::optional<std::string>> read_secret(data_directory const& d, std::string const& name);
/// Written beside its place (mode 0600), synced, then renamed, then the directory synced: a crash leaves the old file or the new one, whole.
[[nodiscard]] result<void> write_secret(data_directory const& d, std::string const& name, std::string_view octets);
[[nodiscard]] bool exists(std::string const& path);

}  // namespace mansio::app
