// Files that are not the store's: Maildirs and mboxes that are read or written, an import's journal, backups.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mime/octets.hpp"
#include "store/spool.hpp"

namespace mansio::transfer::files {

[[nodiscard]] bool is_directory(std::string const& path);
[[nodiscard]] bool is_link(std::string const& path);
[[nodiscard]] bool exists(std::string const& path);
/// Names in a directory, sorted, without "." and ".."; empty when it cannot be read.
[[nodiscard]] std::vector<std::string> list(std::string const& path);
/// A small file. nullopt: not there, or longer than `most`.
[[nodiscard]] std::optional<std::string> read_small(std::string const& path, std::size_t most = 64UL << 20U);
/// When it was last changed, unix seconds.
[[nodiscard]] std::optional<std::int64_t> changed(std::string const& path);
/// Makes it with the levels above it, mode 0700.
[[nodiscard]] result<void> make_directory(std::string const& path);
[[nodiscard]] result<void> rename(std::string const& from, std::string const& to);
/// A file that is not there is no error.
[[nodiscard]] result<void> remove(std::string const& path);
/// Makes what was made, renamed or removed in it last.
[[nodiscard]] result<void> sync_directory(std::string const& path);
/// 0: not there.
[[nodiscard]] std::uint64_t size_of(std::string const& path);

/// Held until dropped, or until the process ends. Errors: refused when another process has it.
[[nodiscard]] result<std::shared_ptr<void>> lock(std::string const& path);

/// A file read at any place. Closed when it goes.
class random_reader {
public:
    [[nodiscard]] static result<random_reader> open(std::string const& path);
    random_reader(random_reader&& o) noexcept;
    random_reader& operator=(random_reader&&) = delete;
    ~random_reader();
    /// Exactly `n` octets; fewer are an error.
    [[nodiscard]] result<std::string> read(std::uint64_t offset, std::size_t n) const;

private:
    explicit random_reader(int fd) : fd_(fd) {}
    int fd_;
};

/// A file read from front to back in pieces. Closed when it goes.
class reader {
public:
    [[nodiscard]] static result<reader> open(std::string const& path);
    reader(reader&& o) noexcept;
    reader& operator=(reader&&) = delete;
    ~reader();
    /// Up to 64 KiB; empty: the end. Valid until the next call.
    [[nodiscard]] result<std::string_view> next();
    [[nodiscard]] result<void> seek(std::uint64_t offset);

private:
    explicit reader(int fd) : fd_(fd) {}
    int fd_;
    std::string buffer_;
};

/// A file written from front to back, under a name of its own until finish().
class writer {
public:
    /// `path` is made, or cut to nothing; with `append`, goes on at its end.
    [[nodiscard]] static result<writer> open(std::string const& path, bool append = false);
    writer(writer&& o) noexcept;
    writer& operator=(writer&&) = delete;
    ~writer();
    [[nodiscard]] result<void> put(std::string_view octets);
    /// Writes out and syncs. `when`: unix seconds of its last change.
    [[nodiscard]] result<void> finish(std::optional<std::int64_t> when = {});
    [[nodiscard]] result<void> flush();
    /// Octets put so far; not for files that are appended to.
    [[nodiscard]] std::uint64_t size() const noexcept { return written_ + held_.size(); }
    /// Takes back what was put after the first `size` octets.
    [[nodiscard]] result<void> cut(std::uint64_t size);

private:
    explicit writer(int fd) : fd_(fd) {}
    int fd_;
    std::string held_;
    std::uint64_t written_ = 0;
};

/// Whole files replaced at once: written beside, synced, renamed.
[[nodiscard]] result<void> replace(std::string const& path, std::string_view octets);

}  // namespace mansio::transfer::files
