#include <map>
#include <mutex>

#include "net/fetch.hpp"

namespace mansio::net {

struct scripted_fetcher::state {
    mutable std::mutex mutex;
    script answers;
    std::map<std::string, result<fetch_response>> fixed;
    std::vector<fetch_request> asked;

    result<fetch_response> answer(fetch_request const& r)
    {
        std::lock_guard const lock{mutex};
        asked.push_back(r);
        if (auto const at = fixed.find(r.url); at != fixed.end()) return at->second;
        if (answers) return answers(r);
        return fail(fault::kind::not_found, "no such host", r.url);
    }
};

scripted_fetcher::scripted_fetcher() : state_(std::make_unique<state>()) {}
scripted_fetcher::scripted_fetcher(script s) : scripted_fetcher() { state_->answers = std::move(s); }
scripted_fetcher::~scripted_fetcher() = default;

void scripted_fetcher::set(std::string url, result<fetch_response> answer)
{
    std::lock_guard const lock{state_->mutex};
    state_->fixed.insert_or_assign(std::move(url), std::move(answer));
}

std::vector<fetch_request> scripted_fetcher::asked() const
{
    std::lock_guard const lock{state_->mutex};
    return state_->asked;
}

task<result<fetch_response>> scripted_fetcher::fetch(fetch_request r)
{
    auto answered = state_->answer(r);
    co_return answered;
}

}  // namespace mansio::net
