// Certificates change under a server that runs, and challenges are shown beside them.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <fstream>

#include "net_fixture.hpp"
#include "raw_tls_client.hpp"
#include "support/support.hpp"

using namespace mansio;
using namespace mansio::net;
using namespace mansio::net::test;

namespace {
using tls_certificates = net_fixture;
}  // namespace

TEST_F(tls_certificates, reload_takes_a_new_certificate_and_keeps_the_old_one_on_an_error)
{
    tls_pair tls;
    auto const at = listen();
    auto const fingerprint = [&] {
        raw_client client{at};
        auto a = came.take();
        std::promise<result<void>> served;
        base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), *tls.server), served));
        EXPECT_EQ(client.handshake(), "ok");
        std::array<unsigned char, 32> digest{};
        unsigned length = 0;
        if (auto* const certificate = SSL_get0_peer_certificate(client.ssl.get())) X509_digest(certificate, EVP_sha256(), digest.data(), &length);
        client.fd.reset();
        (void)served.get_future().get();
        return digest;
    };
    auto const first = fingerprint();
    auto const key = mansio::test::read_file(tls.directory.path / "key.pem");
    std::ofstream{tls.directory.path / "key.pem"} << "broken";
    EXPECT_FALSE(tls.server->reload());
    EXPECT_EQ(fingerprint(), first);
    ASSERT_TRUE(make_demo_certificates(tls.directory.path, {"mx.example.test"}, {}));
    EXPECT_NE(mansio::test::read_file(tls.directory.path / "key.pem"), key);
    EXPECT_TRUE(tls.server->reload());
    EXPECT_NE(fingerprint(), first);
}

// RFC 8737 §3: who offers acme-tls/1 alone and names what is being proven sees the proof; everybody else sees what they always see.
TEST_F(tls_certificates, a_challenge_is_shown_to_who_asks_for_it)
{
    tls_pair tls{tls_profile::strict, {"http/1.1"}};
    tls_pair proof;
    auto const at = listen();
    auto const pem = mansio::test::read_file(proof.directory.path / "key.pem") + mansio::test::read_file(proof.directory.path / "cert.pem");
    auto const seen = [&](std::string_view wire, char const* name) -> std::string {
        raw_client client{at};
        auto a = came.take();
        std::promise<result<void>> served;
        base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), *tls.server), served));
        client.before = [&](SSL* s) {
            if (!wire.empty()) SSL_set_alpn_protos(s, reinterpret_cast<unsigned char const*>(wire.data()), static_cast<unsigned>(wire.size()));
            if (name != nullptr) SSL_set_tlsext_host_name(s, name);
        };
        auto what = client.handshake();
        if (what == "ok") {
            auto* const certificate = SSL_get0_peer_certificate(client.ssl.get());
            auto const own = mansio::test::read_file(proof.directory.path / "cert.pem");
            std::unique_ptr<BIO, decltype(&BIO_free)> const in{BIO_new_mem_buf(own.data(), static_cast<int>(own.size())), BIO_free};
            std::unique_ptr<X509, decltype(&X509_free)> const expected{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free};
            what = X509_cmp(certificate, expected.get()) == 0 ? "proof " : "usual ";
            unsigned char const* chosen = nullptr;
            unsigned length = 0;
            SSL_get0_alpn_selected(client.ssl.get(), &chosen, &length);
            what.append(reinterpret_cast<char const*>(chosen), length);
        }
        client.fd.reset();
        (void)served.get_future().get();
        return what;
    };
    std::string_view const acme = "\x0a"
                                  "acme-tls/1",
                           http = "\x08http/1.1",
                           both = "\x0a"
                                  "acme-tls/1\x08http/1.1";
    EXPECT_NE(seen(acme, "mx.example.test").find("no application protocol"), std::string::npos);
    tls.server->show_challenge("mx.example.test", pem);
    EXPECT_EQ(seen(acme, "mx.example.test"), "proof acme-tls/1");
    EXPECT_EQ(seen(acme, "MX.Example.test"), "proof acme-tls/1");
    EXPECT_EQ(seen(http, "mx.example.test"), "usual http/1.1");
    EXPECT_EQ(seen(both, "mx.example.test"), "usual http/1.1");
    EXPECT_EQ(seen("", "mx.example.test"), "usual ");
    EXPECT_NE(seen(acme, "other.example.test").find("no application protocol"), std::string::npos);
    EXPECT_NE(seen(acme, nullptr).find("no application protocol"), std::string::npos);
    EXPECT_TRUE(tls.server->reload());
    EXPECT_EQ(seen(acme, "mx.example.test"), "proof acme-tls/1");
    tls.server->hide_challenge("mx.example.test");
    EXPECT_NE(seen(acme, "mx.example.test").find("no application protocol"), std::string::npos);
}

// What is open goes on with the certificate it began with.
TEST_F(tls_certificates, reload_drops_no_connection)
{
    tls_pair tls;
    auto const at = listen();
    raw_client client{at};
    auto a = came.take();
    std::promise<result<void>> served;
    base::spawn_detached(*a.where, deliver(serve(std::move(a.what.connection), *tls.server), served));
    ASSERT_EQ(client.handshake(), "ok");
    client.say("before\r\n");
    EXPECT_EQ(client.read(), "before\r\n");
    ASSERT_TRUE(make_demo_certificates(tls.directory.path, {"another.example.test"}, {}));
    ASSERT_TRUE(tls.server->reload());
    client.say("after\r\n");
    EXPECT_EQ(client.read(), "after\r\n");
    client.fd.reset();
    EXPECT_TRUE(served.get_future().get());
}

TEST(demo_certificates, are_kept_while_they_serve)
{
    scratch d;
    ASSERT_TRUE(make_demo_certificates(d.path / "tls", {"mx.example.test", "imap.example.test"}, {"127.0.0.1", "::1"}));
    struct stat there{};
    ASSERT_EQ(::stat((d.path / "tls/key.pem").c_str(), &there), 0);
    EXPECT_EQ(there.st_mode & 0777U, 0600U);
    auto const first = mansio::test::read_file(d.path / "tls/cert.pem");
    ASSERT_TRUE(make_demo_certificates(d.path / "tls", {"imap.example.test"}, {"::1"}));
    EXPECT_EQ(mansio::test::read_file(d.path / "tls/cert.pem"), first);
    ASSERT_TRUE(make_demo_certificates(d.path / "tls", {"new.example.test"}, {}));
    EXPECT_NE(mansio::test::read_file(d.path / "tls/cert.pem"), first);
    auto const nowhere = make_demo_certificates(d.path / "no/such/directory", {"x.example.test"}, {});
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().what, fault::kind::broken);
}
