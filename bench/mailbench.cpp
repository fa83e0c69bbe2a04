// mailbench - small, protocol-generic load client for IMAP, POP3, SMTP and LMTP servers.
// Original work written for side-by-side comparisons; knows nothing about any particular server.
// Built by bench/CMakeLists.txt in the release preset: build/release/e2e/mailbench.
// Every result is one JSON object per line on stdout; diagnostics go to stderr.
// `mailbench help` lists the workloads.
#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "tls13.hpp"

using Clock = std::chrono::steady_clock;
static double now_s() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }
static double cpu_s()
{
    rusage r{};
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_utime.tv_usec / 1e6 + r.ru_stime.tv_sec + r.ru_stime.tv_usec / 1e6;
}
[[noreturn]] static void die(const char* fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    _exit(2);
}

struct Opt {
    std::string workload, host = "127.0.0.1", user = "user", pass = "pass", mailbox = "INBOX", profile = "small", label, rcpt, from = "bench@example.org",
                          literal = "auto", out, date;
    int port = 143, conns = 1, repeat = 1, users = 1, rcpts = 1, per_session = 100, hold = 0, probe = 0, pipeline = 64, userbase = 1;
    double secs = 0;
    long count = 1000;
    bool tls = false, fresh = false, lmtp = false, nopipe = false, del = false, condstore = false, noselect = false, authplain = false;
    std::vector<std::string> cmds;
} o;

// ---------------------------------------------------------------- deterministic messages
struct Rng { // splitmix64
    uint64_t s;
    explicit Rng(uint64_t x) : s(x * 0x9E3779B97F4A7C15ull + 0x1234567) {}
    uint64_t next()
    {
        uint64_t z = (s += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    }
    uint64_t below(uint64_t n) { return next() % n; }
};
static std::vector<std::string> vocab;
static void make_vocab()
{
    static const char* syl[] = {"ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo",  "mu",  "na",  "pe", "qui",
                                "ro", "su", "ta", "ve", "wi", "xo", "yu", "za", "len", "mer", "ton", "sky"};
    Rng r(42);
    for (int i = 0; i < 4000; i++) {
        std::string w;
        int n = 1 + (int)r.below(4);
        while (n-- >= 0) w += syl[r.below(25)];
        vocab.push_back(w);
    }
}
static const std::string& word(Rng& r)
{ // skewed: low ranks much more frequent
    double u = (r.next() >> 11) * (1.0 / 9007199254740992.0);
    return vocab[(size_t)(std::pow(u, 3.0) * vocab.size())];
}
static void text(Rng& r, std::string& out, size_t bytes)
{
    size_t start = out.size(), col = 0;
    while (out.size() - start + 80 < bytes) {
        const std::string& w = word(r);
        if (col + w.size() > 72) {
            out += "\r\n";
            col = 0;
        } else if (col) {
            out += ' ';
            col++;
        }
        out += w;
        col += w.size();
    }
    out += "\r\n";
}
static void b64(Rng& r, std::string& out, size_t bytes)
{
    static const char A[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t done = 0; done < bytes; done += 78) {
        for (int i = 0; i < 76; i += 8) {
            uint64_t v = r.next();
            int m = std::min(8, 76 - i);
            for (int k = 0; k < m; k++, v >>= 6) out += A[v & 63];
        }
        out += "\r\n";
    }
}
// profiles: small (~1.2 kB text), mixed (60% text 2-6k, 25% alternative 8-24k, 13% attachment 30-130k, 2% 0.3-1M),
// fixed:N
static std::string gen_message(uint64_t i, const std::string& profile)
{
    Rng r(i + 7);
    std::string m;
    m.reserve(4096);
    char b[512];
    static const char* mon[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int mo = (int)r.below(12), d = 1 + (int)r.below(28), h = (int)r.below(24), mi = (int)r.below(60), s = (int)r.below(60);
    int fromid = (int)r.below(500), toid = (int)r.below(500);
    bool mixed = profile == "mixed";
    if (mixed)
        for (int k = 0; k < 3; k++) {
            snprintf(b, sizeof b,
                     "Received: from relay%d.example.net (relay%d.example.net [192.0.2.%d])\r\n\tby mx%d.example.org "
                     "(Server) with ESMTPS id %016llX;\r\n\t%d %s 2024 %02d:%02d:%02d +0000\r\n",
                     k, k, (int)r.below(250), k, (unsigned long long)r.next(), d, mon[mo], h, mi, s);
            m += b;
        }
    snprintf(b, sizeof b, "Date: %d %s 2024 %02d:%02d:%02d +0000\r\nFrom: \"%s %s\" <sender%d@example.com>\r\nTo: rcpt%d@example.org\r\n", d, mon[mo], h, mi, s,
             word(r).c_str(), word(r).c_str(), fromid, toid);
    m += b;
    m += "Subject: ";
    if (r.below(3) == 0) m += "Re: ";
    for (int k = 0; k < 5; k++) {
        m += word(r);
        m += ' ';
    }
    snprintf(b, sizeof b, "zq%llux\r\n", (unsigned long long)i);
    m += b;
    snprintf(b, sizeof b, "Message-ID: <%llu.%llx@example.com>\r\n", (unsigned long long)i, (unsigned long long)r.next());
    m += b;
    if (i > 5 && r.below(3) == 0) {
        snprintf(b, sizeof b, "In-Reply-To: <%llu.ref@example.com>\r\nReferences: <%llu.ref@example.com>\r\n", (unsigned long long)(i - 1),
                 (unsigned long long)(i - 1));
        m += b;
    }
    m += "MIME-Version: 1.0\r\n";
    size_t fixed = 0;
    if (profile.rfind("fixed:", 0) == 0) fixed = strtoull(profile.c_str() + 6, nullptr, 10);
    uint64_t p = mixed ? r.below(100) : 0;
    if (!mixed || p < 60) {
        m += "Content-Type: text/plain; charset=utf-8\r\n\r\n";
        size_t want = fixed ? (fixed > m.size() ? fixed - m.size() : 80) : mixed ? 1500 + r.below(4500) : 700 + r.below(400);
        text(r, m, want);
    } else {
        snprintf(b, sizeof b, "=_b%llx", (unsigned long long)r.next());
        std::string bd = b;
        bool att = p >= 85;
        m += std::string("Content-Type: multipart/") + (att ? "mixed" : "alternative") + "; boundary=\"" + bd + "\"\r\n\r\n";
        m += "--" + bd + "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
        text(r, m, 2000 + r.below(4000));
        m += "--" + bd + "\r\n";
        if (!att) {
            m += "Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>\r\n";
            text(r, m, 6000 + r.below(14000));
            m += "</p></body></html>\r\n";
        } else {
            snprintf(b, sizeof b,
                     "Content-Type: application/octet-stream; name=\"file%llu.bin\"\r\nContent-Transfer-Encoding: "
                     "base64\r\nContent-Disposition: attachment; filename=\"file%llu.bin\"\r\n\r\n",
                     (unsigned long long)i, (unsigned long long)i);
            m += b;
            b64(r, m, p >= 98 ? 300000 + r.below(700000) : 30000 + r.below(100000));
        }
        m += "--" + bd + "--\r\n";
    }
    return m;
}

// ---------------------------------------------------------------- connection
static std::atomic<uint64_t> g_rx{0}, g_tx{0};
struct Conn {
    int fd = -1;
    std::unique_ptr<tls13::client> ssl;
    std::vector<char> buf;
    size_t pos = 0, end = 0;
    uint64_t rx = 0, tx = 0, tagno = 0, opened = 0;
    std::string caps;
    Conn() : buf(65536) {}
    ~Conn() { close(); }
    void close()
    {
        ssl.reset();
        if (fd >= 0) {
            ::close(fd);
            fd = -1;
        }
        g_rx += rx;
        g_tx += tx;
        rx = tx = 0;
        pos = end = 0;
    }
    bool open()
    {
        close();
        caps.clear();
        opened++;
        sockaddr_in a{};
        a.sin_family = AF_INET;
        a.sin_port = htons((uint16_t)o.port);
        if (inet_pton(AF_INET, o.host.c_str(), &a.sin_addr) != 1) {
            addrinfo hi{}, *res = nullptr;
            hi.ai_family = AF_INET;
            hi.ai_socktype = SOCK_STREAM;
            if (getaddrinfo(o.host.c_str(), nullptr, &hi, &res) || !res) die("cannot resolve %s", o.host.c_str());
            a.sin_addr = ((sockaddr_in*)res->ai_addr)->sin_addr;
            freeaddrinfo(res);
        }
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return false;
        if (connect(fd, (sockaddr*)&a, sizeof a)) {
            ::close(fd);
            fd = -1;
            return false;
        }
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (o.tls) {
            ssl = std::make_unique<tls13::client>();
            if (!ssl->handshake(fd)) {
                close();
                return false;
            }
        }
        return true;
    }
    bool send(std::string_view s)
    {
        while (!s.empty()) {
            ssize_t n = ssl ? ssl->write(s.data(), s.size()) : ::send(fd, s.data(), s.size(), MSG_NOSIGNAL);
            if (n <= 0) {
                if (n < 0 && !ssl && errno == EINTR) continue;
                return false;
            }
            tx += (uint64_t)n;
            s.remove_prefix((size_t)n);
        }
        return true;
    }
    bool fill()
    {
        if (pos == end) pos = end = 0;
        if (end == buf.size()) {
            if (pos) {
                memmove(buf.data(), buf.data() + pos, end - pos);
                end -= pos;
                pos = 0;
            } else
                buf.resize(buf.size() * 2);
        }
        for (;;) {
            ssize_t n = ssl ? ssl->read(buf.data() + end, buf.size() - end) : recv(fd, buf.data() + end, buf.size() - end, 0);
            if (n > 0) {
                end += (size_t)n;
                rx += (uint64_t)n;
                return true;
            }
            if (n < 0 && !ssl && errno == EINTR) continue;
            return false;
        }
    }
    bool pending() const { return pos < end || (ssl && ssl->pending()); }
  // a CRLF-terminated line without its terminator; valid until the next call
    bool line(std::string_view& out)
    {
        size_t scan = 0;
        for (;;) {
            char* p = (char*)memchr(buf.data() + pos + scan, '\n', end - pos - scan);
            if (p) {
                size_t n = (size_t)(p - (buf.data() + pos));
                out = {buf.data() + pos, n};
                pos += n + 1;
                if (!out.empty() && out.back() == '\r') out.remove_suffix(1);
                return true;
            }
            scan = end - pos;
            if (!fill()) return false;
        }
    }
    bool skip(uint64_t n)
    {
        while (n) {
            if (pos == end && !fill()) return false;
            size_t k = std::min<uint64_t>(n, end - pos);
            pos += k;
            n -= k;
        }
        return true;
    }
  // one complete IMAP response, literals consumed; `head` keeps (a copy of) the text before the first literal
    bool imap_resp(std::string& head)
    {
        std::string_view l;
        bool first = true;
        for (;;) {
            if (!line(l)) return false;
            if (first) head.assign(l.substr(0, 2048));
            first = false;
            if (l.size() > 2 && l.back() == '}') {
                size_t b = l.rfind('{');
                if (b != l.npos) {
                    uint64_t n = 0;
                    bool ok = l.size() - b > 2;
                    for (size_t i = b + 1; i + 1 < l.size(); i++) {
                        if (l[i] == '+') continue;
                        if (l[i] < '0' || l[i] > '9') {
                            ok = false;
                            break;
                        }
                        n = n * 10 + (uint64_t)(l[i] - '0');
                    }
                    if (ok) {
                        if (!skip(n)) return false;
                        continue;
                    }
                }
            }
            return true;
        }
    }
    struct Res {
        bool ok = false;
        uint64_t untagged = 0;
        std::string final, last;
    };
    Res wait_tag(const std::string& tag)
    {
        Res r;
        std::string h;
        while (imap_resp(h)) {
            if (h.compare(0, tag.size(), tag) == 0 && h.size() > tag.size() && h[tag.size()] == ' ') {
                r.ok = h.compare(tag.size() + 1, 2, "OK") == 0 || h.compare(tag.size() + 1, 2, "ok") == 0;
                r.final = h;
                return r;
            }
            r.untagged++;
            r.last = h;
            if (h.rfind("* CAPABILITY ", 0) == 0) caps = h;
        }
        r.final = "connection lost";
        return r;
    }
    std::string newtag()
    {
        char b[24];
        snprintf(b, sizeof b, "a%llu", (unsigned long long)++tagno);
        return b;
    }
    Res cmd(const std::string& c)
    {
        std::string t = newtag();
        if (!send(t + " " + c + "\r\n")) return {};
        return wait_tag(t);
    }
};
static std::string subst(const std::string& pat, int i)
{
    std::string s = pat;
    size_t p = s.find("%d");
    if (p != s.npos) s.replace(p, 2, std::to_string(o.userbase + (i % std::max(1, o.users))));
    return s;
}
static std::string b64enc(const std::string& in)
{
    static const char A[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string r;
    size_t i = 0;
    for (; i + 2 < in.size(); i += 3) {
        unsigned v = (unsigned char)in[i] << 16 | (unsigned char)in[i + 1] << 8 | (unsigned char)in[i + 2];
        r += A[v >> 18];
        r += A[v >> 12 & 63];
        r += A[v >> 6 & 63];
        r += A[v & 63];
    }
    if (i + 1 == in.size()) {
        unsigned v = (unsigned char)in[i] << 16;
        r += A[v >> 18];
        r += A[v >> 12 & 63];
        r += "==";
    } else if (i + 2 == in.size()) {
        unsigned v = (unsigned char)in[i] << 16 | (unsigned char)in[i + 1] << 8;
        r += A[v >> 18];
        r += A[v >> 12 & 63];
        r += A[v >> 6 & 63];
        r += '=';
    }
    return r;
}
static bool imap_login(Conn& c, int i, bool strict = true)
{
    std::string h;
    if (!c.open()) {
        if (strict) die("connect %s:%d: %s", o.host.c_str(), o.port, strerror(errno));
        return false;
    }
    if (!c.imap_resp(h)) {
        if (strict) die("no greeting");
        return false;
    }
    Conn::Res r;
    std::string u = subst(o.user, i);
    if (o.authplain)
        r = c.cmd("AUTHENTICATE PLAIN " + b64enc(std::string("\0", 1) + u + std::string("\0", 1) + o.pass));
    else
        r = c.cmd("LOGIN " + u + " " + o.pass);
    if (!r.ok) {
        if (strict) die("login failed for %s: %s", u.c_str(), r.final.c_str());
        return false;
    }
    if (r.final.find("[CAPABILITY ") != std::string::npos) c.caps = r.final;
    return true;
}
static void imap_select(Conn& c, const std::string& mbox)
{
    auto r = c.cmd("SELECT \"" + mbox + "\"" + (o.condstore ? " (CONDSTORE)" : ""));
    if (!r.ok) die("SELECT: %s", r.final.c_str());
}
static bool has_cap(Conn& c, const char* cap)
{
    if (c.caps.empty()) c.cmd("CAPABILITY");
    std::string s = c.caps + " ";
    for (char& ch : s)
        if (ch == ']') ch = ' ';
    return s.find(std::string(" ") + cap + " ") != std::string::npos;
}

// ---------------------------------------------------------------- statistics and output
struct Lat {
    std::vector<float> v;
    void add(double s) { v.push_back((float)(s * 1000)); }
    void merge(const Lat& x) { v.insert(v.end(), x.v.begin(), x.v.end()); }
    double pct(double p)
    {
        if (v.empty()) return 0;
        size_t k = std::min(v.size() - 1, (size_t)(p / 100 * (double)v.size()));
        std::nth_element(v.begin(), v.begin() + (long)k, v.end());
        return v[k];
    }
};
static std::string esc(const std::string& s)
{
    std::string r;
    for (char c : s) {
        if (c == '"' || c == '\\') {
            r += '\\';
            r += c;
        } else if ((unsigned char)c < 32)
            r += ' ';
        else
            r += c;
    }
    return r;
}
static double g_cpu0 = 0;
static void emit(const char* extra_fmt, ...)
{
    char ex[8192];
    va_list ap;
    va_start(ap, extra_fmt);
    vsnprintf(ex, sizeof ex, extra_fmt, ap);
    va_end(ap);
    double la[3] = {0, 0, 0};
    getloadavg(la, 3);
    printf("{\"tool\":\"mailbench\",\"label\":\"%s\",\"workload\":\"%s\",\"conns\":%d,%s,\"client_cpu_s\":%.3f,\"load1\":"
           "%.2f}\n",
           esc(o.label).c_str(), o.workload.c_str(), o.conns, ex, cpu_s() - g_cpu0, la[0]);
    fflush(stdout);
}
struct Tally {
    std::atomic<uint64_t> ops{0}, err{0};
    Lat lat;
    std::mutex mu;
};
// run fn(thread index, stop flag) on o.conns threads; returns elapsed seconds
static double run_threads(const std::function<void(int, std::atomic<bool>&)>& fn)
{
    std::atomic<bool> stop{false};
    std::vector<std::thread> t;
    double t0 = now_s();
    for (int i = 0; i < o.conns; i++) t.emplace_back([&, i] { fn(i, stop); });
    if (o.secs > 0) {
        std::this_thread::sleep_for(std::chrono::duration<double>(o.secs));
        stop = true;
    }
    for (auto& x : t) x.join();
    return now_s() - t0;
}
static void emit_rate(Tally& T, double el, const char* unit)
{
    uint64_t rx = g_rx, tx = g_tx;
    emit("\"n\":%llu,\"errors\":%llu,\"secs\":%.3f,\"rate\":%.1f,\"unit\":\"%s\",\"rx_MBps\":%.2f,\"tx_MBps\":%.2f,\"p50_"
         "ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f",
         (unsigned long long)T.ops, (unsigned long long)T.err, el, (double)T.ops / el, unit, (double)rx / el / 1e6, (double)tx / el / 1e6, T.lat.pct(50),
         T.lat.pct(99), T.lat.pct(100));
}

// ---------------------------------------------------------------- workloads: IMAP
// A thread for each processor, each with its share of the connections: `begin` sends the first octets of one, `ready`
// takes what has come and sends the next (false: the connection has been opened anew). A cheap client leaves the
// processor to the server.
struct Driven {
    Conn c;
    int who = 0, step = 0;
    double t = 0;
    std::string tag;
};
static double run_driven(const std::function<void(Driven&)>& begin, const std::function<void(Driven&, Lat&)>& ready, Tally& T)
{
    std::atomic<bool> stop{false};
    const int W = std::max(1, std::min<int>(o.conns, (int)std::thread::hardware_concurrency()));
    std::vector<std::thread> t;
    double t0 = 0;
    std::atomic<int> begun{0};
    for (int w = 0; w < W; w++)
        t.emplace_back([&, w] {
            int ep = epoll_create1(EPOLL_CLOEXEC);
            std::vector<std::unique_ptr<Driven>> mine;
            for (int i = w; i < o.conns; i += W) {
                mine.push_back(std::make_unique<Driven>());
                mine.back()->who = i;
                begin(*mine.back());
            }
            begun++;
            Lat L;
            std::vector<epoll_event> ev(mine.size());
            auto watch = [&](size_t k) {
        // a connection opened anew may have the number of the old one, which left the set when it was closed
                epoll_event e{};
                e.events = EPOLLIN;
                e.data.u64 = k;
                epoll_ctl(ep, EPOLL_CTL_ADD, mine[k]->c.fd, &e);
            };
            for (size_t k = 0; k < mine.size(); k++) watch(k);
            while (!stop) {
                int n = epoll_wait(ep, ev.data(), (int)ev.size(), 100);
                for (int j = 0; j < n; j++) {
                    auto& d = *mine[ev[(size_t)j].data.u64];
                    const uint64_t opened = d.c.opened;
                    ready(d, L);
                    if (d.c.opened != opened) watch(ev[(size_t)j].data.u64);
                }
            }
            ::close(ep);
            std::lock_guard g(T.mu);
            T.lat.merge(L);
        });
    while (begun < W) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    t0 = now_s();
    T.ops = 0;
    std::this_thread::sleep_for(std::chrono::duration<double>(o.secs));
    stop = true;
    for (auto& x : t) x.join();
    return now_s() - t0;
}
static void w_imap_login_driven(Tally& T)
{ // the same in clear text
    auto open = [](Driven& d) {
        d.t = now_s();
        d.step = 0;
        if (!d.c.open()) die("connect %s:%d: %s", o.host.c_str(), o.port, strerror(errno));
    };
    double el = run_driven(
        open,
        [&](Driven& d, Lat& L) {
            std::string h;
            if (d.step++ == 0) {
                if (!d.c.imap_resp(h)) {
                    T.err++;
                    return open(d);
                }
                d.tag = d.c.newtag();
                d.c.send(d.tag + " LOGIN " + subst(o.user, d.who) + " " + o.pass + "\r\n");
                return;
            }
            const bool ok = d.c.wait_tag(d.tag).ok;
            if (d.step == 2) {
                if (!ok) {
                    T.err++;
                    return open(d);
                }
                L.add(now_s() - d.t);
                T.ops++;
                d.tag = d.c.newtag();
                d.c.send(d.tag + " LOGOUT\r\n");
                return;
            }
            d.who += o.conns;
            open(d);
        },
        T);
    emit_rate(T, el, "logins/s");
}
static void w_imap_login()
{ // connect, greeting, LOGIN, LOGOUT
    Tally T;
    if (o.secs <= 0) o.secs = 10;
    if (!o.tls && !o.authplain) return w_imap_login_driven(T);
    double el = run_threads([&](int i, std::atomic<bool>& stop) {
        Lat L;
        int k = i;
        Conn c;
        while (!stop) {
            double t = now_s();
            if (!imap_login(c, k, false)) {
                T.err++;
                k += o.conns;
                continue;
            }
            L.add(now_s() - t);
            T.ops++;
            c.cmd("LOGOUT");
            k += o.conns;
        }
        std::lock_guard g(T.mu);
        T.lat.merge(L);
    });
    emit_rate(T, el, "logins/s");
}
static void w_imap_noop()
{
    Tally T;
    if (o.secs <= 0) o.secs = 5;
    const std::string cm = o.cmds.empty() ? "NOOP" : o.cmds[0];
    auto next = [&](Driven& d) {
        d.t = now_s();
        d.tag = d.c.newtag();
        d.c.send(d.tag + " " + cm + "\r\n");
    };
    double el = run_driven(
        [&](Driven& d) {
            imap_login(d.c, d.who);
            if (!o.noselect) imap_select(d.c, o.mailbox);
            next(d);
        },
        [&](Driven& d, Lat& L) {
            if (!d.c.wait_tag(d.tag).ok) T.err++;
            L.add(now_s() - d.t);
            T.ops++;
            next(d);
        },
        T);
    emit_rate(T, el, "cmds/s");
}
static std::atomic<long> g_next{0};
static bool use_plus(Conn& c, size_t n)
{
    if (o.literal == "plus") return true;
    if (o.literal == "sync") return false;
    return has_cap(c, "LITERAL+") || (n <= 4096 && has_cap(c, "LITERAL-"));
}
static void w_imap_append()
{ // one APPEND at a time per connection, waits for each OK
    Tally T;
    g_next = 0;
    double el = run_threads([&](int i, std::atomic<bool>& stop) {
        Conn c;
        imap_login(c, i);
        Lat L;
        c.cmd("CREATE \"" + o.mailbox + "\"");
        for (;;) {
            long k = g_next++;
            if (stop || (o.secs <= 0 && k >= o.count)) break;
            std::string m = gen_message((uint64_t)k, o.profile);
            bool plus = use_plus(c, m.size());
            std::string tag = c.newtag();
            double t = now_s();
            std::string h = tag + " APPEND \"" + o.mailbox + "\" (\\Seen) " + "{" + std::to_string(m.size()) + (plus ? "+}\r\n" : "}\r\n");
            bool ok = true;
            if (plus) {
                h += m;
                h += "\r\n";
                ok = c.send(h);
            } else {
                ok = c.send(h);
                std::string x;
                if (ok) ok = c.imap_resp(x) && x[0] == '+';
                if (ok) ok = c.send(m + "\r\n");
            }
            ok = ok && c.wait_tag(tag).ok;
            L.add(now_s() - t);
            if (ok)
                T.ops++;
            else {
                T.err++;
                break;
            }
        }
        c.cmd("LOGOUT");
        std::lock_guard g(T.mu);
        T.lat.merge(L);
    });
    emit_rate(T, el, "appends/s");
}
static void w_imap_fill()
{ // fast preparation: MULTIAPPEND batches where offered, else pipelined APPENDs
    Conn c;
    imap_login(c, 0);
    c.cmd("CREATE \"" + o.mailbox + "\"");
    bool multi = has_cap(c, "MULTIAPPEND"), plus = has_cap(c, "LITERAL+");
    double t0 = now_s();
    uint64_t bytes = 0, bad = 0;
    for (long k = 0; k < o.count;) {
        long m = std::min<long>(o.count - k, multi ? 500 : plus ? o.pipeline : 1);
        std::vector<std::string> tags;
        std::string out;
        if (multi && plus) {
            std::string tag = c.newtag();
            out = tag + " APPEND \"" + o.mailbox + "\"";
            for (long j = 0; j < m; j++) {
                std::string s = gen_message((uint64_t)(k + j), o.profile);
                bytes += s.size();
                out += " {" + std::to_string(s.size()) + "+}\r\n" + s;
                if (out.size() > 1 << 20) {
                    c.send(out);
                    out.clear();
                }
            }
            out += "\r\n";
            c.send(out);
            tags.push_back(tag);
        } else if (plus) {
            for (long j = 0; j < m; j++) {
                std::string s = gen_message((uint64_t)(k + j), o.profile);
                bytes += s.size();
                std::string tag = c.newtag();
                tags.push_back(tag);
                out += tag + " APPEND \"" + o.mailbox + "\" {" + std::to_string(s.size()) + "+}\r\n" + s + "\r\n";
            }
            c.send(out);
        } else {
            std::string s = gen_message((uint64_t)k, o.profile);
            bytes += s.size();
            std::string tag = c.newtag(), x;
            c.send(tag + " APPEND \"" + o.mailbox + "\" {" + std::to_string(s.size()) + "}\r\n");
            c.imap_resp(x);
            c.send(s + "\r\n");
            tags.push_back(tag);
        }
        for (auto& t : tags) {
            auto r = c.wait_tag(t);
            if (!r.ok) {
                bad++;
                if (bad < 3) fprintf(stderr, "fill: %s\n", r.final.c_str());
                if (r.final == "connection lost") die("fill aborted");
            }
        }
        k += m;
    }
    double el = now_s() - t0;
    emit("\"n\":%ld,\"errors\":%llu,\"secs\":%.3f,\"rate\":%.1f,\"unit\":\"msgs/s\",\"MBps\":%.2f,\"mode\":\"%s\"", o.count, (unsigned long long)bad, el,
         (double)o.count / el, (double)bytes / el / 1e6,
         multi && plus ? "multiappend"
         : plus        ? "pipelined"
                       : "sync");
}
static void w_imap_cmd()
{ // time each --cmd in order, --repeat times; --fresh reconnects for every repetition; %r = repetition
    struct Row {
        double ms;
        uint64_t bytes, untagged;
    };
    std::vector<std::vector<Row>> rows(o.cmds.size() + 1);
    std::mutex mu;
    std::vector<std::string> finals(o.cmds.size() + 1);
    run_threads([&](int i, std::atomic<bool>&) {
        Conn c;
        auto prep = [&] {
            imap_login(c, i);
            if (o.noselect) return;
            uint64_t b = c.rx;
            double t = now_s();
            imap_select(c, o.mailbox);
            std::lock_guard g(mu);
            rows[0].push_back({(now_s() - t) * 1000, c.rx - b, 0});
        };
        prep();
        for (int rep = 0; rep < o.repeat; rep++) {
            if (rep && o.fresh) {
                c.cmd("LOGOUT");
                c.close();
                prep();
            }
            for (size_t k = 0; k < o.cmds.size(); k++) {
                std::string cm = o.cmds[k];
                size_t p = cm.find("%r");
                if (p != cm.npos) cm.replace(p, 2, std::to_string(rep));
                uint64_t b = c.rx;
                double t = now_s();
                auto r = c.cmd(cm);
                double el = now_s() - t;
                std::lock_guard g(mu);
                rows[k + 1].push_back({el * 1000, c.rx - b, r.untagged});
                finals[k + 1] = r.ok ? "OK" : r.final;
                if (!r.ok) fprintf(stderr, "%s -> %s\n", cm.c_str(), r.final.c_str());
            }
        }
        c.cmd("LOGOUT");
    });
    for (size_t k = o.noselect ? 1 : 0; k < rows.size(); k++) {
        auto& R = rows[k];
        if (R.empty()) continue;
        std::vector<double> ms;
        for (auto& x : R) ms.push_back(x.ms);
        double first = ms[0];
        std::vector<double> rest(ms.begin() + (ms.size() > 1 ? 1 : 0), ms.end());
        std::sort(rest.begin(), rest.end());
        double med = rest[rest.size() / 2];
        std::string cm = k ? o.cmds[k - 1] : "SELECT " + o.mailbox;
        emit("\"cmd\":\"%s\",\"result\":\"%s\",\"reps\":%zu,\"fresh\":%s,\"first_ms\":%.2f,\"median_rest_ms\":%.2f,\"min_"
             "ms\":%.2f,\"bytes\":%llu,\"untagged\":%llu,\"MBps_first\":%.1f,\"MBps_median\":%.1f",
             esc(cm.substr(0, 120)).c_str(), k ? esc(finals[k].substr(0, 80)).c_str() : "OK", R.size(), o.fresh ? "true" : "false", first, med,
             *std::min_element(ms.begin(), ms.end()), (unsigned long long)R.back().bytes, (unsigned long long)R.back().untagged,
             (double)R[0].bytes / first / 1e3, (double)R.back().bytes / med / 1e3);
    }
}
static void w_imap_idle()
{ // hold --conns IDLE connections; --probe N measures APPEND-to-EXISTS push latency; --hold S seconds
    std::vector<Conn> cs((size_t)o.conns);
    double t0 = now_s();
    Conn* base = cs.data();
    int W = std::min(8, o.conns);
    std::vector<std::thread> t;
    for (int w = 0; w < W; w++)
        t.emplace_back([&, w] {
            for (int i = w; i < o.conns; i += W) {
                Conn& c = base[i];
                c.buf.resize(4096);
                imap_login(c, i);
                if (!o.noselect) imap_select(c, o.mailbox);
                std::string tag = c.newtag(), h;
                c.send(tag + " IDLE\r\n");
                while (c.imap_resp(h) && h[0] != '+') {
                }
            }
        });
    for (auto& x : t) x.join();
    double el = now_s() - t0;
    emit("\"phase\":\"ready\",\"n\":%d,\"secs\":%.3f,\"rate\":%.1f,\"unit\":\"idle-conns/s\"", o.conns, el, o.conns / el);
    if (!o.out.empty()) {
        if (FILE* f = fopen(o.out.c_str(), "w")) {
            fprintf(f, "ready %d\n", o.conns);
            fclose(f);
        }
    }
    if (o.probe) {
        Lat L;
        Conn a;
        int who = 0;
        imap_login(a, who);
        std::string h;
        int lost = 0;
        for (int k = 0; k < o.probe; k++) {
            std::string m = gen_message((uint64_t)(1000000 + k), "small");
            double ts = 0;
            std::string tag = a.newtag();
            a.send(tag + " APPEND \"" + o.mailbox + "\" {" + std::to_string(m.size()) + "}\r\n");
            a.imap_resp(h);
            ts = now_s();
            a.send(m + "\r\n");
            a.wait_tag(tag);
            bool got = false;
            double lim = now_s() + 10;
            while (now_s() < lim) {
                Conn& c = base[who];
                if (!c.pending()) {
                    pollfd p{c.fd, POLLIN, 0};
                    if (poll(&p, 1, 500) <= 0) continue;
                }
                if (!c.imap_resp(h)) break;
                if (h.find(" EXISTS") != h.npos) {
                    got = true;
                    break;
                }
            }
            if (got)
                L.add(now_s() - ts);
            else
                lost++;
            std::this_thread::sleep_for(std::chrono::milliseconds(137));
        }
        emit("\"phase\":\"push\",\"n\":%d,\"lost\":%d,\"p50_ms\":%.2f,\"p90_ms\":%.2f,\"max_ms\":%.2f", o.probe, lost, L.pct(50), L.pct(90), L.pct(100));
    }
    if (o.hold) std::this_thread::sleep_for(std::chrono::seconds(o.hold));
    int alive = 0;
    for (auto& c : cs) {
        char x;
        ssize_t n = recv(c.fd, &x, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))) alive++;
    }
    emit("\"phase\":\"end\",\"n\":%d,\"alive\":%d,\"held_s\":%d", o.conns, alive, o.hold);
}
// ---------------------------------------------------------------- workloads: POP3
static bool pop_ok(Conn& c)
{
    std::string_view l;
    return c.line(l) && !l.empty() && l[0] == '+';
}
static bool pop_login(Conn& c, int i)
{
    if (!c.open() || !pop_ok(c)) return false;
    c.send("USER " + subst(o.user, i) + "\r\n");
    if (!pop_ok(c)) return false;
    c.send("PASS " + o.pass + "\r\n");
    return pop_ok(c);
}
static void w_pop3_login()
{
    Tally T;
    if (o.secs <= 0) o.secs = 10;
    double el = run_threads([&](int i, std::atomic<bool>& stop) {
        Lat L;
        int k = i;
        while (!stop) {
            double t = now_s();
            Conn c;
            if (!pop_login(c, k)) {
                T.err++;
                k += o.conns;
                continue;
            }
            L.add(now_s() - t);
            T.ops++;
            c.send("QUIT\r\n");
            pop_ok(c);
            k += o.conns;
        }
        std::lock_guard g(T.mu);
        T.lat.merge(L);
    });
    emit_rate(T, el, "logins/s");
}
static void w_pop3_retr()
{ // STAT, UIDL, RETR every message (pipelined by --pipeline unless --no-pipelining), optional --delete
    std::atomic<uint64_t> msgs{0}, bytes{0};
    std::mutex mu;
    double lg = 0, ui = 0;
    double el = run_threads([&](int i, std::atomic<bool>&) {
        Conn c;
        double t = now_s();
        if (!pop_login(c, i)) die("pop3 login failed");
        std::string_view l;
        c.send("STAT\r\n");
        c.line(l);
        long n = strtol(std::string(l.substr(std::min<size_t>(4, l.size()))).c_str(), nullptr, 10);
        double t1 = now_s();
        c.send("UIDL\r\n");
        c.line(l);
        while (c.line(l) && l != ".") {
        }
        double t2 = now_s();
        {
            std::lock_guard g(mu);
            lg += t1 - t;
            ui += t2 - t1;
        }
        if (o.count && n > o.count && o.count != 1000) n = o.count;
        long win = o.nopipe ? 1 : o.pipeline, sent = 0, done = 0;
        while (done < n) {
            if (sent < n && sent - done <= win / 2) {
                std::string q;
                while (sent < n && sent - done < win) q += "RETR " + std::to_string(++sent) + "\r\n";
                c.send(q);
            }
            if (!c.line(l)) die("pop3 lost");
            if (l.empty() || l[0] != '+') die("RETR: %.*s", (int)l.size(), l.data());
            while (c.line(l) && l != ".") bytes += l.size() + 2;
            done++;
            msgs++;
        }
        if (o.del) {
            for (long k = 1; k <= n; k++) {
                c.send("DELE " + std::to_string(k) + "\r\n");
                pop_ok(c);
            }
        }
        c.send("QUIT\r\n");
        pop_ok(c);
    });
    emit("\"n\":%llu,\"secs\":%.3f,\"rate\":%.1f,\"unit\":\"msgs/"
         "s\",\"MBps\":%.2f,\"login_stat_ms\":%.1f,\"uidl_ms\":%.1f,\"pipelined\":%s",
         (unsigned long long)msgs, el, (double)msgs / el, (double)bytes / el / 1e6, lg * 1000 / o.conns, ui * 1000 / o.conns, o.nopipe ? "false" : "true");
}
// ---------------------------------------------------------------- workloads: SMTP / LMTP
static thread_local bool saw_pipelining = false; // set by the last EHLO/LHLO reply
static int smtp_reply(Conn& c, std::string* txt = nullptr)
{
    std::string_view l;
    for (;;) {
        if (!c.line(l) || l.size() < 3) return -1;
        if (l.size() >= 14 && l.substr(4, 10) == "PIPELINING") saw_pipelining = true;
        if (l.size() == 3 || l[3] == ' ') {
            if (txt) txt->assign(l);
            return atoi(std::string(l.substr(0, 3)).c_str());
        }
    }
}
static void w_smtp()
{ // --count messages over --conns sessions, --per-session messages per connection, envelope
                       // pipelined unless --no-pipelining
    Tally T;
    g_next = 0;
    const auto epoch = std::chrono::system_clock::now().time_since_epoch().count();
    std::string rc = o.rcpt.empty() ? "user%d@example.org" : o.rcpt;
    std::atomic<uint64_t> bytes{0};
    std::string firsterr;
    std::atomic<int> uctr{0};
    std::vector<std::string> pool;
    for (int k = 0; k < 64; k++) {
        std::string m = gen_message((uint64_t)k, o.profile), d;
        if (size_t p = m.find("Message-ID: "); p != m.npos) m.erase(p, m.find('\n', p) + 1 - p); // a unique one is sent below
        d.reserve(m.size() + 64);
        for (size_t p = 0; p < m.size(); p++) {
            if (m[p] == '.' && (p == 0 || m[p - 1] == '\n')) d += '.';
            d += m[p];
        }
        d += ".\r\n";
        pool.push_back(std::move(d));
    }
    double el = run_threads([&](int i, std::atomic<bool>& stop) {
        Lat L;
        bool more = true;
        int nobusy = 0;
        while (more) {
            Conn c;
            int r;
            std::string txt;
            auto bad = [&](const char* w) {
                T.err++;
                std::lock_guard g(T.mu);
                if (firsterr.empty()) firsterr = std::string(w) + ": " + txt;
            };
            if (!c.open() || (r = smtp_reply(c, &txt)) != 220) {
                bad("greeting");
                if (++nobusy > 20) break;
                continue;
            }
            saw_pipelining = false;
            c.send(std::string(o.lmtp ? "LHLO" : "EHLO") + " bench.example.org\r\n");
            if (smtp_reply(c, &txt) != 250) {
                bad("ehlo");
                if (++nobusy > 20) break;
                continue;
            }
            for (int s = 0; s < o.per_session; s++) {
                long k = g_next++;
                if (stop || (o.secs <= 0 && k >= o.count)) {
                    more = false;
                    break;
                }
                double t = now_s();
                std::vector<std::string> pre;
                pre.push_back("MAIL FROM:<" + o.from + ">\r\n");
                for (int q = 0; q < o.rcpts; q++) pre.push_back("RCPT TO:<" + subst(rc, uctr++) + ">\r\n");
                pre.push_back("DATA\r\n");
                bool ok = true;
                const bool pipe = !o.nopipe && saw_pipelining;
                if (pipe) {
                    std::string all;
                    for (auto& x : pre) all += x;
                    c.send(all);
                }
                for (auto& x : pre) {
                    if (!pipe) c.send(x);
                    r = smtp_reply(c, &txt);
                    bool want354 = x[0] == 'D';
                    if (want354 ? r != 354 : r / 100 != 2) ok = false;
                }
                if (!ok) {
                    bad("envelope");
                    if (r == 354) {
                        c.send(".\r\n");
                        smtp_reply(c, &txt);
                    }
                    if (++nobusy > 20) {
                        more = false;
                    }
                    break;
                }
        // every message differs (servers may suppress duplicate Message-IDs)
                char mid[96];
                snprintf(mid, sizeof mid, "Message-ID: <%ld.%d.%lld@bench.example.org>\r\n", k, (int)getpid(), (long long)epoch);
                const std::string d = mid + pool[(size_t)k % pool.size()];
                c.send(d);
                bytes += d.size();
                for (int q = 0; q < (o.lmtp ? o.rcpts : 1); q++)
                    if (smtp_reply(c, &txt) / 100 != 2) ok = false;
                L.add(now_s() - t);
                if (ok)
                    T.ops++;
                else {
                    bad("data");
                    if (++nobusy > 20) {
                        more = false;
                        break;
                    }
                }
            }
            c.send("QUIT\r\n");
            smtp_reply(c);
        }
        (void)i;
        std::lock_guard g(T.mu);
        T.lat.merge(L);
    });
    emit("\"proto\":\"%s\",\"n\":%llu,\"errors\":%llu,\"first_error\":\"%s\",\"rcpts\":%d,\"per_session\":%d,\"secs\":%."
         "3f,\"rate\":%.1f,\"unit\":\"msgs/s\",\"MBps\":%.2f,\"p50_ms\":%.3f,\"p99_ms\":%.3f",
         o.lmtp ? "lmtp" : "smtp", (unsigned long long)T.ops, (unsigned long long)T.err, esc(firsterr).c_str(), o.rcpts, o.per_session, el, (double)T.ops / el,
         (double)bytes / el / 1e6, T.lat.pct(50), T.lat.pct(99));
}
static void w_gen_mbox()
{ // mbox on stdout
    for (long k = 0; k < o.count; k++) {
        std::string m = gen_message((uint64_t)k, o.profile);
        printf("From sender@example.com Mon Jan  1 00:00:00 2024\n");
        std::string s;
        s.reserve(m.size());
        bool bol = true;
        for (char c : m) {
            if (c == '\r') continue;
            if (bol && c == 'F') {
                s += c;
                bol = false;
                continue;
            }
            s += c;
            bol = c == '\n';
        }
        fwrite(s.data(), 1, s.size(), stdout);
        putchar('\n');
    }
}
static void w_fsync()
{ // baseline of the storage under --out: write `profile` sized block + fdatasync, and
                        // create+write+fsync+rename
    std::string p = (o.out.empty() ? "." : o.out) + "/mailbench-fsync";
    Lat A, B;
    std::string blk(4096, 'x');
    int fd = open(p.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    if (fd < 0) die("open %s", p.c_str());
    for (long k = 0; k < o.count; k++) {
        double t = now_s();
        if (write(fd, blk.data(), blk.size()) < 0) die("write");
        fdatasync(fd);
        A.add(now_s() - t);
    }
    ::close(fd);
    unlink(p.c_str());
    double t0 = now_s();
    for (long k = 0; k < o.count; k++) {
        double t = now_s();
        std::string q = p + std::to_string(k);
        int f = open((q + ".tmp").c_str(), O_CREAT | O_WRONLY, 0600);
        if (write(f, blk.data(), blk.size()) < 0) die("write");
        fsync(f);
        ::close(f);
        rename((q + ".tmp").c_str(), q.c_str());
        B.add(now_s() - t);
    }
    double el = now_s() - t0;
    for (long k = 0; k < o.count; k++) unlink((p + std::to_string(k)).c_str());
    emit("\"n\":%ld,\"append4k_fdatasync_p50_ms\":%.3f,\"append4k_p99_ms\":%.3f,\"newfile_fsync_rename_p50_ms\":%.3f,"
         "\"newfile_p99_ms\":%.3f,\"newfile_rate\":%.1f",
         o.count, A.pct(50), A.pct(99), B.pct(50), B.pct(99), (double)o.count / el);
}
static const struct {
    const char* n;
    void (*f)();
    const char* d;
} W[] = {
    {"imap-login", w_imap_login, "connect+LOGIN+LOGOUT rate (--conns --secs --users --auth-plain)"},
    {"imap-noop", w_imap_noop, "round-trip rate of NOOP or --cmd (--conns --secs)"},
    {"imap-append", w_imap_append, "non-pipelined APPEND rate (--conns --count|--secs --profile --literal auto|sync|plus)"},
    {"imap-fill", w_imap_fill, "fill a mailbox quickly (--count --profile --mailbox)"},
    {"imap-cmd", w_imap_cmd, "time --cmd C [--cmd D ...] after SELECT (--repeat --fresh --no-select --conns)"},
    {"imap-idle", w_imap_idle, "hold --conns idle connections (--hold --probe N --out readyfile)"},
    {"pop3-login", w_pop3_login, "connect+USER/PASS+QUIT rate"},
    {"pop3-retr", w_pop3_retr, "STAT, UIDL, RETR all (--no-pipelining --delete)"},
    {"smtp", w_smtp, "messages/s (--lmtp --rcpt pat%d --users N --rcpts --per-session --count|--secs --no-pipelining --profile)"},
    {"gen-mbox", w_gen_mbox, "deterministic mbox on stdout (--count --profile)"},
    {"fsync", w_fsync, "fdatasync/fsync cost of a directory (--out DIR --count)"},
};
int main(int argc, char** argv)
{
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, nullptr, _IOLBF, 0);
    make_vocab();
    if (argc < 2 || std::string(argv[1]) == "help") {
        printf("mailbench WORKLOAD [--host H] [--port P] [--tls] [--user U | U%%d] [--users N] [--user-base B] [--pass P] "
               "[--label L]\n  [--conns C] [--secs S] [--count N] [--repeat R] [--mailbox M] [--profile "
               "small|mixed|fixed:BYTES] ...\n");
        for (auto& w : W) printf("  %-12s %s\n", w.n, w.d);
        return 0;
    }
    o.workload = argv[1];
    for (int i = 2; i < argc; i++) {
        std::string a = argv[i];
        auto v = [&]() -> std::string {
            if (i + 1 >= argc) die("%s needs a value", a.c_str());
            return argv[++i];
        };
        if (a == "--host")
            o.host = v();
        else if (a == "--port")
            o.port = atoi(v().c_str());
        else if (a == "--user")
            o.user = v();
        else if (a == "--pass")
            o.pass = v();
        else if (a == "--users")
            o.users = atoi(v().c_str());
        else if (a == "--user-base")
            o.userbase = atoi(v().c_str());
        else if (a == "--conns")
            o.conns = atoi(v().c_str());
        else if (a == "--secs")
            o.secs = atof(v().c_str());
        else if (a == "--count")
            o.count = atol(v().c_str());
        else if (a == "--repeat")
            o.repeat = atoi(v().c_str());
        else if (a == "--mailbox")
            o.mailbox = v();
        else if (a == "--profile")
            o.profile = v();
        else if (a == "--label")
            o.label = v();
        else if (a == "--cmd")
            o.cmds.push_back(v());
        else if (a == "--rcpt")
            o.rcpt = v();
        else if (a == "--rcpts")
            o.rcpts = atoi(v().c_str());
        else if (a == "--from")
            o.from = v();
        else if (a == "--per-session")
            o.per_session = atoi(v().c_str());
        else if (a == "--hold")
            o.hold = atoi(v().c_str());
        else if (a == "--probe")
            o.probe = atoi(v().c_str());
        else if (a == "--pipeline")
            o.pipeline = atoi(v().c_str());
        else if (a == "--literal")
            o.literal = v();
        else if (a == "--out")
            o.out = v();
        else if (a == "--tls")
            o.tls = true;
        else if (a == "--fresh")
            o.fresh = true;
        else if (a == "--lmtp")
            o.lmtp = true;
        else if (a == "--no-pipelining")
            o.nopipe = true;
        else if (a == "--delete")
            o.del = true;
        else if (a == "--condstore")
            o.condstore = true;
        else if (a == "--no-select")
            o.noselect = true;
        else if (a == "--auth-plain")
            o.authplain = true;
        else
            die("unknown option %s", a.c_str());
    }
    g_cpu0 = cpu_s();
    for (auto& w : W)
        if (o.workload == w.n) {
            w.f();
            return 0;
        }
    die("unknown workload %s (try help)", o.workload.c_str());
}
