// What DKIM and ARC write alike when they sign a message. Internal to this folder.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "mailauth/dkim.hpp"
#include "mailauth/folded_field.hpp"

namespace mansio::mailauth {

/// Names for h=: every field worth signing as often as it is there, and once more those that must not be added on the way.
[[nodiscard]] std::vector<std::string> fields_to_sign(mime::header_block const& header);
/// The tags from a= to b= of a DKIM-Signature or ARC-Message-Signature, with the final CRLF.
void put_signature(folded_field& f, signed_message& message, std::span<std::string const> names, dkim_signing const& how);

}  // namespace mansio::mailauth
