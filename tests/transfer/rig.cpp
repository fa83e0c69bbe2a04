#include "rig.hpp"

namespace mansio::transfer::test {

rig::rig() : group_(std::make_unique<base::task_group>(loop))
{
    std::string pattern = (std::filesystem::temp_directory_path() / "mansio-transfer-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory = pattern;
    std::filesystem::create_directory(directory / "spool");
    engine = store::make_memory_engine(clock, random);
    accounts = std::make_unique<store::accounts>(
        *engine, [this](store::partition_id) -> base::executor& { return loop; }, limits, random, log, metrics, store::accounts::options{});
    spool = std::make_unique<store::spool>(path("spool"), limits.memory_per_message, budget);
}

rig::~rig()
{
    loop.run(group_->join());
    loop.run(accounts->stop());
    std::filesystem::remove_all(directory);
}

void rig::make(std::string const& name)
{
    auto const number = static_cast<store::account_number>(numbers_.size() + 1);
    numbers_[name] = number;
    ASSERT_TRUE(run(accounts->create(number, 0, true)));
}

store::account_ref rig::open(std::string const& name) { return accounts->open(numbers_.at(name), store::principal::server("test")); }

std::unique_ptr<link> rig::scripted(std::function<task<void>(std::unique_ptr<net::stream>)> play)
{
    auto pair = net::make_memory_pair(loop, {});
    group_->spawn(play(std::move(pair.server)));
    return std::make_unique<link>(std::move(pair.client), clock);
}

namespace {
task<result<store::account_number>> number_of_account(std::map<std::string, store::account_number> const& all, std::string address)
{
    auto const known = all.find(address);
    if (known == all.end()) co_return fail(fault::kind::not_found, "there is no account " + address);
    co_return known->second;
}
// The parts live as long as the conversation.
task<void> serve(service_parts parts, std::unique_ptr<net::stream> s) { co_await converse(std::move(parts), std::move(s)); }
}  // namespace

std::unique_ptr<link> rig::connect()
{
    service_parts const parts{*accounts, *spool, nullptr, limits, log, [this](std::string address) { return number_of_account(numbers_, std::move(address)); }};
    return scripted([parts](std::unique_ptr<net::stream> s) { return serve(parts, std::move(s)); });
}

import_report rig::import(source& from, import_options o)
{
    auto const link = connect();
    auto done = run(import_mail(*link, from, std::move(o)));
    EXPECT_TRUE(done) << (done ? "" : base::describe(done.error()));
    run(link->close());
    return done ? *done : import_report{};
}

export_report rig::write(export_options o)
{
    auto const link = connect();
    auto done = run(export_mail(*link, std::move(o)));
    EXPECT_TRUE(done) << (done ? "" : base::describe(done.error()));
    run(link->close());
    return done ? *done : export_report{};
}

mailbox_picture rig::picture(std::string const& account, std::string const& mailbox)
{
    mailbox_picture out;
    auto const a = open(account);
    auto const m = run(a.find_mailbox(mailbox));
    EXPECT_TRUE(m) << "there is no " << mailbox;
    if (!m) return out;
    auto const view = *run(a.view(m->id));
    for (std::uint32_t p = 0; p < view->size(); ++p) {
        auto const e = view->at(p);
        auto const records = run(a.emails(m->id, {e.email}));
        auto const octets = run(a.read(records->front(), 0, 1U << 20U));
        out[e.uid] = {view->names(e.flags), e.internal_date.unix_seconds, *octets};
        std::sort(out[e.uid].flags.begin(), out[e.uid].flags.end());
    }
    return out;
}

std::vector<std::string> rig::names(std::string const& account)
{
    std::vector<std::string> out;
    for (auto const& m : *run(open(account).list_mailboxes())) out.push_back(m.name + std::string{store::special_use_name(m.use)} + (m.subscribed ? "+" : ""));
    return out;
}

void rig::write_file(std::string const& name, std::string const& text) const
{
    std::filesystem::create_directories((directory / name).parent_path());
    std::ofstream{directory / name, std::ios::binary} << text;
}

std::string rig::read_file(std::string const& name) const
{
    std::ifstream in{directory / name, std::ios::binary};
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

made_up::folder& made_up::add(std::string name, std::uint32_t validity, std::uint32_t uid_next)
{
    folder f;
    f.what.name = f.what.id = std::move(name);
    f.what.uid_validity = validity;
    f.what.uid_next = uid_next;
    all.push_back(std::move(f));
    return all.back();
}

void made_up::put(folder& f, std::uint32_t uid, std::vector<std::string> flags, std::string text)
{
    source_message m;
    m.key = std::to_string(f.messages.size());
    m.uid = uid;
    m.flags = std::move(flags);
    m.date = mime::date_time{1'700'000'000 + uid, 60};
    if (text.empty()) text = "Subject: " + f.what.name + " " + m.key + "\r\n\r\nbody\r\n";
    f.messages.emplace_back(std::move(m), std::move(text));
}

task<result<std::vector<source_folder>>> made_up::folders()
{
    std::vector<source_folder> out;
    for (auto const& f : all) out.push_back(f.what);
    co_return out;
}

task<result<std::vector<source_message>>> made_up::messages(source_folder& f)
{
    std::vector<source_message> out;
    for (auto const& one : all)
        if (one.what.id == f.id)
            for (auto const& [m, text] : one.messages) out.push_back(m);
    co_return out;
}

task<result<void>> made_up::read(source_folder const& f, std::vector<source_message> which, message_receiver& to)
{
    for (auto const& one : all) {
        if (one.what.id != f.id) continue;
        for (auto const& m : which) {
            if (lost_after == 0) co_return fail(fault::kind::closed, "it went away");
            --lost_after;
            asked.push_back(m.key);
            auto const& text = one.messages.at(static_cast<std::size_t>(std::stoul(m.key))).second;
            if (text == "unreadable") {
                to.unreadable(m, "nobody can read it");
                continue;
            }
            auto const given = co_await to.message(m, mime::octets{text});
            if (!given) co_return given;
        }
    }
    co_return result<void>{};
}

}  // namespace mansio::transfer::test
