// Questions to the DNS, answered by libunbound with DNSSEC validation, or by a script in tests.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "base/limits.hpp"
#include "base/metrics.hpp"
#include "net/address.hpp"
#include "net/tlsa.hpp"

namespace mansio::net {

enum class dns_status : std::uint8_t {
    found,
    no_such_name,   ///< NXDOMAIN
    no_data,        ///< the name exists, not with this type
    failed,         ///< SERVFAIL, timeout, refused, bogus: ask again later (trust.md D11)
};

struct mx_record {
    std::uint16_t preference = 0;
    std::string host;  ///< without final dot; "" is the root: a null MX (RFC 7505)
};

template <class Record> struct dns_answer {
    dns_status status = dns_status::failed;
    bool secure = false;          ///< validated by DNSSEC, with every CNAME on the way; of absence too
    std::string why;              ///< of failed, for the log and the DSN
    std::string canonical_name;   ///< after CNAMEs
    std::vector<Record> records;
};

/// Names: ASCII (A-labels), with or without a final dot; what cannot be a domain name is no_such_name without asking anybody. Names in answers are
/// lower case, without final dot; records that hold anything but letters, digits, "-" and "_" in a host name are left out.
/// Lifetime: questions under way when it is destroyed are answered `failed`. Threads: safe; answers on the awaiting executor. Never blocks it. Deadline: limits.dns_wait. Caps: CNAME chain 8, answer 64 KiB, 256 records (trust.md R6).
class resolver {
public:
    virtual ~resolver() = default;
    [[nodiscard]] virtual task<dns_answer<mx_record>> mx(std::string name) = 0;
    /// Both families, IPv6 and IPv4, in that order; found when either is; failed when one failed and the other has none.
    [[nodiscard]] virtual task<dns_answer<ip_address>> addresses(std::string name) = 0;
    /// One family alone: for SPF, which asks for the client's and counts its questions (RFC 7208 §5). Names as txt() takes them, blanks and "@" too.
    [[nodiscard]] virtual task<dns_answer<ip_address>> ipv4(std::string name) = 0;
    [[nodiscard]] virtual task<dns_answer<ip_address>> ipv6(std::string name) = 0;
    [[nodiscard]] virtual task<dns_answer<std::string>> txt(std::string name) = 0;
    [[nodiscard]] virtual task<dns_answer<std::string>> ptr(ip_address address) = 0;
    /// "_25._tcp.HOST" (RFC 6698 §3). Records too short to be one are left out. Where nobody looks for them: failed.
    [[nodiscard]] virtual task<dns_answer<tlsa_record>> tlsa(std::string name);
    /// The CNAME at the name itself, not followed: whether an alias that leads to insecure addresses stands in a signed zone (RFC 7672 §2.1.3).
    /// no_data: the name is no alias. Where nobody looks for them: failed.
    [[nodiscard]] virtual task<dns_answer<std::string>> cname(std::string name);
};

/// For tables and tests: an answer that was found, or one of another status.
template <class Record> [[nodiscard]] dns_answer<Record> dns_found(std::vector<Record> records, bool secure = false)
{
    dns_answer<Record> a;
    a.status = dns_status::found;
    a.secure = secure;
    a.records = std::move(records);
    return a;
}
template <class Record> [[nodiscard]] dns_answer<Record> dns_without(dns_status status, std::string why = {})
{
    dns_answer<Record> a;
    a.status = status;
    a.why = std::move(why);
    return a;
}

struct resolver_options {
    std::vector<endpoint> forwarders;  ///< empty: full recursion from the root
    std::string trust_anchor_file;  ///< empty: Debian's dns-root-data; "none": no validation
    std::vector<std::string> stub_zones;  ///< "zone@address:port", asked there directly (tests, split views); validated when an extra anchor covers it
    std::vector<std::string> extra_trust_anchors;  ///< DS or DNSKEY records as text
};
/// Errors: refused with a sentence for the operator.
[[nodiscard]] result<std::unique_ptr<resolver>> make_resolver(resolver_options o, base::limits const& l, base::metrics& m);

/// Answers from a table a test fills; unknown names are no_such_name. Threads: safe.
class scripted_resolver final : public resolver {
public:
    scripted_resolver();
    ~scripted_resolver() override;
    void set_mx(std::string name, dns_answer<mx_record> a);
    void set_addresses(std::string name, dns_answer<ip_address> a);
    void set_txt(std::string name, dns_answer<std::string> a);
    void set_ptr(ip_address address, dns_answer<std::string> a);
    void set_tlsa(std::string name, dns_answer<tlsa_record> a);
    void set_cname(std::string name, dns_answer<std::string> a);
    task<dns_answer<mx_record>> mx(std::string name) override;
    task<dns_answer<ip_address>> addresses(std::string name) override;
    task<dns_answer<ip_address>> ipv4(std::string name) override;
    task<dns_answer<ip_address>> ipv6(std::string name) override;
    task<dns_answer<std::string>> txt(std::string name) override;
    task<dns_answer<std::string>> ptr(ip_address address) override;
    task<dns_answer<tlsa_record>> tlsa(std::string name) override;
    task<dns_answer<std::string>> cname(std::string name) override;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace mansio::net
