#include "transfer/verify.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace mansio::transfer {
namespace {
constexpr std::size_t rows_at_once = 512;
constexpr std::uint32_t messages_at_once = 64;
constexpr std::uint64_t piece = 256 * 1024;

class walker {
public:
    walker(store::engine& e, store::accounts& a, verify_options o) : engine_(e), accounts_(a), options_(std::move(o)) {}

    task<result<verify_report>> run()
    {
        using kind = store::partition_kind;
        for (auto const k : {kind::directory, kind::account, kind::queue, kind::story, kind::report}) {
            auto const all = co_await engine_.partitions(k);
            if (!all) co_return fail(all);
            for (auto const& p : *all) {
                ++report_.partitions;
                co_await rows(p);
                co_await pages(p);
                if (k == kind::account) co_await account(p);
            }
        }
        co_return std::move(report_);
    }

private:
    void problem(std::string sentence)
    {
        ++report_.problem_count;
        if (report_.problems.size() < 1000) report_.problems.push_back(std::move(sentence));
    }

    task<void> rows(store::partition_id p)
    {
        store::key_range range;
        while (true) {
            auto const some = co_await engine_.scan(p, range, rows_at_once);
            if (!some) {
                problem(fmt::format("{}: rows from {} on cannot be read: {}", p.text(), base::printable(range.from, 60), base::describe(some.error())));
                co_return;
            }
            for (auto const& r : *some) {
                ++report_.rows;
                if (!base::unseal(r.value)) problem(fmt::format("{}: row {} is damaged", p.text(), base::printable(r.key, 60)));
            }
            if (some->size() < rows_at_once) co_return;
            range.from = some->back().key + '\0';
        }
    }

    task<void> pages(store::partition_id p)
    {
        auto const ids = co_await engine_.list_pages(p);
        if (!ids) {
            problem(fmt::format("{}: pages cannot be listed: {}", p.text(), base::describe(ids.error())));
            co_return;
        }
        for (auto const& id : *ids) {
            ++report_.pages;
            auto const octets = co_await engine_.get_page(p, id);
            if (!octets) problem(fmt::format("{}: page {} is damaged: {}", p.text(), base::to_hex(id.view()), base::describe(octets.error())));
        }
    }

    task<void> account(store::partition_id p)
    {
        auto const ref = accounts_.open(p.number, store::principal::server("verify"));
        auto const boxes = co_await ref.list_mailboxes();
        if (!boxes) {
            problem(fmt::format("{}: mailboxes cannot be listed: {}", p.text(), base::describe(boxes.error())));
            co_return;
        }
        for (auto const& m : *boxes) {
            ++report_.mailboxes;
            auto const view = co_await ref.view(m.id);
            if (!view)
                problem(fmt::format("{}: mailbox {} cannot be read: {}", p.text(), base::printable(m.name, 60), base::describe(view.error())));
            else
                co_await mailbox(p, ref, m, *view);
        }
    }

    task<void> mailbox(store::partition_id p, store::account_ref const& ref, store::mailbox_info const& m, store::mailbox_view_ptr view)
    {
        for (std::uint32_t from = 0; from < view->size(); from += messages_at_once) {
            std::vector<store::message_entry> entries;
            std::vector<store::email_id> ids;
            for (std::uint32_t i = from; i < std::min(view->size(), from + messages_at_once); ++i) {
                entries.push_back(view->at(i));
                ids.push_back(entries.back().email);
            }
            auto const records = co_await ref.emails(m.id, ids);
            for (std::size_t i = 0; i < entries.size(); ++i) {
                auto const where = fmt::format("{}: mailbox {}, UID {}", p.text(), base::printable(m.name, 60), entries[i].uid);
                ++report_.messages;
                if (!records)
                    problem(fmt::format("{}: record cannot be read: {}", where, base::describe(records.error())));
                else if ((*records)[i] == nullptr)
                    problem(fmt::format("{}: its record is missing", where));
                else
                    co_await message(ref, where, entries[i], (*records)[i]);
            }
            if (options_.progress) options_.progress(report_);
        }
    }

    task<void> message(store::account_ref const& ref, std::string const& where, store::message_entry const& entry, store::email_record_ptr email)
    {
        if (email->size() != entry.size) problem(fmt::format("{}: the index says {} octets, the record {}", where, entry.size, email->size()));
        auto const size = co_await engine_.blob_size(email->blob());
        if (!size) {
            problem(fmt::format("{}: its octets are missing: {}", where, base::describe(size.error())));
            co_return;
        }
        if (*size + email->prefix().size() != email->size())
            problem(fmt::format("{}: {} octets are stored, {} are recorded", where, *size + email->prefix().size(), email->size()));
        if (!options_.deep) co_return;
        for (std::uint64_t at = 0; at < email->size(); at += piece) {
            auto const octets = co_await ref.read(email, at, piece);
            if (!octets || octets->empty()) {
                problem(fmt::format("{}: octets from {} on cannot be read: {}", where, at,
                                    octets ? std::string{"they end early"} : base::describe(octets.error())));
                co_return;
            }
            report_.octets += octets->size();
        }
    }

    store::engine& engine_;
    store::accounts& accounts_;
    verify_options options_;
    verify_report report_;
};
}  // namespace

task<result<verify_report>> verify(store::engine& e, store::accounts& accounts, verify_options o)
{
    walker w{e, accounts, std::move(o)};
    auto report = co_await w.run();
    co_return report;
}

}  // namespace mansio::transfer
