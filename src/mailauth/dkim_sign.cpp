#include <algorithm>
#include <map>

#include "mailauth/dkim.hpp"
#include "mailauth/folded_field.hpp"
#include "mailauth/message_signing.hpp"

namespace mansio::mailauth {
namespace {

/// Each is signed as often as it is there. Those that are `sealed` are named once more: another one added on the way breaks the signature (§8.15).
struct signed_field {
    std::string_view name;
    bool sealed;
};
constexpr std::array<signed_field, 26> signed_fields{{{"From", true},
                                                      {"Sender", true},
                                                      {"Reply-To", true},
                                                      {"Subject", true},
                                                      {"Date", true},
                                                      {"Message-ID", true},
                                                      {"To", true},
                                                      {"Cc", true},
                                                      {"In-Reply-To", true},
                                                      {"References", true},
                                                      {"MIME-Version", true},
                                                      {"Content-Type", true},
                                                      {"Content-Transfer-Encoding", true},
                                                      {"Content-ID", false},
                                                      {"Content-Description", false},
                                                      {"Resent-Date", false},
                                                      {"Resent-From", false},
                                                      {"Resent-To", false},
                                                      {"Resent-Cc", false},
                                                      {"List-Id", false},
                                                      {"List-Help", false},
                                                      {"List-Unsubscribe", false},
                                                      {"List-Unsubscribe-Post", false},
                                                      {"List-Subscribe", false},
                                                      {"List-Post", false},
                                                      {"Auto-Submitted", false}}};

}  // namespace

std::string dkim_key_record(signing_key const& key) { return "v=DKIM1; k=" + std::string{name_of(key.type())} + "; p=" + base::to_base64(key.public_octets()); }

std::vector<std::string> fields_to_sign(mime::header_block const& header)
{
    std::map<std::string, std::size_t> counts;
    for (auto const& f : header.fields) ++counts[base::to_lower_ascii(f.name)];
    std::vector<std::string> names;
    for (auto const& f : signed_fields) {
        auto const count = counts[base::to_lower_ascii(f.name)] + (f.sealed ? 1U : 0U);
        for (std::size_t i = 0; i < count; ++i) names.emplace_back(f.name);
    }
    return names;
}

void put_signature(folded_field& f, signed_message& message, std::span<std::string const> names, dkim_signing const& how)
{
    f.word("a=" + std::string{name_of(how.key.type())} + "-sha256;");
    f.word("c=relaxed/relaxed;");
    f.word("d=" + how.domain + ";");
    f.word("s=" + how.selector + ";");
    f.word("t=" + std::to_string(how.now) + ";");
    if (how.expires) f.word("x=" + std::to_string(*how.expires) + ";");
    for (std::size_t i = 0; i < names.size(); ++i) f.word((i == 0 ? "h=" : "") + names[i] + (i + 1 == names.size() ? ";" : ":"));
    f.word("bh=" + base::to_base64(message.hash_body(canonicalization::relaxed).octets()) + ";");
    f.word("b=");
    auto const digest = message.hash_header(names, canonicalization::relaxed, f.text());
    f.run(base::to_base64(how.key.sign(digest)));
    f.tail("\r\n");
}

std::string sign_dkim(signed_message& message, dkim_signing const& how)
{
    MANSIO_ASSERT(mime::find_field(message.header(), "From") != nullptr);
    folded_field f{"DKIM-Signature:"};
    f.word("v=1;");
    put_signature(f, message, fields_to_sign(message.header()), how);
    return f.text();
}

}  // namespace mansio::mailauth
