// What imports, exports, backups and restores share: how they show that they go on, and how they end.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace mansio::app {

/// Says why on standard error, and with `as_json` on standard output too. The exit code.
[[nodiscard]] int give_up(bool as_json, fault const& f);
/// Where the running server takes mail in and gives it out: beside its admin socket.
[[nodiscard]] std::string transfer_socket(std::string const& socket, std::string const& config_file);
/// The data directory: the one named, else that of the configuration. Errors: refused.
[[nodiscard]] result<std::string> data_of(std::string const& data, std::string const& config_file);
/// "1.5 GiB"
[[nodiscard]] std::string octets_text(std::uint64_t n);

/// A bar on a terminal, at most ten times a second; nothing elsewhere.
class progress {
public:
    explicit progress(base::clock& c);
    ~progress();
    progress(progress const&) = delete;
    progress& operator=(progress const&) = delete;
    void show(std::uint64_t done, std::uint64_t of, std::uint64_t wrong, char const* wrong_word = "skipped");

private:
    base::clock& clock_;
    base::monotonic_time next_{};
    bool terminal_, shown_ = false;
};

}  // namespace mansio::app
