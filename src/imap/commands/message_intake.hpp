// The messages of APPEND and REPLACE on their way in: options, then octets that come as literals or are put together (CATENATE).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "imap/wire/scanner.hpp"
#include "store/account.hpp"
#include "store/spool.hpp"

namespace mansio::imap {
class session;
}

namespace mansio::imap::commands {

/// Reads append-message (RFC 4466 §2.2) one by one from a command whose first line was read already. Octets go to the spool as they come; what it holds in
/// memory stays charged until the intake dies: keep it until the commit. Threads: the session's. Lifetime: one command.
class message_intake {
public:
    /// `line`: the rest of the command's first line; `next`: the literal announced at its end.
    message_intake(session& s, std::string_view line, std::optional<wire::literal_head> next);
    message_intake(message_intake const&) = delete;
    message_intake& operator=(message_intake const&) = delete;

    /// The next message. Errors: closed, timeout; after any other call drop_rest() before the command is answered.
    [[nodiscard]] task<result<store::new_message>> take();
    /// Another message follows.
    [[nodiscard]] bool more() const noexcept { return !in_.at_end() || next_.has_value(); }
    /// Drops what the client still sends of this command, up to its end or to a literal it would have to be asked for. Errors: closed, timeout.
    [[nodiscard]] task<result<void>> drop_rest();
    /// What the first message announces; 0: not known yet.
    [[nodiscard]] std::uint64_t announced() const noexcept { return next_ ? next_->octets : 0; }

private:
    struct options {
        std::vector<std::string> flags;
        std::optional<mime::date_time> date;
    };
    /// `as_they_are`: literal8 keeps its octets until it is known what they are.
    struct collected {
        store::spool::writer to;
        bool raw = false;
    };
    [[nodiscard]] result<options> parse_options();
    [[nodiscard]] task<result<collected>> collect();
    [[nodiscard]] task<result<collected>> collect_literal(bool utf8);
    [[nodiscard]] task<result<collected>> catenate();
    [[nodiscard]] task<result<void>> add_part(store::spool::writer& to);
    [[nodiscard]] task<result<void>> add_literal(store::spool::writer& to);
    [[nodiscard]] task<result<std::string>> url_argument();
    [[nodiscard]] result<void> objection(std::uint64_t before) const;
    [[nodiscard]] task<result<void>> receive(store::spool::writer& to);
    [[nodiscard]] task<result<void>> ask();
    [[nodiscard]] task<result<void>> read_on();
    [[nodiscard]] task<result<mime::octets>> make_portable(mime::octets message);
    [[nodiscard]] task<result<store::new_message>> finish(collected c, options o);

    session& s_;
    std::string line_;                       ///< what in_ walks over
    wire::scanner in_;
    std::optional<wire::literal_head> next_; ///< announced at the end of line_, nothing of it read yet
    bool unread_ = false;                    ///< a literal was read, the line after it was not
    std::size_t taken_ = 0, parts_ = 0;
    std::vector<store::spool::writer> kept_;
};

}  // namespace mansio::imap::commands
