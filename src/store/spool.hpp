// Where the octets of a message that is just arriving wait: in memory while few, in an unnamed file when many.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "base/result.hpp"
#include "mime/octets.hpp"

namespace mansio::store {

/// What becomes of line ends on the way in.
enum class line_ends : std::uint8_t {
    as_they_are,
    normalized,  ///< a lone LF and a lone CR become CRLF, once, here (trust.md W2)
};

/// Makes writers. One per server; `budget` (limits.memory_in_flight) outlives every writer. Threads: open() from any.
class spool {
public:
    /// `directory`: exists, on the store's file system. `memory_limit`: octets of one message kept in memory (limits.memory_per_message).
    spool(std::string directory, std::size_t memory_limit, base::memory_budget& budget);

    /// Takes one message in pieces. What it holds in memory is charged to the budget until it dies: keep the writer until the message is committed.
    /// Threads: none; it belongs to one conversation. File writes run inline in pieces of at most 64 KiB.
    class writer {
    public:
        writer(writer&& other) noexcept;
        writer& operator=(writer&& other) noexcept;
        ~writer();
        /// Errors: over_limit (memory budget, or no space on the disk), broken. After an error only destruction is of use.
        [[nodiscard]] result<void> append(std::string_view octets);
        /// All of it; nothing may be appended afterwards.
        [[nodiscard]] result<mime::octets> finish();
        /// Octets so far, after normalising.
        [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
        [[nodiscard]] bool in_file() const noexcept { return file_ >= 0; }

    private:
        friend class spool;
        writer(spool& from, line_ends ends);
        [[nodiscard]] result<void> put(std::string_view octets);
        [[nodiscard]] result<void> move_to_file();
        [[nodiscard]] result<void> write_out();
        spool* from_;
        base::memory_budget::hold held_;
        std::uint64_t charged_ = 0;
        std::string memory_;  // all of it, or what is not yet in the file
        std::uint64_t size_ = 0;
        int file_ = -1;
        line_ends ends_;
        bool after_cr_ = false;
    };
    /// `expected`: how much will come, when known; saves growing.
    [[nodiscard]] writer open(line_ends ends = line_ends::as_they_are, std::uint64_t expected = 0);

private:
    [[nodiscard]] result<int> make_file() const;
    std::string directory_;
    std::size_t memory_limit_;
    base::memory_budget& budget_;
};

}  // namespace mansio::store
