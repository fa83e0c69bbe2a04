#include "imap/threads.hpp"

#include <algorithm>
#include <unordered_map>

#include "imap/link_forest.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap {
namespace {

constexpr auto none = link_forest::none;

/// Finished threads: each node's children follow one another, in order.
struct forest {
    std::vector<std::uint32_t> number;          // 0: a dummy
    std::vector<std::uint32_t> first, next;     // child, sibling
    std::vector<std::uint32_t> roots;
    void size(std::size_t n)
    {
        first.assign(n, none);
        next.assign(n, none);
    }
};

/// thread-list = "(" (thread-members / thread-nested) ")"; what waits to be written stands in `siblings`.
void append_thread(std::string& out, forest const& f, std::uint32_t node, std::vector<std::uint32_t>& siblings)
{
    bool empty = true;  // nothing stands in the innermost list yet
    out += '(';
    while (node != none) {
        if (f.number[node] != 0) {
            if (!empty) out += ' ';
            wire::append_number(out, f.number[node]);
            empty = false;
        }
        auto const child = f.first[node];
        if (child != none && f.next[child] == none) {
            node = child;
            continue;
        }
        if (child != none) {
            if (!empty) out += ' ';
            siblings.push_back(f.next[child]);
            node = child;
        } else {
            node = none;
            out += ')';
            while (!siblings.empty() && node == none) {
                node = siblings.back();
                if (node == none) {
                    siblings.pop_back();
                    out += ')';
                } else {
                    siblings.back() = f.next[node];
                }
            }
        }
        if (node != none) out += '(';
        empty = true;
    }
}

std::string text_of(forest const& f)
{
    std::string out;
    std::vector<std::uint32_t> siblings;
    for (auto const root : f.roots) append_thread(out, f, root, siblings);
    return out;
}

using messages_view = std::span<thread_message const>;

/// By date; the same date: in mailbox order (RFC 5256 §2.2).
auto by_date(messages_view messages)
{
    return [messages](std::uint32_t a, std::uint32_t b) { return messages[a].sent != messages[b].sent ? messages[a].sent < messages[b].sent : a < b; };
}

std::vector<std::uint32_t> indexes(std::size_t n)
{
    std::vector<std::uint32_t> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint32_t>(i);
    return out;
}

// "The second message of a thread is the child of the first message, and subsequent messages of the thread are siblings of the second message"
forest ordered_subject(messages_view messages)
{
    forest f;
    f.size(messages.size());
    auto order = indexes(messages.size());
    auto const earlier = by_date(messages);
    std::ranges::sort(order, [&](auto a, auto b) {
        auto const c = messages[a].subject <=> messages[b].subject;
        return c != 0 ? c < 0 : earlier(a, b);
    });
    for (auto const& m : messages) f.number.push_back(m.number);
    std::uint32_t root = none, last = none;
    for (auto const m : order) {
        if (root == none || messages[root].subject != messages[m].subject) {
            f.roots.push_back(root = m);
            last = none;
            continue;
        }
        (last == none ? f.first[root] : f.next[last]) = m;
        last = m;
    }
    std::ranges::sort(f.roots, earlier);
    return f;
}

/// The REFERENCES algorithm; the numbers of its steps are the RFC's. Nodes: the messages, then a dummy for each id that no message has.
class reference_threads {
public:
    explicit reference_threads(messages_view messages) : messages_(messages) {}
    forest run(bool by_subject)
    {
        link();
        prune();
        if (by_subject) join_subjects();
        return finish(!by_subject);
    }

private:
    [[nodiscard]] bool is_dummy(std::uint32_t n) const noexcept { return n >= messages_.size(); }

    void link()  // (1)
    {
        for (std::size_t i = 0; i < messages_.size(); ++i) {
            auto const n = links_.add();
            // "If two or more messages have the same Message ID, then only use that Message ID in the first"
            if (messages_[i].id != 0) nodes_.emplace(messages_[i].id, n);
        }
        for (std::uint32_t current = 0; current < messages_.size(); ++current) {
            std::uint32_t last = none;
            for (auto const id : messages_[current].references) {  // (A)
                auto const [it, fresh] = nodes_.try_emplace(id, none);
                if (fresh) it->second = links_.add();
                auto const n = it->second;
                if (last != none && links_.parent(n) == none && !links_.below(last, n)) links_.link(n, last);
                last = n;
            }
            if (links_.parent(current) != none) links_.cut(current);  // (B)
            if (last != none && !links_.below(last, current)) links_.link(current, last);
        }
    }

    /// (2) and (3): of the dummies only those stay that have no parent and several children; the others' children move up.
    void prune()
    {
        auto const n = links_.size();
        parent_.assign(n, none);
        std::vector<std::uint32_t> above(n, none);  // of a dummy: where its children go
        std::vector<std::uint32_t> way;
        for (auto node = static_cast<std::uint32_t>(messages_.size()); node < n; ++node) {
            for (auto at = node; above[at] == none; at = links_.parent(at)) {
                way.push_back(at);
                auto const up = links_.parent(at);
                if (up == none || !is_dummy(up)) {
                    above[at] = up == none ? at : up;
                    break;
                }
            }
            for (; !way.empty(); way.pop_back())
                if (auto const at = way.back(); above[at] == none) above[at] = above[links_.parent(at)];
        }
        std::vector<std::uint32_t> children(n, 0);
        for (std::uint32_t node = 0; node < messages_.size(); ++node) {
            auto const up = links_.parent(node);
            parent_[node] = up != none && is_dummy(up) ? above[up] : up;
            if (parent_[node] != none) ++children[parent_[node]];
        }
        for (std::uint32_t node = 0; node < messages_.size(); ++node)
            if (auto const up = parent_[node]; up != none && is_dummy(up) && children[up] == 1) parent_[node] = none;
        for (std::uint32_t node = 0; node < n; ++node)
            if (parent_[node] == none && (!is_dummy(node) || children[node] > 1)) roots_.push_back(node);
    }

    /// Of a dummy the first child stands for it, in dates and subject.
    void choose_stand_ins()
    {
        stand_in_.assign(parent_.size(), none);
        auto const earlier = by_date(messages_);
        for (std::uint32_t node = 0; node < messages_.size(); ++node) {
            stand_in_[node] = node;
            auto const up = parent_[node];
            if (up != none && is_dummy(up) && (stand_in_[up] == none || earlier(node, stand_in_[up]))) stand_in_[up] = node;
        }
    }

    void sort_roots()
    {
        choose_stand_ins();
        std::ranges::sort(roots_, [this, earlier = by_date(messages_)](auto a, auto b) { return earlier(stand_in_[a], stand_in_[b]); });
    }

    void join_subjects()
    {
        sort_roots();  // (4)
        auto const subject = [this](std::uint32_t root) { return messages_[stand_in_[root]].subject; };
        auto const reply = [this](std::uint32_t root) { return !is_dummy(root) && messages_[root].reply; };
        std::unordered_map<std::string_view, std::uint32_t> table;  // (5 A)
        table.reserve(roots_.size());
        for (auto const root : roots_) {  // (5 B)
            if (subject(root).empty()) continue;
            auto const [it, fresh] = table.try_emplace(subject(root), root);
            if (!fresh && !is_dummy(it->second) && (is_dummy(root) || (reply(it->second) && !reply(root)))) it->second = root;
        }
        std::vector<std::uint32_t> joins(parent_.size(), none);  // of a dummy that went: whose children its own became
        auto const at_first = roots_;
        for (auto const root : at_first) {  // (5 C)
            if (subject(root).empty()) continue;
            auto& first = table.find(subject(root))->second;
            if (first == root) continue;
            if (is_dummy(first) && is_dummy(root)) {
                joins[root] = first;
            } else if (is_dummy(first) || (reply(root) && !reply(first))) {
                parent_[root] = first;
            } else {
                auto const dummy = static_cast<std::uint32_t>(parent_.size());
                parent_.push_back(none);
                stand_in_.push_back(stand_in_[first]);
                joins.push_back(none);
                roots_.push_back(dummy);
                parent_[first] = parent_[root] = dummy;
                first = dummy;
            }
        }
        for (std::uint32_t node = 0; node < messages_.size(); ++node)
            if (auto const up = parent_[node]; up != none && joins[up] != none) parent_[node] = joins[up];
        std::erase_if(roots_, [&](auto root) { return parent_[root] != none || joins[root] != none; });
    }

    forest finish(bool newest_last)  // (6)
    {
        sort_roots();
        forest f;
        f.size(parent_.size());
        f.number.assign(parent_.size(), 0);
        for (std::size_t i = 0; i < messages_.size(); ++i) f.number[i] = messages_[i].number;
        // From the latest to the earliest, each put before its siblings.
        auto order = indexes(messages_.size());
        std::ranges::sort(order, by_date(messages_));
        for (std::size_t i = order.size(); i-- > 0;) {
            auto const up = parent_[order[i]];
            if (up == none) continue;
            f.next[order[i]] = f.first[up];
            f.first[up] = order[i];
        }
        if (newest_last) sort_by_newest(f);
        f.roots = std::move(roots_);
        return f;
    }

    /// Threads whose newest message is older come first.
    void sort_by_newest(forest const& f)
    {
        std::vector<std::uint32_t> newest(parent_.size(), none);
        auto const earlier = by_date(messages_);
        std::vector<std::uint32_t> todo;
        for (auto const root : roots_) {
            todo.push_back(root);
            while (!todo.empty()) {
                auto const at = todo.back();
                todo.pop_back();
                if (!is_dummy(at) && (newest[root] == none || earlier(newest[root], at))) newest[root] = at;
                for (auto child = f.first[at]; child != none; child = f.next[child]) todo.push_back(child);
            }
        }
        std::ranges::sort(roots_, [&](auto a, auto b) { return earlier(newest[a], newest[b]); });
    }

    messages_view messages_;
    link_forest links_;
    std::unordered_map<std::uint64_t, std::uint32_t> nodes_;
    std::vector<std::uint32_t> parent_, roots_, stand_in_;
};

}  // namespace

std::string make_threads(thread_algorithm how, std::span<thread_message const> messages)
{
    if (how == thread_algorithm::ordered_subject) return text_of(ordered_subject(messages));
    return text_of(reference_threads{messages}.run(how == thread_algorithm::references));
}

}  // namespace mansio::imap
