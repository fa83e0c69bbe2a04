// The machine's configuration: one TOML file (docs/configuration.md is generated from the table in config.cpp).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace mansio::app {

/// What belongs to the machine. What belongs to people is in the store. Every field is a row of config_keys().
struct config {
    std::string hostname;                 ///< our name in greetings, Received and DSNs
    std::string data = "/var/lib/mansio";
    std::uint64_t shards = 0;             ///< 0: one for each core
    std::uint64_t memory = 512ULL << 20U; ///< octets for caches, memtables, spool buffers

    std::string log_format = "human", log_level = "info", log_file;
    std::string tls_certificate, tls_key;

    std::vector<std::string> listen_mx, listen_submission, listen_submissions, listen_imap, listen_imaps, listen_pop3, listen_pop3s, listen_lmtp,
        listen_metrics, listen_http, listen_https;

    std::string acme_directory, acme_challenge = "http-01", acme_ca_file, acme_external_id, acme_external_key_file;
    std::vector<std::string> acme_names, acme_contacts;

    std::string mta_sts_mode = "off";
    std::vector<std::string> mta_sts_mx;
    std::uint64_t mta_sts_max_age = 604'800;

    std::vector<std::string> dns_forwarders, dns_stub_zones, dns_trust_anchors;
    std::string dns_trust_anchor_file;

    std::vector<std::string> egress_allow;
    std::string relay_ca_file;
    std::uint64_t relay_port = 25;

    bool check_senders = true, obey_dmarc = true;
    std::string organizational_domain = "tree-walk";
    std::vector<std::string> trusted_sealers;
    std::vector<std::string> proxy_from;
    std::vector<std::string> smtp_off, smtp_xclient_from, smtp_priority_from;

    std::vector<std::string> imap_off, imap_metadata;
    std::string pop3_keep = "forever";
    std::uint64_t pop3_login_delay = 0;

    bool default_folders = true;
    bool subaddresses = true;

    base::limits limits;

    // Of the demo alone: no key sets them.
    bool cleartext_sign_in = false;
    bool per_address_limits = true;
    std::string relay_route;              ///< "HOST:PORT": everything relayed goes there
    bool break_sync_on_purpose = false;   ///< the soak's own negative test
    bool die_in_sync = false;             ///< SIGUSR2: dies between the next write and its sync, for the soak
};

/// One key as people see it.
struct config_key {
    std::string_view name;     ///< "listen.imaps"
    std::string_view type;     ///< "text", "number", "list of text", "yes or no"
    std::string default_text;
    std::string_view text;     ///< what it does, one or two sentences
    bool live = false;         ///< applied by reload; others need a restart
};
[[nodiscard]] std::vector<config_key> const& config_keys();

/// Reads TOML. Errors: refused; `say` is one sentence with file, line and, for an unknown key, the nearest known one.
[[nodiscard]] result<config> parse_config(std::string_view toml, std::string_view file_name);
/// Reads the file; without one at the default place, the defaults. Errors also: cannot be read.
[[nodiscard]] result<config> load_config(std::string const& path);
/// What the whole must satisfy: addresses that parse, a certificate where TLS faces listen, readable files. Opens nothing for writing.
/// Every problem is one sentence that says what to do.
[[nodiscard]] std::vector<std::string> check_config(config const& c);
/// docs/configuration.md.
[[nodiscard]] std::string configuration_page();
[[nodiscard]] base::log_level log_level_of(config const& c);
[[nodiscard]] base::log_format log_format_of(config const& c);

inline constexpr std::string_view default_config_file = "/etc/mansio/mansio.toml";

}  // namespace mansio::app
