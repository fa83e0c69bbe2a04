#include "transfer/backup_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "store/blob_frames.hpp"
#include "store/rocks_rows.hpp"

namespace mansio::transfer {
namespace {

constexpr std::string_view marker_name = "/MANSIO-BACKUP", marker_head = "mansio backup\nformat 1\nid ", pack_magic = "MNSIOPCK";
constexpr std::uint64_t pack_octets = 256ULL << 20U;  ///< a new pack is begun behind so many
constexpr std::size_t packs_open = 32;
constexpr std::uint8_t generation_format = 1;

std::string numbered(std::uint32_t n) { return fmt::format("{:08}", n); }
std::optional<std::uint32_t> number_of(std::string_view name, std::string_view suffix)
{
    if (name.size() != 8 + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
    std::uint32_t n = 0;
    auto const* const end = name.data() + 8;
    auto const read = std::from_chars(name.data(), end, n);
    if (read.ec != std::errc{} || read.ptr != end || n == 0) return std::nullopt;
    return n;
}

std::unexpected<fault> refuse(std::string sentence) { return fail(fault::kind::refused, std::move(sentence)); }

void write(base::row_writer& w, location const& l) { w.varint(l.pack).varint(l.offset).varint(l.length); }
location read_location(base::row_reader& r)
{
    location l;
    l.pack = static_cast<std::uint32_t>(r.varint());
    l.offset = r.varint();
    l.length = r.varint();
    return l;
}
template <class Id> Id read_id(base::row_reader& r) { return Id::from_octets(r.raw(16)).value_or(Id{}); }

void write(base::row_writer& w, table const& t)
{
    w.u8(static_cast<std::uint8_t>(t.what)).raw(t.of.where.key()).varint(t.of.at).raw(t.of.last.view()).varint(t.chunks.size());
    for (auto const& c : t.chunks) {
        w.octets(c.first).raw(c.id.view()).varint(c.entries);
        write(w, c.at);
    }
}
table read_table(base::row_reader& r)
{
    table t;
    t.what = static_cast<store::picture_table>(r.u8());
    auto const where = store::read_partition(r.raw(store::partition_key_octets));
    if (where)
        t.of.where = *where;
    else
        r.spoil();
    t.of.at = r.varint();
    t.of.last = read_id<store::change_id>(r);
    for (auto n = r.varint(); n != 0 && r.ok(); --n) {
        chunk c;
        c.first = r.octets();
        c.id = read_id<store::blob_id>(r);
        c.entries = r.varint();
        c.at = read_location(r);
        t.chunks.push_back(std::move(c));
    }
    return t;
}

std::string encode(generation const& g)
{
    base::row_writer w;
    w.u8(generation_format)
        .varint(g.number)
        .signed_varint(g.made)
        .varint(g.accounts)
        .varint(g.messages)
        .varint(g.octets)
        .varint(g.new_octets)
        .varint(g.incarnation);
    w.varint(g.problems.size());
    for (auto const& p : g.problems) w.octets(p);
    w.varint(g.packs.size());
    for (auto const& [number, use] : g.packs) w.varint(number).varint(use.size).varint(use.used);
    w.varint(g.tables.size());
    for (auto const& t : g.tables) write(w, t);
    return w.take();
}

std::optional<generation> decode(std::string_view octets)
{
    base::row_reader r{octets};
    if (r.u8() != generation_format) return std::nullopt;
    generation g;
    g.number = static_cast<std::uint32_t>(r.varint());
    g.made = r.signed_varint();
    g.accounts = r.varint();
    g.messages = r.varint();
    g.octets = r.varint();
    g.new_octets = r.varint();
    g.incarnation = r.varint();
    for (auto n = r.varint(); n != 0 && r.ok(); --n) g.problems.emplace_back(r.octets());
    for (auto n = r.varint(); n != 0 && r.ok(); --n) {
        auto& use = g.packs[static_cast<std::uint32_t>(r.varint())];
        use.size = r.varint();
        use.used = r.varint();
    }
    for (auto n = r.varint(); n != 0 && r.ok(); --n) g.tables.push_back(read_table(r));
    if (!r.ok() || !r.at_end()) return std::nullopt;
    return g;
}
}  // namespace

std::string encode_entries(std::vector<store::row> const& entries)
{
    base::row_writer w;
    for (auto const& e : entries) w.octets(e.key).octets(e.value);
    return w.take();
}

result<std::vector<store::row>> decode_entries(std::string_view octets)
{
    base::row_reader r{octets};
    std::vector<store::row> out;
    while (r.ok() && !r.at_end()) {
        auto const key = r.octets();
        auto const value = r.octets();
        if (r.ok()) out.push_back(store::row{std::string{key}, std::string{value}});
    }
    if (!r.ok()) return store::corrupt("entries of a table");
    return out;
}

std::uint64_t table::entries() const noexcept
{
    std::uint64_t n = 0;
    for (auto const& c : chunks) n += c.entries;
    return n;
}

std::string encode(stored_message const& m)
{
    base::row_writer w;
    write(w, m.at);
    return w.raw(store::encode(m.held)).take();
}
result<stored_message> decode_stored_message(std::string_view value)
{
    base::row_reader r{value};
    stored_message m;
    m.at = read_location(r);
    if (!r.ok()) return store::corrupt("a message's place in the backup");
    auto held = store::decode_held_blob(r.rest());
    if (!held) return fail(held);
    m.held = std::move(*held);
    return m;
}

table const* generation::find(store::picture_table what, store::partition_id where) const
{
    auto const rank = [](table const& t) { return std::tuple{t.what == store::picture_table::blobs, t.of.where, t.what}; };
    auto const wanted = std::tuple{what == store::picture_table::blobs, where, what};
    auto const it = std::lower_bound(tables.begin(), tables.end(), wanted, [&rank](table const& t, auto const& w) { return rank(t) < w; });
    return it != tables.end() && rank(*it) == wanted ? &*it : nullptr;
}

// ---- the directory -------------------------------------------------------------------------------------------------------------------------------

result<backup_directory> backup_directory::open(std::string path, use how, base::random* random)
{
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    backup_directory d{std::move(path)};
    if (how == use::write) {
        auto const made = files::make_directory(d.path_);
        if (!made) return fail(made);
        auto const held = files::list(d.path_);
        bool const ours = files::exists(d.path_ + std::string{marker_name});
        // Only what a first backup that was cut short can have left: never mix with files of somebody else.
        bool const fresh =
            std::ranges::all_of(held, [](auto const& n) { return n == "LOCK" || n == "packs" || n == "generations" || n == "MANSIO-BACKUP.new"; });
        if (!ours && !fresh)
            return refuse(base::printable(d.path_, 400) +
                          " holds files that are no backup of Mansio. Name an empty directory, or one that mansio backup made.");
        auto lock = files::lock(d.path_ + "/LOCK");
        if (!lock) return fail(lock);
        d.lock_ = std::move(*lock);
        if (!ours) {
            MANSIO_ASSERT(random != nullptr);
            if (auto const done = d.make(*random); !done) return fail(done);
        }
    }
    if (auto const known = d.recognise(); !known) return fail(known);
    if (how == use::write)
        if (auto const done = d.clean(); !done) return fail(done);
    return d;
}

result<void> backup_directory::make(base::random& random)
{
    for (auto const& part : {packs_path(), generations_path()})
        if (auto const made = files::make_directory(part); !made) return made;
    auto const id = store::blob_id::make(random);
    auto text = std::string{marker_head} + base::to_hex(id.view()) + "\n";
    text += fmt::format("check {:08x}\n", base::crc32c(text));
    if (auto const done = files::replace(path_ + std::string{marker_name}, text); !done) return done;
    return files::sync_directory(path_);
}

result<void> backup_directory::recognise()
{
    auto const text = files::read_small(path_ + std::string{marker_name}, 4096);
    if (!text) return refuse(base::printable(path_, 400) + " is no directory of backups: there is no MANSIO-BACKUP in it (or it may not be read).");
    auto const check = text->rfind("check ");
    if (check == std::string::npos || text->substr(check) != fmt::format("check {:08x}\n", base::crc32c(text->substr(0, check))))
        return refuse(base::printable(path_, 400) + "/MANSIO-BACKUP is damaged.");
    auto const id = text->starts_with(marker_head) ? base::from_hex(std::string_view{*text}.substr(marker_head.size(), 32)) : std::nullopt;
    auto const known = id ? store::blob_id::from_octets(*id) : std::nullopt;
    if (!known) return refuse(base::printable(path_, 400) + " was made by a later version of Mansio: this one cannot read it.");
    id_ = *known;
    return {};
}

/// Packs behind the last that a generation names are a backup's that was cut short.
result<void> backup_directory::clean() const
{
    for (auto const& name : files::list(generations_path()))
        if (name.ends_with(".new"))
            if (auto const gone = files::remove(generations_path() + "/" + name); !gone) return gone;
    return prune(~std::uint64_t{0});
}

std::vector<generation_name> backup_directory::generations() const
{
    std::vector<generation_name> out;
    for (auto const& name : files::list(generations_path()))
        if (auto const n = number_of(name, "")) out.push_back({*n, generations_path() + "/" + name});
    return out;
}

result<generation> backup_directory::load(generation_name const& g) const
{
    auto const text = files::read_small(g.file, std::size_t{1} << 32U);
    auto const octets = text ? store::decode_range(id_, *text, 0, UINT64_MAX) : result<std::string>{store::corrupt("it cannot be read")};
    bool const whole = octets && store::check_blob(id_, *text).has_value();
    auto decoded = whole ? decode(*octets) : std::nullopt;
    if (!decoded || decoded->number != g.number)
        return fail(fault::kind::refused, fmt::format("generation {} is damaged, or of another directory", g.number), octets ? "" : octets.error().detail);
    return std::move(*decoded);
}

result<generation> backup_directory::find(std::uint32_t number) const
{
    auto all = generations();
    if (number != 0) {
        auto const it = std::ranges::find(all, number, &generation_name::number);
        if (it == all.end()) return refuse(fmt::format("there is no generation {} in {}.", number, base::printable(path_, 400)));
        return load(*it);
    }
    for (; !all.empty(); all.pop_back())
        if (auto g = load(all.back())) return g;
    return refuse("there is no whole backup in " + base::printable(path_, 400) + ".");
}

result<void> backup_directory::save(generation const& g) const
{
    if (auto const done = files::replace(generations_path() + "/" + numbered(g.number), store::encode_blob(id_, encode(g))); !done) return done;
    return files::sync_directory(generations_path());
}

result<void> backup_directory::prune(std::uint64_t keep) const
{
    auto all = generations();
    bool removed = false;
    for (std::size_t i = 0; all.size() - i > keep; ++i, removed = true)
        if (auto const gone = files::remove(all[i].file); !gone) return gone;
    if (removed) {
        // Gone for good before what they named goes.
        if (auto const done = files::sync_directory(generations_path()); !done) return done;
        all = generations();
    }
    std::set<std::uint32_t> needed;
    std::uint32_t unreadable = 0;
    for (auto const& name : all) {
        auto const g = load(name);
        if (!g) {
            unreadable = name.number;
            continue;
        }
        for (auto const& [pack, use] : g->packs) needed.insert(pack);
    }
    if (unreadable != 0) return {};
    for (auto const n : packs()) {
        if (needed.contains(n)) continue;
        open_.erase(n);
        if (auto const gone = files::remove(pack_path(n)); !gone) return gone;
    }
    return files::sync_directory(packs_path());
}

std::string backup_directory::pack_path(std::uint32_t number) const { return packs_path() + "/" + numbered(number) + ".pack"; }

std::vector<std::uint32_t> backup_directory::packs() const
{
    std::vector<std::uint32_t> out;
    for (auto const& name : files::list(packs_path()))
        if (auto const n = number_of(name, ".pack")) out.push_back(*n);
    return out;
}

result<files::random_reader const*> backup_directory::pack(std::uint32_t number) const
{
    if (auto const it = open_.find(number); it != open_.end()) return &it->second;
    auto file = files::random_reader::open(pack_path(number));
    if (!file) return fail(file);
    if (open_.size() >= packs_open) open_.erase(open_.begin());
    return &open_.emplace(number, std::move(*file)).first->second;
}

result<std::string> backup_directory::read(location at, std::uint64_t offset, std::uint64_t length) const
{
    if (at.pack == 0) return fail(fault::kind::refused, "it could not be read when the backup was made");
    auto const file = pack(at.pack);
    if (!file) return fail(file);
    if (offset >= at.length) return std::string{};
    return (*file)->read(at.offset + offset, static_cast<std::size_t>(std::min(length, at.length - offset)));
}

result<std::vector<store::row>> backup_directory::entries(chunk const& c) const
{
    auto const encoded = read(c.at);
    if (!encoded) return fail(encoded);
    if (auto const whole = store::check_blob(c.id, *encoded); !whole) return fail(whole);
    auto const octets = store::decode_range(c.id, *encoded, 0, UINT64_MAX);
    if (!octets) return fail(octets);
    return decode_entries(*octets);
}

result<std::uint64_t> backup_directory::restored_as() const
{
    auto const text = files::read_small(path_ + "/RESTORED", 64);
    if (!text) return files::exists(path_ + "/RESTORED") ? result<std::uint64_t>{refuse("RESTORED in the backup cannot be read.")} : 0;
    std::uint64_t n = 0;
    auto const read = std::from_chars(text->data(), text->data() + text->size(), n);
    if (read.ec != std::errc{} || read.ptr == text->data() + text->size() || *read.ptr != '\n') return refuse("RESTORED in the backup is damaged.");
    return n;
}

result<void> backup_directory::note_restored_as(std::uint64_t incarnation) const
{
    if (auto const done = files::replace(path_ + "/RESTORED", std::to_string(incarnation) + "\n"); !done) return done;
    return files::sync_directory(path_);
}

// ---- packs ---------------------------------------------------------------------------------------------------------------------------------------

pack_writer::pack_writer(backup_directory const& to) : to_(to), number_(0)
{
    auto const there = to.packs();
    // Above every one that any generation names, too: a number is never used for other octets.
    if (!there.empty()) number_ = there.back();
    for (auto const& name : to.generations())
        if (auto const g = to.load(name); g && !g->packs.empty()) number_ = std::max(number_, g->packs.rbegin()->first);
}

result<void> pack_writer::open_next()
{
    ++number_;
    auto out = files::writer::open(to_.pack_path(number_));
    if (!out) return fail(out);
    out_.emplace(std::move(*out));
    base::row_writer head;
    head.raw(pack_magic).be32(1).be32(number_);
    offset_ = head.str().size();
    octets_ += offset_;
    return out_->put(head.str());
}

result<void> pack_writer::close()
{
    if (!out_) return {};
    auto const done = out_->finish();
    out_.reset();
    return done;
}

result<void> pack_writer::begin(store::blob_id id, std::uint64_t length)
{
    if (out_ && offset_ >= pack_octets)
        if (auto const done = close(); !done) return done;
    if (!out_)
        if (auto const opened = open_next(); !opened) return opened;
    base::row_writer head;
    head.be64(length).raw(id.view());
    head.be32(base::crc32c(head.str()));
    offset_ += head.str().size();
    octets_ += head.str().size();
    at_ = {number_, offset_, length};
    return out_->put(head.str());
}

result<void> pack_writer::put(std::string_view octets)
{
    offset_ += octets.size();
    octets_ += octets.size();
    return out_->put(octets);
}

result<location> pack_writer::add(store::blob_id id, std::string_view encoded)
{
    if (auto const begun = begin(id, encoded.size()); !begun) return fail(begun);
    if (auto const done = put(encoded); !done) return fail(done);
    return at_;
}

result<void> pack_writer::finish()
{
    if (auto const done = close(); !done) return done;
    return files::sync_directory(to_.packs_path());
}

}  // namespace mansio::transfer
