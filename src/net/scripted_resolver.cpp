#include <map>
#include <mutex>

#include "net/dns_wire.hpp"

namespace mansio::net {
namespace {
template <class Record> using table = std::map<std::string, dns_answer<Record>>;

std::string key(std::string const& name) { return askable_name(name, name_of::anything).value_or(name); }

dns_answer<ip_address> of_family(dns_answer<ip_address> all, bool v4)
{
    if (std::erase_if(all.records, [v4](auto const& a) { return a.is_v4() != v4; }) != 0 && all.records.empty()) all.status = dns_status::no_data;
    return all;
}

template <class Record> dns_answer<Record> look_up(table<Record> const& t, std::string const& name)
{
    auto const at = t.find(key(name));
    return at == t.end() ? dns_without<Record>(dns_status::no_such_name) : at->second;
}
}  // namespace

struct scripted_resolver::state {
    std::mutex mutex;
    table<mx_record> mx;
    table<ip_address> addresses;
    table<std::string> txt;
    table<std::string> ptr;
    table<tlsa_record> tlsa;
    table<std::string> cname;
};

scripted_resolver::scripted_resolver() : state_(std::make_unique<state>()) {}
scripted_resolver::~scripted_resolver() = default;

void scripted_resolver::set_mx(std::string name, dns_answer<mx_record> a)
{
    std::lock_guard const lock{state_->mutex};
    state_->mx[key(name)] = std::move(a);
}
void scripted_resolver::set_addresses(std::string name, dns_answer<ip_address> a)
{
    std::lock_guard const lock{state_->mutex};
    state_->addresses[key(name)] = std::move(a);
}
void scripted_resolver::set_txt(std::string name, dns_answer<std::string> a)
{
    std::lock_guard const lock{state_->mutex};
    state_->txt[key(name)] = std::move(a);
}
void scripted_resolver::set_ptr(ip_address address, dns_answer<std::string> a)
{
    std::lock_guard const lock{state_->mutex};
    state_->ptr[reverse_name(address)] = std::move(a);
}
void scripted_resolver::set_tlsa(std::string name, dns_answer<tlsa_record> a)
{
    std::lock_guard const lock{state_->mutex};
    state_->tlsa[key(name)] = std::move(a);
}
void scripted_resolver::set_cname(std::string name, dns_answer<std::string> a)
{
    std::lock_guard const lock{state_->mutex};
    state_->cname[key(name)] = std::move(a);
}

task<dns_answer<mx_record>> scripted_resolver::mx(std::string name)
{
    std::lock_guard const lock{state_->mutex};
    co_return look_up(state_->mx, name);
}
task<dns_answer<ip_address>> scripted_resolver::addresses(std::string name)
{
    std::lock_guard const lock{state_->mutex};
    co_return look_up(state_->addresses, name);
}
task<dns_answer<ip_address>> scripted_resolver::ipv4(std::string name)
{
    std::lock_guard const lock{state_->mutex};
    co_return of_family(look_up(state_->addresses, name), true);
}
task<dns_answer<ip_address>> scripted_resolver::ipv6(std::string name)
{
    std::lock_guard const lock{state_->mutex};
    co_return of_family(look_up(state_->addresses, name), false);
}
task<dns_answer<std::string>> scripted_resolver::txt(std::string name)
{
    std::lock_guard const lock{state_->mutex};
    co_return look_up(state_->txt, name);
}
task<dns_answer<std::string>> scripted_resolver::ptr(ip_address address)
{
    std::lock_guard const lock{state_->mutex};
    co_return look_up(state_->ptr, reverse_name(address));
}
task<dns_answer<tlsa_record>> scripted_resolver::tlsa(std::string name)
{
    std::lock_guard const lock{state_->mutex};
    co_return look_up(state_->tlsa, name);
}
task<dns_answer<std::string>> scripted_resolver::cname(std::string name)
{
    std::lock_guard const lock{state_->mutex};
    co_return look_up(state_->cname, name);
}

}  // namespace mansio::net
