// An account of a backup as the source of an import.
#include <algorithm>

#include "base/bytes.hpp"
#include "transfer/backup_store.hpp"

namespace mansio::transfer {
namespace {

constexpr std::uint32_t looked_at_once = 64;
constexpr std::uint64_t piece = 256 * 1024;

class backup_source final : public source {
public:
    backup_source(store::account_ref account, message_choice which, std::string into, store::spool& spool)
        : account_(std::move(account)),
          which_(std::move(which)),
          into_(std::move(into)),
          spool_(spool)
    {}
    std::string name() const override { return "the backup"; }
    std::string identity() const override { return "backup into " + into_; }

    task<result<std::vector<source_folder>>> folders() override
    {
        auto const all = co_await account_.list_mailboxes();
        if (!all) co_return fail(all);
        std::vector<source_folder> out;
        for (auto const& m : *all) {
            if (!which_.folders.empty() && std::ranges::find(which_.folders, m.name) == which_.folders.end()) continue;
            source_folder f;
            f.name = m.name;
            f.where = std::to_string(m.id);
            ids_[f.where] = m.id;
            // Looked for everywhere: only where it is, a folder is made.
            if (which_.one()) {
                auto const here = co_await messages(f);
                if (!here) co_return fail(here);
                if (here->empty()) continue;
            }
            out.push_back(std::move(f));
            if (which_.email != 0 || !which_.message_id.empty()) break;  // it may be in several: one is enough
        }
        co_return out;
    }

    task<result<std::vector<source_message>>> messages(source_folder& f) override
    {
        auto const box = ids_[f.where];
        auto const view = co_await account_.view(box);
        if (!view) co_return fail(view);
        f.uid_validity = (*view)->uid_validity();
        std::vector<source_message> out;
        for (std::uint32_t from = 0; from < (*view)->size(); from += looked_at_once) {
            auto const to = std::min((*view)->size(), from + looked_at_once);
            std::vector<bool> wanted(to - from, true);
            if (!which_.message_id.empty()) {
                auto const chosen = co_await by_message_id(box, *view, from, to);
                if (!chosen) co_return fail(chosen);
                wanted = *chosen;
            }
            for (auto i = from; i < to; ++i) {
                auto const e = (*view)->at(i);
                if (!wanted[i - from] || (which_.email != 0 && e.email != which_.email) || (which_.uid != 0 && e.uid != which_.uid)) continue;
                source_message m;
                m.key = std::to_string(f.uid_validity) + " " + std::to_string(e.uid);
                m.where = std::to_string(e.email);
                m.uid = e.uid;
                m.flags = (*view)->names(e.flags);
                m.date = e.internal_date;
                m.size = e.size;
                out.push_back(std::move(m));
            }
        }
        co_return out;
    }

    task<result<void>> read(source_folder const& f, std::vector<source_message> which, message_receiver& to) override
    {
        auto const box = ids_[f.where];
        std::vector<store::email_id> ids;
        for (auto const& m : which) ids.push_back(std::stoull(m.where));
        auto const emails = co_await account_.emails(box, ids);
        if (!emails) co_return fail(emails);
        for (std::size_t i = 0; i < which.size(); ++i) {
            auto octets = co_await whole((*emails)[i]);
            if (!octets) {
                to.unreadable(which[i], "it is damaged in the backup: " + base::describe(octets.error()));
                continue;
            }
            auto const taken = co_await to.message(which[i], std::move(*octets));
            if (!taken) co_return taken;
        }
        co_return result<void>{};
    }

private:
    task<result<std::vector<bool>>> by_message_id(store::mailbox_id box, store::mailbox_view_ptr view, std::uint32_t from, std::uint32_t to)
    {
        std::vector<store::email_id> ids;
        for (auto i = from; i < to; ++i) ids.push_back(view->at(i).email);
        auto const emails = co_await account_.emails(box, ids);
        if (!emails) co_return fail(emails);
        std::vector<bool> out;
        for (auto const& e : *emails) out.push_back(e != nullptr && e->summary().message_id == which_.message_id);
        co_return out;
    }

    task<result<mime::octets>> whole(store::email_record_ptr email)
    {
        if (email == nullptr) co_return fail(fault::kind::not_found, "its record is lost");
        auto w = spool_.open(store::line_ends::as_they_are, email->size());
        for (std::uint64_t at = 0; at < email->size(); at += piece) {
            auto const octets = co_await account_.read(email, at, piece);
            if (!octets) co_return fail(octets);
            auto const put = w.append(*octets);
            if (!put) co_return fail(put);
        }
        co_return w.finish();
    }

    store::account_ref account_;
    message_choice which_;
    std::string into_;
    store::spool& spool_;
    std::map<std::string, store::mailbox_id> ids_;
};

}  // namespace

std::unique_ptr<source> open_backup_source(store::account_ref account, message_choice which, std::string into, store::spool& spool)
{
    return std::make_unique<backup_source>(std::move(account), std::move(which), std::move(into), spool);
}

}  // namespace mansio::transfer
