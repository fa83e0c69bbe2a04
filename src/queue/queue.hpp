// What is ours to deliver: states, schedule, retries, bounces (trust.md §1.4 names the states; docs/formats/queue.md).
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "mime/message.hpp"
#include "queue/requests.hpp"
#include "store/engine.hpp"

namespace mansio::queue {

/// "3f-" + base32: the first part is the partition (0…63, hex), so that an id finds its partition.
using queue_id = std::string;

/// One recipient of a queued message.
struct recipient {
    std::string address;                 ///< as it will be said in RCPT TO, canonical domain
    std::uint64_t account = 0;           ///< ≠ 0: local, delivered by the `local` transport
    std::string detail;                  ///< subaddress of a local one
    std::string original;                ///< the address the sender gave (ORCPT, Delivered-To)
    std::string sender;                  ///< reverse-path said for this recipient when relayed: rewritten by SRS (forwarded mail); empty: the envelope's
    enum class state : std::uint8_t { waiting, delivered, bounced, cancelled };
    state now = state::waiting;
    std::uint32_t attempts = 0;
    std::string last_reply;              ///< the other side's words, or ours
    std::string last_host;
    std::string last_status;             ///< enhanced code "4.4.1"
    notify wanted;                       ///< NOTIFY=
    std::string orcpt;                   ///< ORCPT= as given: "rfc822;" and xtext; empty: none
    bool expansion = false;              ///< no destination: an alias that became several, of which the sender wants to be told (RFC 3461 §5.2.7.3)
    bool delay_told = false;             ///< the sender knows that it takes long: told once
    bool by_told = false;                ///< … and that the time of BY=…;N has passed
};

/// A message with its recipients: what the 250 promises when it is not all local (design: one commit point).
struct envelope {
    queue_id id;
    std::string sender;                  ///< reverse-path; empty: <>
    std::vector<recipient> recipients;
    store::blob_id blob;
    std::string prefix;                  ///< header fields put before the blob when relayed (Received …), CRLF at the end
    std::uint64_t size = 0;              ///< prefix and blob
    std::string session, message_id;     ///< for the log
    bool body_8bit = false, smtputf8 = false;
    bool authenticated = false;          ///< submitted by one of ours
    bool sender_unproved = false;  ///< another server brought it, and neither SPF nor DKIM proves its sender: that address is told nothing (trust.md R4)
    base::wall_time accepted;
    std::chrono::seconds age{0};  ///< monotonic time in the queue, so that a clock jump bounces nothing (D10)
    std::string held;  ///< not tried, reason for people; empty: not held
    requests asked;
    std::chrono::seconds since{0};  ///< monotonic time since acceptance; differs from `age` by the time it was held for the sender
};

/// What became of one recipient in one attempt.
struct outcome {
    enum class kind : std::uint8_t { delivered, later, never };
    kind what = kind::later;
    std::string status;  ///< RFC 3463 code: "2.0.0", "4.4.1", "5.1.1"
    std::string reply;  ///< words of the other side or ours
    std::string host;  ///< who said so; empty: ourselves
    bool tls = false;
    bool dsn_passed_on = false;  ///< the next server offers DSN and was told what is wanted: it reports from here on
    bool by_passed_on = false;  ///< … and BY=
};

/// Reads a queued message's octets in pieces (prefix, then blob).
class message_source {
public:
    virtual ~message_source() = default;
    [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
    /// Cut at the end; empty at the end.
    [[nodiscard]] virtual task<result<std::string>> read(std::uint64_t offset, std::uint64_t length) = 0;
};

/// Delivers to one destination. smtp::client implements it for other servers, deliver (through an adaptor in app) for local accounts.
/// Answers one outcome for each recipient of `which` (indexes into e.recipients), never throws, ends by its own deadlines.
class transport {
public:
    virtual ~transport() = default;
    [[nodiscard]] virtual task<std::vector<outcome>> deliver(envelope const& e, std::vector<std::size_t> which, message_source& message) = 0;
};

/// Who delivers, and who knows what an address means here; all outlive the queue.
struct transports {
    transport* local = nullptr;
    transport* relay = nullptr;
    /// Recipients that mail to an address goes to (a bounce's way back): local accounts or the address itself. Errors: try_later, broken.
    std::function<task<result<std::vector<recipient>>>(std::string address)> route;
};

/// What enqueue() is given: recipients resolved, blob staged.
struct submission {
    std::string sender;
    std::vector<recipient> recipients;
    std::shared_ptr<store::staged_blob const> blob;
    std::string prefix;
    std::string session, message_id;
    bool body_8bit = false, smtputf8 = false, authenticated = false, sender_unproved = false;
    requests asked;
};

/// One line of `mansio queue list`.
struct summary {
    queue_id id;
    std::string sender;
    std::uint64_t size = 0;
    std::size_t waiting = 0, closed = 0;
    std::chrono::seconds next_attempt{0};  ///< from now; 0: now
    std::chrono::seconds age{0};
    std::string last_reply, held;
};

/// Threads: any executor, answers there; each of the 64 partitions is owned by one executor (`owner_of`).
/// Local recipients are tried at once after enqueue(); a repeated local delivery is told by its delivery id "<queue id>/<index>".
class mail_queue {
public:
    struct options {
        std::string hostname;  ///< our name in DSNs
        std::string postmaster;  ///< From of DSNs: "postmaster@example.org"
    };
    mail_queue(store::engine& e, std::function<base::executor&(store::partition_id)> owner_of, transports t, base::limits const& l, base::random& r,
               base::log& log, base::metrics& m, options o);
    ~mail_queue();
    mail_queue(mail_queue const&) = delete;
    mail_queue& operator=(mail_queue const&) = delete;
    /// Loads what is queued and starts trying. Before it enqueue() already works.
    [[nodiscard]] task<result<void>> start();
    /// Lets attempts under way end (bounded by limits.shutdown_wait), then stops.
    [[nodiscard]] task<void> stop();
    /// Q2, the commit point: returns after the synced commit. Errors: over_limit (queue full), broken.
    [[nodiscard]] task<result<queue_id>> enqueue(submission s);
    [[nodiscard]] task<result<std::vector<summary>>> list(std::size_t limit);
    [[nodiscard]] task<result<std::optional<envelope>>> show(queue_id id);
    /// Tries now what waits: one message, or all ("").
    [[nodiscard]] task<result<std::size_t>> retry(queue_id id);
    [[nodiscard]] task<result<void>> hold(queue_id id, std::string reason);
    [[nodiscard]] task<result<void>> release(queue_id id);
    /// Ends it without a DSN: an operator's delete (D4).
    [[nodiscard]] task<result<void>> cancel(queue_id id);
    [[nodiscard]] std::size_t size() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace mansio::queue
