#include "auth/sign_in.hpp"

#include <algorithm>
#include <array>

#include "auth/app_password.hpp"
#include "auth/directory_impl.hpp"
#include "auth/last_use.hpp"
#include "auth/passwords.hpp"
#include "auth/revocations.hpp"

namespace mansio::auth {
namespace {
/// No account has it: its rows are looked up when the user is unknown, so that unknown and known cost the same (A2).
constexpr account_number nobody = ~account_number{0};
constexpr std::size_t shared_a_commit = 2000;
constexpr store::rights read_only_rights =
    static_cast<store::rights>(store::right::lookup) | static_cast<store::rights>(store::right::read) | static_cast<store::rights>(store::right::keep_seen);

std::string_view name_of(protocol p) noexcept
{
    switch (p) {
    case protocol::imap: return "imap";
    case protocol::pop3: return "pop3";
    case protocol::submission: return "submission";
    case protocol::admin: return "admin";
    }
    return "?";
}

/// The one answer to every failed sign-in: same words whoever asks for whom.
std::unexpected<fault> authentication_failed(std::string_view why) { return fail(fault::kind::refused, "authentication failed", std::string{why}); }
std::unexpected<fault> not_now(fault const& f) { return fail(fault::kind::try_later, "temporary authentication failure", describe(f)); }

struct door_counters {
    base::counter* accepted = nullptr;
    base::counter* refused = nullptr;
};
}  // namespace

struct sign_in::impl {
    directory& people;
    directory::impl& dir;
    store::engine& storage;
    base::limits const& limits;
    base::random& random;
    base::log& log;
    std::string app_key, portal_key;
    std::shared_ptr<revocations> sessions;
    std::shared_ptr<last_uses> uses;
    base::worker_pool burners;
    base::counter &malformed, &hmacs, &argons, &pool_full, &too_many;
    std::array<door_counters, 4> doors;

    impl(directory& d, store::engine& e, base::executor& owner, std::string_view pepper, base::limits const& l, base::random& r, base::log& g, base::metrics& m)
        : people(d),
          dir(d.get()),
          storage(e),
          limits(l),
          random(r),
          log(g),
          app_key(derive_key(pepper, "mansio app password 1")),
          portal_key(derive_key(pepper, "mansio portal password 1")),
          sessions(std::make_shared<revocations>(owner.clock())),
          uses(std::make_shared<last_uses>(d.get())),
          burners("argon2", 2, l.argon2_waiting),
          malformed(m.get_counter("mansio_auth_malformed_total", "secrets that have not the shape of an app password")),
          hmacs(m.get_counter("mansio_auth_hashes_total", "password hashes computed", "kind=\"hmac\"")),
          argons(m.get_counter("mansio_auth_hashes_total", "password hashes computed", "kind=\"argon2id\"")),
          pool_full(m.get_counter("mansio_auth_pool_full_total", "portal password checks refused because too many wait")),
          too_many(m.get_counter("mansio_auth_limit_refusals_total", "app passwords refused because the account has enough"))
    {
        std::size_t i = 0;
        for (auto const p : {protocol::imap, protocol::pop3, protocol::submission, protocol::admin}) {
            auto const door = "door=\"" + std::string{name_of(p)} + "\",outcome=";
            doors[i].accepted = &m.get_counter("mansio_auth_sign_ins_total", "sign-ins", door + "\"accepted\"");
            doors[i].refused = &m.get_counter("mansio_auth_sign_ins_total", "sign-ins", door + "\"refused\"");
            ++i;
        }
        dir.account_changed = [s = sessions](account_number n, bool closed) {
            if (closed)
                s->end_all(n);
            else
                s->reopen(n);
        };
    }
    ~impl()
    {
        uses->close();
        dir.account_changed = nullptr;
    }

    door_counters& counters_of(protocol p)
    {
        switch (p) {
        case protocol::imap: return doors[0];
        case protocol::pop3: return doors[1];
        case protocol::submission: return doors[2];
        case protocol::admin: break;
        }
        return doors[3];
    }
    [[nodiscard]] std::int64_t now() const { return std::chrono::floor<std::chrono::seconds>(dir.owner.clock().wall()).time_since_epoch().count(); }

    std::unexpected<fault> refuse(std::string_view event, std::string const& user, source const& from, std::string_view why);
    task<result<signed_in>> check(std::string user, std::string secret, source from);
    task<result<account>> check_portal(std::string user, std::string password, source from);
    task<result<bool>> verify_portal(rows::portal_password stored, std::string prepared);
    [[nodiscard]] std::string portal_input(std::string_view prepared) const { return derive_key(portal_key, prepared); }

    task<result<void>> do_set_portal(account_number n, rows::portal_password p);
    task<result<made>> do_add_app_password(account_number n, rows::app_password p);
    task<result<void>> do_add_shared(std::vector<account_number> who, std::string name, std::string secret);
    task<result<void>> do_revoke(account_number n, std::string id);
    task<result<std::vector<app_password_info>>> list(account_number n);
};

std::unexpected<fault> sign_in::impl::refuse(std::string_view event, std::string const& user, source const& from, std::string_view why)
{
    counters_of(from.door).refused->add();
    log.info(event, {{"session", from.session}, {"door", name_of(from.door)}, {"peer", from.peer}, {"user", user}, {"reason", why}});
    return authentication_failed(why);
}

task<result<signed_in>> sign_in::impl::check(std::string user, std::string secret, source from)
{
    // trust.md §0.4: what is no app password (a portal password, a guess) costs no hash and no look-up, whoever it is tried for.
    if (!is_app_password_shape(secret)) {
        malformed.add();
        co_return refuse("sign_in_refused", user, from, "not an app password");
    }
    // From here every try does the same: one HMAC, the address's row, the credential's row (A2).
    auto key = co_await dir.key_of_user(user);
    if (!key) co_return not_now(key.error());
    auto const row = co_await dir.load_address(std::move(*key));
    if (!row) co_return not_now(row.error());
    auto const* const who = *row ? std::get_if<account>(&**row) : nullptr;
    auto const number = who != nullptr ? who->number : nobody;
    hmacs.add();
    auto const credential_key = rows::app_password_key(number, app_password_hmac(app_key, number, secret));
    auto const credential = co_await dir.get(credential_key);
    if (!credential) co_return not_now(credential.error());

    if (who == nullptr) co_return refuse("sign_in_refused", user, from, "unknown user");
    if (!*credential) co_return refuse("sign_in_refused", user, from, "wrong secret");
    auto const p = rows::decode_app_password(**credential);
    if (!p) co_return not_now(p.error());
    if (!who->enabled) co_return refuse("sign_in_refused", user, from, "account disabled");
    if (p->expires != 0 && now() >= p->expires) co_return refuse("sign_in_refused", user, from, "app password expired");
    if ((p->scope & static_cast<protocols>(from.door)) == 0) co_return refuse("sign_in_refused", user, from, "app password is not for this protocol");
    if (p->read_only && from.door == protocol::submission) co_return refuse("sign_in_refused", user, from, "a read-only app password sends no mail");

    rows::last_use use;
    use.when = now();
    use.peer = from.peer;
    use.door = static_cast<std::uint8_t>(from.door);
    uses->note(number, p->id, credential_key, std::move(use));
    counters_of(from.door).accepted->add();
    log.info("signed_in", {{"session", from.session}, {"door", name_of(from.door)}, {"peer", from.peer}, {"account", who->address}, {"credential", p->id}});
    signed_in in;
    in.account = number;
    in.address = who->address;
    in.imap_off = who->imap_off;
    in.who = store::principal::person(number, who->address, p->read_only ? read_only_rights : store::all_rights, p->id);
    co_return std::move(in);
}

task<result<bool>> sign_in::impl::verify_portal(rows::portal_password stored, std::string prepared)
{
    argons.add();
    auto input = portal_input(prepared);
    auto burn = burners.run([stored, input = std::move(input)] { return argon2id(input, stored.salt, stored.memory_kib, stored.passes); });
    auto const ran = co_await std::move(burn);
    if (!ran) {
        pool_full.add();
        co_return fail(ran);
    }
    if (!*ran) co_return fail(*ran);
    co_return base::equal_constant_time(**ran, stored.hash);
}

task<result<account>> sign_in::impl::check_portal(std::string user, std::string password, source from)
{
    auto key = co_await dir.key_of_user(user);
    if (!key) co_return not_now(key.error());
    auto const row = co_await dir.load_address(std::move(*key));
    if (!row) co_return not_now(row.error());
    auto const* const who = *row ? std::get_if<account>(&**row) : nullptr;
    auto const stored_row = co_await dir.get(rows::portal_key(who != nullptr ? who->number : nobody));
    if (!stored_row) co_return not_now(stored_row.error());
    auto const prepared = prepare_password(password);

    // No account, no password, an impossible one: the same pass over the same memory, and the same no.
    rows::portal_password stored;
    stored.memory_kib = argon2_memory_kib;
    stored.passes = argon2_passes;
    stored.salt.assign(16, '\0');
    stored.hash.assign(32, '\0');
    bool possible = who != nullptr && prepared.has_value();
    if (*stored_row) {
        auto decoded = rows::decode_portal_password(**stored_row);
        if (!decoded) co_return not_now(decoded.error());
        stored = std::move(*decoded);
    } else {
        possible = false;
    }
    auto const right = co_await verify_portal(std::move(stored), prepared ? *prepared : std::string{"-"});
    if (!right) co_return not_now(right.error());
    if (!possible || !*right) co_return refuse("portal_sign_in_refused", user, from, possible ? "wrong password" : "no such account or no password");
    if (!who->enabled) co_return refuse("portal_sign_in_refused", user, from, "account disabled");
    counters_of(from.door).accepted->add();
    log.info("portal_signed_in", {{"session", from.session}, {"peer", from.peer}, {"account", who->address}});
    co_return *who;
}

task<result<void>> sign_in::impl::do_set_portal(account_number n, rows::portal_password p)
{
    auto const now_stored = co_await dir.load_account(n);
    if (!now_stored) co_return fail(now_stored);
    if (!*now_stored) co_return fail(fault::kind::not_found, "no such account");
    auto const before = **now_stored;
    auto after = before.value;
    after.has_portal_password = true;
    std::vector<store::key_guard> guards{{before.key, before.row}};
    std::vector<store::row_change> changes;
    changes.push_back({before.key, rows::encode(after)});
    changes.push_back({rows::portal_key(n), rows::encode(p)});
    bool const changing = before.value.has_portal_password;
    std::vector<std::string> ended;
    if (changing) {  // trust.md §3.3 (c): a changed password ends every credential made under the old one
        for (auto const& prefix : {rows::app_password_prefix(n), rows::last_use_prefix(n)}) {
            auto const found = co_await dir.scan_all(store::key_range::prefix(prefix), 1000);
            if (!found) co_return fail(found);
            for (auto const& r : *found) {
                changes.push_back({r.key, std::nullopt});
                if (auto const p_row = rows::decode_app_password(r.value); p_row && r.key.starts_with("k/")) ended.push_back(p_row->id);
            }
        }
    }
    auto done = co_await dir.commit(std::move(guards), std::move(changes), "set portal password");
    if (done && changing) {
        for (auto const& id : ended) sessions->end(n, id);
        sessions->end_all(n);
        if (before.value.enabled) sessions->reopen(n);  // those open are cut; new credentials open new ones
        log.info("portal_password_changed", {{"account", before.value.address}});
    }
    co_return done;
}

task<result<sign_in::made>> sign_in::impl::do_add_app_password(account_number n, rows::app_password p)
{
    auto const owner = co_await dir.load_account(n);
    if (!owner) co_return fail(owner);
    if (!*owner) co_return fail(fault::kind::not_found, "no such account");
    auto const existing = co_await dir.scan_all(store::key_range::prefix(rows::app_password_prefix(n)), 1000);
    if (!existing) co_return fail(existing);
    if (existing->size() >= limits.app_passwords) {
        too_many.add();
        co_return fail(fault::kind::over_limit, "this account has " + std::to_string(limits.app_passwords) + " app passwords: revoke one first");
    }
    made out;
    out.secret = make_app_password(random);
    p.id = make_app_password_id(random);
    hmacs.add();
    auto const key = rows::app_password_key(n, app_password_hmac(app_key, n, out.secret));
    std::vector<store::key_guard> guards{{(*owner)->key, (*owner)->row}, {key, std::nullopt}};
    std::vector<store::row_change> changes;
    changes.push_back({key, rows::encode(p)});
    auto const done = co_await dir.commit(std::move(guards), std::move(changes), "add app password");
    if (!done) co_return fail(done);
    out.info.id = p.id;
    out.info.name = p.name;
    out.info.scope = p.scope;
    out.info.read_only = p.read_only;
    out.info.created = p.created;
    out.info.expires = p.expires;
    co_return std::move(out);
}

task<result<void>> sign_in::impl::do_add_shared(std::vector<account_number> who, std::string name, std::string secret)
{
    std::vector<store::row_change> changes;
    rows::app_password p;
    p.name = std::move(name);
    p.scope = all_mail_protocols;
    p.created = now();
    for (auto const n : who) {
        auto key = rows::app_password_key(n, app_password_hmac(app_key, n, secret));
        auto const there = co_await dir.get(key);
        if (!there) co_return fail(there);
        if (*there) continue;  // this secret opens the account already
        p.id = make_app_password_id(random);
        changes.push_back({std::move(key), rows::encode(p)});
    }
    if (changes.empty()) co_return result<void>{};
    co_return co_await dir.commit({}, std::move(changes), "add shared app password");
}

task<result<void>> sign_in::impl::do_revoke(account_number n, std::string id)
{
    auto const all = co_await dir.scan_all(store::key_range::prefix(rows::app_password_prefix(n)), 1000);
    if (!all) co_return fail(all);
    for (auto const& r : *all) {
        auto const p = rows::decode_app_password(r.value);
        if (!p || p->id != id) continue;
        std::vector<store::key_guard> guards{{r.key, r.value}};
        std::vector<store::row_change> changes;
        changes.push_back({r.key, std::nullopt});
        changes.push_back({rows::last_use_key(n, id), std::nullopt});
        auto done = co_await dir.commit(std::move(guards), std::move(changes), "revoke app password");
        if (done) {
            sessions->end(n, id);
            log.info("app_password_revoked", {{"account", n}, {"credential", id}});
        }
        co_return done;
    }
    co_return fail(fault::kind::not_found, "no such app password");
}

task<result<std::vector<app_password_info>>> sign_in::impl::list(account_number n)
{
    auto const found = co_await dir.scan_all(store::key_range::prefix(rows::app_password_prefix(n)), 1000);
    if (!found) co_return fail(found);
    std::vector<app_password_info> all;
    for (auto const& r : *found) {
        auto p = rows::decode_app_password(r.value);
        if (!p) co_return fail(std::move(p));
        app_password_info info;
        auto use = uses->pending(n, p->id);
        if (!use) {
            auto const row = co_await dir.get(rows::last_use_key(n, p->id));
            if (!row) co_return fail(row);
            if (*row) {
                auto decoded = rows::decode_last_use(**row);
                if (!decoded) co_return fail(std::move(decoded));
                use = std::move(*decoded);
            }
        }
        if (use) {
            info.last_used = use->when;
            info.last_peer = use->peer;
            info.last_protocol = name_of(static_cast<protocol>(use->door));
        }
        info.id = std::move(p->id);
        info.name = std::move(p->name);
        info.scope = p->scope;
        info.read_only = p->read_only;
        info.created = p->created;
        info.expires = p->expires;
        all.push_back(std::move(info));
    }
    std::ranges::sort(all, {}, [](app_password_info const& i) { return std::pair{i.created, i.id}; });
    co_return std::move(all);
}

sign_in::sign_in(directory& d, store::engine& e, base::executor& owner, std::string pepper, base::limits const& l, base::random& r, base::log& log,
                 base::metrics& m)
    : impl_(std::make_unique<impl>(d, e, owner, pepper, l, r, log, m))
{
    MANSIO_ASSERT(pepper.size() >= 32);
}
sign_in::~sign_in() = default;

task<void> sign_in::stop()
{
    impl_->uses->close();
    co_await last_uses::flush(impl_->uses);
}

task<result<signed_in>> sign_in::check(std::string user, std::string secret, source from)
{
    return impl_->check(std::move(user), std::move(secret), std::move(from));
}
task<result<account>> sign_in::check_portal_password(std::string user, std::string password, source from)
{
    return impl_->check_portal(std::move(user), std::move(password), std::move(from));
}

task<result<void>> sign_in::set_portal_password(account_number n, std::string password)
{
    auto const who = co_await impl_->people.account_by_number(n);
    if (!who) co_return fail(who);
    if (!*who) co_return fail(fault::kind::not_found, "no such account");
    auto const prepared = prepare_password(password);
    if (!prepared) co_return fail(fault::kind::refused, prepared.error().say);
    if (auto why = refuse_password(*prepared, (*who)->address)) co_return fail(fault::kind::refused, std::move(*why));
    rows::portal_password p;
    p.memory_kib = argon2_memory_kib;
    p.passes = argon2_passes;
    p.salt = impl_->random.octets(16);
    impl_->argons.add();
    auto burn = impl_->burners.run([input = impl_->portal_input(*prepared), salt = p.salt] { return argon2id(input, salt, argon2_memory_kib, argon2_passes); });
    auto const ran = co_await std::move(burn);
    if (!ran) co_return fail(ran);
    if (!*ran) co_return fail(*ran);
    p.hash = **ran;
    co_return co_await impl_->dir.write(impl_->do_set_portal(n, std::move(p)));
}

task<result<sign_in::made>> sign_in::add_app_password(account_number n, std::string name, protocols scope, bool read_only, std::chrono::days life)
{
    if (name.size() > 200 || !base::is_utf8(name)) co_return fail(fault::kind::syntax, "a name has at most 200 octets of UTF-8");
    if (scope == 0) co_return fail(fault::kind::syntax, "an app password is for at least one protocol");
    if (life.count() < 0) co_return fail(fault::kind::syntax, "an app password cannot expire in the past");
    rows::app_password p;
    p.name = std::move(name);
    p.scope = scope;
    p.read_only = read_only;
    p.created = impl_->now();
    p.expires = life.count() == 0 ? 0 : p.created + std::chrono::seconds{life}.count();
    co_return co_await impl_->dir.write(impl_->do_add_app_password(n, std::move(p)));
}

task<result<std::string>> sign_in::add_shared_app_password(std::vector<account_number> who, std::string name, std::string secret)
{
    if (secret.empty()) secret = make_app_password(impl_->random);
    if (!is_app_password_shape(secret)) co_return fail(fault::kind::syntax, "not an app password");
    for (std::size_t at = 0; at < who.size(); at += shared_a_commit) {
        auto const end = std::min(who.size(), at + shared_a_commit);
        std::vector<account_number> some(who.begin() + static_cast<std::ptrdiff_t>(at), who.begin() + static_cast<std::ptrdiff_t>(end));
        auto const done = co_await impl_->dir.write(impl_->do_add_shared(std::move(some), name, secret));
        if (!done) co_return fail(done);
    }
    co_return std::move(secret);
}

task<result<std::vector<app_password_info>>> sign_in::app_passwords(account_number n) { return impl_->list(n); }
task<result<void>> sign_in::revoke_app_password(account_number n, std::string id) { return impl_->dir.write(impl_->do_revoke(n, std::move(id))); }

std::shared_ptr<void> sign_in::on_revoked(store::principal const& who, std::move_only_function<void()> cut)
{
    if (who.is_server()) return std::make_shared<int>(0);  // the server's own work is not revoked
    return impl_->sessions->add(who.who(), who.credential(), std::move(cut));
}

}  // namespace mansio::auth
