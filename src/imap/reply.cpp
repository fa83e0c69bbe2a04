#include "imap/reply.hpp"

namespace mansio::imap {
namespace {

std::string_view code_for(fault const& f) noexcept
{
    switch (f.what) {
    case fault::kind::syntax: return {};
    case fault::kind::refused:
        if (f.detail == "already_exists") return "[ALREADYEXISTS] ";
        if (f.detail == "use_attr") return "[USEATTR] ";
        return f.detail == "cannot" ? "[CANNOT] " : "[NOPERM] ";
    case fault::kind::not_found: return "[NONEXISTENT] ";
    case fault::kind::over_limit: return f.detail.contains("quota") || f.say.contains("quota") ? "[OVERQUOTA] " : "[LIMIT] ";
    case fault::kind::conflict: return "[INUSE] ";
    case fault::kind::try_later: return "[UNAVAILABLE] ";
    case fault::kind::broken: return f.detail.contains("corruption") ? "[CORRUPTION] " : "[SERVERBUG] ";
    case fault::kind::timeout:
    case fault::kind::closed: break;
    }
    return "[UNAVAILABLE] ";
}

}  // namespace

reply reply_to(fault const& f)
{
    if (f.what == fault::kind::syntax) return {reply::kind::bad, f.say};
    if (f.say.starts_with('[')) return reply::no(f.say);
    return reply::no(std::string{code_for(f)} + (f.say.empty() ? "not possible now" : f.say));
}

bool ends_conversation(fault const& f) noexcept { return f.what == fault::kind::closed || f.what == fault::kind::timeout; }

}  // namespace mansio::imap
