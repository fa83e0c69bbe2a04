#include "mailauth/signed_message.hpp"

#include <map>

namespace mansio::mailauth {

signed_message::signed_message(mime::octets whole, base::limits const& limits)
    : whole_(std::move(whole)),
      header_(mime::parse_header(whole_.view(), limits)),
      body_offset_(header_.body_offset)
{}

signed_message::signed_message(std::string header, mime::octets stored, std::size_t body_offset, base::limits const& limits)
    : whole_(std::move(stored)),
      own_header_(std::move(header)),
      header_(mime::parse_header(*own_header_, limits)),
      body_offset_(body_offset)
{}

signed_message::body const& signed_message::hash_body(canonicalization how)
{
    auto& kept = bodies_[static_cast<std::size_t>(how)];
    if (kept) return *kept;
    constexpr std::size_t piece = 1U << 20U;
    base::sha256_stream hash;
    canonical_body canonical{how, [&](std::string_view octets) { hash.feed(octets); }};
    for (auto at = body_offset_; at < whole_.size(); at += piece) {
        canonical.feed(whole_.view().substr(at, piece));
        whole_.done_with(at);
    }
    canonical.finish();
    kept = body{};
    kept->hash = hash.finish();
    kept->size = canonical.size();
    return *kept;
}

base::sha256_digest signed_message::hash_header(std::span<std::string const> names, canonicalization how, std::string_view own) const
{
    std::map<std::string, std::vector<std::size_t>> places;  // of each name asked for, from the top down
    for (auto const& n : names) places.try_emplace(base::to_lower_ascii(n));
    for (std::size_t i = 0; i < header_.fields.size(); ++i)
        if (auto const at = places.find(base::to_lower_ascii(header_.fields[i].name)); at != places.end()) at->second.push_back(i);
    base::sha256_stream hash;
    for (auto const& n : names) {
        auto& left = places[base::to_lower_ascii(n)];
        if (left.empty()) continue;  // signed as absent
        hash.feed(canonical_field(text_of(header_.fields[left.back()]), how));
        left.pop_back();
    }
    auto last = canonical_field(own, how);
    last.resize(last.size() - 2);
    hash.feed(last);
    return hash.finish();
}

std::string without_value(std::string_view field, std::string_view value)
{
    std::string out{field};
    out.erase(static_cast<std::size_t>(value.data() - field.data()), value.size());
    return out;
}

}  // namespace mansio::mailauth
