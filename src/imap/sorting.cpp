#include "imap/sorting.hpp"

#include <algorithm>

namespace mansio::imap {
namespace {

constexpr struct {
    std::string_view name;
    sort_key what;
    extension part_of;
} names[] = {{"ARRIVAL", sort_key::arrival, extension::sort},
             {"CC", sort_key::cc, extension::sort},
             {"DATE", sort_key::date, extension::sort},
             {"DISPLAYFROM", sort_key::display_from, extension::sort_display},
             {"DISPLAYTO", sort_key::display_to, extension::sort_display},
             {"FROM", sort_key::from, extension::sort},
             {"SIZE", sort_key::size, extension::sort},
             {"SUBJECT", sort_key::subject, extension::sort},
             {"TO", sort_key::to, extension::sort}};

std::string_view text_of(sort_key k, mail_facts const& f) noexcept
{
    switch (k) {
    case sort_key::cc: return f.key(mail_facts::cc);
    case sort_key::display_from: return f.key(mail_facts::display_from);
    case sort_key::display_to: return f.key(mail_facts::display_to);
    case sort_key::from: return f.key(mail_facts::from);
    case sort_key::subject: return f.key(mail_facts::subject);
    case sort_key::to: return f.key(mail_facts::to);
    default: return {};
    }
}

/// Orders as a number as far as 64 bits go; of texts the first eight octets.
std::uint64_t prefix_of(sort_key k, sort_item const& i) noexcept
{
    constexpr std::uint64_t bias = std::uint64_t{1} << 63U;
    switch (k) {
    case sort_key::arrival: return static_cast<std::uint64_t>(i.arrival) + bias;
    case sort_key::date: return static_cast<std::uint64_t>(i.facts->sent) + bias;
    case sort_key::size: return i.size;
    default: break;
    }
    auto const text = text_of(k, *i.facts);
    std::uint64_t out = 0;
    for (std::size_t n = 0; n < 8; ++n) out = out << 8U | (n < text.size() ? static_cast<unsigned char>(text[n]) : 0U);
    return out;
}

}  // namespace

result<sort_order> parse_sort_order(wire::scanner& in, extension_set const& on)
{
    constexpr std::size_t most = 32;
    sort_order order;
    if (auto open = in.expect('('); !open) return fail(open);
    do {
        sort_criterion c;
        if (in.take_word("REVERSE")) {
            c.reverse = true;
            if (auto sp = in.space(); !sp) return fail(sp);
        }
        auto const* const known = std::ranges::find_if(names, [&](auto const& n) { return on.has(n.part_of) && in.take_word(n.name); });
        if (known == std::end(names) || order.size() == most) return fail(fault::kind::syntax, "there is no such sort criterion");
        c.what = known->what;
        // The second of one key can change nothing any more.
        if (std::ranges::find(order, c.what, &sort_criterion::what) == order.end()) order.push_back(c);
    } while (in.take(' '));
    if (auto close = in.expect(')'); !close) return fail(close);
    return order;
}

void sort_items(std::vector<sort_item>& items, sort_order const& order)
{
    for (auto& i : items) i.prefix = prefix_of(order.front().what, i);
    std::ranges::sort(items, [&order](sort_item const& a, sort_item const& b) {
        if (a.prefix != b.prefix) return (a.prefix < b.prefix) != order.front().reverse;
        for (auto const& c : order) {
            auto const x = prefix_of(c.what, a), y = prefix_of(c.what, b);
            if (x != y) return (x < y) != c.reverse;
            if (auto const texts = text_of(c.what, *a.facts) <=> text_of(c.what, *b.facts); texts != 0) return (texts < 0) != c.reverse;
        }
        return a.position < b.position;  // REVERSE leaves this one alone (RFC 5256 §3)
    });
}

}  // namespace mansio::imap
