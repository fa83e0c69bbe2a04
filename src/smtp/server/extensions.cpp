#include "smtp/server/extensions.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace mansio::smtp {
namespace {
using wire::extension;

constexpr unsigned bit(accept::door d) { return 1U << static_cast<unsigned>(d); }
constexpr unsigned all_doors = bit(accept::door::mx) | bit(accept::door::submission) | bit(accept::door::lmtp);
constexpr unsigned submission = bit(accept::door::submission);

constexpr std::array rows{
    extension_row{extension::pipelining, "PIPELINING", "RFC 2920", all_doors, "", true, "pipelining"},
    extension_row{extension::size, "SIZE", "RFC 1870", all_doors, "", true, "deliver"},
    extension_row{extension::eight_bit, "8BITMIME", "RFC 6152", all_doors, "", true, "deliver"},
    extension_row{extension::smtputf8, "SMTPUTF8", "RFC 6531", all_doors, "", true, "ehlo"},
    extension_row{extension::chunking, "CHUNKING", "RFC 3030 §2", all_doors, "", true, "bdat"},
    extension_row{extension::binary, "BINARYMIME", "RFC 3030 §3", all_doors, "with CHUNKING", true, "binary"},
    extension_row{extension::enhanced_codes, "ENHANCEDSTATUSCODES", "RFC 2034", all_doors, "", true, "ehlo"},
    extension_row{extension::dsn, "DSN", "RFC 3461", all_doors, "", true, "dsn"},
    extension_row{extension::deliver_by, "DELIVERBY", "RFC 2852", all_doors, "", true, "deliver-by"},
    extension_row{extension::future_release, "FUTURERELEASE", "RFC 4865", submission, "", true, "future-release"},
    extension_row{extension::priority, "MT-PRIORITY", "RFC 6710", all_doors, "", true, "priority"},
    extension_row{extension::require_tls, "REQUIRETLS", "RFC 8689", all_doors, "under TLS", true, "require-tls"},
    extension_row{extension::limits, "LIMITS", "RFC 9422", all_doors, "", true, "ehlo"},
    extension_row{extension::starttls, "STARTTLS", "RFC 3207", all_doors, "with a certificate, before TLS", false, "ehlo"},
    extension_row{extension::auth, "AUTH", "RFC 4954", submission, "under TLS, before sign-in", false, "sign_in"},
    extension_row{extension::xclient, "XCLIENT", "Postfix's XCLIENT_README", all_doors, "to peers of `smtp.xclient_from`", false, "xclient"},
};
static_assert(rows.size() == wire::extension_count);

}  // namespace

std::span<extension_row const> extensions() noexcept { return rows; }

extension_row const* find_switch(std::string_view keyword) noexcept
{
    auto const found = std::ranges::find_if(rows, [&](extension_row const& r) { return r.has_switch && base::equal_ignoring_case(r.keyword, keyword); });
    return found == rows.end() ? nullptr : &*found;
}

wire::extension_set switched_off(std::vector<std::string> const& keywords)
{
    wire::extension_set off;
    for (auto const& k : keywords)
        if (auto const* row = find_switch(k)) off.put(row->what);
    return off;
}

wire::extension_set offered(circumstances const& c) noexcept
{
    wire::extension_set out;
    for (auto const& r : rows)
        if ((r.doors & bit(c.through)) != 0 && !c.off.has(r.what)) out.put(r.what);
    if (!out.has(extension::chunking)) out.remove(extension::binary);  // RFC 3030 §3: only with CHUNKING
    if (!c.tls_in_force) out.remove(extension::require_tls);           // RFC 8689 §2: the session itself must employ TLS
    if (!c.tls_possible || c.tls_in_force) out.remove(extension::starttls);
    // Not offered in clear, so that no program sends a password before it is safe (RFC 4954 §4, trust.md W6).
    if (!c.may_sign_in) out.remove(extension::auth);
    if (!c.may_xclient) out.remove(extension::xclient);
    return out;
}

std::string extension_table()
{
    std::string out = "| keyword | source | MX | submission | LMTP | when | switch | dialogues |\n|---|---|---|---|---|---|---|---|\n";
    for (auto const& r : rows) {
        auto const at = [&r](accept::door d) { return (r.doors & bit(d)) != 0 ? "yes" : ""; };
        out += "| `" + std::string{r.keyword} + "` | " + std::string{r.source};
        for (auto const d : {accept::door::mx, accept::door::submission, accept::door::lmtp}) out += std::string{" | "} + at(d);
        out += " | " + std::string{r.when} + " | " + (r.has_switch ? "yes" : "") + " | " + std::string{r.dialogues} + " |\n";
    }
    return out;
}

}  // namespace mansio::smtp
