#include "imapclient/response.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "imap/wire/utf7.hpp"

namespace mansio::imapclient {
namespace {

constexpr std::size_t text_kept = 1024;

std::unexpected<fault> nonsense(std::string detail) { return fail(fault::kind::syntax, "the other server's answer makes no sense", std::move(detail)); }

/// Walks over an answer. More forgiving than the server's scanner where servers are known to be loose, never about where a value ends.
class cursor {
public:
    cursor(std::string_view text, unsigned depth) : rest_(text), depth_(depth) {}
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] char peek() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
    bool take(char c) noexcept
    {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    /// Up to a blank, parenthesis, quote or the end.
    std::string_view word() noexcept
    {
        auto const n = std::min(rest_.find_first_of(" ()\"\r\n"), rest_.size());
        auto const w = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return w;
    }
    /// A FETCH item's name: up to a blank outside brackets ("BODY[HEADER.FIELDS (DATE)]<0>").
    std::string_view item() noexcept
    {
        std::size_t n = 0;
        for (bool inside = false; n < rest_.size(); ++n) {
            char const c = rest_[n];
            if (c == '[') inside = true;
            if (c == ']') inside = false;
            if (!inside && (c == ' ' || c == '(' || c == ')')) break;
        }
        auto const w = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return w;
    }
    void blanks() noexcept
    {
        while (take(' ')) {
        }
    }
    result<std::uint64_t> number()
    {
        auto const digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        if (digits == 0 || digits > 19) return nonsense("a number is missing or too long");
        std::uint64_t n = 0;
        for (char const c : rest_.substr(0, digits)) n = n * 10 + static_cast<std::uint64_t>(c - '0');
        rest_.remove_prefix(digits);
        return n;
    }
    result<std::uint32_t> number32()
    {
        auto const n = number();
        if (!n) return fail(n);
        if (*n > 0xFFFFFFFFU) return nonsense("a number is too large");
        return static_cast<std::uint32_t>(*n);
    }
    /// Quoted, literal, or a bare word.
    result<std::string> astring()
    {
        if (peek() == '"') return quoted();
        if (peek() == '{' || rest_.starts_with("~{")) return literal();
        auto const w = word();
        if (w.empty()) return nonsense("a string is missing");
        return std::string{w};
    }
    result<std::optional<std::string>> nstring()
    {
        if (base::starts_with_ignoring_case(rest_, "NIL") && (rest_.size() == 3 || rest_[3] == ' ' || rest_[3] == ')')) {
            rest_.remove_prefix(3);
            return std::nullopt;
        }
        auto s = astring();
        if (!s) return fail(s);
        return std::move(*s);
    }
    /// Flat "(a b c)"; "()" too.
    result<std::vector<std::string>> words()
    {
        if (!take('(')) return nonsense("a list is missing");
        std::vector<std::string> out;
        for (blanks(); !take(')'); blanks()) {
            auto const w = word();
            if (w.empty()) return nonsense("a list has no end");
            out.emplace_back(w);
        }
        return out;
    }
    /// Passes over one value, lists with all they hold.
    result<void> skip()
    {
        unsigned open = 0;
        do {
            blanks();
            if (take('(')) {
                if (++open > depth_) return fail(fault::kind::over_limit, "the other server's answer nests too deep");
            } else if (take(')')) {
                if (open == 0) return nonsense("a parenthesis too many");
                --open;
            } else if (peek() == '"' || peek() == '{') {
                auto const s = astring();
                if (!s) return fail(s);
            } else if (item().empty()) {
                return nonsense("a value is missing");
            }
        } while (open != 0);
        return {};
    }

private:
    result<std::string> quoted()
    {
        std::string out;
        rest_.remove_prefix(1);
        while (!rest_.empty()) {
            char const c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') return out;
            if (c == '\r' || c == '\n') break;
            if (c == '\\') {
                if (rest_.empty()) break;
                out += rest_.front();
                rest_.remove_prefix(1);
            } else {
                out += c;
            }
        }
        return nonsense("a quoted string has no end");
    }
    result<std::string> literal()
    {
        take('~');
        take('{');
        auto const n = number();
        if (!n) return fail(n);
        take('+');
        if (!rest_.starts_with("}\r\n")) return nonsense("a literal has no head");
        rest_.remove_prefix(3);
        if (*n > rest_.size()) return nonsense("a literal is longer than the answer");
        std::string out{rest_.substr(0, static_cast<std::size_t>(*n))};
        rest_.remove_prefix(static_cast<std::size_t>(*n));
        return out;
    }
    std::string_view rest_;
    unsigned depth_;
};

result<fetch_data> parse_fetch(cursor& in, std::uint32_t sequence, std::optional<std::uint64_t> streamed)
{
    fetch_data f;
    f.sequence = sequence;
    if (!in.take('(')) return nonsense("FETCH without a list");
    for (in.blanks(); !in.take(')'); in.blanks()) {
        auto const name = base::to_upper_ascii(in.item());
        if (name.empty()) return nonsense("a FETCH item has no name");
        if (!in.take(' ')) return nonsense("a FETCH item has no value");
        if (name == "UID") {
            auto const n = in.number32();
            if (!n) return fail(n);
            f.uid = *n;
        } else if (name == "FLAGS") {
            auto flags = in.words();
            if (!flags) return fail(flags);
            f.flags = std::move(*flags);
        } else if (name == "INTERNALDATE") {
            auto const d = in.nstring();
            if (!d) return fail(d);
            if (*d) f.internal_date = mime::parse_imap_date_time(**d);
        } else if (name == "RFC822.SIZE") {
            auto const n = in.number();
            if (!n) return fail(n);
            f.size = *n;
        } else if (name == "MODSEQ") {
            if (!in.take('(')) return nonsense("MODSEQ without a list");
            auto const n = in.number();
            if (!n || !in.take(')')) return nonsense("MODSEQ is no number");
            f.modseq = *n;
        } else if (name.starts_with("BODY[") || name == "RFC822" || name == "RFC822.HEADER") {
            auto s = in.nstring();
            if (!s) return fail(s);
            if (*s && streamed && (*s)->empty() && !f.streamed)
                f.streamed = *streamed;
            else
                f.body = std::move(*s);
        } else {
            auto const skipped = in.skip();
            if (!skipped) return fail(skipped);
        }
    }
    return f;
}

// mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP mbox-list-extended]
result<list_entry> parse_list(cursor& in)
{
    list_entry e;
    auto attributes = in.words();
    if (!attributes) return fail(attributes);
    for (auto const& a : *attributes) e.attributes.push_back(base::to_lower_ascii(a));
    in.blanks();
    auto const delimiter = in.nstring();
    if (!delimiter) return fail(delimiter);
    if (*delimiter && (*delimiter)->size() > 1) return nonsense("a delimiter of more than one octet");
    if (*delimiter && !(*delimiter)->empty()) e.delimiter = (*delimiter)->front();
    in.blanks();
    auto raw = in.astring();
    if (!raw) return fail(raw);
    e.raw = std::move(*raw);
    e.name = decode_mailbox(e.raw);
    return e;
}

result<search_data> parse_search(cursor& in)
{
    search_data s;
    for (in.blanks(); !in.at_end() && in.peek() != '('; in.blanks()) {
        auto const n = in.number32();
        if (!n) return fail(n);
        s.numbers.emplace_back(*n, *n);
    }
    return s;
}

// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
result<search_data> parse_esearch(cursor& in)
{
    search_data s;
    s.extended = true;
    for (in.blanks(); !in.at_end(); in.blanks()) {
        if (in.peek() == '(') {
            auto const skipped = in.skip();
            if (!skipped) return fail(skipped);
            continue;
        }
        auto const name = base::to_upper_ascii(in.word());
        if (name.empty()) return nonsense("ESEARCH");
        if (name == "UID") continue;
        in.blanks();
        if (name == "ALL") {
            auto ranges = parse_ranges(in.word());
            if (!ranges) return fail(ranges);
            s.numbers = std::move(*ranges);
        } else if (name == "COUNT") {
            auto const n = in.number32();
            if (!n) return fail(n);
            s.count = *n;
        } else if (auto const skipped = in.skip(); !skipped) {
            return fail(skipped);
        }
    }
    return s;
}

/// resp-text = ["[" resp-text-code "]" SP] text
void parse_text(std::string_view rest, response& into)
{
    if (rest.starts_with('[')) {
        if (auto const end = rest.find(']'); end != std::string_view::npos) {
            auto const inside = rest.substr(1, end - 1);
            auto const blank = std::min(inside.find(' '), inside.size());
            into.code = base::to_upper_ascii(inside.substr(0, blank));
            if (blank < inside.size()) into.code_argument = inside.substr(blank + 1);
            rest.remove_prefix(end + 1);
        }
    }
    into.text = base::trim_blanks(rest).substr(0, text_kept);
}

/// What follows "* NAME ".
result<void> parse_data(cursor& in, response& r, std::optional<std::uint64_t> streamed)
{
    constexpr std::array<std::string_view, 5> conditions{"OK", "NO", "BAD", "BYE", "PREAUTH"};
    if (std::find(conditions.begin(), conditions.end(), r.name) != conditions.end()) {
        parse_text(in.rest(), r);
        return {};
    }
    auto const keep = [](auto& slot, auto made) -> result<void> {
        if (!made) return fail(made);
        slot = std::move(*made);
        return {};
    };
    if (r.name == "FETCH") return keep(r.fetch, parse_fetch(in, r.number, streamed));
    if (r.name == "LIST" || r.name == "LSUB") return keep(r.list, parse_list(in));
    if (r.name == "SEARCH") return keep(r.search, parse_search(in));
    if (r.name == "ESEARCH") return keep(r.search, parse_esearch(in));
    if (r.name == "VANISHED") {  // RFC 7162 §3.2.10
        if (in.peek() == '(') {
            auto const earlier = in.skip();
            if (!earlier) return fail(earlier);
            in.blanks();
        }
        auto ranges = parse_ranges(in.rest());
        if (!ranges) return fail(ranges);
        r.search.emplace();
        r.search->numbers = std::move(*ranges);
        return {};
    }
    if (r.name == "FLAGS") return keep(r.words, in.words());
    if (r.name == "STATUS") {
        auto name = in.astring();
        if (!name) return fail(name);
        in.blanks();
        return keep(r.words, in.words());
    }
    if (r.name == "CAPABILITY" || r.name == "ENABLED")
        for (in.blanks(); !in.at_end(); in.blanks()) {
            auto const w = in.word();
            if (w.empty()) return nonsense(r.name);
            r.words.push_back(base::to_upper_ascii(w));
        }
    return {};
}

}  // namespace

bool list_entry::has(std::string_view attribute) const noexcept { return std::find(attributes.begin(), attributes.end(), attribute) != attributes.end(); }

std::string decode_mailbox(std::string_view raw)
{
    auto decoded = imap::wire::from_utf7(raw);
    return decoded ? std::move(*decoded) : std::string{raw};
}

std::string encode_mailbox(std::string_view utf8) { return imap::wire::to_utf7(utf8); }

result<std::vector<number_range>> parse_ranges(std::string_view text)
{
    std::vector<number_range> out;
    cursor in{text, 0};
    do {
        auto const first = in.number32();
        if (!first) return fail(first);
        auto last = first;
        if (in.take(':')) last = in.number32();
        if (!last) return fail(last);
        out.emplace_back(std::min(*first, *last), std::max(*first, *last));
    } while (in.take(','));
    if (!in.at_end()) return nonsense("a set of numbers");
    return out;
}

result<response> parse_response(std::string_view octets, unsigned depth, std::optional<std::uint64_t> streamed)
{
    cursor in{octets, depth};
    response r;
    auto const first = in.word();
    if (first == "+") {
        r.what = response::kind::more;
        r.text = base::trim_blanks(in.rest()).substr(0, text_kept);
        return r;
    }
    if (first.empty() || !in.take(' ')) return nonsense("an answer without a beginning");
    if (first != "*") {
        r.what = response::kind::tagged;
        r.tag = first;
        r.name = base::to_upper_ascii(in.word());
        if (r.name != "OK" && r.name != "NO" && r.name != "BAD") return nonsense("a tagged answer that is neither OK nor NO nor BAD");
        in.take(' ');
        parse_text(in.rest(), r);
        return r;
    }
    if (in.peek() >= '0' && in.peek() <= '9') {
        auto const n = in.number32();
        if (!n) return fail(n);
        r.number = *n;
        if (!in.take(' ')) return nonsense("a number without a name");
    }
    r.name = base::to_upper_ascii(in.word());
    if (r.name.empty()) return nonsense("an answer without a name");
    in.take(' ');
    auto const data = parse_data(in, r, streamed);
    if (!data) return fail(data);
    return r;
}

}  // namespace mansio::imapclient
