// Threads of messages (RFC 5256 §3). Pure: values in, text out, any thread.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mansio::imap {

enum class thread_algorithm : std::uint8_t {
    ordered_subject,  ///< by base subject, then by date
    references,       ///< by References and In-Reply-To, then threads of one base subject joined
    refs,             ///< as `references` without joining by subject; threads by the date of their newest message, siblings by date
};

/// What threading looks at of one message. Views: into what the caller holds.
struct thread_message {
    std::uint32_t number = 0;                     ///< sequence number or UID, as it is answered; never 0
    std::int64_t sent = 0;                        ///< unix seconds, RFC 5256 §2.2
    std::uint64_t id = 0;                         ///< of its Message-ID; 0: it has none. Equal ids are equal numbers
    std::span<std::uint64_t const> references;    ///< ids, oldest first
    std::string_view subject;                     ///< key of the base subject
    bool reply = false;                           ///< mime::is_reply_or_forward()
};

/// `1*thread-list` of those messages, which stand in mailbox order; empty for none.
/// Time: n · log n of messages and references together, also for chains as long as the mailbox and for references that go in circles.
/// Nothing recurses. Memory: about 100 octets for each message and each id named.
[[nodiscard]] std::string make_threads(thread_algorithm how, std::span<thread_message const> messages);

}  // namespace mansio::imap
