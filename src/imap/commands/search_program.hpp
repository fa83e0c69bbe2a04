// What SEARCH asks for: keys, and how they go together (RFC 9051 §6.4.4, RFC 5032).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "imap/capability.hpp"
#include "imap/wire/scanner.hpp"
#include "imap/wire/sequence_set.hpp"
#include "store/account.hpp"

namespace mansio::imap::commands {

struct search_key {
    enum class kind : std::uint8_t {
        all,
        set,
        uid_set,
        flag,
        keyword,
        recent,
        new_,
        larger,
        smaller,
        before,
        on,
        since,
        older,
        younger,
        saved_before,
        saved_on,
        saved_since,
        email_id,
        modseq,  // answered from the index, and all before it
        sent_before,
        sent_on,
        sent_since,
        thread_id,
        header,                                                            // from the summary, `header` mostly
        body,
        text,                                                                                          // from the message
    };
    kind what = kind::all;
    bool wanted = true;                ///< false: UNSEEN, UNKEYWORD, OLD
    store::system_flag flag{};
    std::uint64_t number = 0;          ///< octets, seconds; of an id, once it is known which account
    std::int32_t day = 0;
    std::string field;                 ///< of `header`, lower case; or the keyword; or the object id
    std::string needle;                ///< as mime::casemap() has it (RFC 5255 §4.2)
    wire::sequence_set set;
    wire::number_ranges uids;          ///< of `set`, once it is known which mailbox
};

/// How dear a key is to evaluate.
enum class search_cost : std::uint8_t { index, summary, message };
[[nodiscard]] search_cost cost_of(search_key const& k) noexcept;

/// Texts of searches by their names in lower case (RFC 5466).
using named_filters = std::map<std::string, std::string, std::less<>>;

/// Keys joined in postfix order: no code recurses over what a client nests.
class search_program {
public:
    /// search-key *(SP search-key), to the end of the command. Errors: syntax; over_limit "[LIMIT]" (limits.imap_search_keys, list depth).
    /// FILTER puts the text of one of `filters` in its place, and of those it names in turn, three deep: refused "[UNDEFINED-FILTER name]" for others, "[CANNOT]"
    /// for one that is not a whole search by itself.
    [[nodiscard]] static result<search_program> parse(wire::scanner& in, std::uint64_t most_keys, extension_set const& on = extension_set::all(),
                                                      named_filters const& filters = {});
    /// Whether `text` could be a filter: a whole search. Filters it names need not be there yet.
    [[nodiscard]] static result<void> check(std::string_view text, std::uint64_t most_keys, extension_set const& on);

    [[nodiscard]] std::vector<search_key>& keys() noexcept { return keys_; }
    [[nodiscard]] std::vector<search_key> const& keys() const noexcept { return keys_; }
    [[nodiscard]] bool needs(search_cost c) const noexcept;
    [[nodiscard]] bool has(search_key::kind what) const noexcept;

    enum class truth : std::uint8_t { no, yes, unknown };
    /// The whole, from what is known of each key (same order as keys()).
    [[nodiscard]] truth evaluate(std::vector<truth> const& known) const;

private:
    enum class op : std::uint8_t { key, and_, or_, not_ };
    struct step {
        op what;
        std::uint32_t key = 0;
    };
    class builder;
    class parser;
    std::vector<search_key> keys_;
    std::vector<step> steps_;
};

}  // namespace mansio::imap::commands
