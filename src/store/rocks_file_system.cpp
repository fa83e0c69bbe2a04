#include "store/rocks_file_system.hpp"

#include <algorithm>
#include <array>

#include "store/rocks_reads.hpp"

namespace mansio::store {
namespace {
using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class counting_file final : public rocksdb::FSWritableFileOwnerWrapper {
public:
    counting_file(std::unique_ptr<rocksdb::FSWritableFile> below, sync_counter& counter) : FSWritableFileOwnerWrapper(std::move(below)), counter_(counter) {}
    IOStatus Sync(IOOptions const& options, IODebugContext* dbg) override
    {
        counter_.add();
        return FSWritableFileOwnerWrapper::Sync(options, dbg);
    }
    IOStatus Fsync(IOOptions const& options, IODebugContext* dbg) override
    {
        counter_.add();
        return FSWritableFileOwnerWrapper::Fsync(options, dbg);
    }

private:
    sync_counter& counter_;
};

constexpr std::size_t fill_octets = std::size_t{1} << 20U;
constexpr std::size_t fill_for_appends_up_to = std::size_t{64} << 10U;  // larger ones are not worth writing twice
constexpr std::array<char, std::size_t{64} << 10U> zeros{};

/// A log whose next mebibyte is zeros already. After a crash they are its end, and are cut off (rocks_wal.hpp); close() cuts them too.
class log_file final : public rocksdb::FSWritableFile {
public:
    log_file(rocksdb::FileSystem& fs, std::string path, std::unique_ptr<rocksdb::FSRandomRWFile> below, sync_counter& counter)
        : fs_(fs),
          path_(std::move(path)),
          below_(std::move(below)),
          counter_(counter)
    {}
    using FSWritableFile::Append;
    IOStatus Append(rocksdb::Slice const& data, IOOptions const& options, IODebugContext* dbg) override
    {
        auto s = fill(data.size(), options, dbg);
        if (s.ok()) s = below_->Write(end_, data, options, dbg);
        if (s.ok()) end_ += data.size();
        filled_ = std::max(filled_, end_);
        return s;
    }
    IOStatus Flush(IOOptions const&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Sync(IOOptions const& options, IODebugContext* dbg) override
    {
        counter_.add();
        return below_->Sync(options, dbg);
    }
    IOStatus Fsync(IOOptions const& options, IODebugContext* dbg) override
    {
        counter_.add();
        return below_->Fsync(options, dbg);
    }
    IOStatus Close(IOOptions const& options, IODebugContext* dbg) override
    {
        auto const s = below_->Close(options, dbg);
        // Tidiness: zeros at the end do no harm, so a failure is none.
        if (s.ok() && filled_ > end_) static_cast<void>(fs_.Truncate(path_, end_, options, dbg));
        return s;
    }
    std::uint64_t GetFileSize(IOOptions const&, IODebugContext*) override { return end_; }
    bool IsSyncThreadSafe() const override { return true; }

private:
    IOStatus fill(std::size_t next, IOOptions const& options, IODebugContext* dbg)
    {
        if (end_ + next <= filled_ || next > fill_for_appends_up_to) return IOStatus::OK();
        auto const until = end_ + fill_octets;
        while (filled_ < until) {
            auto const s = below_->Write(filled_, {zeros.data(), zeros.size()}, options, dbg);
            if (s.IsNoSpace()) return IOStatus::OK();  // the append itself may still fit
            if (!s.ok()) return s;
            filled_ += zeros.size();
        }
        return IOStatus::OK();
    }
    rocksdb::FileSystem& fs_;
    std::string path_;
    std::unique_ptr<rocksdb::FSRandomRWFile> below_;
    sync_counter& counter_;
    std::uint64_t end_ = 0, filled_ = 0;
};

class counting_directory final : public rocksdb::FSDirectoryWrapper {
public:
    counting_directory(std::unique_ptr<rocksdb::FSDirectory> below, sync_counter& counter) : FSDirectoryWrapper(std::move(below)), counter_(counter) {}
    IOStatus Fsync(IOOptions const& options, IODebugContext* dbg) override
    {
        counter_.add();
        return FSDirectoryWrapper::Fsync(options, dbg);
    }
    IOStatus FsyncWithDirOptions(IOOptions const& options, IODebugContext* dbg, rocksdb::DirFsyncOptions const& how) override
    {
        counter_.add();
        return FSDirectoryWrapper::FsyncWithDirOptions(options, dbg, how);
    }

private:
    sync_counter& counter_;
};

class counting_file_system final : public rocksdb::FileSystemWrapper {
public:
    counting_file_system(std::shared_ptr<rocksdb::FileSystem> below, sync_counter& counter) : FileSystemWrapper(below), counter_(counter) {}
    char const* Name() const override { return "mansio_counting"; }
    IOStatus NewWritableFile(std::string const& name, FileOptions const& options, std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* dbg) override
    {
        auto s = FileSystemWrapper::NewWritableFile(name, options, file, dbg);
        return s.ok() && name.ends_with(".log") ? open_log(name, options, file, dbg) : counted(std::move(s), file);
    }
    IOStatus ReopenWritableFile(std::string const& name, FileOptions const& options, std::unique_ptr<rocksdb::FSWritableFile>* file,
                                IODebugContext* dbg) override
    {
        return counted(FileSystemWrapper::ReopenWritableFile(name, options, file, dbg), file);
    }
    IOStatus ReuseWritableFile(std::string const& name, std::string const& old, FileOptions const& options, std::unique_ptr<rocksdb::FSWritableFile>* file,
                               IODebugContext* dbg) override
    {
        return counted(FileSystemWrapper::ReuseWritableFile(name, old, options, file, dbg), file);
    }
    IOStatus NewRandomAccessFile(std::string const& name, FileOptions const& options, std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                 IODebugContext* dbg) override
    {
        return open_random_access(*target(), name, options, file, dbg);
    }
    IOStatus NewDirectory(std::string const& name, IOOptions const& options, std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* dbg) override
    {
        auto s = FileSystemWrapper::NewDirectory(name, options, directory, dbg);
        if (s.ok()) *directory = std::make_unique<counting_directory>(std::move(*directory), counter_);
        return s;
    }
    /// CURRENT names a manifest that was just made. RocksDB syncs the directory after the rename only: a disk that keeps the rename and not yet the
    /// new file's own name would be left with a database that cannot be opened.
    IOStatus RenameFile(std::string const& from, std::string const& to, IOOptions const& options, IODebugContext* dbg) override
    {
        if (to.ends_with("/CURRENT")) {
            counter_.add();
            if (auto s = sync_directory(*target(), to.substr(0, to.find_last_of('/'))); !s.ok()) return s;
        }
        return FileSystemWrapper::RenameFile(from, to, options, dbg);
    }

private:
    /// `file`: just made, empty.
    IOStatus open_log(std::string const& name, FileOptions const& options, std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* dbg)
    {
        auto s = (*file)->Close(options.io_options, dbg);
        file->reset();
        std::unique_ptr<rocksdb::FSRandomRWFile> below;
        if (s.ok()) s = target()->NewRandomRWFile(name, options, &below, dbg);
        if (s.ok()) *file = std::make_unique<log_file>(*target(), name, std::move(below), counter_);
        return s;
    }
    IOStatus counted(IOStatus s, std::unique_ptr<rocksdb::FSWritableFile>* file)
    {
        if (s.ok()) *file = std::make_unique<counting_file>(std::move(*file), counter_);
        return s;
    }
    sync_counter& counter_;
};
}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_counting_file_system(std::shared_ptr<rocksdb::FileSystem> below, sync_counter& counter)
{
    return std::make_shared<counting_file_system>(std::move(below), counter);
}

IOStatus read_whole(rocksdb::FileSystem& fs, std::string const& path, std::string& into)
{
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    auto s = fs.NewSequentialFile(path, {}, &file, nullptr);
    into.clear();
    char buffer[8192];
    while (s.ok()) {
        rocksdb::Slice got;
        s = file->Read(sizeof buffer, {}, &got, buffer, nullptr);
        if (s.ok() && got.empty()) break;
        into.append(got.data(), got.size());
    }
    return s;
}

IOStatus write_whole(rocksdb::FileSystem& fs, std::string const& path, std::string_view text)
{
    std::unique_ptr<rocksdb::FSWritableFile> file;
    auto s = fs.NewWritableFile(path, {}, &file, nullptr);
    if (s.ok()) s = file->Append(rocksdb::Slice{text.data(), text.size()}, {}, nullptr);
    if (s.ok()) s = file->Fsync({}, nullptr);
    if (s.ok()) s = file->Close({}, nullptr);
    return s;
}

IOStatus sync_directory(rocksdb::FileSystem& fs, std::string const& path)
{
    std::unique_ptr<rocksdb::FSDirectory> directory;
    auto s = fs.NewDirectory(path, {}, &directory, nullptr);
    if (s.ok()) s = directory->Fsync({}, nullptr);
    return s;
}

}  // namespace mansio::store
