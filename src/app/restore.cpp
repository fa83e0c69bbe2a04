// mansio restore: a whole store into an empty data directory, or an account or a message into the running server.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include <cstdio>
#include <filesystem>

#include "app/blocking.hpp"
#include "app/commands.hpp"
#include "app/data_directory.hpp"
#include "app/long_work.hpp"
#include "auth/directory.hpp"
#include "base/bytes.hpp"
#include "base/metrics.hpp"
#include "imap/object_id.hpp"
#include "net/shard.hpp"
#include "store/engines.hpp"
#include "transfer/backup_store.hpp"
#include "transfer/importer.hpp"
#include "transfer/restore.hpp"

namespace mansio::app {
namespace {
namespace json = boost::json;
using transfer::backup_directory;

constexpr std::uint64_t memory_in_flight = 256ULL << 20U;

std::unexpected<fault> refuse(std::string sentence) { return fail(fault::kind::refused, std::move(sentence)); }

/// What must be so before anything is written.
result<void> look_at(data_directory const& data)
{
    if (auto const good = check_data_directory(data); !good) return good;
    struct stat st{};
    if (::stat(data.root.c_str(), &st) == 0 && st.st_uid != ::geteuid())
        return refuse(fmt::format("{} belongs to another user. Restore as that one, so that the server can open what is restored.", data.root));
    if (exists(data.store()))
        return refuse(fmt::format("there is a store in {} already. Restore into an empty data directory, or move {} away first.", data.root, data.store()));
    return {};
}

result<transfer::restore_report> into_store(cli::restore_options const& o, std::string const& place, backup_directory const& in, transfer::generation const& g,
                                            progress& bar)
{
    auto const incarnation = transfer::next_incarnation(in, g, base::system_clock());
    if (!incarnation) return fail(incarnation);
    base::metrics metrics;
    auto const log = base::make_log(base::log_format::human, base::log_level::warning);
    store::rocks_options ro;
    ro.directory = place;
    auto engine = store::open_rocks_engine(ro, base::system_clock(), base::system_random(), *log, metrics);
    if (!engine) return fail(engine);
    net::runtime loop{1, base::system_clock(), *log, metrics};
    loop.start();
    transfer::restore_options options;
    options.queue = o.queue;
    options.progress = [&bar](transfer::restore_report const& r) { bar.show(r.messages, r.expected, r.problem_count, "problems"); };
    auto work = transfer::restore_all(in, g, **engine, *incarnation, base::system_random(), std::move(options));
    auto report = run_blocking(loop.at(0), std::move(work));
    loop.stop();
    return report;
}

result<transfer::restore_report> restore_store(cli::restore_options const& o, data_directory const& data)
{
    if (auto const good = look_at(data); !good) return fail(good);
    auto in = backup_directory::open(o.directory, backup_directory::use::write, &base::system_random());
    if (!in) return fail(in);
    auto const g = in->find(o.generation);
    if (!g) return fail(g);
    auto const lock = transfer::files::lock(data.root + "/restore.lock");
    if (!lock) return fail(lock);
    // Under another name until it is whole: a restore that was cut short is no store, and is begun anew.
    auto const place = data.store() + ".restoring";
    std::error_code ignored;
    std::filesystem::remove_all(place, ignored);
    result<transfer::restore_report> report;
    {
        progress bar{base::system_clock()};
        report = into_store(o, place, *in, *g, bar);
    }
    if (!report) return report;
    auto done = transfer::files::rename(place, data.store());
    if (done) done = transfer::files::sync_directory(data.root);
    if (done) done = make_parts(data);
    if (done) done = transfer::files::remove(data.root + "/restore.lock");
    if (!done) return fail(done);
    return report;
}

int whole(cli::restore_options const& o)
{
    auto const root = data_of(o.data, o.config_file);
    if (!root) return give_up(o.json, root.error());
    data_directory const data{*root};
    auto const report = restore_store(o, data);
    if (!report) return give_up(o.json, report.error());
    auto const& r = *report;
    for (auto const& p : r.problems) fmt::print(stderr, "problem: {}\n", base::printable(p, 1000));
    bool const keys = exists(data.keys() + "/pepper");
    if (o.json) {
        json::array problems;
        for (auto const& p : r.problems) problems.emplace_back(transfer::json_text(p));
        fmt::print("{}\n", json::serialize(json::object{{"generation", r.generation},
                                                        {"incarnation", r.incarnation},
                                                        {"accounts", r.accounts},
                                                        {"messages", r.messages},
                                                        {"octets", r.octets},
                                                        {"keys", keys},
                                                        {"problem_count", r.problem_count},
                                                        {"problems", std::move(problems)}}));
    } else {
        fmt::print("generation {} restored into {}: {} accounts, {} messages ({}){}\n", r.generation, data.root, r.accounts, r.messages, octets_text(r.octets),
                   r.good() ? "" : fmt::format("; {} problems", r.problem_count));
        fmt::print("mail programs will fetch their folders anew: every folder has a new UIDVALIDITY\n");
        if (!keys) fmt::print("put the keys back into {} before the server starts: a backup does not hold them\n", data.keys());
    }
    return r.good() ? cli::done : cli::refused;
}

// ---- into the running server ---------------------------------------------------------------------------------------------------------------------

result<transfer::message_choice> choice_of(cli::restore_options const& o, store::account_number n)
{
    transfer::message_choice c;
    c.folders = o.only;
    c.uid = o.uid;
    if (o.uid != 0 && o.only.size() != 1) return refuse("--uid wants the --folder it counts in.");
    if (o.message.empty()) return c;
    if (o.message.contains('@')) {
        c.message_id = o.message.starts_with('<') ? o.message : "<" + o.message + ">";
    } else if (auto const email = imap::object_number(o.message, imap::object_kind::email, n)) {
        c.email = *email;
    } else {
        return refuse(fmt::format("{} is neither a Message-ID nor an EMAILID of that account.", base::printable(o.message, 200)));
    }
    return c;
}

/// The backup as a store, with its people and their mail.
struct opened_backup {
    base::limits limits;
    base::metrics metrics;
    std::unique_ptr<store::engine> storage;
    std::unique_ptr<store::accounts> accounts;
    std::unique_ptr<auth::directory> people;

    opened_backup(backup_directory const& in, transfer::generation const& g, base::executor& here)
        : storage(transfer::open_backup_store(in, g)),
          accounts(std::make_unique<store::accounts>(
              *storage, [&here](store::partition_id) -> base::executor& { return here; }, limits, base::system_random(), base::null_log(), metrics,
              store::accounts::options{})),
          people(std::make_unique<auth::directory>(*storage, here, limits, base::system_random(), base::null_log()))
    {}
};

task<result<transfer::import_report>> bring(net::shard& here, cli::restore_options const& o, opened_backup& from, std::string into, store::spool& spool,
                                            progress& bar)
{
    auto const who = co_await from.people->find_account(o.account);
    if (!who) co_return fail(who);
    if (!*who) co_return fail(fault::kind::refused, fmt::format("there is no account {} in that backup.", base::printable(o.account, 200)));
    auto const number = (*who)->number;
    auto choice = choice_of(o, number);
    if (!choice) co_return fail(choice);
    auto const source = transfer::open_backup_source(from.accounts->open(number, store::principal::server("restore")), std::move(*choice), into, spool);
    auto link = co_await transfer::link::open(here, transfer_socket(o.socket, o.config_file));
    if (!link) co_return fail(link);
    transfer::import_options options;
    options.account = o.to.empty() ? o.account : o.to;
    options.below = std::move(into);
    options.progress = [&bar](transfer::import_report const& r) { bar.show(r.imported + r.already + r.skipped, r.expected, r.skipped); };
    auto report = co_await transfer::import_mail(**link, *source, std::move(options));
    co_await (*link)->close();
    co_return report;
}

int into_server(cli::restore_options const& o)
{
    auto const in = backup_directory::open(o.directory, backup_directory::use::read);
    if (!in) return give_up(o.json, in.error());
    auto const g = in->find(o.generation);
    if (!g) return give_up(o.json, g.error());
    auto const into =
        !o.into.empty() ? o.into : fmt::format("Restored {:%Y-%m-%d %H%M%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(base::system_clock().wall())));
    base::metrics unused;
    net::runtime loop{1, base::system_clock(), base::null_log(), unused};
    auto& here = loop.at(0);
    base::limits const limits;
    base::memory_budget budget{memory_in_flight};
    store::spool spool{std::filesystem::temp_directory_path().string(), limits.memory_per_message, budget};
    loop.start();
    result<transfer::import_report> report;
    {
        progress bar{base::system_clock()};
        opened_backup from{*in, *g, here};
        report = run_blocking(here, bring(here, o, from, into, spool, bar));
        run_blocking(here, from.accounts->stop());
        loop.stop();
    }
    if (!report) return give_up(o.json, report.error());
    auto const& r = *report;
    bool const missing = r.imported + r.already + r.skipped == 0 && (!o.message.empty() || o.uid != 0);
    for (auto const& p : r.problems)
        fmt::print(stderr, "skipped: {}{}{}: {}\n", base::printable(p.folder, 200), p.message.empty() ? "" : ", ", base::printable(p.message, 400),
                   base::printable(p.why, 400));
    if (o.json) {
        fmt::print("{}\n", json::serialize(json::object{{"generation", g->number},
                                                        {"into", into},
                                                        {"folders", r.folders},
                                                        {"restored", r.imported},
                                                        {"already", r.already},
                                                        {"skipped", r.skipped},
                                                        {"octets", r.octets}}));
    } else if (missing) {
        fmt::print(stderr, "mansio: there is no such message in generation {}.\n", g->number);
    } else {
        fmt::print("{} messages restored below \"{}\" ({}), {} were there already, {} skipped\n", r.imported, base::printable(into, 200), octets_text(r.octets),
                   r.already, r.skipped);
    }
    return r.complete() && !missing ? cli::done : cli::refused;
}
}  // namespace

int restore(cli::restore_options const& o) { return o.account.empty() ? whole(o) : into_server(o); }

}  // namespace mansio::app
