// The ARC fields of a message, sorted into sets. Internal to this folder.
#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "mailauth/dkim_signature.hpp"
#include "mailauth/signed_message.hpp"

namespace mansio::mailauth {

inline constexpr unsigned most_arc_sets = 50;  // RFC 8617 §4.2.1

struct arc_set {
    mime::field_view const* results = nullptr;    ///< ARC-Authentication-Results
    mime::field_view const* signature = nullptr;  ///< ARC-Message-Signature
    mime::field_view const* seal = nullptr;       ///< ARC-Seal
};
/// Sets 1 to n, each with all three fields (§5.2, steps 1 and 3). Empty: there is no ARC field. Errors: syntax; `say` names what is wrong.
[[nodiscard]] result<std::vector<arc_set>> collect_arc_sets(mime::header_block const& header);

struct arc_seal {
    dkim_signature signature;  ///< a=, b=, d=, s=
    std::string validation;    ///< cv=
};
[[nodiscard]] result<arc_seal> parse_arc_seal(std::string_view field_body);
/// What follows "i=N;" of an ARC-Authentication-Results field.
[[nodiscard]] std::string results_of(std::string_view field_body);

/// The canonical form of sets, in the order in which a seal covers them (§5.1.1): results, signature, seal.
[[nodiscard]] std::string canonical_sets(signed_message const& message, std::span<arc_set const> sets);

}  // namespace mansio::mailauth
