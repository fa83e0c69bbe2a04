#include "wellknown/xml.hpp"

#include "base/bytes.hpp"

namespace mansio::wellknown {

std::string escape_xml(std::string_view text)
{
    if (!base::is_utf8(text)) return {};
    std::string out;
    out.reserve(text.size());
    for (char const c : text) {
        switch (c) {
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '&': out += "&amp;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&apos;"; break;
        default:
            if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) out += c;
        }
    }
    return out;
}

xml_writer::xml_writer() : out_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") {}

xml_writer& xml_writer::line(std::string_view markup)
{
    out_.append(markup).append("\n");
    return *this;
}

void xml_writer::begin(std::string_view name, attributes a)
{
    out_.append(open_.size() * 2, ' ').append("<").append(name);
    for (auto const& [key, value] : a) out_.append(" ").append(key).append("=\"").append(escape_xml(value)).append("\"");
}

xml_writer& xml_writer::open(std::string_view name, attributes a)
{
    begin(name, a);
    out_ += ">\n";
    open_.emplace_back(name);
    return *this;
}

xml_writer& xml_writer::close()
{
    MANSIO_ASSERT(!open_.empty());
    auto const name = std::move(open_.back());
    open_.pop_back();
    out_.append(open_.size() * 2, ' ').append("</").append(name).append(">\n");
    return *this;
}

xml_writer& xml_writer::leaf(std::string_view name, std::string_view text, attributes a)
{
    begin(name, a);
    out_.append(">").append(escape_xml(text)).append("</").append(name).append(">\n");
    return *this;
}

xml_writer& xml_writer::empty(std::string_view name)
{
    begin(name, {});
    out_ += "/>\n";
    return *this;
}

std::string xml_writer::take()
{
    MANSIO_ASSERT(open_.empty());
    return std::move(out_);
}

}  // namespace mansio::wellknown
