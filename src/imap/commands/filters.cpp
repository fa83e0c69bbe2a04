#include "imap/commands/filters.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "imap/commands/metadata.hpp"
#include "imap/session.hpp"

namespace mansio::imap::commands {

task<result<named_filters>> filters_for(invocation const& c)
{
    named_filters out;
    // Almost no search names one: the store is asked only when the word is there.
    if (!c.s.offers(extension::filters) || !base::to_lower_ascii(c.in.rest()).contains("filter")) co_return out;
    auto const all = co_await read_server_entries(c.s);
    if (!all) co_return fail(all);
    for (bool const mine : {false, true})
        for (auto const& e : *all)
            if (auto const name = filter_of_entry(e.name); !name.empty() && e.name.starts_with("/private/") == mine)
                out.insert_or_assign(std::string{name}, e.value);
    co_return out;
}

}  // namespace mansio::imap::commands
