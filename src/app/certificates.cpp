#include "app/certificates.hpp"

#include <fmt/format.h>

#include <fstream>

#include "app/parts.hpp"
#include "base/bytes.hpp"

namespace mansio::app {

void challenge_answers::show(acme::proof how, std::string const& name, std::string const& token, std::string const& key_authorization)
{
    if (how == acme::proof::tls_alpn_01) {
        if (web_ != nullptr) web_->show_challenge(name, acme::make_challenge_certificate(name, key_authorization));
        return;
    }
    std::lock_guard const lock{mutex_};
    files_[token] = key_authorization;
}

void challenge_answers::hide(acme::proof how, std::string const& name, std::string const& token)
{
    if (how == acme::proof::tls_alpn_01) {
        if (web_ != nullptr) web_->hide_challenge(name);
        return;
    }
    std::lock_guard const lock{mutex_};
    files_.erase(token);
}

task<http::response> challenge_answers::answer(http::request r) const
{
    http::response made;
    std::lock_guard const lock{mutex_};
    auto const at = files_.find(std::string_view{r.path}.substr(place.size()));
    made.status = at == files_.end() ? 404 : 200;
    made.content_type = "application/octet-stream";
    made.body = at == files_.end() ? "no such resource\n" : at->second;
    co_return made;
}

namespace {
std::string text_of_file(std::string const& path)
{
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// The digits that an authority hands out: base64url, with or without padding. Empty: something else.
std::string decode_key(std::string text)
{
    std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '='; });
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    while (text.size() % 4 != 0) text += '=';
    return base::from_base64(text).value_or("");
}
}  // namespace

result<void> server_process::impl::use_certificate(std::string const& certificate, std::string const& key)
{
    net::tls_server_context::options o{certificate, key, net::tls_profile::strict, {}};
    o.handshakes = std::make_shared<net::tls_handshakes>(settings.limits, metrics);  // one bound for all faces
    auto for_people = net::tls_server_context::make(o);
    if (!for_people) return fail(for_people);
    tls_people = std::move(*for_people);
    o.alpn = {"http/1.1"};
    auto web = net::tls_server_context::make(o);
    if (!web) return fail(web);
    tls_web = std::move(*web);
    o.alpn.clear();
    o.profile = net::tls_profile::mx;
    auto mx = net::tls_server_context::make(o);
    if (!mx) return fail(mx);
    tls_mx = std::move(*mx);
    return {};
}

/// A certificate in a file of the operator's is theirs to renew: how long it lasts is ours to show.
void server_process::impl::note_expiry()
{
    if (settings.tls_certificate.empty()) return;
    auto const v = acme::validity_of(text_of_file(settings.tls_certificate));
    if (!v) return;
    auto const until = std::chrono::duration_cast<std::chrono::seconds>(v->until.time_since_epoch()).count();
    metrics.get_gauge("mansio_certificate_not_after_seconds", "When a certificate ends, in seconds since 1970.", "source=\"file\"").set(until);
}

result<void> server_process::impl::open_acme()
{
    if (settings.acme_directory.empty()) return {};
    net::fetch_options fo;
    fo.ca_file = settings.acme_ca_file;
    fetch = net::make_fetcher(*dns, *gate, log, metrics, std::move(fo));
    acme::client_options o;
    o.directory = settings.acme_directory;
    o.contacts = settings.acme_contacts;
    o.how = settings.acme_challenge == "tls-alpn-01" ? acme::proof::tls_alpn_01 : acme::proof::http_01;
    o.external_id = settings.acme_external_id;
    if (!o.external_id.empty()) {
        o.external_key = decode_key(text_of_file(settings.acme_external_key_file));
        if (o.external_key.empty())
            return fail(fault::kind::refused, fmt::format("acme.external_key_file: {} holds no base64url text.", settings.acme_external_key_file));
    }
    auto names = settings.acme_names;
    if (names.empty()) names.push_back(base::to_lower_ascii(settings.hostname));
    certificates = std::make_unique<acme::keeper>(acme::keeper_parts{*fetch, secrets, proofs, random, clock, log, metrics}, std::move(names), std::move(o),
                                                  [this] { return reload(); });
    auto const ready = certificates->prepare();
    if (!ready) return ready;
    auto const file = data.keys() + "/" + acme::certificate_file;
    auto const used = use_certificate(file, file);
    if (used) proofs.answer_on(tls_web.get());
    return used;
}

void server_process::impl::build_web()
{
    web_http = std::make_unique<http::server>(settings.limits, log, metrics, "http");
    web_https = std::make_unique<http::server>(settings.limits, log, metrics, "https");
    web_http->route("GET", std::string{challenge_answers::place}, [this](http::request r) { return proofs.answer(std::move(r)); });
    auto const port = [](std::vector<std::string> const& where) -> std::uint16_t {
        for (auto const& at : where)
            if (auto const e = net::endpoint::parse(at)) return e->port;
        return 0;
    };
    wellknown::settings s;
    s.hostname = settings.hostname;
    s.imaps = port(settings.listen_imaps);
    s.imap = port(settings.listen_imap);
    s.pop3s = port(settings.listen_pop3s);
    s.pop3 = port(settings.listen_pop3);
    s.submissions = port(settings.listen_submissions);
    s.submission = port(settings.listen_submission);
    s.mta_sts_mode = settings.mta_sts_mode;
    s.mta_sts_mx = settings.mta_sts_mx.empty() ? std::vector<std::string>{settings.hostname} : settings.mta_sts_mx;
    s.mta_sts_max_age = settings.mta_sts_max_age;
    advice =
        std::make_unique<wellknown::service>(std::move(s), [this](std::string domain) { return directory->is_local_domain(std::move(domain)); }, *web_https);
}

}  // namespace mansio::app
