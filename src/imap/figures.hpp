// What the IMAP server counts.
#pragma once
#include <vector>

#include "base/metrics.hpp"

namespace mansio::imap {

/// Threads: safe.
struct figures {
    explicit figures(base::metrics& m);
    base::gauge& sessions;
    base::gauge& signed_in;
    base::counter& sign_ins;
    base::counter& sign_in_failures;
    base::counter& syntax_errors;
    base::counter& strikes_out;
    base::counter& timeouts;
    base::counter& literals_refused;
    base::counter& lines_too_long;
    base::counter& appended;
    base::counter& moved;              ///< connections handed to their account's shard
    std::vector<base::counter*> commands;  ///< by place in the command table
    base::counter& searches_refused;   ///< over a limit
};

}  // namespace mansio::imap
