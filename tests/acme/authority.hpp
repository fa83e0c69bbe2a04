// A certificate authority by script: checks what it is asked as strictly as a real one, and misbehaves as told.
#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "acme/client.hpp"

namespace mansio::acme::test {

class authority {
public:
    authority(account_key const& key, base::clock& clock);
    /// A script of net::scripted_fetcher.
    [[nodiscard]] result<net::fetch_response> answer(net::fetch_request const& r);

    static constexpr char const* directory_url = "https://ca.test/dir";
    unsigned bad_nonces = 0;                ///< how many signed requests more are refused for their nonce
    unsigned polls = 2;                     ///< how often an authorization and an order are still pending
    std::string verdict = "valid";          ///< of an authorization
    std::string instead_of;                 ///< path …
    net::fetch_response instead;            ///< … that is answered so
    std::string retry_after;                ///< with each pending answer
    std::chrono::seconds lifetime{90LL * 24 * 3600};
    std::vector<std::string> names_instead; ///< in the certificate
    bool other_key = false;                 ///< the certificate is for another key
    bool break_chain = false;
    std::function<bool(std::string const& name, std::string const& token)> shown;  ///< whether the proof can be seen when it is looked for
    std::vector<std::string> paths;         ///< asked, in order
    std::string last_account_payload;

private:
    net::fetch_response signed_request(std::string const& path, net::fetch_request const& r);
    net::fetch_response route(std::string const& path, std::string const& payload);
    net::fetch_response reply(unsigned status, std::string body);
    std::string order_text() const;
    std::string issue(std::string const& csr_der) const;

    account_key const& key_;
    base::clock& clock_;
    unsigned next_nonce_ = 0;
    std::set<std::string> nonces_;
    std::vector<std::string> names_;
    std::vector<std::string> states_;  // of each name's authorization
    std::vector<unsigned> polled_;
    std::string order_ = "pending", chain_;
    unsigned order_polls_ = 0;
};

[[nodiscard]] std::string from_base64url(std::string text);

/// A chain of two for the names, signed here; the key in `key_pem`, or that of a request.
[[nodiscard]] std::string make_chain(std::vector<std::string> const& names, void* public_key, base::wall_time from, base::wall_time until,
                                     bool break_it = false);

}  // namespace mansio::acme::test
