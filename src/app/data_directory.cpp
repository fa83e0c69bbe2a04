#include "app/data_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mansio::app {
namespace {
constexpr std::size_t key_octets = 32;

std::unexpected<fault> refuse(std::string sentence) { return fail(fault::kind::refused, std::move(sentence)); }

result<void> make_one(std::string const& path)
{
    if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return refuse(fmt::format("cannot make the directory {}: {}. Let the user Mansio runs as write there.", path, std::strerror(errno)));
}

result<std::string> read_key(std::string const& path)
{
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return refuse(fmt::format("cannot read the key {}: {}. Let the user Mansio runs as, and nobody else, read it.", path, std::strerror(errno)));
    std::string key(key_octets + 1, '\0');
    auto const got = ::read(fd, key.data(), key.size());
    ::close(fd);
    if (got != static_cast<ssize_t>(key_octets))
        return refuse(fmt::format("the key {} is damaged: it has not {} octets. Put back the one from your backup.", path, key_octets));
    key.resize(key_octets);
    return key;
}

bool write_all(int fd, std::string_view octets)
{
    while (!octets.empty()) {
        auto const n = ::write(fd, octets.data(), octets.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        octets.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}
}  // namespace

bool exists(std::string const& path)
{
    struct stat st{};
    return ::stat(path.c_str(), &st) == 0;
}

result<void> check_data_directory(data_directory const& d)
{
    struct stat st{};
    if (::stat(d.root.c_str(), &st) != 0) {
        if (errno == ENOENT)
            return refuse(fmt::format("the data directory {0} does not exist. Make it (install -d -m 700 {0}) or set `data` to another.", d.root));
        return refuse(fmt::format("cannot look into the data directory {}: {}.", d.root, std::strerror(errno)));
    }
    if (!S_ISDIR(st.st_mode)) return refuse(fmt::format("the data directory {} is a file. Set `data` to a directory.", d.root));
    if (::access(d.root.c_str(), R_OK | W_OK | X_OK) != 0)
        return refuse(fmt::format("the data directory {} is not writable: {}. Give it to the user Mansio runs as.", d.root, std::strerror(errno)));
    return {};
}

result<void> make_parts(data_directory const& d)
{
    for (auto const& path : {d.store(), d.keys(), d.spool(), d.run()}) {
        auto const made = make_one(path);
        if (!made) return made;
    }
    return {};
}

result<std::string> read_or_make_key(data_directory const& d, std::string const& name, bool store_exists, base::random& r)
{
    auto const path = d.keys() + "/" + name;
    if (exists(path)) return read_key(path);
    if (store_exists)
        return refuse(fmt::format("the key {} is missing, but there is a store. Put it back from your backup: without it no app password opens.", path));
    auto const made = make_parts(d);
    if (!made) return fail(made);
    auto key = r.octets(key_octets);
    auto const written = write_secret(d, name, key);
    if (!written) return fail(written);
    return key;
}

result<std::optional<std::string>> read_secret(data_directory const& d, std::string const& name)
{
    constexpr std::size_t largest = 64U * 1024U;
    auto const path = d.keys() + "/" + name;
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return std::nullopt;
    if (fd < 0) return refuse(fmt::format("cannot read {}: {}. Let the user Mansio runs as, and nobody else, read it.", path, std::strerror(errno)));
    std::string octets(largest + 1, '\0');
    std::size_t filled = 0;
    ssize_t got = 0;
    while (filled < octets.size() && (got = ::read(fd, octets.data() + filled, octets.size() - filled)) > 0) filled += static_cast<std::size_t>(got);
    ::close(fd);
    if (got < 0 || filled > largest) return refuse(fmt::format("{} cannot be read whole: it is damaged or too large.", path));
    octets.resize(filled);
    return octets;
}

result<void> write_secret(data_directory const& d, std::string const& name, std::string_view octets)
{
    auto const path = d.keys() + "/" + name, draft = path + ".new";
    int const fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, octets) && ::fsync(fd) == 0;
    int const wrong = errno;
    if (fd >= 0) ::close(fd);
    if (!good) return refuse(fmt::format("cannot write {}: {}.", path, std::strerror(wrong)));
    good = ::rename(draft.c_str(), path.c_str()) == 0;
    int const directory = good ? ::open(d.keys().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    good = directory >= 0 && ::fsync(directory) == 0;
    if (directory >= 0) ::close(directory);
    if (!good) return refuse(fmt::format("cannot write {}: {}.", path, std::strerror(errno)));
    return {};
}

}  // namespace mansio::app
