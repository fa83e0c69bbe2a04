#include "auth/revocations.hpp"

#include <utility>
#include <vector>

namespace mansio::auth {
namespace {
constexpr std::chrono::minutes remembered{15};  // far longer than from a check to the session's registration
}

void revocations::post_cut(std::shared_ptr<entry> const& e)
{
    e->home->post([e] {
        if (!std::exchange(e->alive, false)) return;
        auto cut = std::move(e->cut);  // the cut may drop its own token
        cut();
    });
}

std::shared_ptr<void> revocations::add(store::account_number who, std::string credential, std::move_only_function<void()> cut)
{
    auto e = std::make_shared<entry>();
    e->who = who;
    e->credential = std::move(credential);
    e->home = &base::executor::current();
    e->cut = std::move(cut);
    bool ended = false;
    {
        std::lock_guard const lock{mutex_};
        ended = ended_.contains({who, e->credential}) || ended_.contains({who, {}});
        sessions_.emplace(who, e);
    }
    if (ended) post_cut(e);
    // The token keeps the registry alive, so that it may be dropped after sign_in is gone.
    return {e.get(), [self = shared_from_this(), e](void*) {
                e->alive = false;
                self->remove(e.get());
            }};
}

void revocations::remove(entry const* e)
{
    std::lock_guard const lock{mutex_};
    auto range = sessions_.equal_range(e->who);
    for (auto it = range.first; it != range.second; ++it) {
        if (it->second.get() != e) continue;
        sessions_.erase(it);
        return;
    }
}

void revocations::remember(name what)
{
    auto const now = clock_.monotonic();
    std::erase_if(ended_, [&](auto const& e) { return !e.first.second.empty() && e.second + remembered < now; });
    ended_[std::move(what)] = now;
}

void revocations::end(store::account_number who, std::string const& credential)
{
    std::vector<std::shared_ptr<entry>> found;
    {
        std::lock_guard const lock{mutex_};
        remember({who, credential});
        auto range = sessions_.equal_range(who);
        for (auto it = range.first; it != range.second; ++it)
            if (it->second->credential == credential) found.push_back(it->second);
    }
    for (auto const& e : found) post_cut(e);
}

void revocations::end_all(store::account_number who)
{
    std::vector<std::shared_ptr<entry>> found;
    {
        std::lock_guard const lock{mutex_};
        remember({who, {}});
        auto range = sessions_.equal_range(who);
        for (auto it = range.first; it != range.second; ++it) found.push_back(it->second);
    }
    for (auto const& e : found) post_cut(e);
}

void revocations::reopen(store::account_number who)
{
    std::lock_guard const lock{mutex_};
    ended_.erase({who, {}});
}

std::size_t revocations::size() const
{
    std::lock_guard const lock{mutex_};
    return sessions_.size();
}

}  // namespace mansio::auth
