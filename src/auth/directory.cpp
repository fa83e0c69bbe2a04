#include "auth/directory.hpp"

#include <algorithm>

#include "auth/directory_impl.hpp"

namespace mansio::auth {
namespace {
constexpr std::size_t accounts_a_commit = 500;  // of the longest addresses still within the 1 MiB of a change
constexpr std::size_t most_targets = 1000;
constexpr std::size_t most_domains = 1U << 20U;
constexpr std::size_t slice = 1000;

store::row_change put(std::string key, std::string value) { return {std::move(key), std::move(value)}; }
store::row_change erase(std::string key) { return {std::move(key), std::nullopt}; }
std::unexpected<fault> no_such_account() { return fail(fault::kind::not_found, "no such account"); }
std::unexpected<fault> no_such_domain() { return fail(fault::kind::not_found, "no such domain"); }

/// A separator may not be a letter, digit or blank: "a" would split every second name.
bool good_separator(char c) { return c == '\0' || std::string_view{"+-_=.#~"}.find(c) != std::string_view::npos; }

result<domain> canonical_form(domain d)
{
    auto name = mime::canonical_domain(d.name);
    if (!name) return fail(std::move(name));
    if (!good_separator(d.subaddress_separator)) return fail(fault::kind::syntax, "the subaddress separator must be one of + - _ = . # ~");
    d.name = std::move(*name);
    if (d.catch_all) {
        auto const target = canonical_address(*d.catch_all);
        if (!target) return fail(target.error().what, target.error().say);
        d.catch_all = target->text();
    }
    return d;
}
}  // namespace

result<mime::mailbox_address> canonical_address(std::string_view text)
{
    auto const parsed = mime::parse_mailbox(text, true);
    if (!parsed) return std::unexpected(parsed.error());
    return mime::canonical(*parsed);
}

task<result<void>> directory::impl::commit(std::vector<store::key_guard> guards, std::vector<store::row_change> rows, std::string note)
{
    store::change c;
    c.where = rows::partition;
    c.id = store::change_id::make(random);
    c.guards = std::move(guards);
    c.rows = std::move(rows);
    c.note = std::move(note);
    auto const id = c.id;
    auto const done = co_await storage.commit(std::move(c));
    if (done) co_return result<void>{};
    if (done.error().what != fault::kind::timeout) co_return fail(done);
    // The acknowledgement was lost: the change id says whether it was applied.
    auto const version = co_await storage.committed_as(rows::partition, id);
    if (version && *version) co_return result<void>{};
    co_return fail(fault::kind::try_later, "try again later", describe(done.error()));
}

task<result<std::optional<domain>>> directory::impl::load_domain(std::string name)
{
    auto const row = co_await get(rows::domain_key(name));
    if (!row) co_return fail(row);
    if (!*row) co_return std::nullopt;
    auto d = rows::decode_domain(name, **row);
    if (!d) co_return fail(std::move(d));
    co_return std::move(*d);
}

task<result<std::optional<rows::address_row>>> directory::impl::load_address(std::string key)
{
    auto const row = co_await get(std::move(key));
    if (!row) co_return fail(row);
    if (!*row) co_return std::nullopt;
    auto a = rows::decode_address_row(**row);
    if (!a) co_return fail(std::move(a));
    co_return std::move(*a);
}

task<result<std::optional<directory::impl::stored_account>>> directory::impl::load_account(account_number n)
{
    auto const row = co_await get(rows::number_key(n));
    if (!row) co_return fail(row);
    if (!*row) co_return std::nullopt;
    auto const text = rows::decode_address(**row);
    if (!text) co_return fail(text);
    auto const address = canonical_address(*text);
    if (!address) co_return fail(fault::kind::broken, "internal error", "directory: an account's address is none");
    stored_account found;
    found.key = rows::address_key(*address);
    auto second = co_await get(found.key);
    if (!second) co_return fail(std::move(second));
    if (!*second) co_return std::nullopt;  // removed between the two reads
    found.row = std::move(**second);
    auto decoded = rows::decode_address_row(found.row);
    if (!decoded) co_return fail(std::move(decoded));
    auto* const a = std::get_if<account>(&*decoded);
    if (a == nullptr || a->number != n) co_return std::nullopt;
    found.value = std::move(*a);
    co_return std::move(found);
}

task<result<std::vector<store::row>>> directory::impl::scan_all(store::key_range range, std::size_t most)
{
    std::vector<store::row> all;
    while (true) {
        auto some = co_await storage.scan(rows::partition, range, slice);
        if (!some) co_return fail(std::move(some));
        auto const last = some->size() < slice;
        for (auto& r : *some) all.push_back(std::move(r));
        if (last) co_return std::move(all);
        if (all.size() >= most) co_return fail(fault::kind::over_limit, "too many rows to list at once");
        range.from = all.back().key + '\0';
    }
}

task<result<std::string>> directory::impl::key_of_user(std::string name)
{
    if (name.find('@') == std::string::npos) {
        // A bare name is one of the only domain's.
        auto const domains = co_await storage.scan(rows::partition, store::key_range::prefix("d/"), 2);
        if (!domains) co_return fail(domains);
        if (domains->size() != 1) co_return rows::no_address_key();
        name += "@" + domains->front().key.substr(2);
    }
    auto const address = canonical_address(name);
    co_return address ? rows::address_key(*address) : rows::no_address_key();
}

// Domains.

task<result<void>> directory::impl::do_add_domain(domain d)
{
    std::vector<store::key_guard> guards{{rows::domain_key(d.name), std::nullopt}};
    std::vector<store::row_change> changes;
    changes.push_back(put(rows::domain_key(d.name), rows::encode(d)));
    auto done = co_await commit(std::move(guards), std::move(changes), "add domain");
    ++pop3_generation;
    if (!done && done.error().what == fault::kind::conflict) co_return fail(fault::kind::conflict, "the domain exists");
    co_return done;
}

task<result<void>> directory::impl::do_update_domain(domain d)
{
    auto const key = rows::domain_key(d.name);
    auto const now = co_await get(key);
    if (!now) co_return fail(now);
    if (!*now) co_return no_such_domain();
    std::vector<store::key_guard> guards{{key, *now}};
    std::vector<store::row_change> changes;
    changes.push_back(put(key, rows::encode(d)));
    auto done = co_await commit(std::move(guards), std::move(changes), "update domain");
    ++pop3_generation;
    co_return done;
}

task<result<void>> directory::impl::do_remove_domain(std::string name)
{
    auto const key = rows::domain_key(name);
    auto const now = co_await get(key);
    if (!now) co_return fail(now);
    if (!*now) co_return no_such_domain();
    // Nobody adds an address meanwhile: every writer waits for its turn.
    auto const used = co_await storage.scan(rows::partition, store::key_range::prefix(rows::address_prefix(name)), 1);
    if (!used) co_return fail(used);
    if (!used->empty()) co_return fail(fault::kind::refused, "accounts or aliases still use this domain: remove them first");
    std::vector<store::key_guard> guards{{key, *now}};
    std::vector<store::row_change> changes;
    auto const keys = co_await scan_all(store::key_range::prefix(rows::signing_key_prefix(name)), slice);
    if (!keys) co_return fail(keys);
    for (auto const& k : *keys) changes.push_back(erase(k.key));
    changes.push_back(erase(key));
    auto done = co_await commit(std::move(guards), std::move(changes), "remove domain");
    ++pop3_generation;
    co_return done;
}

// Accounts.

task<result<std::vector<account>>> directory::impl::do_add_accounts(std::vector<account> wanted)
{
    std::vector<store::key_guard> guards;
    std::vector<store::row_change> changes;
    auto const counter = co_await get(rows::counters_key());
    if (!counter) co_return fail(counter);
    account_number next = 1;
    if (*counter) {
        auto const read = rows::decode_counters(**counter);
        if (!read) co_return fail(read);
        next = *read;
    }
    guards.push_back({rows::counters_key(), *counter});
    std::string known_domain;
    for (auto& a : wanted) {
        auto const address = canonical_address(a.address);
        if (!address) co_return fail(fault::kind::syntax, "not an address: " + base::printable(a.address, 80));
        if (address->domain != known_domain) {
            auto const domain_row = co_await get(rows::domain_key(address->domain));
            if (!domain_row) co_return fail(domain_row);
            if (!*domain_row) co_return no_such_domain();
            guards.push_back({rows::domain_key(address->domain), *domain_row});
            known_domain = address->domain;
        }
        a.number = next++;
        a.address = address->text();
        guards.push_back({rows::address_key(*address), std::nullopt});
        changes.push_back(put(rows::address_key(*address), rows::encode(a)));
        changes.push_back(put(rows::number_key(a.number), rows::encode_address(a.address)));
        changes.push_back(put(rows::intent_key(a.number), rows::encode_mark()));
        if (a.administrator) changes.push_back(put(rows::administrator_key(a.number), rows::encode_mark()));
    }
    changes.push_back(put(rows::counters_key(), rows::encode_counters(next)));
    auto const done = co_await commit(std::move(guards), std::move(changes), "add accounts");
    if (!done && done.error().what == fault::kind::conflict) co_return fail(fault::kind::conflict, "an account or alias has that address");
    if (!done) co_return fail(done);
    co_return std::move(wanted);
}

task<result<void>> directory::impl::do_accounts_ready(std::vector<account_number> which)
{
    std::vector<store::row_change> changes;
    changes.reserve(which.size());
    for (auto const n : which) changes.push_back(erase(rows::intent_key(n)));
    co_return co_await commit({}, std::move(changes), "accounts ready");
}

task<result<void>> directory::impl::do_update_account(account a)
{
    auto const now = co_await load_account(a.number);
    if (!now) co_return fail(now);
    if (!*now) co_return no_such_account();
    auto const& before = **now;
    if (!a.address.empty() && a.address != before.value.address) {
        auto const wanted = canonical_address(a.address);
        if (!wanted || wanted->text() != before.value.address) co_return fail(fault::kind::refused, "an account's address cannot change");
    }
    a.address = before.value.address;
    a.has_portal_password = before.value.has_portal_password;
    std::vector<store::key_guard> guards{{before.key, before.row}};
    std::vector<store::row_change> changes;
    changes.push_back(put(before.key, rows::encode(a)));
    if (a.administrator)
        changes.push_back(put(rows::administrator_key(a.number), rows::encode_mark()));
    else
        changes.push_back(erase(rows::administrator_key(a.number)));
    if (!a.pop3.empty())
        changes.push_back(put(rows::pop3_key(a.number), rows::encode(a.pop3)));
    else if (!before.value.pop3.empty())
        changes.push_back(erase(rows::pop3_key(a.number)));
    bool const other_pop3 = a.pop3 != before.value.pop3;
    auto done = co_await commit(std::move(guards), std::move(changes), "update account");
    if (other_pop3) ++pop3_generation;
    if (done && before.value.enabled != a.enabled && account_changed) account_changed(a.number, !a.enabled);
    co_return done;
}

task<result<void>> directory::impl::do_remove_account(account_number n)
{
    auto const now = co_await load_account(n);
    if (!now) co_return fail(now);
    if (!*now) co_return no_such_account();
    auto const& before = **now;
    std::vector<store::key_guard> guards{{before.key, before.row}};
    std::vector<store::row_change> changes;
    for (auto const& prefix : {rows::app_password_prefix(n), rows::last_use_prefix(n)}) {
        auto const credentials = co_await scan_all(store::key_range::prefix(prefix), slice);
        if (!credentials) co_return fail(credentials);
        for (auto const& r : *credentials) changes.push_back(erase(r.key));
    }
    changes.push_back(erase(before.key));
    changes.push_back(erase(rows::number_key(n)));
    changes.push_back(erase(rows::administrator_key(n)));
    changes.push_back(erase(rows::intent_key(n)));
    changes.push_back(erase(rows::portal_key(n)));
    changes.push_back(erase(rows::pop3_key(n)));
    auto done = co_await commit(std::move(guards), std::move(changes), "remove account");
    if (!before.value.pop3.empty()) ++pop3_generation;
    if (done && account_changed) account_changed(n, true);
    co_return done;
}

// Aliases.

task<result<void>> directory::impl::do_set_alias(alias a)
{
    auto const address = canonical_address(a.address);
    MANSIO_ASSERT(address.has_value());
    auto const key = rows::address_key(*address);
    auto const domain_row = co_await get(rows::domain_key(address->domain));
    if (!domain_row) co_return fail(domain_row);
    if (!*domain_row) co_return no_such_domain();
    auto const now = co_await get(key);
    if (!now) co_return fail(now);
    if (*now) {
        auto const what = rows::decode_address_row(**now);
        if (!what) co_return fail(what);
        if (std::holds_alternative<account>(*what)) co_return fail(fault::kind::conflict, "an account has that address");
    }
    std::vector<store::key_guard> guards{{rows::domain_key(address->domain), *domain_row}, {key, *now}};
    std::vector<store::row_change> changes;
    changes.push_back(put(key, rows::encode(a)));
    co_return co_await commit(std::move(guards), std::move(changes), "set alias");
}

task<result<void>> directory::impl::do_remove_alias(std::string text)
{
    auto const address = canonical_address(text);
    if (!address) co_return fail(fault::kind::syntax, address.error().say);
    auto const key = rows::address_key(*address);
    auto const now = co_await get(key);
    if (!now) co_return fail(now);
    if (!*now) co_return fail(fault::kind::not_found, "no such alias");
    auto const what = rows::decode_address_row(**now);
    if (!what) co_return fail(what);
    if (!std::holds_alternative<alias>(*what)) co_return fail(fault::kind::not_found, "no such alias");
    std::vector<store::key_guard> guards{{key, *now}};
    std::vector<store::row_change> changes;
    changes.push_back(erase(key));
    co_return co_await commit(std::move(guards), std::move(changes), "remove alias");
}

// The face.

directory::directory(store::engine& e, base::executor& owner, base::limits const& l, base::random& r, base::log& log)
    : impl_(std::make_unique<impl>(e, owner, l, r, log))
{}
directory::~directory() = default;

task<result<void>> directory::add_domain(domain d)
{
    auto good = canonical_form(std::move(d));
    if (!good) co_return fail(std::move(good));
    co_return co_await impl_->write(impl_->do_add_domain(std::move(*good)));
}

task<result<void>> directory::update_domain(domain d)
{
    auto good = canonical_form(std::move(d));
    if (!good) co_return fail(std::move(good));
    co_return co_await impl_->write(impl_->do_update_domain(std::move(*good)));
}

task<result<void>> directory::remove_domain(std::string name)
{
    auto canonical = mime::canonical_domain(name);
    if (!canonical) co_return no_such_domain();
    co_return co_await impl_->write(impl_->do_remove_domain(std::move(*canonical)));
}

task<result<std::vector<domain>>> directory::domains()
{
    auto const found = co_await impl_->scan_all(store::key_range::prefix("d/"), most_domains);
    if (!found) co_return fail(found);
    std::vector<domain> all;
    for (auto const& r : *found) {
        auto d = rows::decode_domain(std::string_view{r.key}.substr(2), r.value);
        if (!d) co_return fail(std::move(d));
        all.push_back(std::move(*d));
    }
    co_return std::move(all);
}

task<result<std::optional<domain>>> directory::find_domain(std::string name)
{
    auto canonical = mime::canonical_domain(name);
    if (!canonical) co_return std::nullopt;
    co_return co_await impl_->load_domain(std::move(*canonical));
}

task<result<bool>> directory::is_local_domain(std::string name)
{
    auto const found = co_await find_domain(std::move(name));
    if (!found) co_return fail(found);
    co_return found->has_value();
}

task<result<account>> directory::add_account(std::string address, std::string display_name, std::uint64_t quota_octets, bool administrator)
{
    account a;
    a.address = std::move(address);
    a.display_name = std::move(display_name);
    a.quota_octets = quota_octets;
    a.administrator = administrator;
    std::vector<account> one;
    one.push_back(std::move(a));
    auto added = co_await impl_->write(impl_->do_add_accounts(std::move(one)));
    if (!added) co_return fail(std::move(added));
    co_return std::move(added->front());
}

task<result<std::vector<account>>> directory::add_accounts(std::vector<std::string> addresses, std::uint64_t quota_octets)
{
    std::vector<account> all;
    for (std::size_t at = 0; at < addresses.size(); at += accounts_a_commit) {
        std::vector<account> some;
        for (auto i = at; i < addresses.size() && i < at + accounts_a_commit; ++i) {
            account a;
            a.address = std::move(addresses[i]);
            a.quota_octets = quota_octets;
            some.push_back(std::move(a));
        }
        auto added = co_await impl_->write(impl_->do_add_accounts(std::move(some)));
        if (!added) co_return fail(std::move(added));
        for (auto& a : *added) all.push_back(std::move(a));
    }
    co_return std::move(all);
}

task<result<void>> directory::account_ready(account_number n) { return accounts_ready({n}); }

task<result<void>> directory::accounts_ready(std::vector<account_number> which)
{
    for (std::size_t at = 0; at < which.size(); at += accounts_a_commit) {
        auto const end = std::min(which.size(), at + accounts_a_commit);
        std::vector<account_number> some(which.begin() + static_cast<std::ptrdiff_t>(at), which.begin() + static_cast<std::ptrdiff_t>(end));
        auto done = co_await impl_->write(impl_->do_accounts_ready(std::move(some)));
        if (!done) co_return done;
    }
    co_return result<void>{};
}

task<result<std::vector<account>>> directory::pending_accounts()
{
    auto const found = co_await impl_->scan_all(store::key_range::prefix("i/"), most_domains);
    if (!found) co_return fail(found);
    std::vector<account> all;
    for (auto const& r : *found) {
        auto const n = rows::number_of(r.key);
        if (!n) continue;
        auto a = co_await impl_->load_account(*n);
        if (!a) co_return fail(std::move(a));
        if (*a) all.push_back(std::move((*a)->value));
    }
    co_return std::move(all);
}

task<result<void>> directory::update_account(account a) { return impl_->write(impl_->do_update_account(std::move(a))); }
task<result<void>> directory::remove_account(account_number n) { return impl_->write(impl_->do_remove_account(n)); }

task<result<std::vector<account>>> directory::list_accounts(std::string after, std::size_t limit)
{
    auto range = store::key_range::prefix("a/");
    if (!after.empty()) {
        auto const address = canonical_address(after);
        if (!address) co_return fail(fault::kind::syntax, address.error().say);
        range.from = rows::address_key(*address) + '\0';
    }
    std::vector<account> all;
    while (all.size() < limit) {
        auto const some = co_await impl_->storage.scan(rows::partition, range, slice);
        if (!some) co_return fail(some);
        for (auto const& r : *some) {
            auto row = rows::decode_address_row(r.value);
            if (!row) co_return fail(std::move(row));
            if (auto* const a = std::get_if<account>(&*row); a != nullptr && all.size() < limit) all.push_back(std::move(*a));
        }
        if (some->size() < slice) break;
        range.from = some->back().key + '\0';
    }
    co_return std::move(all);
}

task<result<std::optional<account>>> directory::find_account(std::string address)
{
    auto key = co_await impl_->key_of_user(std::move(address));
    if (!key) co_return fail(std::move(key));
    auto row = co_await impl_->load_address(std::move(*key));
    if (!row) co_return fail(std::move(row));
    if (!*row || !std::holds_alternative<account>(**row)) co_return std::nullopt;
    co_return std::get<account>(std::move(**row));
}

task<result<std::optional<account>>> directory::account_by_number(account_number n)
{
    auto a = co_await impl_->load_account(n);
    if (!a) co_return fail(std::move(a));
    if (!*a) co_return std::nullopt;
    co_return std::move((*a)->value);
}

task<result<std::vector<pop3_settings>>> directory::accounts_with_pop3_settings()
{
    auto const found = co_await impl_->scan_all(store::key_range::prefix("e/"), most_domains);
    if (!found) co_return fail(found);
    std::vector<pop3_settings> all;
    for (auto const& r : *found) {
        auto const s = rows::decode_pop3_settings(r.value);
        if (!s) co_return fail(s);
        if (std::ranges::find(all, *s) == all.end()) all.push_back(*s);  // few different ones
    }
    co_return std::move(all);
}

task<result<void>> directory::set_alias(alias a)
{
    auto const address = canonical_address(a.address);
    if (!address) co_return fail(fault::kind::syntax, address.error().say);
    if (a.targets.empty()) co_return fail(fault::kind::syntax, "an alias needs at least one target");
    if (a.targets.size() > most_targets) co_return fail(fault::kind::over_limit, "an alias has at most 1,000 targets");
    a.address = address->text();
    std::size_t octets = 0;
    for (auto& t : a.targets) {
        auto const target = canonical_address(t);
        if (!target) co_return fail(fault::kind::syntax, "not an address: " + base::printable(t, 80));
        t = target->text();
        octets += t.size();
    }
    if (octets > (512U << 10U)) co_return fail(fault::kind::over_limit, "the alias is too large");
    co_return co_await impl_->write(impl_->do_set_alias(std::move(a)));
}

task<result<void>> directory::remove_alias(std::string address) { return impl_->write(impl_->do_remove_alias(std::move(address))); }

task<result<std::vector<alias>>> directory::aliases()
{
    auto const found = co_await impl_->scan_all(store::key_range::prefix("a/"), std::size_t{4} << 20U);
    if (!found) co_return fail(found);
    std::vector<alias> all;
    for (auto const& r : *found) {
        auto row = rows::decode_address_row(r.value);
        if (!row) co_return fail(std::move(row));
        if (auto* const a = std::get_if<alias>(&*row)) all.push_back(std::move(*a));
    }
    co_return std::move(all);
}

}  // namespace mansio::auth
