// What transfer's tests share: a store in memory, the service at one end of a pair in memory, a link at the other, a directory for files.
#pragma once
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "net/stream.hpp"
#include "store/engines.hpp"
#include "transfer/exporter.hpp"
#include "transfer/importer.hpp"
#include "transfer/service.hpp"

namespace mansio::transfer::test {

/// A message by UID: flags, date and octets, as IMAP would tell.
struct kept {
    std::vector<std::string> flags;
    std::int64_t date = 0;
    std::string octets;
    bool operator==(kept const&) const = default;
};
using mailbox_picture = std::map<std::uint32_t, kept>;

class rig {
public:
    rig();
    ~rig();
    rig(rig const&) = delete;
    rig& operator=(rig const&) = delete;

    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{3};
    base::memory_log log;
    base::metrics metrics;
    base::limits limits;
    base::memory_budget budget{64U << 20U};
    std::filesystem::path directory;
    std::unique_ptr<store::engine> engine;
    std::unique_ptr<store::accounts> accounts;
    std::unique_ptr<store::spool> spool;

    template <class T> T run(task<T> t) { return loop.run(std::move(t)); }
    /// An account "NAME"; its addresses are its name.
    void make(std::string const& name);
    [[nodiscard]] store::account_ref open(std::string const& name);
    /// A conversation with the service.
    [[nodiscard]] std::unique_ptr<link> connect();
    [[nodiscard]] import_report import(source& from, import_options o);
    [[nodiscard]] export_report write(export_options o);
    [[nodiscard]] mailbox_picture picture(std::string const& account, std::string const& mailbox);
    [[nodiscard]] std::vector<std::string> names(std::string const& account);
    [[nodiscard]] std::string path(std::string const& name) const { return (directory / name).string(); }
    void write_file(std::string const& name, std::string const& text) const;
    [[nodiscard]] std::string read_file(std::string const& name) const;
    /// Runs `play` at the far end of a link of its own.
    [[nodiscard]] std::unique_ptr<link> scripted(std::function<task<void>(std::unique_ptr<net::stream>)> play);

private:
    std::map<std::string, store::account_number> numbers_;
    std::unique_ptr<base::task_group> group_;
};

/// A source that says what a test put into it.
class made_up final : public source {
public:
    explicit made_up(std::string who = "test") : who_(std::move(who)) {}
    struct folder {
        source_folder what;
        std::vector<std::pair<source_message, std::string>> messages;  ///< empty text: it cannot be read
    };
    std::vector<folder> all;
    std::vector<std::string> asked;      ///< keys that were read
    std::size_t lost_after = SIZE_MAX;   ///< messages handed over before the source goes away for good

    folder& add(std::string name, std::uint32_t validity, std::uint32_t uid_next);
    static void put(folder& f, std::uint32_t uid, std::vector<std::string> flags = {}, std::string text = {});

    std::string name() const override { return "made up"; }
    std::string identity() const override { return who_; }
    task<result<std::vector<source_folder>>> folders() override;
    task<result<std::vector<source_message>>> messages(source_folder& f) override;
    task<result<void>> read(source_folder const& f, std::vector<source_message> which, message_receiver& to) override;

private:
    std::string who_;
};

}  // namespace mansio::transfer::test
