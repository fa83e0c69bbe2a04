// From an account of the running server into a Maildir or mbox files.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "transfer/importer.hpp"
#include "transfer/link.hpp"

namespace mansio::transfer {

struct export_report {
    std::uint64_t folders = 0, exported = 0, already = 0, skipped = 0, octets = 0, expected = 0;
    std::vector<problem> problems;
    std::vector<problem> notes;        ///< what files cannot say, though no message is missing
};

enum class export_form : std::uint8_t { maildir, mbox };

struct export_options {
    std::string account, path;
    export_form form = export_form::maildir;
    std::vector<std::string> only;
    std::function<void(export_report const&)> progress;
};

/// Maildir: Maildir++ with dovecot-uidlist, dovecot-keywords and subscriptions, so that UIDs and keywords go along; exporting again into it adds what is new
/// and takes over changed flags. mbox: a file for each mailbox, mboxrd quoting, replaced as a whole. Never stops at a message that cannot be read.
/// Errors: refused (no such account, the directory cannot be written or holds something else), closed.
[[nodiscard]] task<result<export_report>> export_mail(link& from, export_options o);

}  // namespace mansio::transfer
