#include "imap/commands/search_options.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>

#include "base/bytes.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap::commands {

std::pair<std::size_t, std::size_t> partial_range::of(std::size_t results) const noexcept
{
    std::size_t const from = std::min<std::size_t>(low - 1, results), to = std::min<std::size_t>(high, results);
    return from_end ? std::pair{results - to, results - from} : std::pair{from, to};
}

result<partial_range> parse_partial_range(wire::scanner& in, extension_set const& on)
{
    partial_range r;
    r.from_end = on.has(extension::partial) && in.take('-');
    auto const first = in.nz_number();
    if (!first) return fail(first);
    if (auto colon = in.expect(':'); !colon) return fail(colon);
    if (r.from_end)
        if (auto minus = in.expect('-'); !minus) return fail(minus);
    auto const second = in.nz_number();
    if (!second) return fail(second);
    auto const sign = r.from_end ? "-" : "";
    r.text = sign + std::to_string(*first) + ':' + sign + std::to_string(*second);
    std::tie(r.low, r.high) = std::minmax(*first, *second);  // "A range 500:400 is the same as 400:500"
    return r;
}

result<void> parse_return_options(wire::scanner& in, searcher who, extension_set const& on, search_options& o)
{
    struct {
        std::string_view name;
        bool search_options::* flag;
        bool offered;
    } const options[] = {
        {"MIN", &search_options::min, true},
        {"MAX", &search_options::max, true},
        {"ALL", &search_options::all, true},
        {"COUNT", &search_options::count, true},
        {"SAVE", &search_options::save, on.has(extension::searchres)},
        {"CONTEXT", &search_options::context, on.has(who == searcher::sort ? extension::context_sort : extension::context_search)},
        {"UPDATE", &search_options::update, on.has(who == searcher::sort ? extension::context_sort : extension::context_search)},
    };
    bool const pages = on.has(extension::partial) || on.has(who == searcher::sort ? extension::context_sort : extension::context_search);
    o.extended = true;
    if (auto open = in.expect('('); !open) return open;
    while (!in.take(')')) {
        if (pages && !o.partial && in.take_word("PARTIAL")) {
            if (auto sp = in.space(); !sp) return sp;
            auto range = parse_partial_range(in, on);
            if (!range) return fail(range);
            o.partial = std::move(*range);
        } else {
            auto const* const known = std::ranges::find_if(options, [&](auto const& x) { return x.offered && in.take_word(x.name); });
            if (known == std::end(options)) return fail(fault::kind::syntax, "there is no such RETURN option");
            o.*known->flag = true;
        }
        if (in.peek() == ')') continue;
        if (auto sp = in.space(); !sp) return sp;
    }
    if (o.partial && o.all) return fail(fault::kind::syntax, "PARTIAL and ALL do not go together");  // RFC 9394 §3.1
    if (!o.tells() && !o.save && !o.update && !o.context) o.all = true;  // RETURN () is RETURN (ALL)
    return in.space();
}

result<void> parse_charset(wire::scanner& in, extension_set const& on)
{
    auto const charset = in.astring();
    if (!charset) return fail(charset);
    if (!base::equal_ignoring_case(*charset, "UTF-8") && !base::equal_ignoring_case(*charset, "US-ASCII")) {
        // Filters are UTF-8: a search that has one and another charset contradicts itself, and gets BAD (RFC 5466 §3.1).
        bool const filtered = on.has(extension::filters) && base::to_lower_ascii(in.rest()).contains(" filter ");
        return fail(filtered ? fault::kind::syntax : fault::kind::refused, "[BADCHARSET (US-ASCII UTF-8)] that charset is not known here");
    }
    return in.space();
}

void append_ordered(std::string& out, std::vector<std::uint32_t> const& numbers)
{
    for (std::size_t i = 0; i < numbers.size();) {
        auto last = i;
        while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
        if (i != 0) out += ',';
        wire::append_number(out, numbers[i]);
        if (last != i) {
            out += ':';
            wire::append_number(out, numbers[last]);
        }
        i = last + 1;
    }
}

void append_return_data(std::string& out, search_options const& o, std::vector<std::uint32_t> const& results, bool ordered)
{
    auto const say = [&out](char const* name, std::uint64_t n) {
        out += name;
        wire::append_number(out, n);
    };
    auto const set = [&out, ordered](std::vector<std::uint32_t> const& numbers) {
        if (ordered)
            append_ordered(out, numbers);
        else
            wire::append_numbers(out, numbers);
    };
    if (o.min && !results.empty()) say(" MIN ", results.front());
    if (o.max && !results.empty()) say(" MAX ", results.back());
    if (o.count) say(" COUNT ", results.size());
    if ((o.all || !o.extended) && !results.empty()) {
        out += " ALL ";
        set(results);
    }
    if (!o.partial) return;
    auto const [from, to] = o.partial->of(results.size());
    out += " PARTIAL (" + o.partial->text + ' ';
    if (from == to)
        out += "NIL";
    else
        set({results.begin() + static_cast<std::ptrdiff_t>(from), results.begin() + static_cast<std::ptrdiff_t>(to)});
    out += ')';
}

std::vector<std::uint32_t> saved_of(search_options const& o, std::vector<std::uint32_t> results)
{
    std::vector<std::uint32_t> kept;
    bool const whole = o.all || o.count || (!o.min && !o.max && !o.partial);
    if (whole) kept = std::move(results);
    if (!whole && !results.empty()) {
        if (o.min) kept.push_back(results.front());
        if (o.max) kept.push_back(results.back());
        auto const [from, to] = o.partial ? o.partial->of(results.size()) : std::pair<std::size_t, std::size_t>{};
        kept.insert(kept.end(), results.begin() + static_cast<std::ptrdiff_t>(from), results.begin() + static_cast<std::ptrdiff_t>(to));
    }
    std::ranges::sort(kept);
    kept.erase(std::ranges::unique(kept).begin(), kept.end());
    return kept;
}

}  // namespace mansio::imap::commands
