// A forest whose trees are linked and cut, and that knows every node's root.
#pragma once
#include <cstdint>
#include <vector>

namespace mansio::imap {

/// Nodes are numbers from 0. Short walks are made on foot; once many were long, paths are kept in splay trees (Sleator and Tarjan's link-cut trees), so that
/// nobody can make a walk over a mailbox long for each message in it. Time: log n a call, amortised.  Threads: none.
class link_forest {
public:
    static constexpr std::uint32_t none = UINT32_MAX;
    /// The new node's number.
    std::uint32_t add();
    [[nodiscard]] std::uint32_t parent(std::uint32_t n) const noexcept { return parent_[n]; }
    [[nodiscard]] bool has_children(std::uint32_t n) const noexcept { return children_[n] != 0; }
    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(parent_.size()); }
    /// Whether `n` is `ancestor` or stands below it. `ancestor` is a root.
    [[nodiscard]] bool below(std::uint32_t n, std::uint32_t root);
    /// `child` is a root and `parent` is not below it.
    void link(std::uint32_t child, std::uint32_t parent);
    /// No effect on a root.
    void cut(std::uint32_t child);
    /// Steps walked on foot before splay trees take over; tests make it small.
    std::uint64_t patience = std::uint64_t{1} << 20U;

private:
    struct splay_node {
        std::uint32_t up = none, left = none, right = none;  // up: the splay parent, or of a splay root the parent of its path
    };
    void begin_splaying();
    [[nodiscard]] bool is_splay_root(std::uint32_t n) const noexcept;
    void rotate(std::uint32_t n) noexcept;
    void splay(std::uint32_t n) noexcept;
    void access(std::uint32_t n) noexcept;
    std::vector<std::uint32_t> parent_, children_;
    std::vector<splay_node> splay_;
    bool splaying_ = false;
};

}  // namespace mansio::imap
