#include "smtp/client/dot_stuffer.hpp"

namespace mansio::smtp::client {

void dot_stuffer::feed(std::string_view piece, std::string& out)
{
    out.reserve(out.size() + piece.size() + 16);
    while (!piece.empty()) {
        if (held_cr_) {
            // Whatever followed the CR, the line ends here.
            out += "\r\n";
            held_cr_ = false;
            line_start_ = true;
            if (piece.front() == '\n') piece.remove_prefix(1);
            continue;
        }
        if (line_start_ && piece.front() == '.') out += '.';
        auto const end = piece.find_first_of("\r\n");
        auto const run = piece.substr(0, end);
        out.append(run);
        if (!run.empty()) line_start_ = false;
        piece.remove_prefix(run.size());
        if (piece.empty()) return;
        if (piece.front() == '\r') {
            held_cr_ = true;
        } else {
            out += "\r\n";
            line_start_ = true;
        }
        piece.remove_prefix(1);
    }
}

void dot_stuffer::finish(std::string& out)
{
    if (held_cr_ || !line_start_) out += "\r\n";
    held_cr_ = false;
    line_start_ = true;
    out += ".\r\n";
}

}  // namespace mansio::smtp::client
