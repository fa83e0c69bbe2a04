// DKIM, ARC and SPF of ours as a filter on standard input and output, with a file for DNS: what other implementations are compared with.
//   verify DNS · arc DNS · sign KEY SELECTOR DOMAIN · seal DNS KEY SELECTOR DOMAIN RESULTS · spf DNS CLIENT HELO SENDER
// A line of the DNS file: TYPE, name and value, with tabs between; of MX the value is preference, blank, host.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <span>

#include "base/executor.hpp"
#include "mailauth/arc.hpp"
#include "mailauth/dkim.hpp"
#include "mailauth/spf.hpp"

using namespace mansio;

namespace {

std::string all_of(std::istream& in) { return {std::istreambuf_iterator<char>{in}, {}}; }
std::string file(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    if (!in) throw std::runtime_error("cannot read " + path);
    return all_of(in);
}

struct bench {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::worker_pool pool{"oracle", 1, 8};
    base::limits limits;
    net::scripted_resolver dns;
    void read_dns(std::string const& path)
    {
        std::ifstream in{path};
        std::map<std::pair<std::string, std::string>, std::vector<std::string>> records;
        for (std::string line; std::getline(in, line);) {
            auto const one = line.find('\t');
            auto const two = line.find('\t', one + 1);
            if (two != std::string::npos) records[{line.substr(0, one), line.substr(one + 1, two - one - 1)}].push_back(line.substr(two + 1));
        }
        for (auto const& [what, values] : records) set(what.first, what.second, values);
    }
    void set(std::string const& type, std::string const& name, std::vector<std::string> const& values)
    {
        if (type == "TXT") dns.set_txt(name, net::dns_found<std::string>(values));
        std::vector<net::ip_address> addresses;
        std::vector<net::mx_record> exchangers;
        for (auto const& v : values) {
            if (type == "A") addresses.push_back(*net::ip_address::parse(v));
            if (type == "MX") exchangers.push_back({static_cast<std::uint16_t>(std::stoi(v)), v.substr(v.find(' ') + 1)});
        }
        if (type == "A") dns.set_addresses(name, net::dns_found<net::ip_address>(addresses));
        if (type == "MX") dns.set_mx(name, net::dns_found<net::mx_record>(exchangers));
    }
};

mailauth::dkim_signing signing(std::string const& key, std::string selector, std::string domain)
{
    auto made = mailauth::signing_key::from_pem(file(key));
    if (!made) throw std::runtime_error(made.error().say);
    mailauth::dkim_signing how;
    how.domain = std::move(domain);
    how.selector = std::move(selector);
    how.key = std::move(*made);
    how.now = 1'767'225'600;
    return how;
}

int run(std::span<std::string const> args)
{
    bench b;
    auto const what = args[0];
    if (what == "spf") {
        b.read_dns(args[1]);
        mailauth::spf_request r;
        r.client = *net::ip_address::parse(args[2]);
        r.helo = args[3];
        r.mail_from = args[4];
        fmt::print("{}\n", name_of(b.loop.run(mailauth::check_spf(b.dns, b.clock, std::move(r))).result));
        return 0;
    }
    auto const text = all_of(std::cin);
    mailauth::signed_message m{mime::octets{text}, b.limits};
    if (what == "sign") {
        fmt::print("{}{}", mailauth::sign_dkim(m, signing(args[1], args[2], args[3])), text);
        return 0;
    }
    b.read_dns(args[1]);
    if (what == "verify")
        for (auto const& s : b.loop.run(mailauth::verify_dkim(b.dns, b.clock, b.pool, m))) fmt::print("{} {}\n", name_of(s.result), s.problem);
    auto const chain = b.loop.run(mailauth::verify_arc(b.dns, b.clock, b.pool, m));
    if (what == "arc") fmt::print("{} {} {}\n", name_of(chain.result), chain.sets, chain.problem);
    if (what == "seal") fmt::print("{}{}", mailauth::seal_arc(m, chain, args[5], signing(args[2], args[3], args[4])).value_or(""), text);
    return 0;
}

}  // namespace

int main(int argc, char** argv)
try {
    std::vector<std::string> const args(argv + 1, argv + argc);
    std::map<std::string, std::size_t> const wanted{{"verify", 2}, {"arc", 2}, {"sign", 4}, {"seal", 6}, {"spf", 5}};
    auto const known = args.empty() ? wanted.end() : wanted.find(args[0]);
    if (known == wanted.end() || args.size() != known->second) {
        fmt::print(stderr, "usage: sender_oracle verify|arc DNS, sign KEY SELECTOR DOMAIN, seal DNS KEY SELECTOR DOMAIN RESULTS, spf DNS CLIENT HELO SENDER\n");
        return 2;
    }
    return run(args);
} catch (std::exception const& e) {
    fmt::print(stderr, "sender_oracle: {}\n", e.what());
    return 1;
}
