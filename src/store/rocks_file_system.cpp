#include "store/rocks_file_system.hpp"

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
        return counted(FileSystemWrapper::NewWritableFile(name, options, file, dbg), file);
    }
    IOStatus ReopenWritableFile(std::string const& name, FileOptions const& options, std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* dbg) override
    {
        return counted(FileSystemWrapper::ReopenWritableFile(name, options, file, dbg), file);
    }
    IOStatus ReuseWritableFile(std::string const& name, std::string const& old, FileOptions const& options, std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* dbg) override
    {
        return counted(FileSystemWrapper::ReuseWritableFile(name, old, options, file, dbg), file);
    }
    IOStatus NewDirectory(std::string const& name, IOOptions const& options, std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* dbg) override
    {
        auto s = FileSystemWrapper::NewDirectory(name, options, directory, dbg);
        if (s.ok()) *directory = std::make_unique<counting_directory>(std::move(*directory), counter_);
        return s;
    }

private:
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
