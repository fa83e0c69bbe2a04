// mansio serve, config check, config explain.
#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/data_directory.hpp"
#include "app/server_process.hpp"
#include "base/bytes.hpp"

namespace mansio::app {
namespace {
std::string file_or_default(std::string const& file) { return file.empty() ? std::string{default_config_file} : file; }

int say(std::string const& sentence)
{
    fmt::print(stderr, "mansio: {}\n", sentence);
    return cli::refused;
}
}  // namespace

int serve(cli::serve_options const& o)
{
    auto c = load_config(file_or_default(o.config_file));
    if (!c) return say(c.error().say);
    auto const problems = check_config(*c);
    for (auto const& p : problems) fmt::print(stderr, "mansio: {}\n", p);
    if (!problems.empty()) return cli::refused;
    auto const log = base::make_log(log_format_of(*c), log_level_of(*c), c->log_file);
    auto server = server_process::make(std::move(*c), *log);
    if (!server) return say(server.error().say);
    auto const started = (*server)->start();
    if (!started) return say(started.error().say);
    (*server)->wait();
    (*server)->stop();
    return cli::done;
}

int config_check(std::string const& file, bool json)
{
    auto const path = file_or_default(file);
    auto const c = load_config(path);
    auto const problems = c ? check_config(*c) : std::vector<std::string>{c.error().say};
    if (json) {
        std::string list;
        for (auto const& p : problems) {
            std::string escaped;
            for (char const ch : base::printable(p, 2000)) {
                if (ch == '"' || ch == '\\') escaped += '\\';
                escaped += ch;
            }
            list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", escaped);
        }
        fmt::print("{{\"good\":{},\"problems\":[{}]}}\n", problems.empty(), list);
    } else if (problems.empty()) {
        fmt::print("{} is right.\n", path);
    } else {
        for (auto const& p : problems) fmt::print(stderr, "mansio: {}\n", p);
    }
    return problems.empty() ? cli::done : cli::refused;
}

int config_explain(std::string const& key, bool page)
{
    if (page) {
        fmt::print("{}", configuration_page());
        return cli::done;
    }
    bool any = false;
    for (auto const& k : config_keys()) {
        if (!k.name.starts_with(key)) continue;
        any = true;
        fmt::print("{} ({}, default {}{})\n    {}\n", k.name, k.type, k.default_text, k.live ? ", live" : "", k.text);
    }
    if (!any) return say(fmt::format("there is no key that begins with '{}'.", base::printable(key)));
    return cli::done;
}

std::string admin_socket_of(std::string const& config_file)
{
    auto const c = load_config(file_or_default(config_file));
    return data_directory{c ? c->data : config{}.data}.admin_socket();
}

}  // namespace mansio::app
