// A resolver over a zone as the SPF suite writes it: names with records of several types, CNAMEs followed, TIMEOUT where nothing answers.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "net/dns.hpp"

namespace mansio::mailauth::test {

struct zone_record {
    std::string type;                 ///< "A", "AAAA", "MX", "TXT", "PTR", "CNAME", "TIMEOUT"
    std::vector<std::string> values;  ///< of MX: preference and host
};
using zone = std::map<std::string, std::vector<zone_record>>;  ///< by name, lower case, without final dot

class zone_resolver final : public net::resolver {
public:
    explicit zone_resolver(zone z) : zone_(std::move(z)) {}
    unsigned questions = 0;
    task<net::dns_answer<net::mx_record>> mx(std::string name) override;
    task<net::dns_answer<net::ip_address>> addresses(std::string name) override;
    task<net::dns_answer<net::ip_address>> ipv4(std::string name) override;
    task<net::dns_answer<net::ip_address>> ipv6(std::string name) override;
    task<net::dns_answer<std::string>> txt(std::string name) override;
    task<net::dns_answer<std::string>> ptr(net::ip_address address) override;

private:
    template <class Record, class Read> net::dns_answer<Record> ask(std::string const& name, std::string_view type, Read read);
    zone zone_;
};

}  // namespace mansio::mailauth::test
