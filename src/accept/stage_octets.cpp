// octets: all of them are in; were they such as we take?
#include "accept/stages.hpp"

namespace mansio::accept::stages {

stage_result octets(workshop&, message& m)
{
    MANSIO_ASSERT(m.incoming);
    if (auto const& refused = m.incoming->refused()) co_return decision::stop(*refused);
    auto whole = m.incoming->finish();
    if (auto const& refused = m.incoming->refused()) co_return decision::stop(*refused);  // the end of the header came with the end
    if (!whole) co_return decision::stop(reply_for(whole.error(), {452, "4.3.1", "no room for the message now, try again later"}));
    m.octets = std::move(*whole);
    co_return decision::pass();
}

}  // namespace mansio::accept::stages
