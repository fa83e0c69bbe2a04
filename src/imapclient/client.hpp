// A conversation with another IMAP server, from greeting to LOGOUT.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "imapclient/reader.hpp"
#include "net/tls.hpp"

namespace mansio::imapclient {

enum class security : std::uint8_t {
    tls,        ///< from the first octet (port 993)
    starttls,   ///< asked for, and insisted on
    none,       ///< in clear: for this very machine, tests
};

struct client_options {
    security how = security::tls;
    std::string server_name;                   ///< SNI and the name that the certificate must have
    net::tls_client_context* tls = nullptr;    ///< not null unless `none`
    bool verify = true;                        ///< no: any certificate will do (a server that is left behind for good, on the operator's word)
};

/// What SELECT or EXAMINE said.
struct selected_mailbox {
    std::uint32_t exists = 0, uid_validity = 0, uid_next = 0;
    std::uint64_t highest_modseq = 0;          ///< 0: none is kept
    bool read_only = false;
    std::vector<fetch_data> changed;           ///< QRESYNC: messages with new flags
    std::vector<number_range> vanished;        ///< QRESYNC: UIDs gone since
};
/// What a client knew when it left (RFC 7162 §3.2.5).
struct known_state {
    std::uint32_t uid_validity = 0;
    std::uint64_t modseq = 0;
};

struct appended_message {
    std::uint32_t uid_validity = 0, uid = 0;   ///< 0: the server does not tell (no UIDPLUS)
};

/// Given each message of fetch_messages() in turn.
class message_taker : public body_sink {
public:
    /// Everything of one FETCH answer has come; its octets went through begin() and append() before.
    [[nodiscard]] virtual task<result<void>> done(fetch_data message) = 0;
};

/// One command at a time. Threads: the stream's executor. Errors of all: refused (NO; `say` holds the server's own words, printable), syntax (BAD, or an
/// answer that is none), closed, timeout, over_limit. After anything but `refused` the conversation is over.
class client {
public:
    /// Reads the greeting and makes TLS. A PREAUTH greeting is refused: whoever the server takes us for, it is not whom we were asked to be, and
    /// STARTTLS could no longer be asked for (trust.md R8). `l` and `clock` outlive the client.
    [[nodiscard]] static task<result<std::unique_ptr<client>>> open(std::unique_ptr<net::stream> connection, client_options o, bounds const& l,
                                                                    base::clock& clock);
    ~client();
    client(client const&) = delete;
    client& operator=(client const&) = delete;

    /// Case ignored. Known after open().
    [[nodiscard]] bool offers(std::string_view capability) const;
    /// AUTHENTICATE PLAIN with an initial response where offered, else LOGIN. In clear only with security::none.
    [[nodiscard]] task<result<void>> login(std::string user, std::string password);
    /// RFC 2971; no error where it is not offered.
    [[nodiscard]] task<result<void>> identify(std::string name, std::string version);
    /// Every mailbox, with special use and "\subscribed" (by LSUB where LIST cannot tell).
    [[nodiscard]] task<result<std::vector<list_entry>>> list();
    /// `raw`: as LIST gave it. `known`: asks for what changed since, where QRESYNC is offered.
    [[nodiscard]] task<result<selected_mailbox>> select(std::string raw, bool read_only, std::optional<known_state> known = {});
    /// UID, FLAGS, INTERNALDATE and RFC822.SIZE of the selected mailbox, by UID, from `first_uid` on; at most `most` answers are kept: over_limit.
    [[nodiscard]] task<result<std::vector<fetch_data>>> fetch_facts(std::uint32_t first_uid, std::size_t most);
    /// UID and BODY.PEEK[] of these. Messages that are gone by now are not handed over.
    [[nodiscard]] task<result<void>> fetch_messages(std::vector<number_range> uids, message_taker& taker);
    /// UID SEARCH; `criteria` is sent as it is. Answers UIDs, ascending.
    [[nodiscard]] task<result<std::vector<std::uint32_t>>> search(std::string criteria);
    /// UID STORE …FLAGS.SILENT. `how`: '+', '-' or '\0' (replace).
    [[nodiscard]] task<result<void>> store_flags(std::vector<number_range> uids, char how, std::vector<std::string> flags);
    [[nodiscard]] task<result<appended_message>> append(std::string raw, std::vector<std::string> flags, std::optional<mime::date_time> date,
                                                        std::string_view octets);
    [[nodiscard]] task<result<void>> create(std::string raw);
    /// MOVE, or COPY and an expunge of just those (UIDPLUS). Errors: refused where neither is offered.
    [[nodiscard]] task<result<void>> move(std::vector<number_range> uids, std::string raw);
    /// Waits for news of the selected mailbox (IDLE) at most until `until`; whether there was any.
    [[nodiscard]] task<result<bool>> idle(base::monotonic_time until);
    [[nodiscard]] task<void> logout();
    /// Ends everything at once.
    void abort() noexcept { peer_.raw().abort(); }

private:
    client(std::unique_ptr<net::stream> connection, client_options o, bounds const& l, base::clock& clock);
    struct piece {
        std::string_view octets;
        bool literal = false;
    };
    [[nodiscard]] task<result<void>> greet();
    [[nodiscard]] task<result<void>> start_tls();
    [[nodiscard]] task<result<void>> ask_capabilities();
    [[nodiscard]] task<result<void>> send(std::string_view octets);
    [[nodiscard]] task<result<std::string>> begin(std::vector<piece> pieces);
    [[nodiscard]] task<result<response>> next(base::monotonic_time until, body_sink* sink = nullptr);
    [[nodiscard]] task<result<response>> finish(std::string tag, std::move_only_function<void(response&)> each);
    [[nodiscard]] task<result<response>> run(std::string text, std::move_only_function<void(response&)> each = {});
    [[nodiscard]] base::monotonic_time within(std::chrono::seconds s) const { return clock_.monotonic() + s; }
    void note(response const& r);

    net::buffered_stream peer_;
    client_options options_;
    bounds const& limits_;
    base::clock& clock_;
    std::set<std::string, std::less<>> capabilities_;
    std::uint64_t last_tag_ = 0;
    bool qresync_ = false;
};

/// "1:3,7"
[[nodiscard]] std::string ranges_text(std::vector<number_range> const& ranges);
/// Ranges of numbers in any order.
[[nodiscard]] std::vector<number_range> ranges_of(std::vector<std::uint32_t> numbers);

}  // namespace mansio::imapclient
