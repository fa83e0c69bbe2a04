// The commands that need the server's own parts; main() hands them to the command line.
#pragma once
#include <string>

#include "cli/program.hpp"

namespace mansio::app {

[[nodiscard]] int serve(cli::serve_options const& o);
[[nodiscard]] int demo(cli::demo_options const& o);
[[nodiscard]] int verify(cli::verify_options const& o);
[[nodiscard]] int config_check(std::string const& file, bool json);
[[nodiscard]] int config_explain(std::string const& key, bool page);
[[nodiscard]] int import_mail(cli::import_options const& o);
[[nodiscard]] int export_mail(cli::export_options const& o);
[[nodiscard]] int backup(cli::backup_options const& o);
[[nodiscard]] int backup_list(cli::backup_options const& o);
[[nodiscard]] int restore(cli::restore_options const& o);
/// Where the admin socket is by a configuration; the default place when the file cannot be read.
[[nodiscard]] std::string admin_socket_of(std::string const& config_file);

}  // namespace mansio::app
