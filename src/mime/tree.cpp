// The part tree, RFC 2046. One pass over the lines, a chain of open parts instead of recursion.
#include "mime/tree.hpp"

#include <algorithm>
#include <cstring>

#include "mime/lexer.hpp"
#include "mime/wire.hpp"

namespace mansio::mime::detail {
namespace {
struct open_part {
    std::uint32_t index = 0;
    std::uint32_t line_ends = 0;  // before its body
    std::string boundary;         // of a multipart that is not closed yet; empty: none
};

struct delimiter {
    std::size_t level = 0;  // in the chain
    bool closes = false;
};

class tree_builder {
public:
    tree_builder(octets const& message, base::limits const& limits, wire wanted)
        : pages_(message),
          text_(message.view()),
          limits_(limits),
          wanted_(wanted == wire::yes)
    {}

    tree run()
    {
        begin_part(false);
        while (pos_ < text_.size()) {
            if (boundaries_ == 0) {
                line_ends_ += count_line_ends(pos_, text_.size());
                pos_ = text_.size();
                break;
            }
            std::size_t const begin = pos_;
            auto const line = take_line();
            if (line.size() < 3 || line[0] != '-' || line[1] != '-') continue;
            if (auto const found = match(line)) on_delimiter(*found, begin);
        }
        scan_octets(text_.size());
        close_down_to(0, text_.size(), text_.size(), line_ends_);
        return std::move(out_);
    }

private:
    std::string_view take_line()
    {
        std::size_t const begin = pos_;
        void const* lf = nullptr;
        while (lf == nullptr && pos_ < text_.size()) {  // in chunks: a line may be as long as the message
            std::size_t const room = std::min(chunk, text_.size() - pos_);
            lf = std::memchr(text_.data() + pos_, '\n', room);
            pos_ = lf == nullptr ? pos_ + room : static_cast<std::size_t>(static_cast<char const*>(lf) - text_.data()) + 1;
            if (pos_ >= scanned_ + chunk) scan_octets(pos_);
        }
        line_ends_ += lf == nullptr ? 0 : 1;
        return text_.substr(begin, pos_ - begin);
    }

    /// 8-bit and NUL octets, in chunks behind the line scan while they are in the cache; then mapped pages are given back.
    void scan_octets(std::size_t end)
    {
        unsigned high = 0;
        unsigned nul = 0;
        for (std::size_t i = scanned_; i < end; ++i) {
            auto const c = static_cast<unsigned char>(text_[i]);
            high |= c;
            nul |= c == 0 ? 1U : 0U;
        }
        out_.has_8bit = out_.has_8bit || high >= 0x80;
        out_.has_nul = out_.has_nul || nul != 0;
        scanned_ = end;
        if (scanned_ >= released_ + (std::size_t{1} << 20U)) {
            pages_.done_with(scanned_);
            released_ = scanned_;
        }
    }

    std::uint32_t count_line_ends(std::size_t from, std::size_t to)
    {
        std::uint32_t n = 0;
        while (from < to) {
            std::size_t const end = std::min(from + chunk, to);
            n += static_cast<std::uint32_t>(
                std::count(text_.begin() + static_cast<std::ptrdiff_t>(from), text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
            scan_octets(std::max(end, scanned_));
            from = end;
        }
        return n;
    }

    /// Which open multipart does this line (it begins with "--") delimit?
    /// RFC 2046 §5.1.2: outer delimiters count at any level of nesting, so the chain is searched from outside, and of two multiparts
    /// with the same boundary the outer one gets its line: a boundary that refers to itself does not nest.
    /// A whole line that is a delimiter goes first; else §5.1.1 is content with the boundary at the line's start, the longest one then.
    [[nodiscard]] std::optional<delimiter> match(std::string_view line) const
    {
        line.remove_prefix(2);
        while (!line.empty() && is_white(line.back())) line.remove_suffix(1);  // line end and transport padding
        std::optional<delimiter> best;
        std::size_t best_size = 0;
        for (std::size_t level = 0; level < chain_.size(); ++level) {
            auto const& boundary = chain_[level].boundary;
            if (boundary.empty() || !line.starts_with(boundary)) continue;
            auto const rest = line.substr(boundary.size());
            delimiter const d{level, rest.starts_with("--")};
            if (rest.empty() || rest == "--") return d;
            if (boundary.size() <= best_size) continue;
            best = d;
            best_size = boundary.size();
        }
        return best;
    }

    void on_delimiter(delimiter const& d, std::size_t line_begin)
    {
        // RFC 2046 §5.1.1: the line end before the delimiter belongs to it.
        std::size_t end = line_begin - 1;
        if (end > 0 && text_[end - 1] == '\r') --end;
        std::uint32_t const before_line = line_ends_ - (pos_ > 0 && text_[pos_ - 1] == '\n' ? 1 : 0);
        close_down_to(d.level + 1, end, line_begin, before_line);
        auto& m = chain_[d.level];
        if (d.closes) {
            set_boundary(m, {});  // what follows is the epilogue
            return;
        }
        // RFC 2046 §5.1.5: in a digest a part is a message unless it says otherwise.
        begin_part(out_.parts[m.index].subtype == "digest");
    }

    void set_boundary(open_part& p, std::string boundary)
    {
        if (!p.boundary.empty()) --boundaries_;
        p.boundary = std::move(boundary);
        if (!p.boundary.empty()) ++boundaries_;
    }

    /// The end of the header that begins at pos_; a delimiter of an open multipart ends it too (body-part := headers [CRLF *OCTET], §5.1.1).
    std::size_t find_header_end()
    {
        while (pos_ < text_.size()) {
            std::size_t const begin = pos_;
            auto const line = take_line();
            if (line == "\n" || line == "\r\n") return pos_;
            if (line.size() < 3 || line[0] != '-' || line[1] != '-' || !match(line)) continue;
            pos_ = begin;  // the loop of run() wants it
            line_ends_ -= line.ends_with('\n') ? 1 : 0;
            return begin;
        }
        return pos_;
    }

    /// Reads the part that begins at pos_, and the messages directly inside it.
    void begin_part(bool default_message)
    {
        while (out_.parts.size() < std::max<std::uint64_t>(limits_.mime_parts, 1)) {
            auto const index = static_cast<std::uint32_t>(out_.parts.size());
            part p;
            p.parent = chain_.empty() ? 0 : chain_.back().index;
            p.depth = chain_.empty() ? 0 : out_.parts[p.parent].depth + 1;
            p.header_offset = pos_;
            p.type = default_message ? "message" : "text";
            p.subtype = default_message ? "rfc822" : "plain";
            auto header = read_header();
            p.body_offset = pos_;
            out_.degraded = out_.degraded || header.over_limit;
            part_wire w;
            auto boundary = read_entity(header, p, wanted_ ? &w : nullptr, limits_, out_.degraded);
            if (wanted_ && index != 0 && out_.parts[p.parent].what == part::kind::message)
                out_.wire[p.parent].envelope = envelope_text(header, limits_, out_.degraded);
            if (index == 0) out_.header = std::move(header);
            bool const opens = open(p, boundary);
            bool const message = p.what == part::kind::message;
            out_.parts.push_back(std::move(p));
            if (wanted_) out_.wire.push_back(std::move(w));
            chain_.push_back({index, line_ends_, {}});
            if (opens && !message) set_boundary(chain_.back(), std::move(boundary));
            if (!message) return;
            default_message = false;
        }
        out_.degraded = true;  // further parts stay unparsed inside their multipart
    }

    header_block read_header()
    {
        std::size_t const begin = pos_;
        if (boundaries_ == 0) {
            auto header = parse_header(text_.substr(begin), limits_);
            shift(header, begin);
            line_ends_ += count_line_ends(begin, begin + header.body_offset);
            pos_ = begin + header.body_offset;
            return header;
        }
        std::size_t const end = find_header_end();
        auto header = parse_header(text_.substr(begin, end - begin), limits_);
        shift(header, begin);
        return header;
    }
    static void shift(header_block& h, std::size_t by) noexcept
    {
        for (auto& f : h.fields) f.offset += by;
    }

    /// Decides what kind the part is. A container that may not be opened stays a leaf: its octets are there, its insides are not parsed.
    bool open(part& p, std::string const& boundary)
    {
        bool const multipart = !boundary.empty();
        if (!multipart && !is_message_type(p)) return false;
        // RFC 2046 §5.2.1 allows no encoding here; what is encoded all the same (RFC 6532 §3.7 lets message/global) cannot be numbered by offsets.
        if (!multipart && (p.encoding == "base64" || p.encoding == "quoted-printable")) return false;
        if (p.depth >= limits_.mime_depth || out_.parts.size() + 2 > limits_.mime_parts) {
            out_.degraded = true;
            return false;
        }
        p.what = multipart ? part::kind::multipart : part::kind::message;
        return true;
    }

    /// Closes all parts of the chain at `level` and deeper: their bodies end at `end`, or at the delimiter's `line` when they are empty.
    void close_down_to(std::size_t level, std::size_t end, std::size_t line, std::uint32_t line_ends_before)
    {
        while (chain_.size() > level) {
            auto& o = chain_.back();
            set_boundary(o, {});
            auto const count = static_cast<std::uint32_t>(out_.parts.size());
            auto& p = out_.parts[o.index];
            bool const cut = end >= p.body_offset;
            p.end_offset = cut ? end : line;
            std::uint32_t const ends = cut && end != line ? line_ends_before - 1 : line_ends_before;
            p.lines = ends - std::min(ends, o.line_ends);
            p.subtree = count - o.index;
            end = std::max<std::size_t>(end, p.end_offset);
            if (p.what == part::kind::multipart && p.subtree == 1) add_empty_part(o.index);
            chain_.pop_back();
        }
    }

    /// A multipart without parts is malformed (RFC 2046 §5.1.1 wants at least one), and BODYSTRUCTURE has no form for it: it gets an empty one.
    void add_empty_part(std::uint32_t parent)
    {
        part p;
        p.parent = parent;
        p.depth = out_.parts[parent].depth + 1;
        p.header_offset = p.body_offset = p.end_offset = out_.parts[parent].end_offset;
        p.type = "text";
        p.subtype = "plain";
        p.encoding = "7bit";
        out_.parts.push_back(std::move(p));
        out_.parts[parent].subtree = 2;
        if (wanted_) out_.wire.push_back({parameters_text({}, {}, true), "NIL", {}});
    }

    static constexpr std::size_t chunk = std::size_t{64} << 10U;
    octets const& pages_;
    std::string_view text_;
    base::limits const& limits_;
    bool wanted_;
    tree out_;
    std::vector<open_part> chain_;   // open parts, the root first
    std::size_t boundaries_ = 0;     // how many of them have a boundary
    std::size_t pos_ = 0;
    std::uint32_t line_ends_ = 0;    // in [0, pos_)
    std::size_t scanned_ = 0, released_ = 0;
};
}  // namespace

tree build_tree(octets const& message, base::limits const& limits, wire wanted) { return tree_builder{message, limits, wanted}.run(); }

}  // namespace mansio::mime::detail

namespace mansio::mime {
std::vector<part> parse_parts(octets const& message, base::limits const& limits)
{
    return std::move(detail::build_tree(message, limits, detail::wire::no).parts);
}
}  // namespace mansio::mime
