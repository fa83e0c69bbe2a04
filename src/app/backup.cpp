// mansio backup: the running server's store, or one that no server has open, into a directory of backups; what is in such a directory.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>

#include <cstdio>

#include "app/blocking.hpp"
#include "app/commands.hpp"
#include "app/data_directory.hpp"
#include "app/long_work.hpp"
#include "base/bytes.hpp"
#include "base/metrics.hpp"
#include "net/shard.hpp"
#include "store/engines.hpp"
#include "transfer/backup.hpp"
#include "transfer/picture_link.hpp"

namespace mansio::app {
namespace {
namespace json = boost::json;

std::string moment(std::int64_t unix_seconds) { return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(unix_seconds))); }

template <class Report> void print_problems(Report const& r)
{
    for (auto const& p : r.problems) fmt::print(stderr, "problem: {}\n", base::printable(p, 1000));
    if (r.problem_count > r.problems.size()) fmt::print(stderr, "and {} more problems\n", r.problem_count - r.problems.size());
}
template <class Report> json::array problems_of(Report const& r)
{
    json::array out;
    for (auto const& p : r.problems) out.emplace_back(transfer::json_text(p));
    return out;
}

task<result<transfer::backup_report>> from_server(net::shard& here, std::string socket, transfer::backup_directory& to, transfer::backup_options o)
{
    auto link = co_await transfer::link::open(here, std::move(socket));
    if (!link) co_return fail(link);
    auto picture = co_await transfer::take_remote_picture(**link);
    if (!picture) co_return fail(picture);
    auto report = co_await transfer::make_backup(**picture, to, here.clock(), std::move(o));
    picture->reset();
    co_await (*link)->close();
    co_return report;
}

task<result<transfer::backup_report>> from_store(store::engine& e, transfer::backup_directory& to, base::clock& clock, transfer::backup_options o)
{
    auto picture = co_await e.take_picture();
    if (!picture) co_return fail(picture);
    auto report = co_await transfer::make_backup(**picture, to, clock, std::move(o));
    picture->reset();
    co_return report;
}

result<transfer::backup_report> back_up(cli::backup_options const& o, transfer::backup_directory& to, transfer::backup_options options)
{
    base::metrics metrics;
    auto const log = base::make_log(base::log_format::human, base::log_level::warning);
    std::unique_ptr<store::engine> engine;
    if (!o.data.empty()) {
        data_directory const data{o.data};
        if (auto const good = check_data_directory(data); !good) return fail(good);
        store::rocks_options ro;
        ro.directory = data.store();
        ro.create = false;
        auto opened = store::open_rocks_engine(ro, base::system_clock(), base::system_random(), *log, metrics);
        if (!opened) return fail(opened);
        engine = std::move(*opened);
    }
    net::runtime loop{1, base::system_clock(), *log, metrics};
    auto& here = loop.at(0);
    loop.start();
    auto work = engine ? from_store(*engine, to, base::system_clock(), std::move(options))
                       : from_server(here, transfer_socket(o.socket, o.config_file), to, std::move(options));
    auto report = run_blocking(here, std::move(work));
    loop.stop();
    return report;
}

int make(cli::backup_options const& o)
{
    auto const began = base::system_clock().monotonic();
    auto to = transfer::backup_directory::open(o.directory, transfer::backup_directory::use::write, &base::system_random());
    if (!to) return give_up(o.json, to.error());
    result<transfer::backup_report> report;
    {
        progress bar{base::system_clock()};
        transfer::backup_options options;
        options.keep = o.keep;
        options.full = o.full;
        options.progress = [&bar](transfer::backup_report const& r) { bar.show(r.messages, r.expected, r.problem_count, "problems"); };
        report = back_up(o, *to, std::move(options));
    }
    if (!report) return give_up(o.json, report.error());
    auto const& r = *report;
    auto const took = std::chrono::duration<double>(base::system_clock().monotonic() - began).count();
    print_problems(r);
    if (o.json) {
        fmt::print("{}\n", json::serialize(json::object{{"generation", r.generation},
                                                        {"accounts", r.accounts},
                                                        {"messages", r.messages},
                                                        {"octets", r.octets},
                                                        {"new_messages", r.new_messages},
                                                        {"new_octets", r.new_octets},
                                                        {"seconds", took},
                                                        {"problem_count", r.problem_count},
                                                        {"problems", problems_of(r)}}));
    } else {
        fmt::print("generation {}: {} accounts, {} messages ({}); new: {} messages, {} written; {:.1f} s{}\n", r.generation, r.accounts, r.messages,
                   octets_text(r.octets), r.new_messages, octets_text(r.new_octets), took, r.good() ? "" : fmt::format("; {} problems", r.problem_count));
    }
    return r.good() ? cli::done : cli::refused;
}

int check(cli::backup_options const& o)
{
    auto const in = transfer::backup_directory::open(o.directory, transfer::backup_directory::use::read);
    if (!in) return give_up(o.json, in.error());
    auto const g = in->find(o.generation);
    if (!g) return give_up(o.json, g.error());
    transfer::check_report r;
    {
        progress bar{base::system_clock()};
        r = transfer::check_backup(*in, *g, [&bar](transfer::check_report const& c) { bar.show(c.messages, c.expected, c.problem_count, "problems"); });
    }
    print_problems(r);
    if (o.json)
        fmt::print("{}\n", json::serialize(json::object{{"good", r.good()},
                                                        {"generation", g->number},
                                                        {"made", g->made},
                                                        {"messages", r.messages},
                                                        {"octets", r.octets},
                                                        {"problem_count", r.problem_count},
                                                        {"problems", problems_of(r)}}));
    else
        fmt::print("generation {} of {}: {} messages, {} read: {}\n", g->number, moment(g->made), r.messages, octets_text(r.octets),
                   r.good() ? "all good" : fmt::format("{} problems", r.problem_count));
    return r.good() ? cli::done : cli::refused;
}
}  // namespace

int backup(cli::backup_options const& o) { return o.verify ? check(o) : make(o); }

int backup_list(cli::backup_options const& o)
{
    auto const in = transfer::backup_directory::open(o.directory, transfer::backup_directory::use::read);
    if (!in) return give_up(o.json, in.error());
    bool good = true;
    json::array list;
    for (auto const& name : in->generations()) {
        auto const g = in->load(name);
        good = good && g;
        if (o.json) {
            list.emplace_back(g ? json::object{{"generation", g->number},
                                               {"made", g->made},
                                               {"accounts", g->accounts},
                                               {"messages", g->messages},
                                               {"octets", g->octets},
                                               {"new_octets", g->new_octets},
                                               {"problems", g->problems.size()}}
                                : json::object{{"generation", name.number}, {"error", g.error().say}});
        } else if (g) {
            fmt::print("generation {}  {}  {} accounts  {} messages  {}  ({} new){}\n", g->number, moment(g->made), g->accounts, g->messages,
                       octets_text(g->octets), octets_text(g->new_octets), g->problems.empty() ? "" : fmt::format("  {} problems", g->problems.size()));
        } else {
            fmt::print("generation {}  cannot be used: {}\n", name.number, g.error().say);
        }
    }
    if (o.json) fmt::print("{}\n", json::serialize(json::object{{"generations", std::move(list)}}));
    return good ? cli::done : cli::refused;
}

}  // namespace mansio::app
