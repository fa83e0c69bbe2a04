#include "app/long_work.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <array>
#include <cstdio>
#include <filesystem>

#include "app/commands.hpp"
#include "app/config.hpp"
#include "base/bytes.hpp"
#include "transfer/json.hpp"

namespace mansio::app {

int give_up(bool as_json, fault const& f)
{
    auto const sentence = f.say.empty() ? std::string{base::name_of(f.what)} : f.say;
    if (as_json) fmt::print("{}\n", boost::json::serialize(boost::json::object{{"error", transfer::json_text(sentence)}}));
    fmt::print(stderr, "mansio: {}\n", base::printable(sentence, 1000));
    return f.what == fault::kind::closed ? cli::unreachable : cli::refused;
}

std::string transfer_socket(std::string const& socket, std::string const& config_file)
{
    auto const admin = socket.empty() ? admin_socket_of(config_file) : socket;
    return (std::filesystem::path{admin}.parent_path() / "transfer.sock").string();
}

result<std::string> data_of(std::string const& data, std::string const& config_file)
{
    if (!data.empty()) return data;
    auto const loaded = load_config(config_file.empty() ? std::string{default_config_file} : config_file);
    if (!loaded) return fail(fault::kind::refused, loaded.error().say);
    return loaded->data;
}

std::string octets_text(std::uint64_t n)
{
    constexpr std::array units{"KiB", "MiB", "GiB", "TiB"};
    if (n < 1024) return fmt::format("{} octets", n);
    auto size = static_cast<double>(n);
    std::size_t unit = 0;
    for (size /= 1024; size >= 1024 && unit + 1 < units.size(); ++unit) size /= 1024;
    return fmt::format("{:.1f} {}", size, units[unit]);
}

progress::progress(base::clock& c) : clock_(c), terminal_(::isatty(STDERR_FILENO) != 0) {}

progress::~progress()
{
    if (shown_) fmt::print(stderr, "\r\x1b[K");
}

void progress::show(std::uint64_t done, std::uint64_t of, std::uint64_t wrong, char const* wrong_word)
{
    if (!terminal_ || clock_.monotonic() < next_) return;
    next_ = clock_.monotonic() + std::chrono::milliseconds{100};
    constexpr std::uint64_t width = 30;
    auto const filled = of == 0 ? 0 : std::min(width, done * width / of);
    fmt::print(stderr, "\r[{:<{}}] {} of {} messages{}", std::string(filled, '#'), width, done, of,
               wrong == 0 ? "" : fmt::format(", {} {}", wrong, wrong_word));
    shown_ = true;
}

}  // namespace mansio::app
