// What every message passes, whatever door it came through: named stages, run in order.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "accept/intake.hpp"
#include "accept/message.hpp"
#include "auth/directory.hpp"
#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "mailauth/authenticator.hpp"
#include "mailauth/signer.hpp"
#include "queue/queue.hpp"
#include "store/account.hpp"
#include "store/spool.hpp"

namespace mansio::accept {

/// What a stage decides, and with which words.
struct decision {
    enum class kind : std::uint8_t {
        go_on,
        reject,  ///< 5yz: it will not do
        defer,   ///< 4yz: not now
    };
    kind what = kind::go_on;
    reply say;
    std::string_view stage;  ///< who said so; of reject and defer
    [[nodiscard]] explicit operator bool() const noexcept { return what == kind::go_on; }
    [[nodiscard]] static decision pass(reply r = {})
    {
        decision d;
        d.say = std::move(r);
        return d;
    }
    /// Reject or defer, as the code says.
    [[nodiscard]] static decision stop(reply r)
    {
        decision d;
        d.what = r.code >= 500 ? kind::reject : kind::defer;
        d.say = std::move(r);
        return d;
    }
};

/// One message for one account, committed by somebody who can (deliver, through an adaptor: accept does not know it).
struct local_message {
    std::string id;                                  ///< the same again changes nothing
    store::account_number account = 0;
    std::string address, detail, sender, trace;
    std::shared_ptr<store::staged_blob const> blob;  ///< or `stored`
    std::optional<store::blob_id> stored;            ///< committed for another recipient before
    std::shared_ptr<mime::summary const> summary;
    bool fresh = false;                              ///< from a person's program: fields that say it was here before are no loop
};
/// Threads: any executor, answers there.
class mailboxes {
public:
    virtual ~mailboxes() = default;
    /// Returns after the synced commit. Errors as deliver::local_delivery has them.
    [[nodiscard]] virtual task<result<void>> commit(local_message m) = 0;
    [[nodiscard]] virtual task<result<store::quota>> quota(store::account_number n) = 0;
};
/// Where what is not for one account alone is committed: the queue, through an adaptor; a counter in tests of open relays.
class envelopes {
public:
    virtual ~envelopes() = default;
    [[nodiscard]] virtual task<result<queue::queue_id>> enqueue(queue::submission s) = 0;
};

/// Everything handed in; all of it outlives the pipeline.
struct parts {
    auth::directory& people;
    store::engine& storage;
    store::spool& spool;
    mailboxes& local;
    envelopes& queue;
    mailauth::authenticator& senders;
    mailauth::key_ring& keys;
    base::worker_pool& pool;            ///< parses what is too large to parse inline
    base::memory_budget& memory;        ///< limits.memory_in_flight
    base::limits const& limits;
    base::clock& clock;
    base::random& random;
    base::log& log;
    base::metrics& metrics;
};
struct options {
    std::string hostname;               ///< in Received, and as authserv-id
    std::string srs_key;                ///< ≥ 16 octets, from keys/
    std::vector<std::string> authserv_ids;  ///< further names of ours in Authentication-Results
    bool address_limits = true;         ///< harvesting is counted and answered (trust.md W13)
    bool check_senders = true;          ///< SPF, DKIM, ARC and DMARC of what comes through the MX, but from this machine itself
    bool obey_dmarc = true;             ///< what fails and its domain wants rejected is; else it is only told
};

/// Stages, in order: connect · greet · sender · recipient (for each) · octets · parse ·
/// authenticate · sign · commit. A protocol calls one method at each of its steps;
/// each runs the stages of that step until one does not go on, times them (mansio_accept_stage_seconds) and logs who refused and why.
/// One object serves all connections. Threads: any executor; a message belongs to one conversation.
class pipeline {
public:
    pipeline(parts p, options o);
    ~pipeline();
    pipeline(pipeline const&) = delete;
    pipeline& operator=(pipeline const&) = delete;
    /// A connection was made. Stops those who harvested addresses lately.
    [[nodiscard]] task<decision> connect(message& m);
    /// The client named itself. Never stops on the name alone (RFC 5321 §4.1.4).
    [[nodiscard]] task<decision> greet(message& m, std::string name, bool extended);
    /// MAIL: m.sender, declared_size, body_8bit and smtputf8 are set.
    [[nodiscard]] task<decision> begin(message& m);
    /// RCPT: m.asked is set. Going on, m.recipients has one more.
    [[nodiscard]] task<decision> recipient(message& m);
    /// DATA or the first BDAT: octets go into m.incoming from now on.
    void open(message& m);
    /// All octets are in. Going on, m.outcomes has what to answer: one reply, with LMTP one for each recipient; positive ones are committed and synced.
    [[nodiscard]] task<decision> finish(message& m);
    /// Bad manners of an address, counted with its unknown recipients.
    void distrust(client const& c, std::uint64_t weight);
    /// RSET, or after a message: the next may come.
    static void reset(message& m);
    struct impl;

private:
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::accept
