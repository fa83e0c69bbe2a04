// What a certificate authority says (RFC 8555 §7.1, §6.7). Strangers' JSON: bounded in size by the fetcher, in depth here.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace mansio::acme {

/// An error as the authority tells it (RFC 7807); all of it is a stranger's text.
struct problem {
    std::string type;    ///< "rateLimited": without RFC 8555's prefix; a type of another kind whole
    std::string detail;  ///< with those of its subproblems
};
/// Whatever can be understood of it; never fails.
[[nodiscard]] problem parse_problem(std::string_view json);
/// "rateLimited: too many certificates …", printable and cut.
[[nodiscard]] std::string describe(problem const& p);

struct directory {
    std::string new_nonce, new_account, new_order;
    bool external_account_required = false;
};
struct challenge {
    std::string type, url, token, status;
    std::optional<problem> error;
};
struct authorization {
    std::string status, name;
    std::vector<challenge> challenges;
};
struct order {
    std::string status, finalize, certificate;
    std::vector<std::string> authorizations;
    std::optional<problem> error;
};
/// Errors: syntax, "the authority's … cannot be understood".
[[nodiscard]] result<directory> parse_directory(std::string_view json);
[[nodiscard]] result<authorization> parse_authorization(std::string_view json);
[[nodiscard]] result<order> parse_order(std::string_view json);

}  // namespace mansio::acme
