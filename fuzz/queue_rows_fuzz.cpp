// links: queue
// Every row of a queue partition, from arbitrary octets: a decoder refuses, or its value encodes to a row that decodes to the same again. The octets
// are given their checksum, so that the fuzzer need not guess it; as they are, they are tried too.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "queue/rows.hpp"

using namespace mansio;

namespace {
void must(bool condition)
{
    if (!condition) std::abort();
}

void try_row(unsigned which, std::string const& row)
{
    switch (which) {
    case 0: {
        auto const e = queue::decode_envelope(row);
        if (!e) return;
        auto const once = queue::encode_envelope(*e);
        auto const again = queue::decode_envelope(once);
        must(again && queue::encode_envelope(*again) == once);
        break;
    }
    case 1: {
        queue::recipient r;
        if (!queue::decode_recipient_state(row, r)) return;
        auto const once = queue::encode_recipient_state(r);
        queue::recipient again;
        must(queue::decode_recipient_state(once, again).has_value() && queue::encode_recipient_state(again) == once);
        break;
    }
    default: {
        auto const s = queue::decode_schedule(row);
        if (!s) return;
        auto const once = queue::encode_schedule(*s);
        auto const again = queue::decode_schedule(once);
        must(again && queue::encode_schedule(*again) == once);
    }
    }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size == 0) return 0;
    std::string_view const octets{reinterpret_cast<char const*>(data) + 1, size - 1};
    unsigned const which = data[0] % 3U;
    try_row(which, base::row_writer{}.raw(octets).take_sealed());
    try_row(which, std::string{octets});
    std::string const id{octets.substr(0, 64)};
    static_cast<void>(queue::partition_number(id));
    return 0;
}
