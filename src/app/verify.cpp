// mansio verify: checks a store that no server has open.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "app/blocking.hpp"
#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/data_directory.hpp"
#include "base/bytes.hpp"
#include "base/metrics.hpp"
#include "net/shard.hpp"
#include "store/engines.hpp"
#include "transfer/verify.hpp"

namespace mansio::app {
namespace {
int give_up(bool json, std::string const& sentence)
{
    if (json) fmt::print("{{\"good\":false,\"error\":\"{}\"}}\n", sentence);
    fmt::print(stderr, "mansio: {}\n", sentence);
    return cli::refused;
}

void print_report(transfer::verify_report const& r, bool json)
{
    if (json) {
        fmt::print("{{\"good\":{},\"partitions\":{},\"rows\":{},\"pages\":{},\"mailboxes\":{},\"messages\":{},\"octets\":{},\"problems\":{}}}\n", r.good(),
                   r.partitions, r.rows, r.pages, r.mailboxes, r.messages, r.octets, r.problem_count);
        return;
    }
    fmt::print("{} partitions, {} rows, {} pages, {} mailboxes, {} messages", r.partitions, r.rows, r.pages, r.mailboxes, r.messages);
    if (r.octets != 0) fmt::print(", {} octets read", r.octets);
    fmt::print(": {}\n", r.good() ? "all good" : fmt::format("{} problems", r.problem_count));
}
}  // namespace

int verify(cli::verify_options const& o)
{
    config c;
    if (o.data.empty()) {
        auto const loaded = load_config(o.config_file.empty() ? std::string{default_config_file} : o.config_file);
        if (!loaded) return give_up(o.json, loaded.error().say);
        c = *loaded;
    } else {
        c.data = o.data;
    }
    data_directory const data{c.data};
    auto const good = check_data_directory(data);
    if (!good) return give_up(o.json, good.error().say);
    if (!exists(data.store())) return give_up(o.json, fmt::format("there is no store in {}.", c.data));

    base::metrics metrics;
    auto const log = base::make_log(base::log_format::human, base::log_level::warning);
    store::rocks_options ro;
    ro.directory = data.store();
    ro.create = false;
    auto engine = store::open_rocks_engine(ro, base::system_clock(), base::system_random(), *log, metrics);
    if (!engine) return give_up(o.json, engine.error().say);
    net::runtime loop{1, base::system_clock(), *log, metrics};
    loop.start();
    transfer::verify_options options{o.deep, {}};
    bool const terminal = isatty(STDERR_FILENO) != 0;
    if (terminal) options.progress = [](transfer::verify_report const& r) { fmt::print(stderr, "\r{} messages, {} problems", r.messages, r.problem_count); };
    result<transfer::verify_report> report;
    {
        store::accounts accounts{
            **engine, [&loop](store::partition_id) -> base::executor& { return loop.at(0); }, c.limits, base::system_random(), *log, metrics, {}};
        report = run_blocking(loop.at(0), transfer::verify(**engine, accounts, std::move(options)));
        run_blocking(loop.at(0), accounts.stop());
        loop.stop();
    }
    if (terminal) fmt::print(stderr, "\r");
    if (!report) return give_up(o.json, report.error().say.empty() ? "the store cannot be read." : report.error().say);
    for (auto const& p : report->problems) fmt::print(stderr, "mansio: {}\n", p);
    print_report(*report, o.json);
    return report->good() ? cli::done : cli::refused;
}

}  // namespace mansio::app
