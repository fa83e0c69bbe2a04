// A message as its signatures see it: the hashes that DKIM and ARC sign (RFC 6376 §3.7).
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "mailauth/canonical.hpp"
#include "mime/header.hpp"
#include "mime/octets.hpp"

namespace mansio::mailauth {

/// Threads: one at a time.
class signed_message {
public:
    signed_message(mime::octets whole, base::limits const& limits);
    /// A message whose header was changed since it came: `header` is how it came, with its empty line; the body begins at `body_offset` of `stored`.
    signed_message(std::string header, mime::octets stored, std::size_t body_offset, base::limits const& limits);
    signed_message(signed_message const&) = delete;
    signed_message& operator=(signed_message const&) = delete;
    [[nodiscard]] mime::header_block const& header() const noexcept { return header_; }
    /// A field with its name and line end, as it stands. Views point into the message.
    [[nodiscard]] std::string_view text_of(mime::field_view const& f) const noexcept { return header_text().substr(f.offset, f.length); }
    struct body {
        base::sha256_digest hash{};
        [[nodiscard]] std::string_view octets() const noexcept { return {reinterpret_cast<char const*>(hash.data()), hash.size()}; }  ///< of the hash: of bh=
        std::uint64_t size = 0;  ///< canonical octets
    };
    /// Reads the whole body the first time for each form, some 300 MB a second: of large messages on a pool.
    [[nodiscard]] body const& hash_body(canonicalization how);
    /// What a signature is over: the fields `names` choose, each the last one not chosen yet (§5.4.2), then `own`, the signature's own field with its
    /// b= emptied, without its line end.
    [[nodiscard]] base::sha256_digest hash_header(std::span<std::string const> names, canonicalization how, std::string_view own) const;
    [[nodiscard]] std::size_t size() const noexcept { return whole_.size(); }

private:
    [[nodiscard]] std::string_view header_text() const noexcept { return own_header_ ? std::string_view{*own_header_} : whole_.view(); }
    mime::octets whole_;
    std::optional<std::string> own_header_;
    mime::header_block header_;
    std::size_t body_offset_;
    std::array<std::optional<body>, 2> bodies_;
};

/// A field's text with the value of one of its tags taken out; `value` is a view into `field`.
[[nodiscard]] std::string without_value(std::string_view field, std::string_view value);

}  // namespace mansio::mailauth
