// What readers ask: pictures of mailboxes, counts, records, octets. None of it waits for a commit once things are loaded.
#include "base/bytes.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_uids.hpp"
#include "store/mailbox_views.hpp"

namespace mansio::store {
namespace {
constexpr std::size_t neighbours_most_gap = 4;      ///< records this close are read by one scan
constexpr std::size_t scan_most = 256;
constexpr std::size_t many = 16;                    ///< whoever reads more at once goes through the mailbox
constexpr std::size_t seal_octets = 4;
}  // namespace

task<result<mailbox_view_ptr>> account_core::view(principal const& who, mailbox_id m)
{
    while (true) {
        auto const ok = co_await ready();
        if (!ok) co_return fail(ok);
        auto const* const s = find(m);
        auto const allowed = admit(who, s, only(right::read));
        if (!allowed) co_return fail(allowed);
        if (s->index) co_return view_for(who, *s);
        operation op;
        op.needs.push_back(m);
        auto const loaded = co_await submit(op);
        if (!loaded) co_return fail(loaded);
        auto const* const now = find(m);
        if (now != nullptr && !now->index && !now->index_damage.empty()) co_return rows::damaged(now->index_damage);
    }
}

task<result<mailbox_view_ptr>> account_core::open(principal const& who, mailbox_id m)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const* const s = find(m);
    auto const allowed = admit(who, s, only(right::read));
    if (!allowed) co_return fail(allowed);
    // While the writer works, changes of which the tally knows nothing may be on their way to the index; but while it reads what was opened before
    // (load_late()), nothing changes.
    bool const quiet = !late_.empty() || (!writing_ && waiting_.empty());
    if (s->index || !s->index_damage.empty() || !quiet) co_return co_await view(who, m);
    std::shared_ptr<rows::seen_marks const> marks;
    if (auto const it = s->people.find(who.who()); it != s->people.end()) marks = it->second;
    auto late = std::make_shared<late_view const>(facts_of(*s), s->tally, std::shared_ptr<std::vector<std::string> const>(s->meta, &s->meta->keywords),
                                                  guest(who), guest(who) ? std::move(marks) : nullptr);
    late_[m].push_back(late);
    start_writer();
    co_return late;
}

task<result<mailbox_view_ptr>> account_core::whole(mailbox_view_ptr opened)
{
    if (opened->whole()) co_return opened;
    auto const& late = static_cast<late_view const&>(*opened);
    auto const m = opened->mailbox();
    // Twice: a load that failed in the background says here why it fails.
    for (int i = 0; i < 2 && !late.arrived() && !late.lost(); ++i) {
        operation op;
        op.needs.push_back(m);
        auto const loaded = co_await submit(op);
        if (!loaded) co_return fail(loaded);
        auto const* const s = find(m);
        if (late.arrived() || s == nullptr) break;
        if (!s->index && !s->index_damage.empty()) co_return rows::damaged(s->index_damage);
        if (s->index) late.arrive(s->tally, shared_view(*s));
    }
    if (late.arrived()) co_return late.arrived();
    if (find(m) == nullptr) co_return no_such_mailbox();
    co_return fail(fault::kind::conflict, "the mailbox changed while it was opened, select it again");
}

task<result<mailbox_counts>> account_core::counts(principal const& who, mailbox_id m)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const* const s = find(m);
    auto const allowed = admit(who, s, only(right::read));  // RFC 4314 §4: STATUS needs r
    if (!allowed) co_return fail(allowed);
    mailbox_counts c;
    c.messages = s->tally.messages;
    c.unseen = s->tally.unseen;
    c.deleted = s->tally.deleted;
    c.uid_next = s->tally.uid_next;
    c.uid_validity = s->meta->uid_validity;
    c.highest_modseq = s->tally.highest;
    c.octets = s->tally.octets;
    if (guest(who)) {
        auto const it = s->people.find(who.who());
        c.unseen = c.messages - (it == s->people.end() ? 0 : std::min(it->second->seen, c.messages));
        if (it != s->people.end())
            for (auto const& run : it->second->runs) c.highest_modseq = std::max(c.highest_modseq, run.when);
    }
    co_return c;
}

task<result<store::uid>> account_core::claim_recent(principal const& who, mailbox_id m, bool take)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const* const s = find(m);
    auto const allowed = admit(who, s, only(right::read));
    if (!allowed) co_return fail(allowed);
    auto& floor = recent_.try_emplace(m, s->tally.uid_next).first->second;
    auto const first = floor;
    if (take) floor = s->tally.uid_next;
    co_return first;
}

result<std::shared_ptr<stored_email const>> account_core::open_email(email_id e, std::string body) const
{
    auto record = stored_email::open(number_, std::move(body));
    if (!record) return fail(record);
    if ((*record)->id() != e) return rows::damaged("E in another's place");
    return record;
}

task<result<std::shared_ptr<stored_email const>>> account_core::read_email(email_id e, std::string row)
{
    auto const pages = decode_email_pages(row);
    if (!pages) co_return fail(pages);
    if (!*pages) {
        row.resize(row.size() - seal_octets);  // its checksum was right
        co_return open_email(e, std::move(row));
    }
    std::string body;
    for (auto const& p : **pages) {
        auto const page = co_await services_.storage.get_page(where_, p);
        if (!page) co_return fail(page);
        auto const part = base::unseal(*page);
        if (!part) co_return rows::damaged("a page of E");
        body.append(*part);
    }
    co_return open_email(e, std::move(body));
}

/// The records of those rows that are wanted; only the rare one with pages has to be waited for.
task<result<void>> account_core::take_emails(std::vector<row> found, std::span<email_id const> wanted, email_list& into)
{
    for (auto& r : found) {
        std::uint64_t e = 0;
        std::string_view rest;
        if (!keys::parse_be64(r.key, e, rest) || !std::binary_search(wanted.begin(), wanted.end(), e)) continue;
        auto const pages = decode_email_pages(r.value);
        if (!pages) co_return fail(pages);
        if (*pages) {
            auto record = co_await read_email(e, std::move(r.value));
            if (!record) co_return fail(record);
            into.emplace_back(e, std::move(*record));
            continue;
        }
        r.value.resize(r.value.size() - seal_octets);  // its checksum was right
        auto record = open_email(e, std::move(r.value));
        if (!record) co_return fail(record);
        into.emplace_back(e, std::move(*record));
    }
    co_return result<void>{};
}

/// Reads records, neighbours with one scan: messages of a mailbox mostly have neighbouring numbers.
task<result<void>> account_core::fetch_emails(std::vector<email_id> const& missing, email_list& into)
{
    for (std::size_t i = 0; i < missing.size();) {
        auto end = i + 1;
        while (end < missing.size() && end - i < scan_most && missing[end] - missing[end - 1] <= neighbours_most_gap) ++end;
        std::vector<row> found;
        if (end - i < 3) {
            end = i + 1;
            auto got = co_await services_.storage.get(where_, keys::email(missing[i]));
            if (!got) co_return fail(got);
            if (*got) found.push_back(row{keys::email(missing[i]), std::move(**got)});
        } else {
            key_range range;
            range.from = keys::email(missing[i]);
            range.to = keys::email(missing[end - 1] + 1);
            auto got = co_await services_.storage.scan(where_, std::move(range), scan_most * neighbours_most_gap, direction::forward,
                                                       missing.size() > many ? reuse::unlikely : reuse::likely);
            if (!got) co_return fail(got);
            found = std::move(*got);
        }
        auto const taken = co_await take_emails(std::move(found), std::span{missing}.subspan(i, end - i), into);
        if (!taken) co_return fail(taken);
        i = end;
    }
    co_return result<void>{};
}

task<result<bool>> account_core::in_mailbox(stored_email const& e, mailbox_id m)
{
    auto const row = co_await services_.storage.get(where_, keys::members(e.id()));
    if (!row) co_return fail(row);
    if (!*row) co_return e.facts().first == m;
    auto const members = rows::decode_members(**row);
    if (!members) co_return fail(members);
    co_return std::any_of(members->begin(), members->end(), [m](auto const& x) { return x.mailbox == m; });
}

task<result<std::vector<email_record_ptr>>> account_core::emails(principal const& who, mailbox_id m, std::vector<email_id> which)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const allowed = admit(who, find(m), only(right::read));
    if (!allowed) co_return fail(allowed);
    std::vector<std::shared_ptr<stored_email const>> found(which.size());
    std::vector<email_id> missing;
    for (std::size_t i = 0; i < which.size(); ++i) {
        found[i] = records_.find(which[i]);
        if (!found[i]) missing.push_back(which[i]);
    }
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    email_list read;  // ascending
    auto const fetched = co_await fetch_emails(missing, read);
    if (!fetched) co_return fail(fetched);
    for (auto const& [e, record] : read) missing.size() > many ? records_.keep_if_read_again(record) : records_.keep(record);
    for (std::size_t i = 0; i < which.size(); ++i) {
        if (found[i]) continue;
        auto const it = std::lower_bound(read.begin(), read.end(), which[i], [](auto const& x, email_id e) { return x.first < e; });
        if (it != read.end() && it->first == which[i]) found[i] = it->second;
    }
    if (guest(who)) {
        // An email of another mailbox is nobody's business here (trust.md I8).
        for (auto& record : found) {
            if (!record) continue;
            auto const member = co_await in_mailbox(*record, m);
            if (!member) co_return fail(member);
            if (!*member) record.reset();
        }
        auto const still = admit(who, find(m), only(right::read));  // rights may have changed while we read
        if (!still) co_return fail(still);
    }
    account_memory();
    std::vector<email_record_ptr> out;
    out.reserve(which.size());
    for (auto& record : found) out.push_back(record ? std::make_shared<shown_email const>(std::move(record), m) : nullptr);
    co_return out;
}

task<result<std::string>> account_core::read(principal const& who, email_record_ptr email, std::uint64_t offset, std::uint64_t length)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const shown = std::dynamic_pointer_cast<shown_email const>(email);
    if (!shown || shown->record().account() != number_) co_return no_such_mailbox();
    auto const allowed = admit(who, find(shown->mailbox()), only(right::read));
    if (!allowed) co_return fail(allowed);
    auto const& record = shown->record();
    auto const total = record.size();
    if (offset >= total) co_return std::string{};
    length = std::min(length, total - offset);
    std::string out;
    auto const prefix = record.prefix();
    if (offset < prefix.size()) {
        out = prefix.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(std::min<std::uint64_t>(length, prefix.size() - offset)));
        offset += out.size();
        length -= out.size();
    }
    if (length == 0) co_return out;
    services_.blob_reads.add();
    auto octets = co_await services_.storage.blob_read(record.blob(), offset - prefix.size(), length);
    if (!octets) co_return fail(octets);
    if (octets->size() != length) co_return rows::damaged("a blob of another length");
    if (out.empty()) co_return std::move(*octets);
    out += *octets;
    co_return out;
}

task<result<std::vector<std::string>>> account_core::read_all(principal const& who, std::vector<email_record_ptr> which, std::uint64_t most)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    std::vector<blob_id> ids;
    mailbox_id through = 0;
    for (auto const& email : which) {
        auto const* const shown = dynamic_cast<shown_email const*>(email.get());
        if (shown == nullptr || shown->record().account() != number_) co_return no_such_mailbox();
        if (ids.empty() || shown->mailbox() != through) {  // they mostly come through one mailbox
            through = shown->mailbox();
            auto const allowed = admit(who, find(through), only(right::read));
            if (!allowed) co_return fail(allowed);
        }
        ids.push_back(email->blob());
    }
    services_.blob_reads.add(ids.size());
    auto const blobs = co_await services_.storage.blobs_read(std::move(ids), most);
    if (!blobs) co_return fail(blobs);
    std::vector<std::string> out(which.size());
    for (std::size_t i = 0; i < which.size(); ++i) {
        auto const& octets = (*blobs)[i];
        if (!octets) continue;
        auto const prefix = which[i]->prefix();
        if (prefix.size() + octets->size() != which[i]->size()) co_return rows::damaged("a blob of another length");
        out[i].reserve(prefix.size() + octets->size());
        out[i] += prefix;
        out[i] += *octets;
    }
    co_return out;
}

task<result<derived_ptr>> account_core::kept(principal const& who, mailbox_id m)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const allowed = admit(who, find(m), only(right::read));
    if (!allowed) co_return fail(allowed);
    auto const it = derived_.find(m);
    co_return it == derived_.end() ? nullptr : it->second;
}

task<result<void>> account_core::keep(principal const& who, mailbox_id m, derived_ptr what)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    auto const allowed = admit(who, find(m), only(right::read));
    if (!allowed) co_return fail(allowed);
    if (auto const it = derived_.find(m); it != derived_.end()) {
        derived_octets_ -= it->second->octets();
        derived_.erase(it);
    }
    constexpr std::uint64_t share = 4;  // of all that is cached, at most, for one mailbox
    if (what && what->octets() <= services_.options.cache_octets / share) {
        derived_octets_ += what->octets();
        derived_.emplace(m, std::move(what));
    }
    account_memory();
    co_return result<void>{};
}

void account_core::drop_derived()
{
    derived_.clear();
    derived_octets_ = 0;
}

}  // namespace mansio::store
