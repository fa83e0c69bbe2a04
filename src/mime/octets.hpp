// The octets of one message: in memory, or mapped from an unnamed spool file when they are many.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::mime {

/// Contiguous octets that never change. Cheap to copy (shared). Threads: safe to read.
class octets {
public:
    octets() = default;
    /// In memory.
    explicit octets(std::string text);
    /// Maps `size` octets of the open file `fd`; the descriptor may be closed afterwards.
    [[nodiscard]] static result<octets> map(int fd, std::size_t size);
    [[nodiscard]] std::string_view view() const noexcept { return view_; }
    [[nodiscard]] std::size_t size() const noexcept { return view_.size(); }
    /// A hint from a linear reader that [0, `end`) is not needed soon: mapped pages are given back (they come back from
    /// the file when read again), so that a 150 MB message never sits in memory. No effect on octets in memory.
    void done_with(std::size_t end) const noexcept;
    [[nodiscard]] bool mapped() const noexcept { return mapped_; }

private:
    std::shared_ptr<void const> owner_;
    std::string_view view_;
    bool mapped_ = false;
};

}  // namespace mansio::mime
