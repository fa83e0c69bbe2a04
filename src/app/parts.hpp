// Everything a server is made of, in the order it is built; destroyed in the other. Included by server_process*.cpp only.
#pragma once
#include <future>
#include <optional>

#include "accept/pipeline.hpp"
#include "acme/keeper.hpp"
#include "app/adaptors.hpp"
#include "app/certificates.hpp"
#include "app/data_directory.hpp"
#include "app/local_transport.hpp"
#include "app/server_process.hpp"
#include "app/signing_keys.hpp"
#include "app/sts_keeper.hpp"
#include "auth/directory.hpp"
#include "auth/sign_in.hpp"
#include "base/metrics.hpp"
#include "deliver/deliver.hpp"
#include "http/server.hpp"
#include "imap/server.hpp"
#include "net/dns.hpp"
#include "net/fetch.hpp"
#include "net/shard.hpp"
#include "net/tls.hpp"
#include "pop3/server.hpp"
#include "pop3/sweeper.hpp"
#include "queue/queue.hpp"
#include "smtp/client/relay.hpp"
#include "smtp/server/adaptors.hpp"
#include "smtp/server/server.hpp"
#include "store/account.hpp"
#include "store/engines.hpp"
#include "store/spool.hpp"
#include "transfer/service.hpp"
#include "wellknown/service.hpp"

namespace mansio::app {

struct server_process::impl {
    config settings;
    base::log& log;
    data_directory data;
    base::metrics metrics;
    base::random& random;
    base::clock& clock;
    base::monotonic_time started;

    base::memory_budget in_flight;
    base::worker_pool pool{"mansio-work", 2, 1024};
    std::string pepper, srs_key;
    std::unique_ptr<store::engine> engine;
    std::unique_ptr<net::tls_server_context> tls_people, tls_mx, tls_web;
    std::unique_ptr<net::tls_client_context> tls_out;
    std::unique_ptr<net::egress_gate> gate;
    std::unique_ptr<net::resolver> dns;
    std::unique_ptr<smtp::client::dialer> dialer;
    std::unique_ptr<net::runtime> shards;
    std::unique_ptr<net::connection_table> connections;
    std::unique_ptr<net::fetcher> fetch;
    key_files secrets{data};
    challenge_answers proofs;
    std::unique_ptr<acme::keeper> certificates;

    std::unique_ptr<store::spool> spool;
    std::unique_ptr<store::accounts> accounts;
    std::unique_ptr<auth::directory> directory;
    std::unique_ptr<auth::sign_in> sign_in;
    std::unique_ptr<auth::pop3_policies> pop3_policies;
    std::unique_ptr<deliver::local_delivery> delivery;
    std::unique_ptr<local_transport> to_accounts;
    std::unique_ptr<net::fetcher> policy_web;
    std::unique_ptr<sts_keeper> sts;
    std::unique_ptr<smtp::client::relay> to_others;
    std::unique_ptr<queue::mail_queue> mail;
    std::unique_ptr<smtp::local_mailboxes> mailboxes;
    std::unique_ptr<smtp::queued_envelopes> envelopes;
    std::unique_ptr<auth::domain_keys> domain_keys;
    std::unique_ptr<signing_keys> signers;
    std::unique_ptr<mailauth::authenticator> senders;
    std::unique_ptr<accept::pipeline> pipeline;

    std::unique_ptr<smtp::server> smtp;
    std::unique_ptr<directory_people> people;
    std::unique_ptr<imap::server> imap;
    std::unique_ptr<pop3::server> pop3;
    std::unique_ptr<pop3::sweeper> pop3_sweeper;
    std::unique_ptr<http::server> admin_http, metrics_http, web_http, web_https;
    std::optional<admin::services> admin_services;
    std::unique_ptr<admin::service> admin;
    std::unique_ptr<wellknown::service> advice;
    std::unique_ptr<transfer::service> transfer;

    std::vector<std::unique_ptr<net::listener>> listeners;
    std::map<std::string, net::endpoint> faces;
    std::promise<void> asked_to_stop;
    std::atomic<bool> stop_told{false};
    bool running = false;

    impl(config c, base::log& l);
    [[nodiscard]] net::shard& owner_of(store::partition_id p) { return shards->owner_of(p.hash()); }
    [[nodiscard]] result<void> open_store();
    [[nodiscard]] result<void> open_tls();
    [[nodiscard]] result<void> open_acme();
    [[nodiscard]] result<void> use_certificate(std::string const& certificate, std::string const& key);
    [[nodiscard]] result<void> open_network();
    void build_people();
    void build_mail();
    void build_faces();
    void build_web();
    void note_expiry();

    [[nodiscard]] result<void> listen_all();
    [[nodiscard]] result<void> listen(std::string const& face, std::vector<std::string> const& where, std::string refusal,
                                      std::function<void(net::shard&, net::accepted)> serve);
    [[nodiscard]] result<void> listen_admin();
    [[nodiscard]] task<result<store::account_number>> find_account(std::string address);
    [[nodiscard]] result<void> reload();
    [[nodiscard]] std::string status() const;
    void on_signal(int signal);
    task<void> end_conversations();
};

}  // namespace mansio::app
