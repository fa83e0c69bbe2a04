#include "imap/link_forest.hpp"

#include <utility>

namespace mansio::imap {

std::uint32_t link_forest::add()
{
    parent_.push_back(none);
    children_.push_back(0);
    if (splaying_) splay_.emplace_back();
    return size() - 1;
}

bool link_forest::below(std::uint32_t n, std::uint32_t root)
{
    if (n == root) return true;
    if (children_[root] == 0) return false;  // so it is for most messages: they arrive in order
    while (!splaying_) {
        if (patience == 0) {
            begin_splaying();
            break;
        }
        --patience;
        if (parent_[n] == none) return n == root;
        n = parent_[n];
    }
    access(n);
    while (splay_[n].left != none) n = splay_[n].left;
    splay(n);  // pays for the way down
    return n == root;
}

void link_forest::link(std::uint32_t child, std::uint32_t parent)
{
    parent_[child] = parent;
    ++children_[parent];
    if (!splaying_) return;
    access(child);
    splay_[child].up = parent;
}

void link_forest::cut(std::uint32_t child)
{
    auto const parent = std::exchange(parent_[child], none);
    if (parent == none) return;
    --children_[parent];
    if (!splaying_) return;
    access(child);
    auto const above = std::exchange(splay_[child].left, none);
    if (above != none) splay_[above].up = none;
}

/// Every node is a path of its own at first.
void link_forest::begin_splaying()
{
    splay_.assign(parent_.size(), {});
    for (std::size_t n = 0; n < parent_.size(); ++n) splay_[n].up = parent_[n];
    splaying_ = true;
}

bool link_forest::is_splay_root(std::uint32_t n) const noexcept
{
    auto const up = splay_[n].up;
    return up == none || (splay_[up].left != n && splay_[up].right != n);
}

void link_forest::rotate(std::uint32_t n) noexcept
{
    auto const p = splay_[n].up;
    auto const g = splay_[p].up;
    if (!is_splay_root(p)) (splay_[g].left == p ? splay_[g].left : splay_[g].right) = n;
    bool const is_left = splay_[p].left == n;
    auto& inner = is_left ? splay_[n].right : splay_[n].left;
    (is_left ? splay_[p].left : splay_[p].right) = inner;
    if (inner != none) splay_[inner].up = p;
    inner = p;
    splay_[p].up = n;
    splay_[n].up = g;
}

void link_forest::splay(std::uint32_t n) noexcept
{
    while (!is_splay_root(n)) {
        auto const p = splay_[n].up;
        if (!is_splay_root(p)) rotate((splay_[p].left == n) == (splay_[splay_[p].up].left == p) ? p : n);
        rotate(n);
    }
}

/// The path from the root to `n` becomes one splay tree with `n` at its top and nothing below it.
void link_forest::access(std::uint32_t n) noexcept
{
    std::uint32_t below = none;
    for (auto at = n; at != none; at = splay_[at].up) {
        splay(at);
        splay_[at].right = below;
        below = at;
    }
    splay(n);
}

}  // namespace mansio::imap
