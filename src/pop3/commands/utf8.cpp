// UTF8 lets messages through as they are, whatever their header holds. RFC 6856 §2.
#include "pop3/commands/table.hpp"

namespace mansio::pop3::commands {

task<reply> utf8(session& s, std::string_view rest)
{
    if (!rest.empty()) co_return reply::bad("UTF8 has no arguments");
    s.begin_utf8();
    co_return reply::ok("UTF8 on");
}

}  // namespace mansio::pop3::commands
