#include "accept/reply.hpp"

namespace mansio::accept {

reply reply_for(fault const& f, reply full)
{
    switch (f.what) {
    case fault::kind::over_limit: return full;
    case fault::kind::not_found: return {550, "5.1.1", "no such user here"};
    case fault::kind::syntax: return {501, "5.5.4", f.say};
    case fault::kind::refused: return {554, f.detail == "5.4.6" ? "5.4.6" : "5.7.1", f.say};
    case fault::kind::try_later:
    case fault::kind::broken:
    case fault::kind::conflict:
    case fault::kind::timeout:
    case fault::kind::closed: break;
    }
    return {451, "4.3.0", "the server cannot take this now, try again later"};
}

std::string describe(reply const& r)
{
    auto out = std::to_string(r.code);
    if (!r.status.empty()) (out += ' ') += r.status;
    return (out += ' ') += r.text;
}

}  // namespace mansio::accept
