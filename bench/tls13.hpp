// A TLS 1.3 client for load tools (RFC 8446): one suite, one group, and nobody's certificate is looked at. With a whole library at the client's end
// most of what a bench of handshakes measures is that library's client; here it is a tenth of a millisecond. Never for anything but measuring.
#pragma once
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#define OPENSSL_SUPPRESS_DEPRECATED  // the one-shot digests: without a look-up by name for each of the forty of a handshake
#include <openssl/sha.h>
#include <sodium.h>

namespace tls13 {

using octets = std::vector<unsigned char>;
using digest = std::array<unsigned char, SHA384_DIGEST_LENGTH>;
using view = std::span<unsigned char const>;

inline view text(std::string_view s) { return {reinterpret_cast<unsigned char const*>(s.data()), s.size()}; }

class sha384 {
public:
    sha384() { SHA384_Init(&state_); }
    sha384& add(view what)
    {
        SHA384_Update(&state_, what.data(), what.size());
        return *this;
    }
    [[nodiscard]] digest value() const
    {
        auto copy = state_;
        digest out;
        SHA384_Final(out.data(), &copy);
        return out;
    }

private:
    SHA512_CTX state_{};
};

inline digest hmac(view key, std::initializer_list<view> parts)
{
    std::array<unsigned char, SHA512_CBLOCK> inner{}, outer{};
    std::memcpy(inner.data(), key.data(), key.size());
    std::memcpy(outer.data(), key.data(), key.size());
    for (auto& c : inner) c ^= 0x36;
    for (auto& c : outer) c ^= 0x5C;
    sha384 first;
    first.add(inner);
    for (auto const part : parts) first.add(part);
    return sha384{}.add(outer).add(first.value()).value();
}

// HKDF-Expand-Label (RFC 8446 §7.1), for at most one block.
inline digest expand_label(view secret, std::string_view label, view context, std::size_t length)
{
    octets info{static_cast<unsigned char>(length >> 8U), static_cast<unsigned char>(length), static_cast<unsigned char>(label.size() + 6)};
    for (char const c : std::string{"tls13 "}.append(label)) info.push_back(static_cast<unsigned char>(c));
    info.push_back(static_cast<unsigned char>(context.size()));
    info.insert(info.end(), context.begin(), context.end());
    info.push_back(1);
    return hmac(secret, {info});
}
inline digest derive(view secret, std::string_view label, digest const& transcript) { return expand_label(secret, label, transcript, SHA384_DIGEST_LENGTH); }

/// One direction's keys (RFC 8446 §5.2, §5.3).
class sealer {
public:
    void set(view secret)
    {
        auto const key = expand_label(secret, "key", {}, crypto_aead_aes256gcm_KEYBYTES);
        auto const iv = expand_label(secret, "iv", {}, iv_.size());
        crypto_aead_aes256gcm_beforenm(&state_, key.data());
        std::memcpy(iv_.data(), iv.data(), iv_.size());
        count_ = 0;
    }
    /// A whole record, its header included.
    octets seal(unsigned char type, view what)
    {
        octets inner(what.begin(), what.end());
        inner.push_back(type);
        auto const n = inner.size() + crypto_aead_aes256gcm_ABYTES;
        octets record{23, 3, 3, static_cast<unsigned char>(n >> 8U), static_cast<unsigned char>(n)};
        record.resize(5 + n);
        crypto_aead_aes256gcm_encrypt_afternm(record.data() + 5, nullptr, inner.data(), inner.size(), record.data(), 5, nullptr, nonce().data(), &state_);
        return record;
    }
    /// Its type and its octets; 0: not authentic.
    unsigned char open(view record, octets& out)
    {
        out.resize(record.size());
        unsigned long long n = 0;
        if (crypto_aead_aes256gcm_decrypt_afternm(out.data(), &n, nullptr, record.data() + 5, record.size() - 5, record.data(), 5, nonce().data(), &state_) !=
            0)
            return 0;
        while (n != 0 && out[n - 1] == 0) --n;
        auto const type = n == 0 ? 0 : out[n - 1];
        out.resize(n == 0 ? 0 : n - 1);
        return static_cast<unsigned char>(type);
    }

private:
    std::array<unsigned char, crypto_aead_aes256gcm_NPUBBYTES> nonce()
    {
        auto out = iv_;
        auto const count = count_++;
        for (std::size_t i = 0; i < 8; ++i) out[out.size() - 1 - i] ^= static_cast<unsigned char>(count >> 8 * i);
        return out;
    }
    crypto_aead_aes256gcm_state state_{};
    std::array<unsigned char, crypto_aead_aes256gcm_NPUBBYTES> iv_{};
    std::uint64_t count_ = 0;
};

/// This process's half of every key exchange. A server cannot tell, and does all of its own.
struct key_share {
    std::array<unsigned char, crypto_scalarmult_SCALARBYTES> secret{};
    std::array<unsigned char, crypto_scalarmult_BYTES> shown{};
    key_share()
    {
        if (sodium_init() < 0 || crypto_aead_aes256gcm_is_available() == 0) std::_Exit(2);
        randombytes_buf(secret.data(), secret.size());
        crypto_scalarmult_base(shown.data(), secret.data());
    }
    static key_share const& ours()
    {
        static key_share const k;
        return k;
    }
};

/// One connection, on a socket that waits.
class client {
public:
    bool handshake(int fd)
    {
        fd_ = fd;
        auto const hello = client_hello();
        octets record{22, 3, 1, static_cast<unsigned char>(hello.size() >> 8U), static_cast<unsigned char>(hello.size())};
        record.insert(record.end(), hello.begin(), hello.end());
        sha384 transcript;
        transcript.add(hello);
        octets message;
        if (!send_all(record) || !next_message(message) || message[0] != 2) return false;
        transcript.add(message);
        std::array<unsigned char, crypto_scalarmult_BYTES> server{}, shared{};
        if (!server_share(message, server) || crypto_scalarmult(shared.data(), key_share::ours().secret.data(), server.data()) != 0) return false;

        digest const zeros{};
        auto const nothing = sha384{}.value();
        auto const handshake_secret = hmac(derive(hmac(zeros, {zeros}), "derived", nothing), {shared});
        auto const after_hello = transcript.value();
        auto const from_client = derive(handshake_secret, "c hs traffic", after_hello), from_server = derive(handshake_secret, "s hs traffic", after_hello);
        in_.set(from_server);
        out_.set(from_client);
        sealed_ = true;
        for (;;) {  // EncryptedExtensions, Certificate, CertificateVerify, Finished
            if (!next_message(message)) return false;
            if (message[0] == 20) break;
            transcript.add(message);
        }
        auto const finished_by = [&](digest const& secret) { return hmac(expand_label(secret, "finished", {}, SHA384_DIGEST_LENGTH), {transcript.value()}); };
        auto const theirs = finished_by(from_server);
        if (message.size() != 4 + theirs.size() || std::memcmp(message.data() + 4, theirs.data(), theirs.size()) != 0) return false;
        transcript.add(message);
        octets finished{20, 0, 0, SHA384_DIGEST_LENGTH};
        auto const ours = finished_by(from_client);
        finished.insert(finished.end(), ours.begin(), ours.end());
        if (!send_all(out_.seal(22, finished))) return false;
        auto const master = hmac(derive(handshake_secret, "derived", nothing), {zeros});
        auto const after_finished = transcript.value();
        in_.set(derive(master, "s ap traffic", after_finished));
        out_.set(derive(master, "c ap traffic", after_finished));
        return true;
    }
    /// As recv(): 0 at the end, -1 when it failed.
    ssize_t read(char* to, std::size_t n)
    {
        while (from_ == plain_.size()) {
            unsigned char type = 0;
            if (!next_record(type)) return ended_ ? 0 : -1;
            if (type == 21) return 0;             // an alert ends it
            if (type != 23) from_ = plain_.size();  // a ticket
        }
        n = std::min(n, plain_.size() - from_);
        std::memcpy(to, plain_.data() + from_, n);
        from_ += n;
        return static_cast<ssize_t>(n);
    }
    ssize_t write(char const* what, std::size_t n)
    {
        n = std::min<std::size_t>(n, 16384);
        return send_all(out_.seal(23, text({what, n}))) ? static_cast<ssize_t>(n) : -1;
    }
    [[nodiscard]] bool pending() const { return from_ < plain_.size(); }

private:
    static octets client_hello()
    {
        octets h{3, 3};
        h.resize(34);
        randombytes_buf(h.data() + 2, 32);
        auto const put = [&h](std::initializer_list<unsigned char> more) { h.insert(h.end(), more); };
        put({0, 0, 2, 0x13, 0x02, 1, 0});                                // no session id; TLS_AES_256_GCM_SHA384; no compression
        put({0, 76, 0, 43, 0, 3, 2, 3, 4});                              // supported_versions
        put({0, 10, 0, 4, 0, 2, 0, 0x1D});                               // supported_groups: x25519
        put({0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 8, 5});                      // signature_algorithms
        put({0, 45, 0, 2, 1, 1});                                        // psk_key_exchange_modes: tickets are wanted
        put({0, 51, 0, 38, 0, 36, 0, 0x1D, 0, 32});                      // key_share
        auto const& share = key_share::ours().shown;
        h.insert(h.end(), share.begin(), share.end());
        octets message{1, 0, static_cast<unsigned char>(h.size() >> 8U), static_cast<unsigned char>(h.size())};
        message.insert(message.end(), h.begin(), h.end());
        // The length of the extensions, now that they stand there.
        auto const extensions = h.size() - 2 - 32 - 7 - 2;
        message[4 + 2 + 32 + 7] = static_cast<unsigned char>(extensions >> 8U);
        message[4 + 2 + 32 + 8] = static_cast<unsigned char>(extensions);
        return message;
    }
    static bool server_share(octets const& hello, std::array<unsigned char, crypto_scalarmult_BYTES>& share)
    {
        std::size_t at = 4 + 2 + 32;
        if (hello.size() < at + 1) return false;
        at += 1 + hello[at] + 3 + 2;  // session id, suite, compression, length of the extensions
        while (at + 4 <= hello.size()) {
            auto const type = hello[at] << 8U | hello[at + 1];
            std::size_t const n = static_cast<std::size_t>(hello[at + 2]) << 8U | hello[at + 3];
            at += 4;
            if (at + n > hello.size()) return false;
            if (type == 51 && n == 4 + share.size()) {
                std::memcpy(share.data(), hello.data() + at + 4, share.size());
                return true;
            }
            at += n;
        }
        return false;  // another group was asked for
    }
    bool next_message(octets& out)
    {
        for (;;) {
            if (messages_.size() >= 4) {
                std::size_t const n = 4 + (static_cast<std::size_t>(messages_[1]) << 16U | static_cast<std::size_t>(messages_[2]) << 8U | messages_[3]);
                if (messages_.size() >= n) {
                    out.assign(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(n));
                    messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(n));
                    return true;
                }
            }
            unsigned char type = 0;
            if (!next_record(type)) return false;
            if (type == 20) continue;  // change_cipher_spec says nothing (RFC 8446 §5)
            if (type != 22) return false;
            messages_.insert(messages_.end(), plain_.begin(), plain_.end());
            from_ = plain_.size();
        }
    }
    bool next_record(unsigned char& type)
    {
        from_ = 0;
        plain_.clear();
        while (taken_ + 5 > raw_.size() || taken_ + 5 + length_at(taken_) > raw_.size())
            if (!fill()) return false;
        auto const record = view{raw_}.subspan(taken_, 5 + length_at(taken_));
        taken_ += record.size();
        type = record[0];
        if (!sealed_ || type == 20) {
            plain_.assign(record.begin() + 5, record.end());
            return true;
        }
        type = in_.open(record, plain_);
        return type != 0;
    }
    [[nodiscard]] std::size_t length_at(std::size_t i) const { return static_cast<std::size_t>(raw_[i + 3]) << 8U | raw_[i + 4]; }
    bool fill()
    {
        raw_.erase(raw_.begin(), raw_.begin() + static_cast<std::ptrdiff_t>(taken_));
        taken_ = 0;
        auto const held = raw_.size();
        raw_.resize(held + 32768);
        ssize_t n = 0;
        do n = ::read(fd_, raw_.data() + held, 32768);
        while (n < 0 && errno == EINTR);
        raw_.resize(held + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        ended_ = n == 0;
        return n > 0;
    }
    bool send_all(view what)
    {
        while (!what.empty()) {
            auto const n = ::write(fd_, what.data(), what.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            what = what.subspan(static_cast<std::size_t>(n));
        }
        return true;
    }

    int fd_ = -1;
    sealer in_, out_;
    bool sealed_ = false, ended_ = false;
    octets raw_, plain_, messages_;  ///< as received; of the last record; of a handshake
    std::size_t taken_ = 0, from_ = 0;
};

}  // namespace tls13
