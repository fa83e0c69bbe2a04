// connect: may this address speak to us at all just now?
#include "accept/stages.hpp"

namespace mansio::accept::stages {

stage_result connect(workshop& w, message& m)
{
    auto const& c = *m.from;
    if (w.set.address_limits && !c.local && w.harvest.blocked(c.peer_prefix))
        co_return decision::stop(reply{421, "4.7.0", "too many unknown recipients from your network, try again later"}.and_hang_up());
    co_return decision::pass();
}

}  // namespace mansio::accept::stages
