// Domain names as SPF, DKIM, DMARC and ARC compare them.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace mansio::mailauth {

/// ASCII, labels of 1 to 63 letters, digits, "-" and "_", at least `labels` of them, 253 octets at most: what d= and s= may hold.
[[nodiscard]] bool is_dns_name(std::string_view name, std::size_t labels) noexcept;
/// True for the domain itself and for what lies below it. Neither has a final dot.
[[nodiscard]] bool is_same_or_below(std::string_view name, std::string_view domain) noexcept;
/// "the DNS did not answer for NAME: WHY", printable: the problem of every temperror.
[[nodiscard]] std::string no_answer_for(std::string_view name, std::string_view why);

}  // namespace mansio::mailauth
