#include "app/commands.hpp"
#include "app/server_process.hpp"
#include "cli/program.hpp"

int main(int argc, char** argv)
{
    namespace app = mansio::app;
    return mansio::cli::run(argc, argv,
                            {&app::serve, &app::demo, &app::verify, &app::config_check, &app::config_explain, &app::admin_socket_of, app::version_text,
                             &app::import_mail, &app::export_mail, &app::backup, &app::backup_list, &app::restore});
}
