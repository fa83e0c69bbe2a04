#include "store/principal.hpp"

namespace mansio::store {
namespace {
constexpr std::string_view letters_in_order = "lrswipkxtea";
}

std::string rights_text(rights r)
{
    std::string text;
    for (std::size_t i = 0; i < letters_in_order.size(); ++i)
        if ((r >> i & 1U) != 0) text += letters_in_order[i];
    return text;
}

bool parse_rights(std::string_view letters, rights& into)
{
    rights found = 0;
    for (char const c : letters) {
        // RFC 4314 §2.1.1: RFC 2086's c and d stand for what they once held together.
        if (c == 'c') {
            found |= static_cast<rights>(right::create) | static_cast<rights>(right::remove_mailbox);
        } else if (c == 'd') {
            found |= static_cast<rights>(right::delete_message) | static_cast<rights>(right::expunge);
        } else {
            auto const at = letters_in_order.find(c);
            if (at == std::string_view::npos) return false;
            found |= static_cast<rights>(1U << at);
        }
    }
    into = found;
    return true;
}

principal principal::person(account_number who, std::string address, rights scope, std::string credential)
{
    principal p;
    p.who_ = who;
    p.address_ = std::move(address);
    p.scope_ = scope;
    p.credential_ = std::move(credential);
    return p;
}

principal principal::server(std::string purpose)
{
    principal p;
    p.address_ = std::move(purpose);
    p.scope_ = all_rights;
    p.server_ = true;
    return p;
}

}  // namespace mansio::store
