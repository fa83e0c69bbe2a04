// greet: what the client calls itself is written into Received, and so is made harmless first (trust.md W11).
#include "accept/stages.hpp"
#include "accept/trace.hpp"

namespace mansio::accept::stages {

stage_result greet(workshop&, message& m)
{
    m.from->greeting = harmless_name(m.from->greeting);
    co_return decision::pass();
}

}  // namespace mansio::accept::stages
