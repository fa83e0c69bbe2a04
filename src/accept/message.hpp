// One message on its way in: who brings it, its envelope, its octets, and what the stages found out.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accept/reply.hpp"
#include "auth/directory.hpp"
#include "mime/address.hpp"
#include "mime/authentication.hpp"
#include "mime/message.hpp"
#include "queue/requests.hpp"
#include "store/engine.hpp"

namespace mansio::accept {

/// The way a message comes in.
enum class door : std::uint8_t {
    mx,          ///< another server, unknown to us: nothing is relayed, line ends are strict
    submission,  ///< a person of ours, signed in
    lmtp,        ///< another MTA in front of us, trusted with local delivery: a reply for each recipient
};
[[nodiscard]] std::string_view name_of(door d) noexcept;

/// The other side of the conversation. Lives as long as it.
struct client {
    door through = door::mx;
    std::string session;                    ///< for the log
    std::string peer;                       ///< address as text
    std::string peer_literal;               ///< "[192.0.2.1]"
    std::string peer_prefix;                ///< the network that counts as one peer (trust.md T3)
    bool local = false;                     ///< a unix socket: no address limits
    bool normalise = false;                 ///< a listed device whose line ends are mended rather than refused (trust.md W1)
    std::string tls;                        ///< "TLSv1.3 with TLS_AES_256_GCM_SHA384"; empty: in clear
    std::string greeting;                   ///< what it called itself, made harmless (see greet)
    bool extended = false;                  ///< said EHLO or LHLO
    store::account_number account = 0;      ///< ≠ 0: signed in
    std::string account_address;
    [[nodiscard]] bool signed_in() const noexcept { return account != 0; }
    /// Line ends of its messages become CRLF instead of being refused (trust.md W1, W2).
    [[nodiscard]] bool mends_line_ends() const noexcept { return normalise || through != door::mx; }
};

/// One accepted RCPT and where it leads.
struct recipient {
    mime::mailbox_address given;                                ///< as the other side said it
    std::vector<auth::resolution::recipient> targets;
    queue::notify wanted;                                       ///< NOTIFY=
    std::string orcpt;                                          ///< ORCPT=, as said
    bool bounce_only = false;                                   ///< a decoded SRS address: the target gets bounces, nothing else
};

class intake;

struct message {
    client* from = nullptr;                                     ///< outlives the message

    // Envelope.
    bool begun = false;                                         ///< MAIL was accepted
    std::optional<mime::mailbox_address> sender;                ///< nullopt: <>
    std::uint64_t declared_size = 0;                            ///< SIZE=; 0: not said
    bool body_8bit = false, smtputf8 = false;
    queue::requests wishes;                                     ///< what the sender asked of every server on the way
    std::string id;                                             ///< follows it through log and Received
    std::optional<mime::mailbox_address> asked;                 ///< the RCPT under judgement
    queue::notify asked_notify;                                 ///< its NOTIFY=
    std::string asked_orcpt;                                    ///< its ORCPT=
    std::vector<recipient> recipients;

    // Octets and what they say; set by the stages octets and parse.
    std::shared_ptr<intake> incoming;
    mime::octets octets;
    std::shared_ptr<mime::summary const> summary;
    std::shared_ptr<store::staged_blob const> blob;
    std::shared_ptr<mime::authentication const> authentication; ///< nullptr: nobody was asked
    std::string signatures;                                     ///< DKIM-Signature or ARC fields of ours, CRLF at their ends; empty: none
    std::string results;                                        ///< our Authentication-Results field, CRLF at its end; empty: none

    /// What the commit stage answers: one, or with LMTP one for each of `recipients`.
    std::vector<reply> outcomes;
    std::string queued_as;                                      ///< queue id, when it went there

    [[nodiscard]] std::string sender_text() const { return sender ? sender->text() : std::string{}; }
};

}  // namespace mansio::accept
