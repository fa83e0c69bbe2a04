// What the POP3 server is handed.
#pragma once
#include <string>

#include "auth/pop3_policies.hpp"
#include "auth/sign_in.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "net/tls.hpp"
#include "store/account.hpp"

namespace mansio::pop3 {

struct options {
    bool cleartext_sign_in = false;  ///< the demo's --cleartext: a local peer may sign in without TLS
    std::string hostname = "localhost";
};

/// The parts the server stands on. All outlive it.
struct services {
    store::accounts& accounts;
    auth::sign_in& sign_in;
    auth::pop3_policies& policies;
    net::tls_server_context* tls = nullptr;  ///< nullptr: no STLS, no implicit TLS
    base::limits const& limits;
    base::clock& clock;
    base::random& random;
    base::log& log;
    base::metrics& metrics;
    pop3::options options;
};

}  // namespace mansio::pop3
