#include "store/engine.hpp"

#include "store/engine_checks.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t max_change_octets = std::size_t{1} << 20U;

std::string_view kind_name(partition_kind k)
{
    switch (k) {
    case partition_kind::directory: return "directory";
    case partition_kind::account: return "account";
    case partition_kind::queue: return "queue";
    case partition_kind::story: return "story";
    case partition_kind::report: return "report";
    }
    return "?";
}
}  // namespace

std::string partition_id::text() const { return std::string{kind_name(kind)} + "/" + std::to_string(number); }

std::string partition_id::key() const
{
    base::row_writer w;
    return w.u8(static_cast<std::uint8_t>(kind)).be64(number).take();
}

std::uint64_t partition_id::hash() const noexcept
{
    // SplitMix64's finaliser: neighbouring numbers land on different shards.
    std::uint64_t x = number + 0x9E3779B97F4A7C15ULL * (static_cast<std::uint64_t>(kind) + 1);
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31U);
}

key_range key_range::prefix(std::string_view p) { return key_range{std::string{p}, key_after_prefix(p)}; }

std::string key_after_prefix(std::string_view prefix)
{
    std::string end{prefix};
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return end;
}

std::size_t row_octets(change const& c)
{
    std::size_t n = c.note.size();
    for (auto const& r : c.rows) n += r.key.size() + (r.value ? r.value->size() : 0);
    return n;
}

task<result<extract>> engine::read_ranges(partition_id where, std::vector<key_range> ranges, std::size_t limit)
{
    auto const at = co_await current_version(where);
    if (!at) co_return fail(at);
    extract out{*at, {}};
    for (auto& range : ranges) {
        auto rows = co_await scan(where, std::move(range), limit);
        if (!rows) co_return fail(rows);
        out.rows.push_back(std::move(*rows));
    }
    co_return out;
}

task<result<std::vector<std::string>>> engine::get_pages(partition_id where, std::vector<page_id> ids)
{
    std::vector<std::string> out;
    for (auto const& id : ids) {
        auto page = co_await get_page(where, id);
        if (!page) co_return fail(page);
        out.push_back(std::move(*page));
    }
    co_return out;
}

void assert_well_formed(change const& c)
{
    MANSIO_ASSERT(row_octets(c) <= max_change_octets);  // larger things are pages and blobs
    for (auto const& b : c.new_blobs) {
        MANSIO_ASSERT(b != nullptr);
        bool held = false;
        for (auto const& h : c.add_holders) held = held || h.blob == b->id();
        MANSIO_ASSERT(held);  // a blob is written together with its holders
    }
}

void assert_well_formed(std::vector<page> const& pages)
{
    for (auto const& p : pages) MANSIO_ASSERT(p.octets.size() <= max_change_octets);
}

}  // namespace mansio::store
