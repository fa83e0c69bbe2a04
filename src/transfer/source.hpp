// Where an import comes from: a Maildir, an mbox file, another IMAP server.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "mime/date.hpp"
#include "mime/octets.hpp"
#include "store/spool.hpp"

namespace mansio::transfer {

struct source_folder {
    std::string name;                 ///< UTF-8, levels by '/', INBOX in capitals
    std::string id;                   ///< names it for good within its source; unlike `name`, never the same as another's
    std::string where;                ///< the source's own: a directory, a file, the name as the server wrote it
    std::string use;                  ///< "\Sent"; empty: none or not known
    bool subscribed = false;
    bool selectable = true;           ///< no: only a level above others
    std::uint32_t uid_validity = 0;   ///< 0: not known
    std::uint32_t uid_next = 0;
    std::string note;                 ///< what the operator should know: a name that had to be changed …
};

struct source_message {
    std::string key;                  ///< names it for good within its folder: importing twice changes nothing
    std::string where;                ///< the source's own
    std::uint32_t uid = 0;            ///< 0: none
    std::vector<std::string> flags;
    std::optional<mime::date_time> date;
    std::uint64_t offset = 0, size = 0;
};

/// Takes what a source reads.
class message_receiver {
public:
    virtual ~message_receiver() = default;
    /// `octets` may be dropped when it returns. An error ends the import.
    [[nodiscard]] virtual task<result<void>> message(source_message const& m, mime::octets octets) = 0;
    /// This one cannot be read; `why` is a sentence.
    virtual void unreadable(source_message const& m, std::string why) = 0;
};

/// Threads: one executor. Errors of a call end the import of that folder (closed, timeout: of everything); single messages never do.
class source {
public:
    virtual ~source() = default;
    /// "imap.example.org as anna", for the report.
    [[nodiscard]] virtual std::string name() const = 0;
    /// Part of what names a message for good; the same at each import from this source.
    [[nodiscard]] virtual std::string identity() const = 0;
    [[nodiscard]] virtual task<result<std::vector<source_folder>>> folders() = 0;
    /// In the order they are to be appended; fills in what only opening the folder tells (UIDVALIDITY).
    [[nodiscard]] virtual task<result<std::vector<source_message>>> messages(source_folder& f) = 0;
    /// Reads these, a few hundred at most, in order.
    [[nodiscard]] virtual task<result<void>> read(source_folder const& f, std::vector<source_message> which, message_receiver& to) = 0;
    virtual task<void> close() { co_return; }
};

/// `spool`: where messages wait while they are read; outlives the source. `path`: a directory with cur/ (the INBOX), Maildir++ folders (".Sent.2020")
/// or Dovecot's LAYOUT=fs below it. Errors of opening: refused.
[[nodiscard]] result<std::unique_ptr<source>> open_maildir(std::string path, store::spool& spool);
/// `path`: a file (becomes `folder`, INBOX when empty), or a directory of files, one for each mailbox.
[[nodiscard]] result<std::unique_ptr<source>> open_mbox(std::string path, std::string folder, store::spool& spool);

/// What an export leaves beside the mail, for what files cannot say: names that had to be changed, special use, subscriptions, UIDVALIDITY
/// (docs/formats/transfer.md). By where each lies, relative to the directory. Empty: there is no such file, or it is damaged.
inline constexpr std::string_view folders_file = "mansio-folders.json";
[[nodiscard]] std::map<std::string, source_folder, std::less<>> exported_folders(std::string const& directory);
[[nodiscard]] std::string folders_text(std::vector<source_folder> const& folders);  ///< `id`: where each lies

/// A level of a mailbox name may hold no '/': what it becomes.
[[nodiscard]] std::string level_name(std::string_view level);

}  // namespace mansio::transfer
