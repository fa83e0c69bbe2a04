// Errors as values: what a stranger can cause is a result, never an exception (docs/architecture.md, "Errors").
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace mansio::base {

/// Why something was not done: for the code (`what`), for the peer (`say`), for the operator (`detail`).
struct fault {
    enum class kind : std::uint8_t {
        syntax,     ///< malformed; sending it again unchanged cannot help
        refused,    ///< well formed, but not allowed or not possible
        try_later,  ///< the same request may succeed later (SMTP 4yz)
        broken,     ///< ours: an error in the log, a vague sentence to the peer
        not_found,  ///< no such thing, or no right to know of it: never told apart (trust.md I8)
        conflict,   ///< somebody else changed it first; nothing was applied
        over_limit, ///< a named limit was reached: quota, size, count, memory budget
        timeout,    ///< a deadline passed
        closed,     ///< the other side, or our own shutdown, ended the conversation
    };
    kind what = kind::broken;
    std::string say;     ///< sent to the peer; holds no path, host or key of ours
    std::string detail;  ///< for the log alone
    fault() = default;
    // Not an aggregate: some compilers destroy one twice when it is built in braces inside a co_await.
    fault(kind what_, std::string say_, std::string detail_ = {});
};

template <class T = void> using result = std::expected<T, fault>;

/// `return fail(fault::kind::syntax, "...")` in any function returning result<T>.
[[nodiscard]] std::unexpected<fault> fail(fault::kind what, std::string say, std::string detail = {});
/// Passes the error of another result on: `return fail(r)`.
template <class T> [[nodiscard]] std::unexpected<fault> fail(result<T> const& r) { return std::unexpected(r.error()); }
template <class T> [[nodiscard]] std::unexpected<fault> fail(result<T>&& r) { return std::unexpected(std::move(r).error()); }
/// "try_later: say (detail)", for logs and test output.
[[nodiscard]] std::string describe(fault const& f);
[[nodiscard]] char const* name_of(fault::kind k) noexcept;

/// Prints the failed condition and ends the process; stays on in release builds. The code is wrong, not the input.
[[noreturn]] void assertion_failed(char const* condition, char const* file, int line);

}  // namespace mansio::base

namespace mansio {
using base::fail;
using base::fault;
using base::result;
}  // namespace mansio

#define MANSIO_ASSERT(condition) (static_cast<bool>(condition) ? static_cast<void>(0) : ::mansio::base::assertion_failed(#condition, __FILE__, __LINE__))
