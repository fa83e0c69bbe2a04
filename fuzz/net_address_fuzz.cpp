// links: net
// Addresses, endpoints and networks: what is read is written the same way, and no spelling of an address passes the gate that another does not.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/address.hpp"

using namespace mansio::net;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    egress_gate const strict{{}};
    if (auto const a = ip_address::parse(text)) {
        auto const again = ip_address::parse(a->text());
        if (!again || *again != *a || again->is_global() != a->is_global()) std::abort();
        if (a->is_loopback() && strict.permits(*a)) std::abort();
        if (a->is_v4()) {
            auto const mapped = ip_address::parse("::ffff:" + a->text());
            if (!mapped || *mapped != *a) std::abort();
            auto const translated = ip_address::parse("64:ff9b::" + a->text());
            if (!translated || translated->is_global() != a->is_global()) std::abort();
        }
        auto const own = cidr::parse(a->peer_prefix());
        if (!own || !own->contains(*a)) std::abort();
    }
    if (auto const e = endpoint::parse(text)) {
        auto const again = endpoint::parse(e->text());
        if (!again || *again != *e) std::abort();
    }
    if (auto const c = cidr::parse(text))
        if (!c->contains(c->network)) std::abort();
    return 0;
}
