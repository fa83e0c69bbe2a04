// What IMAP's tests share: a whole server on the engine in memory, accounts alice, bob and carol, connections through the in-memory pair.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "auth/directory.hpp"
#include "imap/server.hpp"
#include "store/engines.hpp"
#include "support/dialog.hpp"

namespace mansio::imap::test {

/// Who is who, from the directory.
class rig_people final : public people {
public:
    explicit rig_people(auth::directory& d) : directory_(d) {}
    task<result<std::optional<person>>> with_address(std::string address) override;
    task<result<std::optional<person>>> with_number(store::account_number n) override;

private:
    auth::directory& directory_;
};

/// TLS contexts are made once a program: the in-memory pair only turns a flag, but wants one.
struct contexts {
    std::unique_ptr<net::tls_server_context> server;
    std::unique_ptr<net::tls_client_context> client;
    static contexts& get();
};

struct rig_options {
    bool cleartext = true;       ///< sign in without TLS
    bool with_tls = true;        ///< STARTTLS is there
    std::size_t cut = 1U << 20U; ///< how the network cuts what the client says
    std::size_t window = SIZE_MAX;  ///< octets the server sends before the client must have read some
    base::limits limits;
    extension_set off;           ///< switched off for everybody
};

class rig {
public:
    explicit rig(rig_options o = {});
    ~rig();
    rig(rig const&) = delete;
    rig& operator=(rig const&) = delete;

    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::seeded_random random{11};
    base::limits limits;
    base::memory_log log;
    base::metrics metrics;
    std::unique_ptr<store::engine> engine;
    std::unique_ptr<store::accounts> accounts;
    std::unique_ptr<auth::directory> people;
    std::unique_ptr<auth::sign_in> door;
    base::memory_budget budget{64U << 20U};
    std::unique_ptr<store::spool> spool;
    std::unique_ptr<rig_people> who_is;
    std::unique_ptr<imap::server> server;
    std::map<std::string, std::string> variables;  ///< alice, alice_secret, alice_plain (SASL PLAIN in base64) …; the same for bob

    /// The client's end of a new conversation. A name that begins with "tls" is under TLS from the start; "far…" comes from elsewhere than this machine.
    std::unique_ptr<net::stream> connect(std::string_view name);
    [[nodiscard]] mansio::test::dialog_setting setting();
    /// Runs a dialogue written in the test; a failed test when it goes otherwise.
    void talk(std::string_view dialog, std::size_t client_cut = 0);
    std::uint64_t counter(std::string_view name);

private:
    rig_options options_;
    std::filesystem::path spool_directory_;
};

/// One connection, spoken to octet by octet, for what no dialogue can say.
class wire_client {
public:
    wire_client(rig& r, std::string_view name);
    ~wire_client();
    /// Sends without reading anything.
    void only_say(std::string_view octets);
    /// Sends, turns the loop, and returns all that came back.
    std::string say(std::string_view octets);
    std::string hear();
    [[nodiscard]] bool closed();

private:
    rig& rig_;
    std::unique_ptr<net::stream> stream_;
    bool ended_ = false;
};

}  // namespace mansio::imap::test
