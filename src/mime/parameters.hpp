// What parse_parameterized() knows beyond its result. Internal to this folder.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "mime/header.hpp"

namespace mansio::mime::detail {

struct parameters {
    parameterized text;
    std::vector<bool> extended;  ///< parallel to text.parameters: RFC 2231 §4 form, name*=charset'language'value
    std::string boundary;        ///< octets as written (never converted to UTF-8): delimiter lines are compared with them
    bool over_limit = false;
};
[[nodiscard]] parameters read_parameters(std::string_view field_body, base::limits const& limits);

}  // namespace mansio::mime::detail
