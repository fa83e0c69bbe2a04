// What an envelope address means here: aliases, subaddresses (RFC 5233), postmaster and abuse (RFC 5321 §4.5.1, RFC 2142), catch-all.
#include <set>

#include "auth/directory_impl.hpp"

namespace mansio::auth {
namespace {
/// An alias that fans out further than this is refused as a loop.
constexpr std::size_t most_expanded = 10'000;
constexpr std::size_t no_parent = ~std::size_t{0};

/// One address on the way from the envelope to the mailboxes.
struct node {
    mime::mailbox_address address;  // canonical
    std::string detail;             // subaddress met on the way
    std::size_t parent = no_parent;
    std::uint64_t depth = 0;        // aliases passed
};

bool is_role(std::string_view local) { return local == "postmaster" || local == "abuse"; }

/// The expansion's state: a work list, no recursion.
struct expansion {
    directory::impl& dir;
    std::vector<node> nodes;
    std::set<std::string> seen;  // address and detail: a diamond delivers once
    resolution out;
    bool disabled = false, loop = false;

    explicit expansion(directory::impl& d) : dir(d) {}

    [[nodiscard]] bool is_ancestor(std::size_t from, mime::mailbox_address const& a) const
    {
        for (auto at = from; at != no_parent; at = nodes[at].parent)
            if (nodes[at].address == a) return true;
        return false;
    }

    void add_recipient(account_number n, std::string address, node const& at)
    {
        for (auto const& r : out.recipients)
            if (r.account == n && (n != 0 || r.address == address)) return;
        resolution::recipient r;
        r.account = n;
        r.address = std::move(address);
        r.detail = n != 0 ? at.detail : std::string{};
        r.forwarded = at.depth > 0;
        out.recipients.push_back(std::move(r));
    }

    void follow(std::size_t from, std::string const& target, std::string const& detail)
    {
        auto address = canonical_address(target);
        if (!address) return dir.log.warning("alias_target_unusable", {{"target", target}});
        if (is_ancestor(from, *address) || nodes[from].depth + 1 > dir.limits.alias_depth || nodes.size() >= most_expanded) {
            loop = true;
            return;
        }
        node next;
        next.address = std::move(*address);
        next.detail = detail;
        next.parent = from;
        next.depth = nodes[from].depth + 1;
        nodes.push_back(std::move(next));
    }
};

void take_row(expansion& x, std::size_t at, rows::address_row const& row, std::string const& detail)
{
    if (auto const* a = std::get_if<account>(&row)) {
        if (!a->enabled) {
            x.disabled = true;
            return;
        }
        x.nodes[at].detail = detail;
        x.add_recipient(a->number, a->address, x.nodes[at]);
        return;
    }
    for (auto const& t : std::get<alias>(row).targets) x.follow(at, t, detail);
}

/// The first administrator, else the first account: somebody reads what is sent to postmaster.
task<result<std::optional<account>>> caretaker(directory::impl& dir)
{
    for (std::string_view const prefix : {"m/", "n/"}) {
        // A few more than one, in case the first are disabled.
        auto const found = co_await dir.storage.scan(rows::partition, store::key_range::prefix(prefix), 16);
        if (!found) co_return fail(found);
        for (auto const& r : *found) {
            auto const n = rows::number_of(r.key);
            if (!n) continue;
            auto a = co_await dir.load_account(*n);
            if (!a) co_return fail(std::move(a));
            if (*a && (*a)->value.enabled) co_return std::move((*a)->value);
        }
    }
    co_return std::nullopt;
}

task<result<bool>> take_role(expansion& x, std::size_t at)
{
    auto const a = co_await caretaker(x.dir);
    if (!a) co_return fail(a);
    if (!*a) co_return false;
    x.add_recipient((*a)->number, (*a)->address, x.nodes[at]);
    co_return true;
}

/// Handles one address. False: nobody has it.
task<result<bool>> expand(expansion& x, std::size_t at, domain const& d)
{
    auto const address = x.nodes[at].address;
    auto const row = co_await x.dir.load_address(rows::address_key(address));
    if (!row) co_return fail(row);
    if (*row) {
        auto const detail = x.nodes[at].detail;  // a copy: the nodes move while targets are added
        take_row(x, at, **row, detail);
        co_return true;
    }
    auto base_name = address;
    if (auto const split = d.subaddress_separator != '\0' ? address.local.find(d.subaddress_separator) : std::string::npos;
        split != std::string::npos && split > 0)
    {
        base_name.local = address.local.substr(0, split);
        auto const detail = address.local.substr(split + 1);
        auto const base_row = co_await x.dir.load_address(rows::address_key(base_name));
        if (!base_row) co_return fail(base_row);
        if (*base_row) {
            take_row(x, at, **base_row, detail);
            co_return true;
        }
    }
    if (is_role(address.local) || is_role(base_name.local)) {
        auto const taken = co_await take_role(x, at);
        if (!taken || *taken) co_return taken;
    }
    if (d.catch_all) {
        // The catch-all's own domain may be this one: an account that is gone must not make it catch itself.
        auto const target = canonical_address(*d.catch_all);
        if (target && *target == address) co_return false;
        x.follow(at, *d.catch_all, {});
        co_return true;
    }
    co_return false;
}
}  // namespace

task<result<resolution>> directory::resolve(mime::mailbox_address address)
{
    expansion x{*impl_};
    node first;
    if (address.domain.empty()) {
        // RFC 5321 §4.5.1: RCPT TO:<postmaster>, without a domain, in any case.
        x.out.what = resolution::kind::elsewhere;
        if (!base::equal_ignoring_case(address.local, "postmaster")) co_return std::move(x.out);
        first.address.local = "postmaster";
        x.nodes.push_back(std::move(first));
        auto const taken = co_await take_role(x, 0);
        if (!taken) co_return fail(taken);
        x.out.what = *taken ? resolution::kind::local : resolution::kind::unknown;
        co_return std::move(x.out);
    }
    if (address.domain.starts_with('[')) {  // an address literal names no domain of ours
        x.out.what = resolution::kind::elsewhere;
        co_return std::move(x.out);
    }
    auto canonical = mime::canonical(address);
    if (!canonical) co_return fail(std::move(canonical));
    first.address = std::move(*canonical);
    x.nodes.push_back(std::move(first));

    for (std::size_t at = 0; at < x.nodes.size() && !x.loop; ++at) {
        auto const here = x.nodes[at].address;
        if (!x.seen.insert(here.text() + '\0' + x.nodes[at].detail).second) continue;
        auto const d = co_await impl_->load_domain(here.domain);
        if (!d) co_return fail(d);
        if (!*d) {
            if (at == 0) {
                x.out.what = resolution::kind::elsewhere;
                co_return std::move(x.out);
            }
            x.add_recipient(0, here.text(), x.nodes[at]);
            continue;
        }
        auto const found = co_await expand(x, at, **d);
        if (!found) co_return fail(found);
        if (!*found && at != 0) impl_->log.warning("alias_target_unknown", {{"alias", x.nodes[0].address.text()}, {"target", here.text()}});
    }
    if (x.loop) {
        x.out.recipients.clear();
        x.out.what = resolution::kind::loop;
    } else if (!x.out.recipients.empty()) {
        x.out.what = resolution::kind::local;
    } else {
        x.out.what = x.disabled ? resolution::kind::disabled : resolution::kind::unknown;
    }
    co_return std::move(x.out);
}

}  // namespace mansio::auth
