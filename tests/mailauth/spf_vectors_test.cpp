// The openspf suite for RFC 7208 (tests/data/spf).
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

#include "base/executor.hpp"
#include "mailauth/spf.hpp"
#include "support/support.hpp"
#include "zone_resolver.hpp"

using namespace mansio;
using namespace mansio::mailauth;
namespace json = boost::json;

namespace {

std::string text_of(json::value const& v) { return std::string{v.as_string()}; }

std::string as_text(json::value const& v) { return v.is_int64() ? std::to_string(v.as_int64()) : text_of(v); }

mailauth::test::zone zone_of(json::object const& from)
{
    mailauth::test::zone z;
    for (auto const& [name, records] : from)
        for (auto const& r : records.as_array()) {
            mailauth::test::zone_record made;
            made.type = text_of(r.at(0));
            for (std::size_t i = 1; i < r.as_array().size(); ++i) made.values.push_back(as_text(r.at(i)));
            z[name].push_back(std::move(made));
        }
    return z;
}

/// Empty: as the suite wants it.
std::string wrong_in(json::object const& t, mailauth::test::zone const& z)
{
    base::manual_clock clock;
    base::manual_executor loop{clock};
    mailauth::test::zone_resolver dns{z};
    spf_request request;
    request.client = net::ip_address::parse(text_of(t.at("host"))).value();
    request.helo = text_of(t.at("helo"));
    request.mail_from = text_of(t.at("mail_from"));
    auto const out = loop.run(check_spf(dns, clock, request));
    auto const got = std::string{mime::name_of(out.result)};
    auto const& wanted = t.at("results").as_array();
    bool const right = std::any_of(wanted.begin(), wanted.end(), [&](json::value const& w) { return text_of(w) == got; });
    if (!right) return "is " + got + " (" + out.problem + "), should be " + json::serialize(wanted);
    auto const* const explanation = t.if_contains("explanation");
    if (explanation != nullptr && text_of(*explanation) != out.explanation)
        return "explains \"" + out.explanation + "\", should say \"" + text_of(*explanation) + "\"";
    return {};
}

}  // namespace

TEST(spf_vectors, rfc7208)
{
    auto const suite = json::parse(mansio::test::read_file(MANSIO_TEST_DATA "/spf/rfc7208-tests.json"));
    std::size_t all = 0, right = 0;
    for (auto const& scenario : suite.as_array()) {
        auto const z = zone_of(scenario.at("zone").as_object());
        for (auto const& t : scenario.at("tests").as_array()) {
            ++all;
            auto const wrong = wrong_in(t.as_object(), z);
            if (wrong.empty())
                ++right;
            else
                ADD_FAILURE() << text_of(scenario.at("description")) << ": " << text_of(t.at("name")) << " " << wrong;
        }
    }
    std::cout << "spf_vectors: " << right << " of " << all << "\n";
    EXPECT_EQ(all, 203U);
}
