// Another IMAP server as the source of an import.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/limits.hpp"
#include "imapclient/client.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {

/// Makes a connection that is signed in; called again when one was lost in the middle.
using imap_connector = std::function<task<result<std::unique_ptr<imapclient::client>>>()>;

/// Folders are opened with EXAMINE: nothing there changes, \Seen neither.
[[nodiscard]] std::unique_ptr<source> open_imap(imap_connector connect, std::string host, std::string user, store::spool& spool, base::limits const& l);

}  // namespace mansio::transfer
