// What POP3's tests share: a whole server on the engine in memory, alice with four messages, bob with none, connections through the in-memory pair.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "auth/directory.hpp"
#include "pop3/server.hpp"
#include "store/engines.hpp"
#include "support/dialog.hpp"

namespace mansio::pop3::test {

/// TLS contexts are made once a program: the in-memory pair only turns a flag, but wants one.
struct contexts {
    std::unique_ptr<net::tls_server_context> server;
    std::unique_ptr<net::tls_client_context> client;
    static contexts& get();
};

struct rig_options {
    bool cleartext = true;        ///< sign in without TLS
    bool with_tls = true;         ///< STLS is there
    auth::pop3_settings defaults{};  ///< the server's policy
    std::size_t cut = 1U << 20U;  ///< how the network cuts what the client says
    base::limits limits;
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
    store::memory_faults faults;
    std::unique_ptr<store::engine> engine;
    std::unique_ptr<store::accounts> accounts;
    std::unique_ptr<auth::directory> people;
    std::unique_ptr<auth::sign_in> door;
    std::unique_ptr<auth::pop3_policies> policies;
    std::unique_ptr<pop3::server> server;
    std::map<std::string, std::string>
        variables;  ///< alice, alice_secret, alice_plain (SASL PLAIN in base64), alice_reader (a read-only secret); the same for bob

    static constexpr store::account_number alice = 1, bob = 2;
    [[nodiscard]] store::account_ref open(store::account_number n);
    store::mailbox_id inbox(store::account_number n);
    void deliver(store::account_number n, std::string text, std::string prefix = {});
    /// UIDs in INBOX.
    std::vector<store::uid> uids(store::account_number n);

    /// The client's end of a new conversation. A name that begins with "tls" is under TLS from the start; "far…" comes from elsewhere than this machine.
    std::unique_ptr<net::stream> connect(std::string_view name);
    [[nodiscard]] mansio::test::dialog_setting setting();
    void talk(std::string_view dialog, std::size_t client_cut = 0);
    std::uint64_t counter(std::string_view name);

private:
    rig_options options_;
};

/// One connection, spoken to octet by octet, for what no dialogue can say.
class wire_client {
public:
    wire_client(rig& r, std::string_view name);
    ~wire_client();
    /// Sends, turns the loop, and returns all that came back.
    std::string say(std::string_view octets);
    std::string hear();
    /// Starts TLS as a client that has just sent STLS; false: refused.
    bool start_tls();
    void hang_up();
    [[nodiscard]] bool closed();

private:
    rig& rig_;
    std::unique_ptr<net::stream> stream_;
    bool ended_ = false;
};

/// USER and PASS, in one segment.
[[nodiscard]] std::string sign_in_lines(rig const& r, std::string const& who);

}  // namespace mansio::pop3::test
