// The command line: what people type, what they see. Commands that need the server's own parts are handed in by app.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mansio::cli {

/// Exit codes of every command (docs/commands.md).
enum exit_code : int { done = 0, refused = 1, usage = 2, unreachable = 3 };

struct serve_options {
    std::string config_file;
};
/// docs/architecture.md, "demo": the contract for outside tools.
struct demo_options {
    std::string data;                        ///< empty: a temporary directory, removed at the end
    std::optional<std::uint16_t> port_base;  ///< 0 or absent: the usual demo ports, the next free ones when busy
    std::uint64_t users = 0;
    bool cleartext = false;
    bool limits = true;
    bool default_folders = true;
    std::string listen = "127.0.0.1";
    std::string route;
    std::vector<std::string> allow_targets;
    bool json = false;
    bool break_sync_on_purpose = false;
    bool die_in_sync = false;
};
struct verify_options {
    std::string data;
    std::string config_file;
    bool deep = false;
    bool json = false;
};

/// `socket`: the server's admin socket; the transfer socket lies beside it.
struct import_options {
    enum class origin : std::uint8_t { maildir, mbox, imap };
    origin from = origin::maildir;
    std::string socket, config_file;
    std::string address;                     ///< the account here
    std::string path;                        ///< maildir, mbox
    std::string into;                        ///< mbox: the mailbox of a single file
    std::string host, user, password_file;   ///< imap; the file holds the password in its first line, "-": standard input
    std::uint16_t port = 0;                  ///< 0: 993, or 143 with STARTTLS
    bool starttls = false, cleartext = false, verify = true;
    std::string ca_file;                     ///< instead of the system's authorities
    bool keep_uids = false;
    std::string below, journal;
    std::vector<std::string> only;
    bool json = false;
};
struct export_options {
    bool mbox = false;
    std::string socket, config_file, address, path;
    std::vector<std::string> only;
    bool json = false;
};

struct backup_options {
    std::string directory;                   ///< of backups
    std::string socket, config_file;
    std::string data;                        ///< a data directory that no server has open, instead of the running server
    std::uint64_t keep = 7;
    std::uint32_t generation = 0;            ///< for verify; 0: the last
    bool full = false, verify = false;
    bool json = false;
};
struct restore_options {
    std::string directory;
    std::uint32_t generation = 0;            ///< 0: the last that can be read
    std::string data;                        ///< whole; empty: by the configuration
    bool queue = true;                       ///< whole: with the mail that waited to be delivered
    std::string account;                     ///< empty: whole; else its address in the backup
    std::string to;                          ///< another account's address here; empty: the same
    std::string into;                        ///< mailbox to put everything below; empty: "Restored" and the time
    std::string message;                     ///< Message-ID or EMAILID
    std::uint32_t uid = 0;
    std::vector<std::string> only;
    std::string socket, config_file;
    bool json = false;
};

/// What app brings. Each returns an exit code and prints its own output.
struct local_commands {
    std::function<int(serve_options const&)> serve;
    std::function<int(demo_options const&)> demo;
    std::function<int(verify_options const&)> verify;
    std::function<int(std::string const& file, bool json)> config_check;
    std::function<int(std::string const& key, bool page)> config_explain;
    std::function<std::string(std::string const& config_file)> admin_socket;  ///< where the server's socket is, by its configuration
    std::string version;
    std::function<int(import_options const&)> import_mail;
    std::function<int(export_options const&)> export_mail;
    std::function<int(backup_options const&)> backup, backup_list;
    std::function<int(restore_options const&)> restore;
};

/// Parses and runs. Returns the exit code.
[[nodiscard]] int run(int argc, char const* const* argv, local_commands const& local);

}  // namespace mansio::cli
