// LIST lines, also said by SELECT.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "imap/names.hpp"
#include "store/account.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

/// `* LIST (\HasNoChildren \Sent) "/" Sent`. `attributes`: more of them; `verb`: LIST or LSUB; `extra`: extended data, `("CHILDINFO" ("SUBSCRIBED"))`.
void append_list_line(std::string& out, std::string_view verb, store::mailbox_info const& m, std::vector<std::string> attributes, session const& s,
                      std::string_view extra = {});

}  // namespace mansio::imap::commands
