#include "app/sts_store.hpp"

namespace mansio::app {
namespace {

using mailauth::stored_policy;

constexpr store::partition_id where{store::partition_kind::directory, 1};
constexpr std::string_view prefix = "sts/";
constexpr std::uint8_t format = 1;

std::string key_of(std::string_view domain) { return std::string{prefix} + std::string{domain}; }

std::string encode(stored_policy const& p)
{
    base::row_writer w;
    w.u8(format).octets(p.id).signed_varint(p.fetched.time_since_epoch().count()).octets(p.text);
    return w.take_sealed();
}

}  // namespace

std::optional<stored_policy> sts_store::read(std::string_view key, std::string_view row) const
{
    stored_policy p;
    p.domain = key.substr(prefix.size());
    auto const sealed = base::unseal(row);
    base::row_reader r{sealed.value_or(std::string_view{})};
    bool const known = sealed && r.u8() == format;
    p.id = r.octets();
    p.fetched = base::wall_time{base::wall_time::duration{r.signed_varint()}};
    p.text = r.octets();
    if (known && r.ok() && r.at_end()) return p;
    log_.error("sts_row_damaged", {{"domain", p.domain}});
    return std::nullopt;
}

task<result<std::optional<stored_policy>>> sts_store::load(std::string domain)
{
    auto const key = key_of(domain);
    auto const row = co_await engine_.get(where, key);
    if (!row) co_return fail(row);
    if (!*row) co_return std::optional<stored_policy>{};
    co_return read(key, **row);
}

task<result<void>> sts_store::write(std::string domain, std::optional<std::string> row)
{
    store::change c;
    c.where = where;
    c.id = store::change_id::make(random_);
    c.rows.push_back({key_of(domain), std::move(row)});
    c.note = "mta-sts";
    auto const done = co_await engine_.commit(std::move(c));
    if (!done) co_return fail(done);
    co_return result<void>{};
}

task<result<void>> sts_store::save(stored_policy p)
{
    auto row = encode(p);
    return write(std::move(p.domain), std::move(row));
}

task<result<void>> sts_store::remove(std::string domain) { return write(std::move(domain), std::nullopt); }

task<result<std::vector<stored_policy>>> sts_store::list(std::string after, std::size_t most)
{
    auto range = store::key_range::prefix(prefix);
    if (!after.empty()) range.from = key_of(after) + '\0';
    std::vector<stored_policy> found;
    // Damaged rows are passed over; the end is told by an empty answer, so a page of nothing else must not look like it.
    while (found.empty()) {
        auto const rows = co_await engine_.scan(where, range, most, store::direction::forward, store::reuse::unlikely);
        if (!rows) co_return fail(rows);
        if (rows->empty()) break;
        for (auto const& r : *rows)
            if (auto p = read(r.key, r.value)) found.push_back(std::move(*p));
        range.from = rows->back().key + '\0';
    }
    co_return found;
}

}  // namespace mansio::app
