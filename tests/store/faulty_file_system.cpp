#include "faulty_file_system.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <random>

namespace mansio::store::test {
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

/// A file or a directory: what reads see, what the disk surely has, and what is between the two.
struct faulty_file_system::node {
    bool directory = false;
    // file
    struct write {
        std::uint64_t offset = 0;
        std::string octets;
        std::optional<std::uint64_t> truncated;  ///< a truncation instead
    };
    std::string data, durable;
    std::vector<write> pending;
    bool sync_failed = false;
    // directory
    struct naming {
        std::string name, old;  ///< `old`: the name a rename took away
        node_ptr what;          ///< null: removed
    };
    std::map<std::string, node_ptr> entries, durable_entries;
    std::vector<naming> pending_names;
};

namespace {
IOStatus no_such(std::string const& path) { return IOStatus::NotFound(path, "no such file or directory"); }
IOStatus dark_disk() { return IOStatus::IOError("the power is off"); }

std::string after(faulty_file_system::node const& f, std::mt19937_64& random)
{
    enum { nothing, everything, whole_writes, sectors_512, sectors_4096, sizes_alone, one_prefix, kinds };
    auto const how = random() % kinds;
    auto disk = f.durable;
    auto const extend = [&](std::uint64_t end) {
        if (disk.size() < end) disk.resize(end, '\0');
    };
    std::size_t const kept = how == one_prefix && !f.pending.empty() ? random() % (f.pending.size() + 1) : f.pending.size();
    for (std::size_t i = 0; i < f.pending.size(); ++i) {
        auto const& w = f.pending[i];
        if (w.truncated) {
            if (how == everything || (how != nothing && random() % 2 == 0)) disk.resize(*w.truncated, '\0');
            continue;
        }
        bool const all = how == everything || (how == whole_writes && random() % 2 == 0) || (how == one_prefix && i < kept);
        if (how == sizes_alone || all) extend(w.offset + w.octets.size());
        if (all) disk.replace(w.offset, w.octets.size(), w.octets);
        if (how != sectors_512 && how != sectors_4096) continue;
        std::uint64_t const sector = how == sectors_512 ? 512 : 4096;
        for (auto at = w.offset; at < w.offset + w.octets.size();) {
            auto const end = std::min((at / sector + 1) * sector, w.offset + w.octets.size());
            if (random() % 2 == 0) {
                extend(end);
                disk.replace(at, end - at, w.octets, at - w.offset, end - at);
            }
            at = end;
        }
    }
    return disk;
}
}  // namespace

class memory_reader final : public rocksdb::FSSequentialFile, public rocksdb::FSRandomAccessFile {
public:
    memory_reader(faulty_file_system& fs, faulty_file_system::node_ptr file) : fs_(fs), file_(std::move(file)) {}
    IOStatus Read(std::size_t n, IOOptions const& o, rocksdb::Slice* result, char* scratch, IODebugContext* d) override
    {
        auto s = Read(at_, n, o, result, scratch, d);
        at_ += result->size();
        return s;
    }
    IOStatus Skip(std::uint64_t n) override
    {
        at_ += n;
        return IOStatus::OK();
    }
    IOStatus Read(std::uint64_t offset, std::size_t n, IOOptions const&, rocksdb::Slice* result, char* scratch, IODebugContext*) const override
    {
        std::lock_guard const lock{fs_.mutex_};
        auto const& data = file_->data;
        auto const got = offset >= data.size() ? 0 : std::min<std::size_t>(n, data.size() - offset);
        if (got != 0) std::copy_n(data.data() + offset, got, scratch);
        *result = rocksdb::Slice{scratch, got};
        return IOStatus::OK();
    }
    bool use_direct_io() const override { return false; }
    std::size_t GetRequiredBufferAlignment() const override { return 4096; }
    IOStatus InvalidateCache(std::size_t, std::size_t) override { return IOStatus::OK(); }
    rocksdb::Temperature GetTemperature() const override { return rocksdb::Temperature::kUnknown; }

private:
    faulty_file_system& fs_;
    faulty_file_system::node_ptr file_;
    std::uint64_t at_ = 0;
};

class memory_writer final : public rocksdb::FSWritableFile {
public:
    memory_writer(faulty_file_system& fs, faulty_file_system::node_ptr file) : fs_(fs), file_(std::move(file)) {}
    using FSWritableFile::Append;
    IOStatus Append(rocksdb::Slice const& data, IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        return fs_.write(*file_, file_->data.size(), {data.data(), data.size()});
    }
    IOStatus Truncate(std::uint64_t size, IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        return size == file_->data.size() ? IOStatus::OK() : fs_.truncate(*file_, size);
    }
    IOStatus Close(IOOptions const&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Flush(IOOptions const&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Sync(IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        return fs_.sync(*file_);
    }
    IOStatus Allocate(std::uint64_t, std::uint64_t length, IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        return fs_.used_ + length > fs_.capacity_ ? IOStatus::NoSpace("no space left on device") : IOStatus::OK();
    }
    std::uint64_t GetFileSize(IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        return file_->data.size();
    }
    bool IsSyncThreadSafe() const override { return true; }

private:
    faulty_file_system& fs_;
    faulty_file_system::node_ptr file_;
};

class memory_updater final : public rocksdb::FSRandomRWFile {
public:
    memory_updater(faulty_file_system& fs, faulty_file_system::node_ptr file) : fs_(fs), file_(std::move(file)), reader_(fs, file_) {}
    IOStatus Write(std::uint64_t offset, rocksdb::Slice const& data, IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        return fs_.write(*file_, offset, {data.data(), data.size()});
    }
    IOStatus Read(std::uint64_t offset, std::size_t n, IOOptions const& o, rocksdb::Slice* result, char* scratch, IODebugContext* d) const override
    {
        return reader_.Read(offset, n, o, result, scratch, d);
    }
    IOStatus Flush(IOOptions const&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Sync(IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        return fs_.sync(*file_);
    }
    IOStatus Close(IOOptions const&, IODebugContext*) override { return IOStatus::OK(); }

private:
    faulty_file_system& fs_;
    faulty_file_system::node_ptr file_;
    memory_reader reader_;
};

class memory_directory final : public rocksdb::FSDirectory {
public:
    memory_directory(faulty_file_system& fs, faulty_file_system::node_ptr directory) : fs_(fs), directory_(std::move(directory)) {}
    IOStatus Fsync(IOOptions const&, IODebugContext*) override
    {
        std::lock_guard const lock{fs_.mutex_};
        if (auto s = fs_.change(); !s.ok()) return s;
        directory_->durable_entries = directory_->entries;
        directory_->pending_names.clear();
        return IOStatus::OK();
    }
    IOStatus Close(IOOptions const&, IODebugContext*) override { return IOStatus::OK(); }

private:
    faulty_file_system& fs_;
    faulty_file_system::node_ptr directory_;
};

namespace {
class memory_lock final : public rocksdb::FileLock {
public:
    explicit memory_lock(std::string p) : path(std::move(p)) {}
    std::string path;
};
}  // namespace

faulty_file_system::faulty_file_system() : root_(std::make_shared<node>()) { root_->directory = true; }
faulty_file_system::~faulty_file_system() = default;

void faulty_file_system::cut_power_at(std::uint64_t n)
{
    std::lock_guard const lock{mutex_};
    cut_at_ = operations_ + n;
}
void faulty_file_system::cut_power_now()
{
    std::lock_guard const lock{mutex_};
    dark_ = true;
}
bool faulty_file_system::dark() const
{
    std::lock_guard const lock{mutex_};
    return dark_;
}
void faulty_file_system::fail_sync_at(std::uint64_t n)
{
    std::lock_guard const lock{mutex_};
    fail_sync_at_ = syncs_ + n;
}
void faulty_file_system::fail_append_at(std::uint64_t n)
{
    std::lock_guard const lock{mutex_};
    fail_append_at_ = appends_ + n;
}
void faulty_file_system::no_more_failures()
{
    std::lock_guard const lock{mutex_};
    fail_sync_at_ = fail_append_at_ = UINT64_MAX;
}
void faulty_file_system::set_capacity(std::uint64_t octets)
{
    std::lock_guard const lock{mutex_};
    capacity_ = octets;
}
std::uint64_t faulty_file_system::operations() const
{
    std::lock_guard const lock{mutex_};
    return operations_;
}
std::uint64_t faulty_file_system::syncs() const
{
    std::lock_guard const lock{mutex_};
    return syncs_;
}
bool faulty_file_system::synced_after_failure() const
{
    std::lock_guard const lock{mutex_};
    return synced_after_failure_;
}
void faulty_file_system::unlock_all()
{
    std::lock_guard const lock{mutex_};
    locked_.clear();
}

std::shared_ptr<faulty_file_system> faulty_file_system::after_power_cut(std::uint64_t seed) const
{
    std::lock_guard const lock{mutex_};
    std::mt19937_64 random{seed};
    auto next = std::make_shared<faulty_file_system>();
    next->capacity_ = capacity_;
    // From the root down; a directory in memory has few levels, and the tests own them all.
    std::function<void(node const&, node&)> const copy = [&](node const& from, node& to) {
        to.directory = from.directory;
        if (!from.directory) {
            to.data = to.durable = after(from, random);
            next->used_ += to.data.size();
            return;
        }
        auto names = from.durable_entries;
        auto const how = random() % 3;
        for (auto const& op : from.pending_names) {
            if (how == 0 || (how == 2 && random() % 2 == 0)) continue;
            if (!op.old.empty()) names.erase(op.old);
            if (op.what)
                names[op.name] = op.what;
            else
                names.erase(op.name);
        }
        for (auto const& [name, what] : names) {
            auto child = std::make_shared<node>();
            copy(*what, *child);
            to.entries.emplace(name, child);
        }
        to.durable_entries = to.entries;
    };
    copy(*root_, *next->root_);
    return next;
}

std::vector<std::string> faulty_file_system::files() const
{
    std::lock_guard const lock{mutex_};
    std::vector<std::string> out;
    std::vector<std::pair<std::string, node_ptr>> open{{"", root_}};
    while (!open.empty()) {
        auto const [path, at] = open.back();
        open.pop_back();
        if (!at->directory) {
            out.push_back(path);
            continue;
        }
        for (auto const& [name, child] : at->entries) open.emplace_back(std::string{path}.append("/").append(name), child);
    }
    std::ranges::sort(out);
    return out;
}
std::string faulty_file_system::contents(std::string const& path) const
{
    std::lock_guard const lock{mutex_};
    auto const file = find(path);
    return file ? file->data : std::string{};
}
void faulty_file_system::overwrite(std::string const& path, std::string contents)
{
    std::lock_guard const lock{mutex_};
    auto const file = find(path);
    if (!file) return;
    file->data = file->durable = std::move(contents);
    file->pending.clear();
}

faulty_file_system::node_ptr faulty_file_system::find(std::string const& path) const
{
    auto at = root_;
    std::size_t from = 0;
    while (at && from < path.size()) {
        auto const slash = std::min(path.find('/', from), path.size());
        if (slash != from) {
            auto const it = at->entries.find(path.substr(from, slash - from));
            at = it == at->entries.end() ? nullptr : it->second;
        }
        from = slash + 1;
    }
    return at;
}
faulty_file_system::place faulty_file_system::locate(std::string const& path) const
{
    auto const slash = path.find_last_of('/');
    return place{find(path.substr(0, slash)), path.substr(slash + 1)};
}

IOStatus faulty_file_system::change()
{
    if (!dark_ && ++operations_ >= cut_at_) dark_ = true;
    return dark_ ? dark_disk() : IOStatus::OK();
}

IOStatus faulty_file_system::write(node& file, std::uint64_t offset, std::string_view octets)
{
    if (auto s = change(); !s.ok()) return s;
    if (++appends_ == fail_append_at_) return IOStatus::IOError("input/output error");
    auto const grows = offset + octets.size() > file.data.size() ? offset + octets.size() - file.data.size() : 0;
    IOStatus s;
    if (used_ + grows > capacity_) {
        // As much as fits, as write(2) does.
        auto const lacks = used_ + grows - capacity_;
        octets = octets.substr(0, octets.size() - std::min<std::uint64_t>(lacks, octets.size()));
        s = IOStatus::NoSpace("no space left on device");
    }
    if (octets.empty()) return s;
    auto const end = offset + octets.size();
    if (end > file.data.size()) {
        used_ += end - file.data.size();
        file.data.resize(end, '\0');
    }
    file.data.replace(offset, octets.size(), octets);
    file.pending.push_back({offset, std::string{octets}, {}});
    return s;
}

IOStatus faulty_file_system::truncate(node& file, std::uint64_t size)
{
    if (auto s = change(); !s.ok()) return s;
    used_ = used_ - file.data.size() + size;
    file.data.resize(size, '\0');
    file.pending.push_back({0, {}, size});
    return IOStatus::OK();
}

IOStatus faulty_file_system::sync(node& file)
{
    if (auto s = change(); !s.ok()) return s;
    if (file.sync_failed) synced_after_failure_ = true;
    if (++syncs_ == fail_sync_at_) {
        file.pending.clear();  // the kernel marks the pages clean: they will never be written
        file.sync_failed = true;
        return IOStatus::IOError("input/output error in sync");
    }
    if (!file.pending.empty()) {
        if (file.sync_failed) {
            for (auto const& w : file.pending) {
                if (w.truncated) file.durable.resize(*w.truncated, '\0');
                if (file.durable.size() < w.offset + w.octets.size()) file.durable.resize(w.offset + w.octets.size(), '\0');
                file.durable.replace(w.offset, w.octets.size(), w.octets);
            }
        } else {
            file.durable = file.data;
        }
    }
    file.pending.clear();
    return IOStatus::OK();
}

IOStatus faulty_file_system::NewSequentialFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                               IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto found = find(path);
    if (!found || found->directory) return no_such(path);
    *file = std::make_unique<memory_reader>(*this, std::move(found));
    return IOStatus::OK();
}
IOStatus faulty_file_system::NewRandomAccessFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                                 IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto found = find(path);
    if (!found || found->directory) return no_such(path);
    *file = std::make_unique<memory_reader>(*this, std::move(found));
    return IOStatus::OK();
}

IOStatus faulty_file_system::open_writable(std::string const& path, bool keep, std::unique_ptr<rocksdb::FSWritableFile>* file)
{
    std::lock_guard const lock{mutex_};
    auto found = find(path);
    if (!found) {
        if (auto s = change(); !s.ok()) return s;
        auto const [parent, name] = locate(path);
        if (!parent) return no_such(path);
        found = std::make_shared<node>();
        parent->entries[name] = found;
        parent->pending_names.push_back({name, {}, found});
    } else if (!keep && !found->data.empty()) {
        if (auto s = truncate(*found, 0); !s.ok()) return s;
    }
    *file = std::make_unique<memory_writer>(*this, std::move(found));
    return IOStatus::OK();
}
IOStatus faulty_file_system::NewWritableFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSWritableFile>* file,
                                             IODebugContext*)
{
    return open_writable(path, false, file);
}
IOStatus faulty_file_system::ReopenWritableFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSWritableFile>* file,
                                                IODebugContext*)
{
    return open_writable(path, true, file);
}
IOStatus faulty_file_system::NewRandomRWFile(std::string const& path, rocksdb::FileOptions const&, std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                             IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto found = find(path);
    if (!found || found->directory) return no_such(path);
    *file = std::make_unique<memory_updater>(*this, std::move(found));
    return IOStatus::OK();
}
IOStatus faulty_file_system::Truncate(std::string const& path, std::size_t size, IOOptions const&, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto const found = find(path);
    if (!found || found->directory) return no_such(path);
    return truncate(*found, size);
}
IOStatus faulty_file_system::NewDirectory(std::string const& path, IOOptions const&, std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto found = find(path);
    if (!found || !found->directory) return no_such(path);
    *directory = std::make_unique<memory_directory>(*this, std::move(found));
    return IOStatus::OK();
}
IOStatus faulty_file_system::FileExists(std::string const& path, IOOptions const&, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    return find(path) ? IOStatus::OK() : no_such(path);
}
IOStatus faulty_file_system::GetChildren(std::string const& path, IOOptions const&, std::vector<std::string>* names, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    names->clear();
    auto const found = find(path);
    if (!found || !found->directory) return no_such(path);
    for (auto const& [name, child] : found->entries) names->push_back(name);
    return IOStatus::OK();
}
IOStatus faulty_file_system::DeleteFile(std::string const& path, IOOptions const&, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto const found = find(path);
    if (!found || found->directory) return no_such(path);
    if (auto s = change(); !s.ok()) return s;
    auto const [parent, name] = locate(path);
    used_ -= found->data.size();
    parent->entries.erase(name);
    parent->pending_names.push_back({name, {}, nullptr});
    return IOStatus::OK();
}

IOStatus faulty_file_system::make_directory(std::string const& path, bool may_exist)
{
    std::lock_guard const lock{mutex_};
    if (auto const found = find(path)) return may_exist && found->directory ? IOStatus::OK() : IOStatus::IOError(path, "exists");
    if (auto s = change(); !s.ok()) return s;
    auto const [parent, name] = locate(path);
    if (!parent) return no_such(path);
    auto made = std::make_shared<node>();
    made->directory = true;
    parent->entries[name] = made;
    parent->pending_names.push_back({name, {}, made});
    return IOStatus::OK();
}
IOStatus faulty_file_system::CreateDir(std::string const& path, IOOptions const&, IODebugContext*) { return make_directory(path, false); }
IOStatus faulty_file_system::CreateDirIfMissing(std::string const& path, IOOptions const&, IODebugContext*) { return make_directory(path, true); }
IOStatus faulty_file_system::DeleteDir(std::string const& path, IOOptions const&, IODebugContext*) { return IOStatus::NotSupported(path); }

IOStatus faulty_file_system::GetFileSize(std::string const& path, IOOptions const&, std::uint64_t* size, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto const found = find(path);
    if (!found) return no_such(path);
    *size = found->data.size();
    return IOStatus::OK();
}
IOStatus faulty_file_system::GetFileModificationTime(std::string const&, IOOptions const&, std::uint64_t* time, IODebugContext*)
{
    *time = 0;
    return IOStatus::OK();
}

IOStatus faulty_file_system::RenameFile(std::string const& from, std::string const& to, IOOptions const&, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto const found = find(from);
    if (!found) return no_such(from);
    if (auto s = change(); !s.ok()) return s;
    auto const [old_parent, old_name] = locate(from);
    auto const [parent, name] = locate(to);
    if (!parent || parent != old_parent) return IOStatus::NotSupported("renames between directories");
    if (auto const over = parent->entries.find(name); over != parent->entries.end()) used_ -= over->second->data.size();
    parent->entries.erase(old_name);
    parent->entries[name] = found;
    parent->pending_names.push_back({name, old_name, found});
    return IOStatus::OK();
}

IOStatus faulty_file_system::LockFile(std::string const& path, IOOptions const& o, rocksdb::FileLock** lock, IODebugContext* d)
{
    std::unique_ptr<rocksdb::FSWritableFile> file;
    if (auto s = ReopenWritableFile(path, {}, &file, d); !s.ok()) return s;
    static_cast<void>(o);
    std::lock_guard const held{mutex_};
    if (!locked_.insert(path).second) return IOStatus::IOError(path, "locked by somebody else");
    *lock = new memory_lock{path};
    return IOStatus::OK();
}
IOStatus faulty_file_system::UnlockFile(rocksdb::FileLock* lock, IOOptions const&, IODebugContext*)
{
    std::unique_ptr<memory_lock> const held{static_cast<memory_lock*>(lock)};
    std::lock_guard const guard{mutex_};
    locked_.erase(held->path);
    return IOStatus::OK();
}
IOStatus faulty_file_system::GetTestDirectory(IOOptions const&, std::string* path, IODebugContext*)
{
    *path = "/test";
    return IOStatus::OK();
}
IOStatus faulty_file_system::GetAbsolutePath(std::string const& path, IOOptions const&, std::string* out, IODebugContext*)
{
    *out = path;
    return IOStatus::OK();
}
IOStatus faulty_file_system::IsDirectory(std::string const& path, IOOptions const&, bool* is, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    auto const found = find(path);
    if (!found) return no_such(path);
    *is = found->directory;
    return IOStatus::OK();
}
IOStatus faulty_file_system::GetFreeSpace(std::string const&, IOOptions const&, std::uint64_t* octets, IODebugContext*)
{
    std::lock_guard const lock{mutex_};
    *octets = capacity_ > used_ ? capacity_ - used_ : 0;
    return IOStatus::OK();
}

}  // namespace mansio::store::test
