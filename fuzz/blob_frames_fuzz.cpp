// links: store
// A blob's octets from a disk that may have put anything there: reading never goes outside them, and what passes the checks is what was written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/blob_frames.hpp"
#include "store/rocks_wal.hpp"

using namespace mansio;
using namespace mansio::store;

namespace {
/// Damage at the places the input says; whatever is still served must be the message's own octets.
void damaged_blob(std::string_view in)
{
    base::row_reader r{in};
    auto const id = blob_id::from_octets(std::string_view{"0123456789abcdef"});
    auto const message = r.octets();
    auto const blob = encode_blob(*id, message);
    if (!check_blob(*id, blob)) std::abort();
    auto damaged = blob;
    int changes = 0;
    while (r.ok() && !r.at_end()) {
        auto const at = r.varint();
        auto const with = r.u8();
        if (!r.ok()) break;
        damaged[at % damaged.size()] = static_cast<char>(with);
        ++changes;
    }
    auto const got = decode_range(*id, damaged, 0, message.size());
    auto const half = decode_range(*id, damaged, message.size() / 2, message.size());
    auto const whole = check_blob(*id, damaged);
    // A CRC finds every damage of one octet; many, chosen for it, can pass it, and then SHA-256 finds them.
    bool const surely = changes <= 1 || whole.has_value();
    if (surely && got && *got != message) std::abort();
    if (surely && half && *half != message.substr(message.size() / 2)) std::abort();
    if (whole && !got) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const in{reinterpret_cast<char const*>(data), size};
    damaged_blob(in);
    // As a blob, and as a log, from the first octet on.
    if (size >= blob_foot_octets) {
        auto const id = blob_id::from_octets(in.substr(size - blob_foot_octets, 16));
        auto const whole = decode_range(*id, in, 0, UINT64_MAX);
        auto const index = read_blob_index(*id, in, size);
        if (whole && (!index || whole->size() != index->size)) std::abort();
        static_cast<void>(check_blob(*id, in));
        static_cast<void>(blob_tail_needed(in));
    }
    auto const state = inspect_wal(in);
    if (state.intact_octets > size || (state.damaged && !state.torn)) std::abort();
    if (inspect_wal(in.substr(0, static_cast<std::size_t>(state.intact_octets))).records != state.records) std::abort();
    return 0;
}
