// links: auth
// SASL responses and secrets of any octets: asked for or sent at once is the same, what comes out is what went in, and holds nothing it may not.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "auth/sign_in.hpp"
#include "base/bytes.hpp"

using namespace mansio;
using auth::sasl_exchange;

namespace {
void must(bool condition)
{
    if (!condition) std::abort();
}

void check(sasl_exchange::step const& s)
{
    if (s.now != sasl_exchange::state::credentials) return must(s.user.empty() && s.secret.empty());
    must(!s.user.empty() && !s.secret.empty());
    for (std::string_view const part : {std::string_view{s.authorization}, std::string_view{s.user}, std::string_view{s.secret}})
        must(base::is_utf8(part) && part.find('\0') == std::string_view::npos && part.size() <= 1024);
}

bool same(sasl_exchange::step const& a, sasl_exchange::step const& b)
{
    return a.now == b.now && a.challenge == b.challenge && a.user == b.user && a.secret == b.secret && a.authorization == b.authorization;
}

void plain(std::string_view octets)
{
    auto const at_once = sasl_exchange::start("PLAIN")->initial(octets);
    auto const asked = sasl_exchange::start("PLAIN");
    must(asked->initial(std::nullopt).now == sasl_exchange::state::challenge);
    auto const s = asked->next(octets);
    must(same(at_once, s));
    check(s);
    if (s.now == sasl_exchange::state::credentials) must(s.authorization + '\0' + s.user + '\0' + s.secret == octets);
}

void login(std::string_view octets)
{
    auto const half = octets.find('\n');
    auto const name = octets.substr(0, half);
    auto const secret = half == std::string_view::npos ? std::string_view{} : octets.substr(half + 1);
    auto const early = sasl_exchange::start("LOGIN"), asked = sasl_exchange::start("LOGIN");
    auto a = early->initial(name);
    must(asked->initial(std::nullopt).now == sasl_exchange::state::challenge);
    auto b = asked->next(name);
    must(same(a, b));
    if (a.now == sasl_exchange::state::challenge) {
        a = early->next(secret);
        b = asked->next(secret);
        must(same(a, b));
        if (a.now == sasl_exchange::state::credentials) must(a.user == name && a.secret == secret);
    }
    check(a);
    must(asked->next(secret).now == sasl_exchange::state::failed || a.now == sasl_exchange::state::failed);
}

void shape(std::string_view octets)
{
    if (!auth::is_app_password_shape(octets)) return;
    must(octets.size() == 33);
    std::string changed{octets};
    changed[3 + octets.size() % 26] ^= 1;
    must(!auth::is_app_password_shape(changed));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const octets{reinterpret_cast<char const*>(data), size};
    plain(octets);
    login(octets);
    shape(octets);
    return 0;
}
