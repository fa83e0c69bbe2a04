#include "net/fetch.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/bytes.hpp"
#include "net/fetch_url.hpp"
#include "net/socket.hpp"

namespace mansio::net {
namespace {
using namespace std::chrono_literals;

constexpr std::size_t most_addresses = 4;  // tried of one name
constexpr int longest_poll_ms = 60'000;    // woken earlier by curl's own timers and by wake()

struct easy_free {
    void operator()(CURL* c) const noexcept { curl_easy_cleanup(c); }
};
struct list_free {
    void operator()(curl_slist* l) const noexcept { curl_slist_free_all(l); }
};
using field_list = std::unique_ptr<curl_slist, list_free>;

void append(field_list& to, std::string const& line)
{
    auto* const longer = curl_slist_append(to.get(), line.c_str());
    MANSIO_ASSERT(longer != nullptr);
    (void)to.release();
    to.reset(longer);
}

/// How one request to one address ended.
struct outcome {
    CURLcode code = CURLE_OK;
    enum class cut : std::uint8_t { no, header, body } over = cut::no;
    bool stopped = false;
    bool connected = false;  ///< the TLS handshake was done
    std::string why;
    std::string next;        ///< where a redirect leads
    fetch_response answer;
};

/// One request to one address. Filled by the caller, then curl's thread's alone until `done` is called.
struct transfer {
    fetch_request const& request;
    endpoint to;
    std::unique_ptr<CURL, easy_free> easy{curl_easy_init()};
    field_list fields, connect_to;
    std::array<char, CURL_ERROR_SIZE> error{};
    std::size_t header_octets = 0;
    outcome result;
    std::move_only_function<void(outcome)> done;

    transfer(fetch_request const& r, endpoint e) : request(r), to(e) { MANSIO_ASSERT(easy); }

    template <class T> void set(CURLoption option, T value) { MANSIO_ASSERT(curl_easy_setopt(easy.get(), option, value) == CURLE_OK); }

    static std::size_t take_body(char* data, std::size_t, std::size_t n, void* self) noexcept
    {
        auto& t = *static_cast<transfer*>(self);
        if (n > t.request.most_body - t.result.answer.body.size()) {
            t.result.over = outcome::cut::body;
            return CURL_WRITEFUNC_ERROR;
        }
        t.result.answer.body.append(data, n);
        return n;
    }

    static std::size_t take_field(char* data, std::size_t, std::size_t n, void* self) noexcept
    {
        auto& t = *static_cast<transfer*>(self);
        t.header_octets += n;  // those of interim answers and trailers too
        if (t.header_octets > t.request.most_header) {
            t.result.over = outcome::cut::header;
            return CURL_WRITEFUNC_ERROR;
        }
        std::string_view line{data, n};
        while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
        if (line.starts_with("HTTP/")) {  // a new header: what an interim answer said is over
            t.result.answer.fields.clear();
        } else if (auto const colon = line.find(':'); colon != std::string_view::npos) {
            t.result.answer.fields.emplace_back(line.substr(0, colon), base::trim_blanks(line.substr(colon + 1)));
        }
        return n;
    }

    /// The last look before a connection is made: only the one address that was asked of the gate.
    static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* a) noexcept
    {
        socket_address s;
        if (a->addrlen > sizeof s.storage) return CURL_SOCKET_BAD;
        std::copy_n(reinterpret_cast<char const*>(&a->addr), a->addrlen, reinterpret_cast<char*>(&s.storage));
        s.length = a->addrlen;
        if ((a->family != AF_INET && a->family != AF_INET6) || to_endpoint(s) != static_cast<transfer*>(self)->to) return CURL_SOCKET_BAD;
        return ::socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    }
};

void add_fields(transfer& t, fetch_options const& o)
{
    auto const& r = t.request;
    append(t.fields, "User-Agent: " + o.user_agent);
    append(t.fields, "Expect:");  // no waiting for a 100
    append(t.fields, "Accept:");
    for (auto const& [name, value] : r.fields) {
        constexpr std::string_view breaks{"\r\n\0", 3};
        MANSIO_ASSERT(!name.empty() && name.find_first_of(breaks) == std::string::npos && value.find_first_of(breaks) == std::string::npos);
        append(t.fields, value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
    }
    t.set(CURLOPT_HTTPHEADER, t.fields.get());
}

void set_method(transfer& t)
{
    auto const& r = t.request;
    if (r.method == "HEAD") {
        t.set(CURLOPT_NOBODY, 1L);
    } else if (r.method == "POST" || r.method == "PUT") {
        t.set(CURLOPT_POST, 1L);
        t.set(CURLOPT_POSTFIELDS, r.body.data());
        t.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.body.size()));
        if (r.method == "PUT") t.set(CURLOPT_CUSTOMREQUEST, "PUT");
    } else {
        t.set(CURLOPT_HTTPGET, 1L);
    }
}

void set_up(transfer& t, fetch_url const& url, fetch_options const& o, std::chrono::milliseconds left)
{
    auto const connect = std::min(left, t.request.connect);
    t.set(CURLOPT_CURLU, url.handle.get());
    t.set(CURLOPT_PRIVATE, &t);
    t.set(CURLOPT_ERRORBUFFER, t.error.data());
    t.set(CURLOPT_NOSIGNAL, 1L);
    t.set(CURLOPT_PROTOCOLS_STR, url.https ? "https" : "http");
    t.set(CURLOPT_FOLLOWLOCATION, 0L);
    t.set(CURLOPT_PROXY, "");  // whatever the environment says
    t.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    t.set(CURLOPT_ACCEPT_ENCODING, nullptr);
    t.set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    t.set(CURLOPT_FRESH_CONNECT, 1L);
    t.set(CURLOPT_FORBID_REUSE, 1L);
    t.set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
    t.set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect.count()));
    // Any host, any port: this address. curl has nothing to resolve then.
    append(t.connect_to, "::" + t.to.text());
    t.set(CURLOPT_CONNECT_TO, t.connect_to.get());
    t.set(CURLOPT_OPENSOCKETFUNCTION, &transfer::open_socket);
    t.set(CURLOPT_OPENSOCKETDATA, &t);
    t.set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    t.set(CURLOPT_SSL_VERIFYPEER, 1L);
    t.set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!o.ca_file.empty()) {
        t.set(CURLOPT_CAINFO, o.ca_file.c_str());
        t.set(CURLOPT_CAPATH, nullptr);  // that file alone
    }
    t.set(CURLOPT_WRITEFUNCTION, &transfer::take_body);
    t.set(CURLOPT_WRITEDATA, &t);
    t.set(CURLOPT_HEADERFUNCTION, &transfer::take_field);
    t.set(CURLOPT_HEADERDATA, &t);
    add_fields(t, o);
    set_method(t);
}

/// The thread that turns curl's crank.
class crank {
public:
    explicit crank(std::size_t most) : most_(most), multi_(curl_multi_init())
    {
        MANSIO_ASSERT(multi_ != nullptr);
        thread_ = std::thread{[this] { turn(); }};
        pthread_setname_np(thread_.native_handle(), "fetch");
    }
    ~crank()
    {
        stop();
        curl_multi_cleanup(multi_);
    }
    crank(crank const&) = delete;
    crank& operator=(crank const&) = delete;

    /// A place for one request. False: all are taken.
    [[nodiscard]] bool enter()
    {
        if (under_way_.fetch_add(1) < most_) return true;
        leave();
        return false;
    }
    void leave() { under_way_.fetch_sub(1); }

    void stop()
    {
        if (stopping_.exchange(true)) return;
        wake();
        thread_.join();
    }

    void start(std::unique_ptr<transfer> t)
    {
        {
            std::lock_guard const lock{mutex_};
            if (!ended_) {
                arrived_.push_back(std::move(t));
                wake();
                return;
            }
        }
        answer_stopped(*t);
    }

private:
    void wake() { curl_multi_wakeup(multi_); }
    static void answer_stopped(transfer& t)
    {
        t.result.stopped = true;
        t.done(std::move(t.result));
    }

    void turn()
    {
        while (!stopping_) {
            admit();
            int running = 0;
            MANSIO_ASSERT(curl_multi_perform(multi_, &running) == CURLM_OK);
            collect();
            MANSIO_ASSERT(curl_multi_poll(multi_, nullptr, 0, longest_poll_ms, nullptr) == CURLM_OK);
        }
        admit();
        {
            std::lock_guard const lock{mutex_};
            ended_ = true;
            for (auto& t : arrived_) turning_.emplace(t->easy.get(), std::move(t));
            arrived_.clear();
        }
        for (auto& [easy, t] : turning_) {
            curl_multi_remove_handle(multi_, easy);
            answer_stopped(*t);
        }
        turning_.clear();
    }

    void admit()
    {
        std::vector<std::unique_ptr<transfer>> fresh;
        {
            std::lock_guard const lock{mutex_};
            fresh.swap(arrived_);
        }
        for (auto& t : fresh) {
            auto* const easy = t->easy.get();
            MANSIO_ASSERT(curl_multi_add_handle(multi_, easy) == CURLM_OK);
            turning_.emplace(easy, std::move(t));
        }
    }

    void collect()
    {
        int left = 0;
        while (auto const* const m = curl_multi_info_read(multi_, &left)) {
            if (m->msg != CURLMSG_DONE) continue;
            auto* const easy = m->easy_handle;
            auto const code = m->data.result;  // gone with the handle
            auto node = turning_.extract(easy);
            MANSIO_ASSERT(!node.empty());
            curl_multi_remove_handle(multi_, easy);
            finish(*node.mapped(), code);
        }
    }

    static void finish(transfer& t, CURLcode code)
    {
        auto* const easy = t.easy.get();
        auto& r = t.result;
        long status = 0;
        curl_off_t handshake = 0;
        char const* next = nullptr;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &next);
        curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &handshake);
        r.code = code;
        r.connected = handshake > 0;
        r.why = t.error.front() != '\0' ? t.error.data() : curl_easy_strerror(code);
        r.answer.status = static_cast<unsigned>(status);
        if (next != nullptr) r.next = next;
        t.done(std::move(r));
    }

    std::size_t most_;
    std::atomic<std::size_t> under_way_{0};
    std::atomic<bool> stopping_{false};
    CURLM* multi_;
    std::mutex mutex_;
    bool ended_ = false;                                            // guarded
    std::vector<std::unique_ptr<transfer>> arrived_;                // guarded
    std::unordered_map<CURL*, std::unique_ptr<transfer>> turning_;  // the thread's alone
    std::thread thread_;
};

/// Worth another of the host's addresses: nothing was said to this one yet.
bool never_connected(outcome const& o)
{
    return !o.connected && (o.code == CURLE_COULDNT_CONNECT || o.code == CURLE_OPERATION_TIMEDOUT || o.code == CURLE_SSL_CONNECT_ERROR);
}

fault fault_of(outcome const& o)
{
    using kind = fault::kind;
    if (o.stopped) return {kind::closed, "the server is shutting down"};
    if (o.over == outcome::cut::body) return {kind::over_limit, "the answer is too large", "body"};
    if (o.over == outcome::cut::header) return {kind::over_limit, "the answer is too large", "header"};
    switch (o.code) {
    case CURLE_OPERATION_TIMEDOUT: return {kind::timeout, "the server did not answer in time", o.why};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR: return {kind::refused, std::string{certificate_not_trusted}, o.why};
    case CURLE_SSL_CACERT_BADFILE: return {kind::broken, "the file of trusted certificates cannot be read", o.why};
    case CURLE_COULDNT_CONNECT: return {kind::try_later, "the server cannot be reached", o.why};
    case CURLE_SSL_CONNECT_ERROR: return {kind::try_later, "the TLS handshake failed", o.why};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return {kind::syntax, "the server does not speak HTTP", o.why};
    default: return {kind::try_later, "the connection failed", o.why};
    }
}

bool is_redirect(outcome const& o)
{
    constexpr std::array<unsigned, 5> statuses{301, 302, 303, 307, 308};
    return !o.next.empty() && std::ranges::find(statuses, o.answer.status) != statuses.end();
}

class curl_fetcher final : public fetcher {
public:
    curl_fetcher(resolver& dns, egress_gate const& gate, base::log& log, base::metrics& m, fetch_options o)
        : dns_(dns),
          gate_(gate),
          log_(log),
          options_(std::move(o)),
          asked_(m.get_counter("mansio_fetches_total", "Requests to others' web servers.")),
          failures_(m.get_counter("mansio_fetch_failures_total", "Requests to others' web servers that got no answer.")),
          crank_(options_.most_under_way)
    {}

    task<result<fetch_response>> fetch(fetch_request r) override
    {
        asked_.add();
        if (!crank_.enter()) {
            failures_.add();
            co_return fail(fault::kind::over_limit, "the server is busy, try again later", "too many outgoing requests under way");
        }
        auto answered = co_await follow(r);
        crank_.leave();
        if (answered) {
            log_.debug("fetched", {{"url", answered->url}, {"status", answered->status}, {"octets", answered->body.size()}});
        } else {
            failures_.add();
            log_.debug("fetch_failed", {{"url", r.url}, {"why", answered.error()}});
        }
        co_return answered;
    }

    void stop() override { crank_.stop(); }

private:
    /// `r` is the caller's and outlives this.
    task<result<fetch_response>> follow(fetch_request& r)
    {
        auto url = parse_fetch_url(r.url, r.cleartext);
        if (!url) co_return fail(url);
        std::chrono::nanoseconds left = r.total;
        for (unsigned followed = 0;; ++followed) {
            auto const addresses = co_await addresses_of(*url);
            if (!addresses) co_return fail(addresses);
            auto got = co_await ask(r, *url, *addresses, left);
            if (got.code != CURLE_OK || got.stopped) co_return std::unexpected(fault_of(got));
            bool const may = followed < r.redirects && (r.method == "GET" || r.method == "HEAD");
            if (!may || !is_redirect(got)) {
                got.answer.url = url->text;
                co_return std::move(got.answer);
            }
            auto next = parse_fetch_url(got.next, r.cleartext && !url->https);
            if (!next) co_return fail(next);
            if (!next->same_origin(*url)) r.fields.clear();  // credentials are for whom they were meant
            url = std::move(next);
        }
    }

    /// What may be dialled, best first.
    task<result<std::vector<ip_address>>> addresses_of(fetch_url const& url)
    {
        std::vector<ip_address> all;
        if (url.address) {
            all.push_back(*url.address);
        } else {
            auto found = co_await dns_.addresses(url.host);
            if (found.status == dns_status::failed) co_return fail(fault::kind::try_later, "the name cannot be resolved now", url.host + ": " + found.why);
            if (found.records.empty()) co_return fail(fault::kind::not_found, "no such host", url.host);
            all = std::move(found.records);
        }
        // One address that is not to be dialled damns no other: the others are what the world sees.
        std::erase_if(all, [this](ip_address const& a) { return !gate_.permits(a); });
        if (all.empty()) co_return fail(fault::kind::refused, "the address may not be connected to", url.host + " has no global address");
        if (all.size() > most_addresses) all = a_few_of_both(all);
        co_return all;
    }

    /// The resolver gives IPv6 first: a host with many must not hide its IPv4 ones.
    static std::vector<ip_address> a_few_of_both(std::vector<ip_address> const& all)
    {
        auto const v4 = static_cast<std::size_t>(std::ranges::count_if(all, &ip_address::is_v4));
        auto const v4_places = std::min(v4, std::max(most_addresses / 2, most_addresses - std::min(most_addresses, all.size() - v4)));
        auto v6_left = most_addresses - v4_places, v4_left = v4_places;
        std::vector<ip_address> some;
        for (auto const& a : all) {
            auto& places = a.is_v4() ? v4_left : v6_left;
            if (places == 0) continue;
            --places;
            some.push_back(a);
        }
        return some;
    }

    /// One address after the other until one is connected to. `left` shrinks by the time used.
    task<outcome> ask(fetch_request const& r, fetch_url const& url, std::vector<ip_address> const& addresses, std::chrono::nanoseconds& left)
    {
        auto& clock = base::executor::current().clock();
        outcome last;
        last.code = CURLE_OPERATION_TIMEDOUT;
        last.why = "no time left";
        for (auto const& a : addresses) {
            auto const left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left);
            if (left_ms <= 0ms) break;
            auto t = std::make_unique<transfer>(r, endpoint{a, url.port});
            set_up(*t, url, options_, left_ms);
            auto const began = clock.monotonic();
            last = co_await run(std::move(t));
            left -= clock.monotonic() - began;
            if (last.stopped || !never_connected(last)) break;
        }
        co_return last;
    }

    task<outcome> run(std::unique_ptr<transfer> t)
    {
        auto& home = base::executor::current();
        home.left();
        auto ended = co_await base::await_callback<outcome>([this, &t](base::await_callback<outcome>::done done) {
            t->done = std::move(done);
            crank_.start(std::move(t));
        });
        home.came_back();
        co_return ended;
    }

    resolver& dns_;
    egress_gate const& gate_;
    base::log& log_;
    fetch_options options_;
    base::counter& asked_;
    base::counter& failures_;
    crank crank_;
};

}  // namespace

std::optional<std::string_view> fetch_response::field(std::string_view name) const noexcept
{
    for (auto const& f : fields)
        if (base::equal_ignoring_case(f.first, name)) return f.second;
    return std::nullopt;
}

std::unique_ptr<fetcher> make_fetcher(resolver& dns, egress_gate const& gate, base::log& log, base::metrics& m, fetch_options o)
{
    static std::once_flag once;
    std::call_once(once, [] { MANSIO_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
    return std::make_unique<curl_fetcher>(dns, gate, log, m, std::move(o));
}

}  // namespace mansio::net
