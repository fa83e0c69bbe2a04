// From a source into an account of the running server.
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "transfer/link.hpp"
#include "transfer/source.hpp"

namespace mansio::transfer {

struct problem {
    std::string folder, message, why;  ///< message empty: the folder itself
};

struct import_report {
    std::uint64_t folders = 0;         ///< looked at
    std::uint64_t imported = 0, already = 0, skipped = 0;
    std::uint64_t renumbered = 0;      ///< came with another UID than they had, though those were to be kept
    std::uint64_t octets = 0;          ///< of the imported
    std::uint64_t expected = 0;        ///< messages found so far, for the progress bar
    std::vector<problem> problems;     ///< the first 10,000
    std::vector<problem> notes;        ///< what is different from before, though nothing is missing
    [[nodiscard]] bool complete() const noexcept { return skipped == 0 && problems.empty(); }
};

struct import_options {
    std::string account;               ///< address here
    bool keep_uids = false;
    std::string below;                 ///< put everything below this mailbox
    std::vector<std::string> only;     ///< folders by name; empty: all
    std::string journal;               ///< a file that remembers for good what came; empty: the server's memory of 30 days
    std::function<void(import_report const&)> progress;  ///< now and then; may be empty
};

/// Does not stop at a message or folder that cannot be had: the report says which and why. Importing again goes on where it ended: what came before is not
/// read again. Errors: refused (no such account, the source cannot be listed), closed (the server went away; what was reported is safely stored).
[[nodiscard]] task<result<import_report>> import_mail(link& to, source& from, import_options o);

}  // namespace mansio::transfer
