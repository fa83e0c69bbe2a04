// A key ring that a test fills.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "mailauth/signer.hpp"

namespace mansio::test {

/// Keys a test puts in.
struct kept_keys final : mailauth::key_ring {
    std::vector<mailauth::domain_signer> all;
    task<std::vector<mailauth::domain_signer>> keys_of(std::string domain) override
    {
        std::vector<mailauth::domain_signer> out;
        for (auto const& k : all)
            if (k.domain == domain) out.push_back(k);
        co_return out;
    }
};

}  // namespace mansio::test
