#include "store/rocks_reads.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace mansio::store {
namespace {
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

thread_local bool only_memory = false;

IOStatus not_in_memory() { return rocksdb::status_to_io_status(rocksdb::Status::Incomplete("not in memory")); }
IOStatus failed(std::string const& name) { return IOStatus::IOError(name, std::generic_category().message(errno)); }

/// preadv2 with RWF_NOWAIT answers EAGAIN where a read would wait (Linux 4.14; ext4, xfs, btrfs; others: EOPNOTSUPP).
class disk_file final : public rocksdb::FSRandomAccessFile {
public:
    disk_file(std::string name, int fd) : name_(std::move(name)), fd_(fd) {}
    ~disk_file() override { ::close(fd_); }
    disk_file(disk_file const&) = delete;
    disk_file& operator=(disk_file const&) = delete;

    IOStatus Read(std::uint64_t offset, std::size_t n, IOOptions const&, rocksdb::Slice* result, char* scratch, IODebugContext*) const override
    {
        *result = {};
        std::size_t got = 0;
        while (got < n) {
            iovec to{scratch + got, n - got};
            auto const r = ::preadv2(fd_, &to, 1, static_cast<off_t>(offset + got), only_memory ? RWF_NOWAIT : 0);
            if (r == 0) break;  // the end
            if (r > 0)
                got += static_cast<std::size_t>(r);
            else if (only_memory && errno != EINTR)
                return not_in_memory();  // the disk's own errors are told by the read that waits
            else if (errno != EINTR)
                return failed(name_);
        }
        *result = rocksdb::Slice{scratch, got};
        return IOStatus::OK();
    }
    IOStatus InvalidateCache(std::size_t, std::size_t) override { return IOStatus::OK(); }

private:
    std::string name_;
    int fd_;
};

class other_file final : public rocksdb::FSRandomAccessFileOwnerWrapper {
public:
    using FSRandomAccessFileOwnerWrapper::FSRandomAccessFileOwnerWrapper;
    IOStatus Read(std::uint64_t offset, std::size_t n, IOOptions const& options, rocksdb::Slice* result, char* scratch, IODebugContext* dbg) const override
    {
        return only_memory ? not_in_memory() : FSRandomAccessFileOwnerWrapper::Read(offset, n, options, result, scratch, dbg);
    }
    IOStatus MultiRead(rocksdb::FSReadRequest* which, std::size_t n, IOOptions const& options, IODebugContext* dbg) override
    {
        return only_memory ? not_in_memory() : FSRandomAccessFileOwnerWrapper::MultiRead(which, n, options, dbg);
    }
};
}  // namespace

memory_only::memory_only() noexcept : before_(std::exchange(only_memory, true)) {}
memory_only::~memory_only() { only_memory = before_; }

IOStatus open_random_access(rocksdb::FileSystem& below, std::string const& name, rocksdb::FileOptions const& options,
                            std::unique_ptr<rocksdb::FSRandomAccessFile>* file, IODebugContext* dbg)
{
    if (only_memory) return not_in_memory();
    if (&below != rocksdb::FileSystem::Default().get()) {
        auto s = below.NewRandomAccessFile(name, options, file, dbg);
        if (s.ok()) *file = std::make_unique<other_file>(std::move(*file));
        return s;
    }
    auto const fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? IOStatus::PathNotFound(name, std::generic_category().message(errno)) : failed(name);
    *file = std::make_unique<disk_file>(name, fd);
    return IOStatus::OK();
}

}  // namespace mansio::store
