#include "mailauth/tls_report.hpp"

namespace mansio::mailauth {

std::string_view name_of(tls_result r) noexcept
{
    switch (r) {
    case tls_result::success: return "success";
    case tls_result::starttls_not_supported: return "starttls-not-supported";
    case tls_result::certificate_host_mismatch: return "certificate-host-mismatch";
    case tls_result::certificate_expired: return "certificate-expired";
    case tls_result::certificate_not_trusted: return "certificate-not-trusted";
    case tls_result::validation_failure: return "validation-failure";
    case tls_result::tlsa_invalid: return "tlsa-invalid";
    case tls_result::dnssec_invalid: return "dnssec-invalid";
    case tls_result::dane_required: return "dane-required";
    case tls_result::sts_policy_fetch_error: return "sts-policy-fetch-error";
    case tls_result::sts_policy_invalid: return "sts-policy-invalid";
    case tls_result::sts_webpki_invalid: return "sts-webpki-invalid";
    }
    return "validation-failure";
}

tls_result result_of(net::tls_problem p) noexcept
{
    switch (p) {
    case net::tls_problem::none: return tls_result::success;
    case net::tls_problem::name_mismatch: return tls_result::certificate_host_mismatch;
    case net::tls_problem::expired: return tls_result::certificate_expired;
    case net::tls_problem::not_trusted: return tls_result::certificate_not_trusted;
    // RFC 8460 §4.3.2.1: none of the records was found to be valid for what the server showed.
    case net::tls_problem::tlsa_mismatch:
    case net::tls_problem::tlsa_unusable: return tls_result::tlsa_invalid;
    case net::tls_problem::no_name:
    case net::tls_problem::no_certificate: break;
    }
    return tls_result::validation_failure;
}

std::string_view name_of(tls_policy_type t) noexcept
{
    switch (t) {
    case tls_policy_type::tlsa: return "tlsa";
    case tls_policy_type::sts: return "sts";
    case tls_policy_type::no_policy_found: break;
    }
    return "no-policy-found";
}

}  // namespace mansio::mailauth
