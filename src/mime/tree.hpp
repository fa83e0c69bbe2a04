// The part tree with what its wire text needs. Internal to this folder.
#pragma once
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "mime/header.hpp"
#include "mime/message.hpp"
#include "mime/octets.hpp"

namespace mansio::mime::detail {

/// Ready pieces of one part's BODYSTRUCTURE.
struct part_wire {
    std::string parameters = "NIL";
    std::string disposition = "NIL";
    std::string envelope;  ///< of the message embedded in this part
};
struct tree {
    std::vector<part> parts;
    std::vector<part_wire> wire;  ///< parallel to parts; empty when it was not wanted
    header_block header;          ///< of the whole message; views point into it
    bool degraded = false;
    bool has_8bit = false, has_nul = false;
};
enum class wire : bool { no, yes };
[[nodiscard]] tree build_tree(octets const& message, base::limits const& limits, wire wanted);

/// Reads the entity fields (Content-*) of `h` into `p`, and their wire text into `w` when it is given. Returns the boundary, empty: none.
[[nodiscard]] std::string read_entity(header_block const& h, part& p, part_wire* w, base::limits const& limits, bool& degraded);

/// "(\"name\" \"value\" …)" or NIL.
[[nodiscard]] std::string parameters_text(std::vector<std::pair<std::string, std::string>> const& parameters, std::vector<bool> const& extended,
                                          bool default_charset);
[[nodiscard]] std::string body_text(tree const& t, bool extended);
/// May this part be opened as a message of its own? (message/rfc822, message/global)
[[nodiscard]] bool is_message_type(part const& p) noexcept;

}  // namespace mansio::mime::detail
