// How reports travel: gzip (RFC 1952), a zip archive of one file (many senders of DMARC reports), or plain text; unpacked within limits.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace mansio::reports {

/// What a stranger's octets may cost. A 10 MiB report is what receivers commonly take (RFC 7489 §7.2.1.1), and nobody has sent us a larger one yet.
/// Real reports unpack to between 5 and 60 times their size; DEFLATE reaches 1,032, so what exceeds 100 was made to hurt.
/// Units: octets.  The ratio counts only beyond `free`, where a tiny report about many equal rows may well be denser.
struct packing_limits {
    std::uint64_t packed = 10ULL << 20U;
    std::uint64_t unpacked = 100ULL << 20U;
    std::uint64_t ratio = 100;
    std::uint64_t free = 256ULL << 10U;
};

enum class packing : std::uint8_t { plain, gzip, zip };
/// By the first octets, whatever name or type says.
[[nodiscard]] packing packing_of(std::string_view octets) noexcept;

/// Takes the next octets of what is unpacked; an error ends the unpacking and is its result.
using octet_sink = std::function<result<void>(std::string_view)>;

/// Hands what `octets` hold to `sink`, in pieces of at most 64 KiB, nothing kept. What the sink has taken before an error is to be thrown away:
/// checksums come last.
/// Errors: syntax (damaged, cut short, something behind the end, an archive of no or several files), refused (encrypted, a method other than DEFLATE),
/// over_limit.  Threads: any; up to a second of work: call it on a pool.
[[nodiscard]] result<void> unpack(std::string_view octets, packing_limits const& limits, octet_sink const& sink);

/// One gzip member without name and time: the same octets give the same result.
[[nodiscard]] std::string gzip(std::string_view octets);

}  // namespace mansio::reports
