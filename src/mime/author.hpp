// The one address that a reader takes for the author's (RFC 5322 §3.6.2).
#pragma once
#include <string>
#include <vector>

#include "mime/address.hpp"
#include "mime/header.hpp"

namespace mansio::mime {

struct author {
    address first;       ///< as the readers' programs show it
    std::vector<address> all;
    std::string domain;  ///< of every address there: A-labels, lower case
};
/// Errors: not_found (no From at all); refused when there is not one clear From (trust.md M2): two, no address in it, addresses of several domains, or an "@" outside of quotes and
/// comments that another reader could take for another address. `say` is fit for the peer.
[[nodiscard]] result<author> read_author(header_block const& header, base::limits const& limits);

}  // namespace mansio::mime
