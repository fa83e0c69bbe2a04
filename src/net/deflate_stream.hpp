// A stream over a stream whose octets are compressed on the way (RFC 1951; IMAP's COMPRESS, RFC 4978).
#pragma once
#include <memory>

#include "net/stream.hpp"

namespace mansio::net {

/// Every write() ends in a flush, so that the other side can read all of it. What the peer sends is inflated only as far as it is asked for: a bomb costs
/// no more memory than the caller's buffer (trust.md I6). Memory: about 110 KiB, 40 of them once the peer has sent something.
/// The connection below must have no octets read and not used. Damaged octets are `closed`, detail "damaged DEFLATE data"; the end of the peer's
/// compressed data is the end of the stream. TLS must be on before; release() is no longer possible.
/// Threads, lifetime: as `below`, which it owns.
[[nodiscard]] std::unique_ptr<stream> make_deflate_stream(std::unique_ptr<stream> below);

}  // namespace mansio::net
