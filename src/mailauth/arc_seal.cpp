#include <algorithm>

#include "base/bytes.hpp"
#include "mailauth/arc.hpp"
#include "mailauth/arc_sets.hpp"
#include "mailauth/canonical.hpp"
#include "mailauth/message_signing.hpp"

namespace mansio::mailauth {
namespace {

using mime::arc_result;

/// The signatures that are there are worth keeping, too (§4.1.2).
std::vector<std::string> fields_of_signature(mime::header_block const& header)
{
    auto names = fields_to_sign(header);
    for (auto const& f : header.fields)
        if (base::equal_ignoring_case(f.name, "DKIM-Signature")) names.emplace_back("DKIM-Signature");
    return names;
}

std::string seal_field(std::string_view covered, std::string_view instance, std::string_view validation, dkim_signing const& how)
{
    folded_field f{"ARC-Seal:"};
    f.word(instance);
    f.word("a=" + std::string{name_of(how.key.type())} + "-sha256;");
    f.word("t=" + std::to_string(how.now) + ";");
    f.word("cv=" + std::string{validation} + ";");
    f.word("d=" + how.domain + ";");
    f.word("s=" + how.selector + ";");
    f.word("b=");
    auto own = canonical_field(f.text(), canonicalization::relaxed);
    own.resize(own.size() - 2);
    base::sha256_stream hash;
    hash.feed(covered);
    hash.feed(own);
    f.run(base::to_base64(how.key.sign(hash.finish())));
    f.tail("\r\n");
    return f.text();
}

}  // namespace

std::optional<std::string> seal_arc(signed_message& message, arc_outcome const& chain, std::string_view results, dkim_signing const& how)
{
    MANSIO_ASSERT(mime::find_field(message.header(), "From") != nullptr);
    auto const sets = collect_arc_sets(message.header());
    if (!sets || sets->size() >= most_arc_sets) return std::nullopt;
    if (!sets->empty()) {
        auto const last = parse_arc_seal(sets->back().seal->body);
        if (!last || last->validation == "fail") return std::nullopt;
    }
    auto const instance = "i=" + std::to_string(sets->size() + 1) + ";";
    auto const own_results = "ARC-Authentication-Results: " + instance + " " + std::string{results} + "\r\n";
    folded_field signature{"ARC-Message-Signature:"};
    signature.word(instance);
    put_signature(signature, message, fields_of_signature(message.header()), how);
    // A chain that is broken is sealed as broken, and the seal covers nothing but its own set (§5.1.2).
    auto const broken = chain.result == arc_result::fail;
    auto covered = broken ? std::string{} : canonical_sets(message, *sets);
    covered += canonical_field(own_results, canonicalization::relaxed) + canonical_field(signature.text(), canonicalization::relaxed);
    auto const seal = seal_field(covered, instance, broken ? "fail" : sets->empty() ? "none" : "pass", how);
    return seal + signature.text() + own_results;
}

}  // namespace mansio::mailauth
