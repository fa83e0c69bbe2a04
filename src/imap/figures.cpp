#include "imap/figures.hpp"

#include "base/bytes.hpp"
#include "imap/commands/table.hpp"

namespace mansio::imap {

figures::figures(base::metrics& m)
    : sessions(m.get_gauge("mansio_imap_sessions", "IMAP connections open")),
      signed_in(m.get_gauge("mansio_imap_sessions_signed_in", "IMAP connections signed in")),
      sign_ins(m.get_counter("mansio_imap_sign_ins_total", "successful sign-ins over IMAP")),
      sign_in_failures(m.get_counter("mansio_imap_sign_in_failures_total", "failed sign-ins over IMAP")),
      syntax_errors(m.get_counter("mansio_imap_syntax_errors_total", "commands answered with BAD")),
      strikes_out(m.get_counter("mansio_imap_strikes_total", "connections closed after too many BAD commands in a row")),
      timeouts(m.get_counter("mansio_imap_timeouts_total", "IMAP connections closed because the client said or read nothing")),
      literals_refused(m.get_counter("mansio_imap_literal_refused_total", "literals over a limit")),
      lines_too_long(m.get_counter("mansio_imap_line_too_long_total", "command lines over a limit")),
      appended(m.get_counter("mansio_imap_messages_appended_total", "messages stored by APPEND")),
      moved(m.get_counter("mansio_imap_handovers_total", "connections handed to their account's shard after sign-in")),
      searches_refused(m.get_counter("mansio_imap_search_refused_total", "searches, sorts and contexts over a limit"))
{
    for (auto const& c : commands::all())
        commands.push_back(&m.get_counter("mansio_imap_commands_total", "IMAP commands", "command=\"" + base::to_lower_ascii(c.name) + "\""));
}

}  // namespace mansio::imap
