#include "base/ids.hpp"

#include "base/bytes.hpp"

namespace mansio::base {
std::string make_session_id(random& r) { return "c-" + to_base32(r.octets(5)); }
}  // namespace mansio::base
