#include "store/spool.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace mansio::store {
namespace {
constexpr std::size_t write_piece = 64U * 1024U;

std::unexpected<fault> system_failure(char const* what, int error)
{
    auto const full = error == ENOSPC || error == EDQUOT || error == EFBIG;  // trust.md D8: refuse new mail, go on with the rest
    return fail(full ? fault::kind::over_limit : fault::kind::broken, full ? "no space for the message now, try again later" : "internal error",
                std::string{what} + ": " + std::strerror(error));
}
}  // namespace

spool::spool(std::string directory, std::size_t memory_limit, base::memory_budget& budget)
    : directory_(std::move(directory)),
      memory_limit_(memory_limit),
      budget_(budget)
{}

result<int> spool::make_file() const
{
    int fd = ::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return system_failure("spool file", errno);
    // File systems without O_TMPFILE (NFS, some overlays): a name for a moment.
    auto name = directory_ + "/incoming-XXXXXX";
    fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return system_failure("spool file", errno);
    ::unlink(name.c_str());
    return fd;
}

spool::writer spool::open(line_ends ends, std::uint64_t expected)
{
    writer w{*this, ends};
    if (expected != 0 && expected <= memory_limit_) w.memory_.reserve(static_cast<std::size_t>(expected));
    return w;
}

spool::writer::writer(spool& from, line_ends ends) : from_(&from), ends_(ends) {}
spool::writer::writer(writer&& o) noexcept
    : from_(o.from_),
      held_(std::move(o.held_)),
      charged_(std::exchange(o.charged_, 0)),
      memory_(std::move(o.memory_)),
      size_(o.size_),
      file_(std::exchange(o.file_, -1)),
      ends_(o.ends_),
      after_cr_(o.after_cr_)
{}
spool::writer& spool::writer::operator=(writer&& o) noexcept
{
    if (this == &o) return *this;
    if (file_ >= 0) ::close(file_);
    from_ = o.from_;
    held_ = std::move(o.held_);
    charged_ = std::exchange(o.charged_, 0);
    memory_ = std::move(o.memory_);
    size_ = o.size_;
    file_ = std::exchange(o.file_, -1);
    ends_ = o.ends_;
    after_cr_ = o.after_cr_;
    return *this;
}
spool::writer::~writer()
{
    if (file_ >= 0) ::close(file_);
}

result<void> spool::writer::append(std::string_view octets)
{
    if (ends_ == line_ends::as_they_are) return put(octets);
    while (!octets.empty()) {
        if (std::exchange(after_cr_, false)) {  // a CR was the last of what came before
            if (octets.front() == '\n') octets.remove_prefix(1);
            if (auto done = put("\n"); !done) return done;
            continue;
        }
        auto const at = std::min(octets.find_first_of("\r\n"), octets.size());
        auto const crlf = at + 1 < octets.size() && octets[at] == '\r' && octets[at + 1] == '\n';
        auto const whole = crlf ? at + 2 : at;
        if (auto done = put(octets.substr(0, whole)); !done) return done;
        octets.remove_prefix(whole);
        if (crlf || octets.empty()) continue;
        if (auto done = put("\r"); !done) return done;  // what follows decides nothing but whether its LF is used up
        after_cr_ = true;
        if (octets.front() == '\r') octets.remove_prefix(1);
    }
    return {};
}

result<void> spool::writer::put(std::string_view octets)
{
    while (!octets.empty()) {
        if (file_ < 0 && memory_.size() + octets.size() > from_->memory_limit_) {
            if (auto moved = move_to_file(); !moved) return moved;
        }
        auto const piece = file_ < 0 ? octets : octets.substr(0, write_piece - std::min(write_piece, memory_.size()));
        if (file_ < 0) {
            auto const need = memory_.size() + piece.size();
            if (need > charged_) {
                auto const more = std::max<std::uint64_t>(need - charged_, 4096);
                auto const granted = charged_ == 0 ? static_cast<bool>(held_ = from_->budget_.take(more)) : held_.grow(more);
                if (!granted) return fail(fault::kind::over_limit, "the server is busy, try again later", "memory_in_flight");
                charged_ += more;
            }
        }
        memory_ += piece;
        size_ += piece.size();
        octets.remove_prefix(piece.size());
        if (file_ >= 0 && memory_.size() >= write_piece) {
            if (auto written = write_out(); !written) return written;
        }
    }
    return {};
}

result<void> spool::writer::move_to_file()
{
    auto const fd = from_->make_file();
    if (!fd) return fail(fd);
    file_ = *fd;
    if (auto written = write_out(); !written) return written;
    // From here on only one piece waits in memory.
    memory_ = {};
    held_ = {};
    held_ = from_->budget_.take(write_piece);
    charged_ = write_piece;
    if (!held_) return fail(fault::kind::over_limit, "the server is busy, try again later", "memory_in_flight");
    memory_.reserve(write_piece);
    return {};
}

result<void> spool::writer::write_out()
{
    std::string_view rest = memory_;
    while (!rest.empty()) {
        auto const n = ::write(file_, rest.data(), std::min(rest.size(), write_piece));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_failure("spool write", errno);
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
    memory_.clear();
    return {};
}

result<mime::octets> spool::writer::finish()
{
    if (std::exchange(after_cr_, false)) {
        if (auto done = put("\n"); !done) return fail(done);
    }
    if (file_ < 0) return mime::octets{std::move(memory_)};
    if (auto written = write_out(); !written) return fail(written);
    memory_ = {};
    return mime::octets::map(file_, static_cast<std::size_t>(size_));
}

}  // namespace mansio::store
