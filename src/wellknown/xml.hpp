// XML, written: elements close in order and text is always escaped.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mansio::wellknown {

/// Names of elements and attributes are ours; text and values may be a stranger's. Octets that XML 1.0 cannot hold are left out.
class xml_writer {
public:
    using attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;
    xml_writer();  ///< begins with the declaration
    xml_writer& line(std::string_view markup);  ///< ours, verbatim: a document type
    xml_writer& open(std::string_view name, attributes a = {});
    xml_writer& close();
    xml_writer& leaf(std::string_view name, std::string_view text, attributes a = {});
    xml_writer& empty(std::string_view name);
    /// Every element must have been closed (asserted).
    [[nodiscard]] std::string take();

private:
    void begin(std::string_view name, attributes a);
    std::string out_;
    std::vector<std::string> open_;
};

[[nodiscard]] std::string escape_xml(std::string_view text);

}  // namespace mansio::wellknown
