// The server side of SASL, without I/O: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login, for programs that know nothing else).
#include "auth/sign_in.hpp"
#include "base/bytes.hpp"

namespace mansio::auth {
namespace {
/// Longest identity or secret: RFC 4616 §2 asks for 255 octets at least; ours have 320 and 33.
constexpr std::size_t longest = 1024;

sasl_exchange::step ask(std::string challenge)
{
    sasl_exchange::step s;
    s.now = sasl_exchange::state::challenge;
    s.challenge = std::move(challenge);
    return s;
}

/// UTF-8, not too long, no NUL.
bool acceptable(std::string_view s) { return s.size() <= longest && s.find('\0') == std::string_view::npos && base::is_utf8(s); }

sasl_exchange::step finish(std::string_view authorization, std::string_view user, std::string_view secret)
{
    sasl_exchange::step s;
    if (user.empty() || secret.empty() || !acceptable(authorization) || !acceptable(user) || !acceptable(secret)) return s;
    s.now = sasl_exchange::state::credentials;
    s.authorization = authorization;
    s.user = user;
    s.secret = secret;
    return s;
}

// message = [authzid] UTF8NUL authcid UTF8NUL passwd   (RFC 4616 §2)
class plain final : public sasl_exchange {
public:
    step initial(std::optional<std::string_view> response) override { return response ? next(*response) : ask({}); }
    step next(std::string_view response) override
    {
        if (response.size() > 3 * longest + 2) return {};
        auto const first = response.find('\0');
        if (first == std::string_view::npos) return {};
        auto const second = response.find('\0', first + 1);
        if (second == std::string_view::npos) return {};
        return finish(response.substr(0, first), response.substr(first + 1, second - first - 1), response.substr(second + 1));
    }
};

// Two questions whose words some clients compare.
class login final : public sasl_exchange {
public:
    step initial(std::optional<std::string_view> response) override
    {
        if (!response) return ask("Username:");
        return next(*response);  // not in the draft, but some programs send the name at once
    }
    step next(std::string_view response) override
    {
        if (ended_ || response.size() > longest) return end({});
        if (!user_) {
            if (response.empty() || !acceptable(response)) return end({});
            user_.emplace(response);
            return ask("Password:");
        }
        return end(finish({}, *user_, response));
    }

private:
    step end(step s)
    {
        ended_ = true;
        return s;
    }
    std::optional<std::string> user_;
    bool ended_ = false;
};
}  // namespace

std::unique_ptr<sasl_exchange> sasl_exchange::start(std::string_view mechanism)
{
    if (base::equal_ignoring_case(mechanism, "PLAIN")) return std::make_unique<plain>();
    if (base::equal_ignoring_case(mechanism, "LOGIN")) return std::make_unique<login>();
    return nullptr;
}

std::vector<std::string_view> const& sasl_mechanisms()
{
    static std::vector<std::string_view> const all{"PLAIN", "LOGIN"};
    return all;
}

}  // namespace mansio::auth
