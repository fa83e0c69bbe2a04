// Authentication-Results as text: made of ours, read from sealers (RFC 8601).
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mime/authentication.hpp"

namespace mansio::mailauth {

/// Whose message it was, for the properties of the results.
struct results_subject {
    std::string mail_from;  ///< reverse-path; empty: null
    std::string helo;       ///< as the client said it
};
/// The field's body after "Authentication-Results: ", folded, without its last CRLF: authserv-id and one result for each check. What strangers wrote is quoted
/// wherever it is more than a word, so that nothing in it can be read as a result (trust.md W11).
[[nodiscard]] std::string authentication_results(std::string_view authserv_id, mime::authentication const& found, results_subject const& of);

/// One result as somebody wrote it.
struct claimed_result {
    std::string method, result;                                  ///< lower case
    std::vector<std::pair<std::string, std::string>> properties;  ///< "header.from" in lower case, and its value
};
/// The results of a field's body after its authserv-id; at most 64. Comments are skipped; what cannot be read ends the list.
[[nodiscard]] std::vector<claimed_result> read_authentication_results(std::string_view body);

/// Who of `sealers` vouches that the message passed DMARC for `author` (a domain) before it was changed: the chain is walked from its newest seal down as long as the
/// sealers are listed. Empty: nobody. Sealers: domains in lower case.
[[nodiscard]] std::string vouching_sealer(mime::arc_outcome const& arc, std::vector<std::string> const& sealers, std::string_view author);

}  // namespace mansio::mailauth
