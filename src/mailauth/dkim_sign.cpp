#include <algorithm>
#include <map>

#include "mailauth/dkim.hpp"

namespace mansio::mailauth {
namespace {

constexpr std::size_t line = 76;

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

/// Gathers a field's text, going to a new line where the next word would make this one too long.
class folded {
public:
    explicit folded(std::string first) : text_(std::move(first)), column_(text_.size()) {}
    /// A word that must not be cut; a blank goes before it.
    void word(std::string_view w)
    {
        if (column_ + 1 + w.size() > line) {
            text_ += "\r\n";
            column_ = 0;
        }
        text_ += ' ';
        text_ += w;
        column_ += 1 + w.size();
    }
    /// What may be cut anywhere, and takes blanks.
    void run(std::string_view octets)
    {
        while (!octets.empty()) {
            if (column_ >= line) {
                text_ += "\r\n ";
                column_ = 1;
            }
            auto const some = octets.substr(0, line - column_);
            text_ += some;
            column_ += some.size();
            octets.remove_prefix(some.size());
        }
    }
    /// Right behind the last word.
    void tail(std::string_view w)
    {
        text_ += w;
        column_ += w.size();
    }
    [[nodiscard]] std::string const& text() const noexcept { return text_; }

private:
    std::string text_;
    std::size_t column_;
};

}  // namespace

std::string dkim_key_record(signing_key const& key) { return "v=DKIM1; k=" + std::string{name_of(key.type())} + "; p=" + base::to_base64(key.public_octets()); }

std::string sign_dkim(signed_message& message, dkim_signing const& how)
{
    auto const names = fields_to_sign(message.header());
    MANSIO_ASSERT(mime::find_field(message.header(), "From") != nullptr);
    folded f{"DKIM-Signature:"};
    f.word("v=1;");
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
    return f.text() + "\r\n";
}

}  // namespace mansio::mailauth
