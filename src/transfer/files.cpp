#include "transfer/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/bytes.hpp"

namespace mansio::transfer::files {
namespace {

constexpr std::size_t piece = 65536;
constexpr mode_t private_directory = 0700, private_file = 0600;

std::unexpected<fault> trouble(std::string const& what, std::string const& path)
{
    return fail(fault::kind::refused, what + " " + base::printable(path, 400) + ": " + std::error_code(errno, std::system_category()).message());
}

}  // namespace

bool is_directory(std::string const& path)
{
    struct stat s{};
    return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}
bool is_link(std::string const& path)
{
    struct stat s{};
    return ::lstat(path.c_str(), &s) == 0 && S_ISLNK(s.st_mode);
}
bool exists(std::string const& path)
{
    struct stat s{};
    return ::stat(path.c_str(), &s) == 0;
}
std::optional<std::int64_t> changed(std::string const& path)
{
    struct stat s{};
    if (::stat(path.c_str(), &s) != 0) return std::nullopt;
    return s.st_mtim.tv_sec;
}

std::vector<std::string> list(std::string const& path)
{
    std::vector<std::string> out;
    auto* const d = ::opendir(path.c_str());
    if (d == nullptr) return out;
    while (auto const* const e = ::readdir(d)) {  // NOLINT(concurrency-mt-unsafe): its own stream
        std::string_view const name{e->d_name};
        if (name != "." && name != "..") out.emplace_back(name);
    }
    ::closedir(d);
    std::sort(out.begin(), out.end());
    return out;
}

std::optional<std::string> read_small(std::string const& path, std::size_t most)
{
    auto in = reader::open(path);
    if (!in) return std::nullopt;
    std::string out;
    while (true) {
        auto const some = in->next();
        if (!some || out.size() + some->size() > most) return std::nullopt;
        if (some->empty()) return out;
        out += *some;
    }
}

result<void> make_directory(std::string const& path)
{
    for (std::size_t end = 1; end != std::string::npos;) {
        end = path.find('/', end + 1);
        auto const level = path.substr(0, end);
        if (::mkdir(level.c_str(), private_directory) != 0 && errno != EEXIST) return trouble("cannot make", level);
    }
    return {};
}

result<void> rename(std::string const& from, std::string const& to)
{
    if (::rename(from.c_str(), to.c_str()) != 0) return trouble("cannot rename", from);
    return {};
}

result<void> remove(std::string const& path)
{
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return trouble("cannot remove", path);
    return {};
}

result<void> sync_directory(std::string const& path)
{
    int const fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return trouble("cannot read", path);
    auto const done = ::fsync(fd) == 0 ? result<void>{} : result<void>{trouble("cannot write", path)};
    ::close(fd);
    return done;
}

std::uint64_t size_of(std::string const& path)
{
    struct stat s{};
    return ::stat(path.c_str(), &s) == 0 ? static_cast<std::uint64_t>(s.st_size) : 0;
}

result<std::shared_ptr<void>> lock(std::string const& path)
{
    int const fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, private_file);
    if (fd < 0) return trouble("cannot write", path);
    std::shared_ptr<void> held{nullptr, [fd](void*) { ::close(fd); }};
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return fail(fault::kind::refused, base::printable(path, 400) + " is held: another backup or restore is under way");
    return held;
}

result<random_reader> random_reader::open(std::string const& path)
{
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return trouble("cannot read", path);
    return random_reader{fd};
}
random_reader::random_reader(random_reader&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
random_reader::~random_reader()
{
    if (fd_ >= 0) ::close(fd_);
}
result<std::string> random_reader::read(std::uint64_t offset, std::size_t n) const
{
    std::string out(n, '\0');
    for (std::size_t at = 0; at < n;) {
        auto const got = ::pread(fd_, out.data() + at, n - at, static_cast<off_t>(offset + at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return trouble("cannot read", "the file");
        if (got == 0) return fail(fault::kind::refused, "the file is cut short");
        at += static_cast<std::size_t>(got);
    }
    return out;
}

result<reader> reader::open(std::string const& path)
{
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return trouble("cannot read", path);
    struct stat s{};
    if (::fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {  // never wait on a pipe somebody left there
        ::close(fd);
        return fail(fault::kind::refused, base::printable(path, 400) + " is no plain file");
    }
    return reader{fd};
}
reader::reader(reader&& o) noexcept : fd_(std::exchange(o.fd_, -1)), buffer_(std::move(o.buffer_)) {}
reader::~reader()
{
    if (fd_ >= 0) ::close(fd_);
}
result<std::string_view> reader::next()
{
    buffer_.resize(piece);
    ssize_t n = 0;
    do n = ::read(fd_, buffer_.data(), buffer_.size());
    while (n < 0 && errno == EINTR);
    if (n < 0) return trouble("cannot read", "the file");
    return std::string_view{buffer_}.substr(0, static_cast<std::size_t>(n));
}
result<void> reader::seek(std::uint64_t offset)
{
    if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) return trouble("cannot read", "the file");
    return {};
}

result<writer> writer::open(std::string const& path, bool append)
{
    int const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (append ? O_APPEND : O_TRUNC), private_file);
    if (fd < 0) return trouble("cannot write", path);
    return writer{fd};
}
writer::writer(writer&& o) noexcept : fd_(std::exchange(o.fd_, -1)), held_(std::move(o.held_)), written_(o.written_) {}
writer::~writer()
{
    if (fd_ >= 0) ::close(fd_);
}
result<void> writer::flush()
{
    for (std::size_t at = 0; at < held_.size();) {
        auto const n = ::write(fd_, held_.data() + at, held_.size() - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return trouble("cannot write", "the file");
        at += static_cast<std::size_t>(n);
    }
    written_ += held_.size();
    held_.clear();
    return {};
}
result<void> writer::cut(std::uint64_t size)
{
    if (auto const out = flush(); !out) return out;
    if (size >= written_) return {};
    auto const at = static_cast<off_t>(size);
    if (::ftruncate(fd_, at) != 0 || ::lseek(fd_, at, SEEK_SET) != at) return trouble("cannot write", "the file");
    written_ = size;
    return {};
}
result<void> writer::put(std::string_view octets)
{
    held_ += octets;
    return held_.size() < piece ? result<void>{} : flush();
}
result<void> writer::finish(std::optional<std::int64_t> when)
{
    if (auto const out = flush(); !out) return out;
    if (when) {
        timespec const times[2]{{*when, 0}, {*when, 0}};
        if (::futimens(fd_, times) != 0) return trouble("cannot date", "the file");
    }
    if (::fdatasync(fd_) != 0) return trouble("cannot write", "the file");
    return {};
}

result<void> replace(std::string const& path, std::string_view octets)
{
    auto const beside = path + ".new";
    auto out = writer::open(beside);
    if (!out) return fail(out);
    if (auto const put = out->put(octets); !put) return put;
    if (auto const done = out->finish(); !done) return done;
    return rename(beside, path);
}

}  // namespace mansio::transfer::files
