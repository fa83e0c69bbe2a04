// Who must be told when a credential ends. Private to auth.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/executor.hpp"
#include "store/principal.hpp"

namespace mansio::auth {

/// Sessions by the credential they were opened with. A session that registers just after its credential was revoked is cut too: what ended lately
/// is remembered for as long as a sign-in may take.
/// Threads: safe; `cut` runs on the executor that registered it.
class revocations : public std::enable_shared_from_this<revocations> {
public:
    explicit revocations(base::clock& clock) : clock_(clock) {}
    [[nodiscard]] std::shared_ptr<void> add(store::account_number who, std::string credential, std::move_only_function<void()> cut);
    /// One credential ended.
    void end(store::account_number who, std::string const& credential);
    /// All of an account's sessions, whatever opened them; those that register from now on too, until reopen().
    void end_all(store::account_number who);
    void reopen(store::account_number who);
    [[nodiscard]] std::size_t size() const;

private:
    struct entry {
        store::account_number who = 0;
        std::string credential;
        base::executor* home = nullptr;
        std::move_only_function<void()> cut;
        bool alive = true;  // on `home` only
    };
    using name = std::pair<store::account_number, std::string>;  // an empty credential: the whole account
    static void post_cut(std::shared_ptr<entry> const& e);
    void remember(name what);
    void remove(entry const* e);
    base::clock& clock_;
    mutable std::mutex mutex_;
    std::unordered_multimap<store::account_number, std::shared_ptr<entry>> sessions_;
    std::map<name, base::monotonic_time> ended_;
};

}  // namespace mansio::auth
