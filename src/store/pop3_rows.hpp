// What POP3 keeps in an account: the rows of letter U, and their codec (docs/formats/account.md). No I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/account.hpp"

namespace mansio::store::rows {

/// Of the whole account. Written when the account is made, or when POP3 first opens one of an older version.
struct pop3_state {
    email_id numbered_from = 1;      ///< emails from here on are named by their number, older ones by UIDVALIDITY and UID
    std::uint32_t uid_validity = 0;  ///< INBOX's, as the older ones' names have it
    std::int64_t last_sign_in = 0;   ///< unix seconds; kept while a delay holds
    bool operator==(pop3_state const&) const = default;
};
[[nodiscard]] std::string encode(pop3_state const& s);
[[nodiscard]] result<pop3_state> decode_pop3_state(std::string_view row);

/// Of one email.
struct pop3_mark_row {
    std::int64_t fetched = 0;  ///< first sent whole by RETR, unix seconds; 0: never
    std::string unique_id;     ///< brought along by an import; empty: the computed one
    bool operator==(pop3_mark_row const&) const = default;
};
[[nodiscard]] std::string encode(pop3_mark_row const& m);
[[nodiscard]] result<pop3_mark_row> decode_pop3_mark(std::string_view row);

}  // namespace mansio::store::rows
