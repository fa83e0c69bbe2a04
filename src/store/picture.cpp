#include "store/picture.hpp"

#include "base/bytes.hpp"
#include "store/blob_frames.hpp"
#include "store/rocks_rows.hpp"

namespace mansio::store {

std::string encode(held_blob const& b)
{
    base::row_writer w;
    w.varint(b.encoded).varint(b.holders.size());
    for (auto const& h : b.holders) w.raw(h.where.key()).octets(h.name);
    return w.take();
}

result<held_blob> decode_held_blob(std::string_view value)
{
    base::row_reader r{value};
    held_blob b;
    b.encoded = r.varint();
    auto const n = r.varint();
    for (std::uint64_t i = 0; i < n && r.ok(); ++i) {
        auto const where = read_partition(r.raw(partition_key_octets));
        auto const name = r.octets();
        if (!where) return corrupt("a blob's holder");
        b.holders.push_back(holder{*where, std::string{name}});
    }
    if (!r.ok() || !r.at_end()) return corrupt("a blob's holders");
    return b;
}

}  // namespace mansio::store
