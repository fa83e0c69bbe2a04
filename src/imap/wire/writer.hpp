// Puts values into a reply. Everything appends: a reply is built in one string.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "imap/wire/sequence_set.hpp"

namespace mansio::imap::wire {

void append_number(std::string& out, std::uint64_t n);
/// Quoted when it can be (RFC 9051 §4.3: no CR, LF, NUL; octets ≥ 0x80 only with `utf8`), else a literal.
void append_string(std::string& out, std::string_view s, bool utf8 = false);
/// An atom when it can be one, else as append_string().
void append_astring(std::string& out, std::string_view s, bool utf8 = false);
/// "{5}\r\n", for octets that may hold NUL "~{5}\r\n" (literal8); the octets follow.
void append_literal_head(std::string& out, std::uint64_t octets, bool binary = false);
/// "(\Seen $Junk)"
void append_list(std::string& out, std::vector<std::string> const& atoms);

}  // namespace mansio::imap::wire
