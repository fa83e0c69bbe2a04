// links: net mailauth
// What other domains publish about TLS, written by strangers: TLSA rdata, MTA-STS records and policies. The first octet chooses; the properties: a record is
// read whole, a usable one has data that can be compared with, a policy keeps its bounds, one without flaws reads the same from its own lines, permits the
// hosts it names and nobody through a second label.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/bytes.hpp"
#include "mailauth/dane.hpp"
#include "mailauth/mta_sts.hpp"
#include "net/dns_wire.hpp"

using namespace mansio;
using namespace mansio::mailauth;

namespace {

void expect(bool holds)
{
    if (!holds) std::abort();
}

void tlsa(std::string_view rdata)
{
    auto const r = net::read_tlsa(rdata);
    expect(r.has_value() == (rdata.size() >= 3));
    if (!r) return;
    expect(rdata.substr(3) == r->data && static_cast<char>(r->usage) == rdata[0] && static_cast<char>(r->matching) == rdata[2]);
    bool const usable = is_usable(*r);
    expect(!usable || (!r->data.empty() && (r->usage == 2 || r->usage == 3)));
    expect(text_of(*r).size() >= r->data.size() * 2 + 6);
}

void record(std::string_view text)
{
    std::vector<std::string> all;
    for (auto const& one : base::words_of(text, "\n")) all.push_back(one);
    auto const id = sts_id_of(all);
    if (!id) return;
    expect(!id->empty() && id->size() <= 32);
    expect(sts_id_of({"v=STSv1; id=" + *id + ";"}) == id);
    all.insert(all.begin(), "v=spf1 -all");
    expect(sts_id_of(all) == id);
    all.emplace_back("v=STSv1; id=another;");
    expect(!sts_id_of(all));
}

void policy(std::string_view text)
{
    auto const p = read_sts_policy(text);
    if (!p) return;
    expect(text.size() <= sts_largest_policy && p->mx.size() <= sts_most_mx && p->lines.size() <= sts_most_lines);
    expect(p->max_age >= std::chrono::seconds{0} && p->max_age <= sts_longest_age);
    expect(p->what == sts_policy::mode::none || !p->mx.empty());
    std::string again;
    for (auto const& l : p->lines) again += l + "\n";
    if (again.size() <= sts_largest_policy) {
        auto const twice = read_sts_policy(again);
        expect(twice && twice->mx == p->mx && twice->what == p->what && twice->max_age == p->max_age && twice->lines == p->lines);
    }
    for (auto const& m : p->mx) {
        bool const wild = m.starts_with("*.");
        expect(permits_mx(*p, wild ? "host" + m.substr(1) : m));
        auto one = *p;
        one.mx = {m};
        expect(!permits_mx(one, "a.b" + (wild ? m.substr(1) : "." + m)));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size == 0) return 0;
    std::string_view const rest{reinterpret_cast<char const*>(data) + 1, size - 1};
    switch (data[0] % 3) {
    case 0: tlsa(rest); break;
    case 1: record(rest); break;
    default: policy(rest); break;
    }
    return 0;
}
