// Rights and those who have them, on the wire (RFC 4314).
#pragma once
#include <string>
#include <string_view>

#include "imap/names.hpp"
#include "store/principal.hpp"

namespace mansio::imap::commands {

/// "lrswipkxteacd", with the c and d of RFC 2086 when one of their members is held (RFC 4314 §2.1.1); `""` for none.
void append_rights(std::string& out, store::rights r);
/// `* MYRIGHTS name rights` and CRLF.
void append_my_rights(std::string& out, std::string_view mailbox, store::rights r, name_form form);

}  // namespace mansio::imap::commands
