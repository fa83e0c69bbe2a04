#include "store/rocks_clean.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include <rocksdb/file_system.h>

#include "base/bytes.hpp"
#include "store/rocks_file_system.hpp"

namespace mansio::store {
namespace {
constexpr std::string_view first_line = "mansio clean\n";
constexpr std::uint64_t compared_whole = std::uint64_t{4} << 20U;  // manifests, options: small, and what everything else hangs from

struct entry {
    std::string name;
    std::uint64_t size = 0;
    std::string crc = "-";  ///< of small files
    bool operator==(entry const&) const = default;
};

std::string crc_text(std::string_view octets)
{
    base::row_writer w;
    return base::to_hex(w.be32(base::crc32c(octets)).str());
}

std::optional<entry> look_at(rocksdb::FileSystem& fs, std::string const& directory, std::string const& name)
{
    entry e{name, 0, "-"};
    if (!fs.GetFileSize(directory + "/" + name, {}, &e.size, nullptr).ok()) return std::nullopt;
    bool const tables = name.ends_with(".sst") || name.ends_with(".blob");  // these have checksums of their own, block by block
    if (!tables && e.size <= compared_whole) {
        std::string octets;
        if (!read_whole(fs, directory + "/" + name, octets).ok()) return std::nullopt;
        e.crc = crc_text(octets);
    }
    return e;
}

std::optional<std::vector<entry>> parse(std::string_view text)
{
    auto const check = text.rfind("check ");
    if (!text.starts_with(first_line) || check == std::string_view::npos || text.substr(check) != "check " + crc_text(text.substr(0, check)) + "\n")
        return std::nullopt;
    text = text.substr(first_line.size(), check - first_line.size());
    std::vector<entry> out;
    while (!text.empty()) {
        auto const line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        auto const a = line.find(' ');
        auto const b = line.find(' ', a + 1);
        if (a == std::string_view::npos || b == std::string_view::npos) return std::nullopt;
        entry e{std::string{line.substr(b + 1)}, 0, std::string{line.substr(a + 1, b - a - 1)}};
        std::from_chars(line.data(), line.data() + a, e.size);
        out.push_back(std::move(e));
    }
    return out;
}
}  // namespace

void write_clean_list(rocksdb::FileSystem& fs, std::string const& directory)
{
    std::vector<std::string> names;
    if (!fs.GetChildren(directory + "/db", {}, &names, nullptr).ok()) return;
    std::ranges::sort(names);
    std::string text{first_line};
    for (auto const& name : names) {
        bool is_directory = true;
        // RocksDB's drafts are nobody's loss: the next start removes them.
        if (name == "LOCK" || name.ends_with(".dbtmp") || !fs.IsDirectory(directory + "/db/" + name, {}, &is_directory, nullptr).ok() || is_directory) continue;
        auto const e = look_at(fs, directory + "/db", name);
        if (!e) return;
        text += std::to_string(e->size) + " " + e->crc + " " + name + "\n";
    }
    text += "check " + crc_text(text) + "\n";
    auto const path = directory + "/CLEAN";
    auto s = write_whole(fs, path + ".new", text);
    if (s.ok()) s = fs.RenameFile(path + ".new", path, {}, nullptr);
    if (s.ok()) static_cast<void>(sync_directory(fs, directory));
}

result<void> check_clean_list(rocksdb::FileSystem& fs, std::string const& directory)
{
    std::string text;
    if (!read_whole(fs, directory + "/CLEAN", text).ok()) return {};
    auto const list = parse(text);
    if (!list) return {};
    auto const current = std::ranges::find(*list, "CURRENT", &entry::name);
    // Every start makes a new manifest: another CURRENT means that the list is of before the last one.
    if (current == list->end() || look_at(fs, directory + "/db", "CURRENT") != *current) return {};
    for (auto const& e : *list) {
        auto const now = look_at(fs, directory + "/db", e.name);
        if (now && *now == e) continue;
        auto const what = !now                  ? "is missing"
                          : now->size != e.size ? "has " + std::to_string(now->size) + " octets, not " + std::to_string(e.size)
                                                : "was changed";
        return fail(fault::kind::broken,
                    "The store is damaged: " + directory + "/db/" + e.name + " " + what +
                        " since mansio stopped. Restore a backup, or save what is left with mansio rescue.",
                    "database file differs");
    }
    return {};
}

}  // namespace mansio::store
