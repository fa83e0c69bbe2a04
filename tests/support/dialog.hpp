// Runs dialogues: text files of what is said on the wire (tests/dialogs/README.md).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.hpp"
#include "net/stream.hpp"

namespace mansio::test {

struct dialog_setting {
    base::manual_executor& loop;
    /// Opens the connection a name stands for and returns the client's end; called when a name is first used.
    std::function<std::unique_ptr<net::stream>(std::string_view name)> connect;
    /// What ${name} stands for.
    std::map<std::string, std::string> variables;
    /// Client's octets are sent in pieces of at most this many, the loop turned between them; 0: whole.
    std::size_t cut = 0;
    /// For the step `tls`; an in-memory pair only turns a flag.
    net::tls_client_context* tls = nullptr;
};

/// Empty when the dialogue went as written; else the line of `text` where it did not, and what came instead.
[[nodiscard]] std::string run_dialog(std::string_view text, dialog_setting setting);
/// The files of a folder that end in .dlg, sorted.
[[nodiscard]] std::vector<std::string> dialogs_in(std::string const& folder);

}  // namespace mansio::test
