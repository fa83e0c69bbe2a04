#include "transfer/picture_link.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "transfer/backup_files.hpp"

namespace mansio::transfer {
namespace {

constexpr std::uint64_t most_at_once = 4ULL << 20U;

std::optional<store::partition_id> partition_of(json::object const& asked)
{
    auto const kind = number_of(asked, "kind");
    if (kind > static_cast<std::uint64_t>(store::partition_kind::report)) return std::nullopt;
    return store::partition_id{static_cast<store::partition_kind>(kind), number_of(asked, "number")};
}

/// The rows of a list of partitions: number as the key, version and change as the value.
std::string write_states(std::vector<store::partition_state> const& all)
{
    base::row_writer w;
    for (auto const& s : all) w.be64(s.where.number).be64(s.at).raw(s.last.view());
    return w.take();
}
result<std::vector<store::partition_state>> read_states(store::partition_kind kind, std::string_view octets)
{
    base::row_reader r{octets};
    std::vector<store::partition_state> out;
    while (r.ok() && !r.at_end()) {
        store::partition_state s;
        s.where = {kind, r.be64()};
        s.at = r.be64();
        if (auto const id = store::change_id::from_octets(r.raw(16))) s.last = *id;
        out.push_back(s);
    }
    if (!r.ok()) return fail(fault::kind::closed, "the server's answer makes no sense");
    return out;
}

class remote_picture final : public store::picture {
public:
    remote_picture(link& to, store::picture_totals totals) : link_(to), totals_(totals) {}

    task<result<std::vector<store::partition_state>>> partitions(store::partition_kind kind) override
    {
        json::object o{{"do", "picture-partitions"}, {"kind", static_cast<unsigned>(kind)}};
        auto const got = co_await link_.fetch(std::move(o));
        if (!got) co_return fail(got);
        co_return read_states(kind, got->octets);
    }
    task<result<store::picture_slice>> read(store::picture_table what, store::partition_id where, std::string from, std::size_t octets) override
    {
        json::object o{{"do", "picture-read"},   {"table", static_cast<unsigned>(what)}, {"kind", static_cast<unsigned>(where.kind)},
                       {"number", where.number}, {"from", base::to_hex(from)},           {"most", octets}};
        auto const got = co_await link_.fetch(std::move(o));
        if (!got) co_return fail(got);
        store::picture_slice out;
        auto entries = decode_entries(got->octets);
        if (!entries) co_return fail(fault::kind::closed, "the server's answer makes no sense");
        out.entries = std::move(*entries);
        for (auto const& hex : texts_of(got->head, "damaged")) out.damaged.push_back(base::from_hex(hex).value_or(""));
        if (got->head.contains("next")) out.next = base::from_hex(text_of(got->head, "next"));
        co_return out;
    }
    task<result<std::string>> blob(store::blob_id id, std::uint64_t offset, std::uint64_t length) override
    {
        json::object o{{"do", "picture-blob"}, {"id", base::to_hex(id.view())}, {"offset", offset}, {"length", length}};
        auto got = co_await link_.fetch(std::move(o));
        if (!got) co_return fail(got);
        co_return std::move(got->octets);
    }
    task<result<store::picture_totals>> totals() override { co_return totals_; }

private:
    link& link_;
    store::picture_totals totals_;
};

}  // namespace

task<result<picture_service::answer>> picture_service::serve(std::string what, json::object asked)
{
    answer out;
    if (what == "picture") {
        picture_.reset();
        auto taken = co_await storage_.take_picture();
        if (!taken) co_return fail(taken);
        auto const totals = co_await (*taken)->totals();
        if (!totals) co_return fail(totals);
        picture_ = std::move(*taken);
        log_.info("backup_begun", {{"messages", totals->blobs}, {"octets", totals->octets}});
        out.head = {{"messages", totals->blobs}, {"stored", totals->octets}};
        co_return out;
    }
    auto const where = partition_of(asked);
    if (!picture_ || !where) co_return fail(fault::kind::syntax, "no picture was taken, or of no such thing");
    if (what == "picture-partitions") {
        auto const all = co_await picture_->partitions(where->kind);
        if (!all) co_return fail(all);
        out.octets = write_states(*all);
    } else if (what == "picture-read") {
        auto const table = number_of(asked, "table");
        auto from = base::from_hex(text_of(asked, "from"));
        if (table < 1 || table > 3 || !from) co_return fail(fault::kind::syntax, "there is no such table");
        auto const most = static_cast<std::size_t>(std::min(number_of(asked, "most"), most_at_once));
        auto const got = co_await picture_->read(static_cast<store::picture_table>(table), *where, std::move(*from), most);
        if (!got) co_return fail(got);
        json::array damaged;
        for (auto const& key : got->damaged) damaged.emplace_back(base::to_hex(key));
        out.head["damaged"] = std::move(damaged);
        if (got->next) out.head["next"] = base::to_hex(*got->next);
        out.octets = encode_entries(got->entries);
    } else if (what == "picture-blob") {
        auto const octets = base::from_hex(text_of(asked, "id"));
        auto const id = octets ? store::blob_id::from_octets(*octets) : std::nullopt;
        if (!id) co_return fail(fault::kind::syntax, "that is no message");
        auto got = co_await picture_->blob(*id, number_of(asked, "offset"), std::min(number_of(asked, "length"), most_at_once));
        if (!got) co_return fail(got);
        out.octets = std::move(*got);
    } else {
        co_return fail(fault::kind::syntax, "there is no such request");
    }
    co_return out;
}

task<result<std::unique_ptr<store::picture>>> take_remote_picture(link& to)
{
    json::object o{{"do", "picture"}};
    auto const got = co_await to.fetch(std::move(o));
    if (!got) co_return fail(got);
    store::picture_totals const totals{number_of(got->head, "messages"), number_of(got->head, "stored")};
    std::unique_ptr<store::picture> taken = std::make_unique<remote_picture>(to, totals);
    co_return taken;
}

}  // namespace mansio::transfer
