// links: reports
// Reports that strangers send, packed and not. The properties: where XML is cut changes nothing; what is read, written and read again is the same report; what is
// unpacked stays within its limits.
#include <cstdlib>

#include "reports/dmarc_report.hpp"
#include "reports/packing.hpp"
#include "reports/tls_report.hpp"

using namespace mansio;
using namespace mansio::reports;

namespace {

void require(bool holds)
{
    if (!holds) std::abort();
}

void dmarc(std::string_view xml)
{
    auto const whole = read_dmarc_report(xml);
    dmarc_reader in;
    auto const cut = xml.size() / 3;
    bool const fed = in.feed(xml.substr(0, cut)).has_value() && in.feed(xml.substr(cut)).has_value();
    auto const pieces = fed ? in.finish() : result<dmarc_report>{fail(fault::kind::syntax, "")};
    require(whole.has_value() == pieces.has_value());
    if (!whole) return;
    require(*whole == *pieces);
    auto const again = read_dmarc_report(write_dmarc_report(*whole));
    require(again.has_value() && *again == *whole);
}

void tls(std::string_view json)
{
    auto const first = read_tls_report(json);
    if (!first) return;
    auto const again = read_tls_report(write_tls_report(*first));
    require(again.has_value());
    // Control octets become U+FFFD when they are written, so that only the second round must be the same.
    auto const third = read_tls_report(write_tls_report(*again));
    require(third.has_value() && *third == *again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const octets{reinterpret_cast<char const*>(data), size};
    packing_limits limits;
    limits.unpacked = 1U << 20U;
    std::string unpacked;
    auto const done = unpack(octets, limits, [&](std::string_view piece) -> result<void> {
        unpacked += piece;
        return {};
    });
    require(unpacked.size() <= limits.unpacked);
    if (!done) return 0;
    if (packing_of(octets) != packing::plain) {
        require(unpacked.size() <= limits.free || unpacked.size() / limits.ratio <= size);
        std::string again;
        require(unpack(gzip(unpacked), {.packed = 10U << 20U, .unpacked = 10U << 20U, .ratio = 2000, .free = 0}, [&](std::string_view piece) -> result<void> {
                    again += piece;
                    return {};
                }).has_value());
        require(again == unpacked);
    }
    dmarc(unpacked);
    tls(unpacked);
    return 0;
}
