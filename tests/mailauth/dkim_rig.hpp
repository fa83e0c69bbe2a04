// What a signature is made and checked with: a resolver of the test's own, hashing done here.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/executor.hpp"
#include "mailauth/dkim.hpp"

namespace mansio::test {

struct dkim_rig {
    base::manual_clock clock;
    base::manual_executor loop{clock};
    base::worker_pool pool{"test", 1, 8};
    base::limits limits;
    net::scripted_resolver dns;
    void publish(std::string const& name, std::string record, bool secure = false)
    {
        dns.set_txt(name, net::dns_found<std::string>({std::move(record)}, secure));
    }
    std::string sign(std::string_view text, mailauth::dkim_signing const& how)
    {
        mailauth::signed_message m{mime::octets{std::string{text}}, limits};
        return mailauth::sign_dkim(m, how) + std::string{text};
    }
    std::vector<mailauth::dkim_outcome> verify(std::string_view text)
    {
        mailauth::signed_message m{mime::octets{std::string{text}}, limits};
        return loop.run(mailauth::verify_dkim(dns, clock, pool, m));
    }
};

}  // namespace mansio::test
