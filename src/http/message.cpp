#include "http/message.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include "base/bytes.hpp"

namespace mansio::http {
namespace beast = boost::beast::http;

std::optional<std::string_view> request::field(std::string_view name) const noexcept
{
    for (auto const& f : fields)
        if (base::equal_ignoring_case(f.first, name)) return f.second;
    return std::nullopt;
}

std::string_view reason(unsigned status) noexcept
{
    auto const text = beast::obsolete_reason(static_cast<beast::status>(status));
    return {text.data(), text.size()};
}

namespace {
void add_field(std::string& out, std::string_view name, std::string_view value)
{
    MANSIO_ASSERT(value.find_first_of("\r\n") == std::string_view::npos);
    out.append(name).append(": ").append(value).append("\r\n");
}
}  // namespace

std::string serialize(response const& r, bool keep_alive)
{
    std::string out = fmt::format("HTTP/1.1 {} {}\r\n", r.status, reason(r.status));
    add_field(out, "Content-Type", r.content_type);
    add_field(out, "Content-Length", std::to_string(r.body.size()));
    add_field(out, "X-Content-Type-Options", "nosniff");
    add_field(out, "Cache-Control", "no-store");
    add_field(out, "Connection", keep_alive ? "keep-alive" : "close");
    for (auto const& f : r.fields) add_field(out, f.first, f.second);
    return out + "\r\n" + r.body;
}

std::string serialize(request const& r, std::string_view host)
{
    std::string out = fmt::format("{} {}{}{} HTTP/1.1\r\n", r.method, r.path, r.query.empty() ? "" : "?", r.query);
    add_field(out, "Host", host);
    add_field(out, "Content-Length", std::to_string(r.body.size()));
    add_field(out, "Connection", r.keep_alive ? "keep-alive" : "close");
    for (auto const& f : r.fields) add_field(out, f.first, f.second);
    return out + "\r\n" + r.body;
}

struct message_parser::impl {
    std::optional<beast::request_parser<beast::string_body>> in;
    std::optional<beast::response_parser<beast::string_body>> out;
    template <class F> auto with(F f) { return in ? f(*in) : f(*out); }
};

message_parser::message_parser(side s, std::uint64_t max_header, std::uint64_t max_body) : impl_(std::make_unique<impl>())
{
    if (s == side::request)
        impl_->in.emplace();
    else
        impl_->out.emplace();
    impl_->with([&](auto& p) {
        p.header_limit(static_cast<std::uint32_t>(max_header));
        p.body_limit(max_body);
        p.eager(true);
    });
}
message_parser::~message_parser() = default;

result<std::size_t> message_parser::feed(std::string_view octets)
{
    boost::system::error_code error;
    auto const used = impl_->with([&](auto& p) { return p.put(boost::asio::const_buffer{octets.data(), octets.size()}, error); });
    if (error == beast::error::need_more || !error) return used;
    if (error == beast::error::header_limit) return fail(fault::kind::over_limit, "request header too large", "header");
    if (error == beast::error::body_limit) return fail(fault::kind::over_limit, "request body too large", "body");
    return fail(fault::kind::syntax, "malformed HTTP message", error.message());
}

result<void> message_parser::feed_end()
{
    boost::system::error_code error;
    impl_->with([&](auto& p) { p.put_eof(error); });
    if (error) return fail(fault::kind::syntax, "HTTP message cut short", error.message());
    return {};
}

bool message_parser::done() const noexcept
{
    return impl_->with([](auto& p) { return p.is_done(); });
}
bool message_parser::started() const noexcept
{
    return impl_->with([](auto& p) { return p.got_some(); });
}

request message_parser::take_request()
{
    auto message = impl_->in->release();
    request r;
    r.method = std::string{message.method_string()};
    std::string const target{message.target()};
    auto const mark = target.find('?');
    r.path = target.substr(0, mark);
    if (mark != std::string::npos) r.query = target.substr(mark + 1);
    for (auto const& f : message) r.fields.emplace_back(std::string{f.name_string()}, std::string{f.value()});
    r.keep_alive = message.keep_alive();
    r.body = std::move(message.body());
    return r;
}

response message_parser::take_response()
{
    auto message = impl_->out->release();
    response r;
    r.status = message.result_int();
    r.content_type = std::string{message[beast::field::content_type]};
    for (auto const& f : message) r.fields.emplace_back(std::string{f.name_string()}, std::string{f.value()});
    r.body = std::move(message.body());
    return r;
}

}  // namespace mansio::http
