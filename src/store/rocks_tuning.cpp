#include "store/rocks_tuning.hpp"

#include <algorithm>

#include <rocksdb/perf_level.h>
#include <rocksdb/slice_transform.h>

#include "store/rocks_rows.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t partition_octets = 1 + partition_key_octets;  // table and partition

class runs_of_keys final : public rocksdb::SliceTransform {
public:
    char const* Name() const override { return "mansio.runs"; }
    rocksdb::Slice Transform(rocksdb::Slice const& key) const override
    {
        switch (key[0]) {
        case row_table: return {key.data(), std::min(key.size(), partition_octets + 1)};
        case version_table:
        case change_table:
        case page_table: return {key.data(), std::min(key.size(), partition_octets)};
        default: return {key.data(), 1};
        }
    }
    bool InDomain(rocksdb::Slice const& key) const override { return !key.empty(); }
};
}  // namespace

std::shared_ptr<rocksdb::SliceTransform const> make_runs_of_keys() { return std::make_shared<runs_of_keys>(); }

void count_nothing_here() noexcept
{
    thread_local bool const done = [] {
        rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
        return true;
    }();
    static_cast<void>(done);
}

}  // namespace mansio::store
