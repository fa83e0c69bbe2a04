#include "store/blob_files.hpp"

#include <algorithm>

#include "store/rocks_file_system.hpp"
#include "store/rocks_rows.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t kept_open = 16;
constexpr std::size_t write_back_octets = std::size_t{8} << 20U;

std::unexpected<fault> no_space(rocksdb::IOStatus const& s)
{
    return fail(fault::kind::over_limit, "no space left for the message, try again later", s.ToString());
}

rocksdb::IOStatus read_exactly(rocksdb::FSRandomAccessFile const& file, std::uint64_t offset, std::size_t n, std::string& into)
{
    into.resize(n);
    rocksdb::Slice got;
    auto s = file.Read(offset, n, {}, &got, into.data(), nullptr);
    if (!s.ok()) return s;
    if (got.size() != n) return rocksdb::IOStatus::Corruption("a blob file is cut short");
    if (got.data() != into.data()) into.assign(got.data(), got.size());
    return s;
}
}  // namespace

/// A file that was read lately: its index, and the piece decoded last, because readers of a large message come back for the rest of it.
struct blob_files::open_blob {
    blob_id id;
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    blob_index index;
    std::mutex mutex;
    std::size_t last_number = SIZE_MAX;
    std::string last_piece;

    result<void> piece(std::size_t n, std::string& into)
    {
        auto const& frame = index.frames[n];
        std::string stored;
        if (auto const s = read_exactly(*file, frame.offset, frame.stored, stored); !s.ok()) return failed(s);
        return decode_frame(index, n, stored, into);
    }
    /// Appends octets [from, to) of piece `n`.
    result<void> append(std::size_t n, std::size_t from, std::size_t to, std::string& out)
    {
        std::lock_guard const lock{mutex};
        if (last_number != n) {
            last_number = SIZE_MAX;
            last_piece.clear();
            if (auto const done = piece(n, last_piece); !done) return done;
            last_number = n;
        }
        out.append(last_piece, from, to - from);
        return {};
    }
};

blob_files::blob_files(std::shared_ptr<rocksdb::FileSystem> fs, std::string directory) : fs_(std::move(fs)), directory_(std::move(directory)) {}
blob_files::~blob_files() = default;

std::string blob_files::directory_of(blob_id id) const { return directory_ + "/" + base::to_hex(id.view().substr(15)); }
std::string blob_files::path_of(blob_id id) const { return directory_of(id) + "/" + text_of(id); }

void blob_files::remember(blob_id id)
{
    std::lock_guard const lock{mutex_};
    staged_.insert(id);
    removed_.erase(id);  // a message that comes back
}
void blob_files::forget(blob_id id)
{
    std::lock_guard const lock{mutex_};
    staged_.erase(id);
}
bool blob_files::staged(blob_id id) const
{
    std::lock_guard const lock{mutex_};
    return staged_.contains(id);
}

/// Makes a directory durable once in a process: also one that is there already, since who made it may have died before its sync.
rocksdb::IOStatus blob_files::make_directory(std::string const& path, written& into)
{
    {
        std::lock_guard const lock{mutex_};
        if (made_.contains(path)) return rocksdb::IOStatus::OK();
    }
    auto s = fs_->CreateDirIfMissing(path, {}, nullptr);
    if (!s.ok()) return s;
    s = sync_directory(*fs_, directory_);
    into.lost_sync = !s.ok() && !s.IsNoSpace();
    if (!s.ok()) return s;
    std::lock_guard const lock{mutex_};
    made_.insert(path);
    return s;
}

rocksdb::IOStatus blob_files::write_file(rocksdb::FSWritableFile& file, blob_id id, mime::octets const& message, written& into, content what)
{
    // Asks for the space first: no file is left half written for want of it. A file system that cannot preallocate says so, and that is no error.
    auto s = file.Allocate(0, message.size(), {}, nullptr);
    if (s.IsNoSpace()) return s;
    blob_encoder encoder{id, message.size()};
    std::string buffer;
    std::uint64_t written_back = 0;
    for (std::size_t at = 0; at < message.size();) {
        auto const piece = message.view().substr(at, blob_piece_octets);
        buffer.clear();
        if (what == content::encoded)
            buffer = piece;
        else
            encoder.add(piece, buffer);
        at += piece.size();
        message.done_with(at);
        s = file.Append(buffer, {}, nullptr);
        if (!s.ok()) return s;
        into.encoded += buffer.size();
        // Spreads the writing: one sync of 150 MB at the end would hold up everybody else's.
        if (into.encoded - written_back >= write_back_octets) {
            s = file.RangeSync(written_back, into.encoded - written_back, {}, nullptr);
            if (!s.ok()) return s;
            written_back = into.encoded;
        }
    }
    buffer.clear();
    if (what == content::message) encoder.finish(buffer);
    s = file.Append(buffer, {}, nullptr);
    if (!s.ok()) return s;
    into.encoded += buffer.size();
    s = file.Truncate(into.encoded, {}, nullptr);  // gives back what was preallocated and compression saved
    if (s.ok()) s = file.Flush({}, nullptr);
    if (!s.ok()) return s;
    into.lost_sync = true;
    s = file.Sync({}, nullptr);
    if (s.ok()) s = file.Close({}, nullptr);
    // Out of space as late as this (delayed allocation): the file was never acknowledged and goes; nobody else's octets are in doubt.
    into.lost_sync = !s.ok() && !s.IsNoSpace();
    return s;
}

result<void> blob_files::write(blob_id id, mime::octets const& message, written& into, content what)
{
    remember(id);
    auto s = make_directory(directory_of(id), into);
    if (s.ok()) {
        std::unique_ptr<rocksdb::FSWritableFile> file;
        s = fs_->NewWritableFile(path_of(id), {}, &file, nullptr);
        if (s.ok()) s = write_file(*file, id, message, into, what);
    }
    if (s.ok()) {
        s = sync_directory(*fs_, directory_of(id));
        into.lost_sync = !s.ok() && !s.IsNoSpace();
        if (s.ok()) return {};
    }
    static_cast<void>(fs_->DeleteFile(path_of(id), {}, nullptr));  // best effort: the sweeper sees to the rest
    forget(id);
    return s.IsNoSpace() ? no_space(s) : failed(s);
}

result<std::shared_ptr<blob_files::open_blob>> blob_files::open(blob_id id, std::uint64_t encoded)
{
    {
        std::lock_guard const lock{mutex_};
        auto const it = std::ranges::find_if(recent_, [&](auto const& b) { return b->id == id; });
        if (it != recent_.end()) {
            recent_.splice(recent_.begin(), recent_, it);
            return recent_.front();
        }
    }
    auto blob = std::make_shared<open_blob>();
    blob->id = id;
    auto s = fs_->NewRandomAccessFile(path_of(id), {}, &blob->file, nullptr);
    if (s.IsNotFound() || s.IsPathNotFound()) return corrupt("the file of blob " + text_of(id) + " is missing");
    std::string tail;
    auto take = std::min<std::uint64_t>(encoded, blob_tail_octets);
    if (s.ok()) s = read_exactly(*blob->file, encoded - take, static_cast<std::size_t>(take), tail);
    if (!s.ok()) return failed(s);
    auto const needed = blob_tail_needed(tail);
    if (!needed) return fail(needed);
    if (*needed > encoded) return corrupt("the foot of blob " + text_of(id) + " is damaged");
    if (*needed > take) {
        s = read_exactly(*blob->file, encoded - *needed, static_cast<std::size_t>(*needed), tail);
        if (!s.ok()) return failed(s);
    }
    auto index = read_blob_index(id, tail, encoded);
    if (!index) return fail(index);
    blob->index = std::move(*index);
    std::lock_guard const lock{mutex_};
    recent_.push_front(blob);
    if (recent_.size() > kept_open) recent_.pop_back();
    return blob;
}

result<std::string> blob_files::read(blob_id id, std::uint64_t encoded, std::uint64_t offset, std::uint64_t length)
{
    auto const blob = open(id, encoded);
    if (!blob) return fail(blob);
    auto const size = (*blob)->index.size;
    std::string out;
    if (offset >= size) return out;
    length = std::min(length, size - offset);
    out.reserve(static_cast<std::size_t>(length));
    auto const end = offset + length;
    while (offset < end) {
        auto const n = offset / blob_piece_octets;
        auto const from = offset - n * blob_piece_octets;
        auto const to = std::min<std::uint64_t>(end - n * blob_piece_octets, blob_piece_octets);
        auto const done = (*blob)->append(static_cast<std::size_t>(n), static_cast<std::size_t>(from), static_cast<std::size_t>(to), out);
        if (!done) return fail(done);
        offset = n * blob_piece_octets + to;
    }
    return out;
}

result<void> blob_files::check(blob_id id, std::uint64_t encoded)
{
    auto const blob = open(id, encoded);
    if (!blob) return fail(blob);
    base::sha256_stream whole;
    for (std::size_t n = 0; n < (*blob)->index.frames.size(); ++n) {
        std::string piece;
        if (auto const done = (*blob)->piece(n, piece); !done) return done;
        whole.feed(piece);
    }
    if (whole.finish() != (*blob)->index.whole) return corrupt("blob " + text_of(id) + " is not the one that was stored (SHA-256)");
    return {};
}

result<void> blob_files::remove(blob_id id)
{
    {
        std::lock_guard const lock{mutex_};
        if (keepers_ != 0) {
            removed_.insert(id);
            return {};
        }
        recent_.remove_if([&](auto const& b) { return b->id == id; });
    }
    auto const s = fs_->DeleteFile(path_of(id), {}, nullptr);
    if (s.ok() || s.IsNotFound() || s.IsPathNotFound()) return {};
    return failed(s);
}

result<std::string> blob_files::read_encoded(blob_id id, std::uint64_t encoded, std::uint64_t offset, std::uint64_t length) const
{
    if (offset >= encoded) return std::string{};
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    auto s = fs_->NewRandomAccessFile(path_of(id), {}, &file, nullptr);
    if (s.IsNotFound() || s.IsPathNotFound()) return corrupt("the file of blob " + text_of(id) + " is missing");
    std::string out;
    if (s.ok()) s = read_exactly(*file, offset, static_cast<std::size_t>(std::min(length, encoded - offset)), out);
    if (!s.ok()) return failed(s);
    return out;
}

std::shared_ptr<void> blob_files::keep_removed()
{
    std::lock_guard const lock{mutex_};
    ++keepers_;
    return {static_cast<void*>(this), [this](void*) { stop_keeping(); }};
}

void blob_files::stop_keeping()
{
    std::set<blob_id> gone;
    {
        std::lock_guard const lock{mutex_};
        if (--keepers_ == 0) gone.swap(removed_);
    }
    for (auto const id : gone) static_cast<void>(remove(id));  // what cannot be removed is left to the sweeper
}

result<std::vector<blob_id>> blob_files::list()
{
    std::vector<blob_id> out;
    std::vector<std::string> directories, names;
    auto s = fs_->GetChildren(directory_, {}, &directories, nullptr);
    if (!s.ok()) return failed(s);
    for (auto const& directory : directories) {
        if (directory.size() != 2 || !base::from_hex(directory)) continue;
        s = fs_->GetChildren(directory_ + "/" + directory, {}, &names, nullptr);
        if (!s.ok()) return failed(s);
        for (auto const& name : names) {
            auto const octets = base::from_base32(name);
            auto const id = octets ? blob_id::from_octets(*octets) : std::nullopt;
            if (id && directory_of(*id).ends_with(directory) && text_of(*id) == name) out.push_back(*id);
        }
    }
    return out;
}

}  // namespace mansio::store
