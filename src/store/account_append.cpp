// Messages come in: APPEND, delivery, MULTIAPPEND. The hot path: it reads no index, only the tally.
#include "base/bytes.hpp"
#include "store/account_core.hpp"
#include "store/keys.hpp"
#include "store/mailbox_views.hpp"

namespace mansio::store {
namespace {

constexpr std::size_t prefix_most = 16U << 10U;
constexpr std::size_t email_inline = 96U << 10U;       ///< a longer record goes into pages
constexpr std::size_t page_most = 900U << 10U;
constexpr std::uint64_t records_inline = 256U << 10U;  ///< records of one append in one commit
constexpr std::size_t references_used = 10;
constexpr std::size_t entries_inline = 2000;            ///< index entries of one append in a log row
constexpr std::size_t entries_of_page = 8192;

std::uint64_t message_size(new_message const& m) { return m.prefix.size() + (m.blob ? m.blob->size() : m.summary->size); }

/// About what a message's rows take.
std::uint64_t record_size(new_message const& m)
{
    auto const& s = *m.summary;
    std::uint64_t n =
        512 + m.prefix.size() + s.envelope_text.size() + s.body_text.size() + s.bodystructure_text.size() + s.preview.size() + 24 * s.parts.size();
    for (auto const& f : s.fields) n += f.first.size() + f.second.size() + 4;
    for (auto const& r : s.references) n += r.size() + 2;
    return std::min<std::uint64_t>(n, email_inline);
}

std::uint64_t subject_hash(mime::summary const& s)
{
    auto const digest = base::sha256(s.base_subject);
    return base::row_reader{{reinterpret_cast<char const*>(digest.data()), 8}}.be64();
}

/// The message ids that tie a message to others: its own first, then the nearest ancestors.
std::vector<std::string> thread_hashes(mime::summary const& s)
{
    std::vector<std::string> ids;
    auto const add = [&](std::string const& id) {
        if (!id.empty() && std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    };
    add(s.message_id);
    add(s.in_reply_to);
    for (auto it = s.references.rbegin(); it != s.references.rend() && ids.size() < references_used; ++it) add(*it);
    for (auto& id : ids) id = keys::message_hash(id);
    return ids;
}

}  // namespace

task<result<std::uint64_t>> account_core::thread_of(account_batch& b, mime::summary const& s, email_id e)
{
    // Threads never merge: the first known id with the same base subject decides (RFC 8621 §3 asks for both).
    auto const hashes = thread_hashes(s);
    auto const subject = subject_hash(s);
    std::uint64_t thread = e;
    std::vector<std::string> unknown;
    bool found = false;
    for (auto const& hash : hashes) {
        auto const row = co_await b.get(keys::thread_lookup(hash));
        if (!row) co_return fail(row);
        if (!*row) {
            unknown.push_back(hash);
            continue;
        }
        auto const link = rows::decode_thread_link(**row);
        if (!link) continue;  // a damaged link costs a thread its neighbour, nothing else
        if (!found && link->subject == subject) {
            thread = link->thread;
            found = true;
        }
    }
    rows::thread_link link;
    link.thread = thread;
    link.subject = subject;
    for (auto const& hash : unknown) b.put(keys::thread_lookup(hash), rows::encode(link));
    b.put(keys::thread_email(thread, e), rows::encode_hashes(unknown));
    co_return thread;
}

task<result<void>> account_core::put_email(account_batch& b, new_message const& message, message_entry const& e, mailbox_id m)
{
    auto const thread = co_await thread_of(b, *message.summary, e.email);
    if (!thread) co_return fail(thread);
    email_facts facts;
    facts.email = e.email;
    facts.thread = *thread;
    facts.blob = message.blob ? message.blob->id() : *message.stored;
    facts.first = m;
    facts.size = e.size;
    auto body = encode_email(facts, message.prefix, *message.summary);
    if (body.size() <= email_inline) {
        b.put(keys::email(e.email), base::row_writer{}.raw(body).take_sealed());
    } else {
        std::vector<page_id> pages;
        for (std::size_t from = 0; from < body.size(); from += page_most) {
            auto const page = co_await b.put_page(base::row_writer{}.raw(std::string_view{body}.substr(from, page_most)).take_sealed());
            if (!page) co_return fail(page);
            b.put(keys::email_page(*page), base::row_writer{}.u8(1).varint(e.email).take_sealed());
            pages.push_back(*page);
        }
        b.put(keys::email(e.email), encode_paged_email(e.email, pages));
    }
    b.add_blob(message, e.email);
    if (is_pop3_unique_id(message.pop3_id)) {
        rows::pop3_mark_row mark;
        mark.unique_id = message.pop3_id;
        put_pop3_mark(b, e.email, mark);
    }
    b.head.quota_used += e.size;
    ++b.head.emails;
    b.touch(rows::data_type::quota);
    co_return result<void>{};
}

/// Entries become part of the mailbox: its log, counts and, when loaded, columns.
task<result<void>> account_core::put_entries(account_batch& b, mailbox_id m, std::vector<message_entry> entries)
{
    auto& tally = b.edit(m).tally;
    auto* const columns = b.columns(m);
    for (auto const& e : entries) {
        ++tally.messages;
        tally.octets += e.size;
        if (!e.flags.has(system_flag::seen)) ++tally.unseen;
        if (e.flags.has(system_flag::deleted)) ++tally.deleted;
        if (columns != nullptr) columns->append(e);
    }
    b.touch(rows::data_type::emails);
    rows::log_action a;
    if (entries.size() <= entries_inline) {
        a.entries = std::move(entries);
    } else {
        a.what = rows::log_action::kind::append_pages;
        for (std::size_t from = 0; from < entries.size(); from += entries_of_page) {
            auto const to = std::min(from + entries_of_page, entries.size());
            std::vector<message_entry> const some{entries.begin() + static_cast<std::ptrdiff_t>(from), entries.begin() + static_cast<std::ptrdiff_t>(to)};
            auto const page = co_await b.put_page(rows::encode_entry_page(m, some));
            if (!page) co_return fail(fault::kind::broken, page.error().say, page.error().detail);
            a.pages.emplace_back(*page, static_cast<std::uint32_t>(some.size()));
        }
    }
    b.log(m, std::move(a));
    co_return result<void>{};
}

task<result<std::optional<appended>>> account_core::seen_before(account_batch& b, delivery_id const& delivery)
{
    if (delivery.empty()) co_return std::nullopt;
    auto const row = co_await b.get(keys::delivery(delivery));
    if (!row) co_return fail(row);
    if (!*row) co_return std::nullopt;
    auto const before = rows::decode_delivered(**row);
    if (!before) co_return fail(before);
    appended out;
    out.uid_validity = before->uid_validity;
    out.uids = before->uids;
    out.already = true;
    co_return out;
}

task<result<std::vector<bool>>> account_core::delivered(principal const& who, std::vector<delivery_id> which)
{
    auto const ok = co_await ready();
    if (!ok) co_return fail(ok);
    if (!who.is_server()) co_return no_right();
    constexpr std::size_t most = 1000;
    if (which.size() > most) co_return fail(fault::kind::over_limit, "too many deliveries asked for at once");
    std::vector<bool> out;
    for (auto const& id : which) {
        auto const row = co_await services_.storage.get(where_, keys::delivery(id));
        if (!row) co_return fail(row);
        out.push_back(row->has_value());
    }
    co_return out;
}

result<void> account_core::check_room(account_batch const& b, std::vector<new_message> const& messages, std::uint64_t freed) const
{
    std::uint64_t total = 0;
    for (auto const& message : messages) {
        MANSIO_ASSERT(message.summary != nullptr && (message.blob != nullptr || message.stored.has_value()));
        if (message.prefix.size() > prefix_most) return fail(fault::kind::refused, "the message cannot be stored", "prefix over 16 KiB");
        total += message_size(message);
    }
    auto const used = b.head.quota_used - std::min(freed, b.head.quota_used);
    std::uint64_t const leaving = freed != 0 ? 1 : 0;  // what is freed is one email's
    bool const octets_fit = b.head.quota_limit == 0 || (total <= b.head.quota_limit && used <= b.head.quota_limit - total);
    bool const count_fits = b.head.quota_emails == 0 || b.head.emails + messages.size() <= b.head.quota_emails + leaving;
    if (octets_fit && count_fits) return {};
    services_.limit_refusals.add();
    return fail(fault::kind::over_limit, "the mailbox is full", "quota");
}

namespace {
void note_delivery(account_batch& b, delivery_id const& delivery, appended const& out)
{
    if (delivery.empty()) return;
    rows::delivered d;
    d.wall = b.wall;
    d.uid_validity = out.uid_validity;
    d.uids = out.uids;
    b.put(keys::delivery(delivery), rows::encode(d));
}
message_entry entry_of(new_message const& m, account_batch const& b, store::uid u, email_id e, flag_set flags)
{
    message_entry entry;
    entry.uid = u;
    entry.flags = std::move(flags);
    entry.modseq = entry.added = b.when;
    entry.size = message_size(m);
    entry.internal_date = m.internal_date;
    entry.save_date = b.wall;
    entry.email = e;
    return entry;
}
std::unexpected<fault> uids_used_up() { return fail(fault::kind::over_limit, "this mailbox can take no more messages", "no UIDs left"); }
}  // namespace

task<result<void>> account_core::prepare_append(account_batch& b, principal const& who, mailbox_id m, std::vector<new_message> const& messages,
                                                delivery_id const& delivery, appended& out, std::uint64_t freed)
{
    out = {};
    auto const* const s = b.find(m);
    auto const allowed = admit(who, s, only(right::insert));
    if (!allowed) co_return fail(allowed);
    auto const before = co_await seen_before(b, delivery);
    if (!before) co_return fail(before);
    if (*before) {
        out = **before;
        co_return result<void>{};
    }
    auto const room = check_room(b, messages, freed);
    if (!room) co_return fail(room);
    auto const first = b.reserve(m, static_cast<std::uint32_t>(messages.size()));
    if (first == 0) co_return uids_used_up();
    std::vector<message_entry> entries;
    std::vector<store::uid> seen;
    for (auto const& message : messages) {
        auto flags = resolve(b, m, message.flags, false, has(rights_of(who, *s), right::write));
        if (!flags) co_return fail(flags);
        auto mine = permitted(who, *b.find(m), *flags);
        auto const u = first + static_cast<store::uid>(entries.size());
        if (guest(who) && mine.has(system_flag::seen)) {
            mine.set(system_flag::seen, false);
            seen.push_back(u);
        }
        entries.push_back(entry_of(message, b, u, b.head.next_email++, std::move(mine)));
        auto const stored = co_await put_email(b, message, entries.back(), m);
        if (!stored) co_return fail(fault::kind::broken, stored.error().say, stored.error().detail);
        out.uids.push_back(u);
    }
    auto const put = co_await put_entries(b, m, std::move(entries));
    if (!put) co_return fail(put);
    auto const marked = co_await mark_guest(b, who, m, seen);
    if (!marked) co_return fail(marked);
    out.uid_validity = b.find(m)->meta->uid_validity;
    note_delivery(b, delivery, out);
    co_return result<void>{};
}

task<result<appended>> account_core::append(principal const& who, mailbox_id m, std::vector<new_message> messages, delivery_id delivery)
{
    std::uint64_t records = 0;
    for (auto const& message : messages) records += record_size(message);
    if (records > records_inline && messages.size() > 1) co_return co_await append_large(who, m, messages, delivery);
    appended out;
    operation op;
    op.note = "append";
    op.prepare = [&](account_batch& b) { return prepare_append(b, who, m, messages, delivery, out); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return out;
}

/// Everything is looked at before the UIDs below `as` are passed over: a refused message burns none.
task<result<void>> account_core::prepare_append_as(account_batch& b, principal const& who, mailbox_id m, store::uid as, std::vector<new_message> const& one,
                                                   delivery_id const& delivery, appended& out)
{
    out = {};
    auto const allowed = admit(who, b.find(m), only(right::insert));
    if (!allowed) co_return fail(allowed);
    if (!who.is_server()) co_return no_right();
    auto const before = co_await seen_before(b, delivery);
    if (!before) co_return fail(before);
    if (*before) {
        out = **before;
        co_return result<void>{};
    }
    auto const room = check_room(b, one);
    if (!room) co_return fail(room);
    if (as == ~store::uid{0}) co_return uids_used_up();
    if (as < b.next_uid(m)) co_return fail(fault::kind::refused, "this mailbox has given that UID, or a later one, before", "uid");
    b.skip_to(m, as);
    co_return co_await prepare_append(b, who, m, one, delivery, out);
}

task<result<appended>> account_core::append_as(principal const& who, mailbox_id m, store::uid as, new_message message, delivery_id delivery)
{
    std::vector<new_message> one;
    one.push_back(std::move(message));
    appended out;
    operation op;
    op.note = "append";
    op.prepare = [&](account_batch& b) { return prepare_append_as(b, who, m, as, one, delivery, out); };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    co_return out;
}

/// An append whose records do not fit one commit: they are stored first, under an intent, and shown together at the end.
struct account_core::pending_append {
    std::vector<new_message> const& messages;
    delivery_id const& delivery;
    std::uint64_t op = 0;
    email_id first = 0;          ///< emails are numbered in a row
    std::size_t stored = 0;      ///< messages whose records are committed
    std::size_t next = 0;        ///< and will be with the slice under way
    std::optional<appended> before;
};

task<result<void>> account_core::prepare_pending_append(account_batch& b, principal const& who, mailbox_id m, pending_append& p)
{
    auto const allowed = admit(who, b.find(m), only(right::insert));
    if (!allowed) co_return fail(allowed);
    auto const before = co_await seen_before(b, p.delivery);
    if (!before) co_return fail(before);
    p.before = *before;
    if (p.before) co_return result<void>{};
    auto const room = check_room(b, p.messages);
    if (!room) co_return fail(room);
    p.first = b.head.next_email;
    b.head.next_email += p.messages.size();
    p.op = services_.random.u64();
    rows::intent i;
    i.what = rows::intent::kind::pending;
    i.mailbox = m;
    for (std::size_t k = 0; k < p.messages.size(); ++k) i.emails.push_back(p.first + k);
    co_return co_await put_list(b, p.op, std::move(i), true);
}

task<result<void>> account_core::prepare_append_slice(account_batch& b, mailbox_id m, pending_append& p)
{
    auto const open = intents_.find(p.op);
    if (open == intents_.end() || open->second.what.done != p.stored)
        co_return fail(fault::kind::try_later, "the server cannot do that now, try again later", "an append's intent is gone");
    p.next = p.stored;
    std::uint64_t records = 0;
    while (p.next < p.messages.size() && (p.next == p.stored || records < records_inline)) {
        auto const& message = p.messages[p.next];
        records += record_size(message);
        auto const stored = co_await put_email(b, message, entry_of(message, b, 0, p.first + p.next, {}), m);
        if (!stored) co_return fail(fault::kind::broken, stored.error().say, stored.error().detail);
        ++p.next;
    }
    auto i = open->second.what;
    i.done = p.next;
    b.put_intent(p.op, std::move(i), true);
    co_return result<void>{};
}

task<result<void>> account_core::prepare_append_end(account_batch& b, principal const& who, mailbox_id m, pending_append& p, appended& out)
{
    out = {};
    auto const* const s = b.find(m);
    auto const allowed = admit(who, s, only(right::insert));
    if (!allowed) co_return fail(allowed);
    if (!intents_.contains(p.op)) co_return fail(fault::kind::try_later, "the server cannot do that now, try again later", "an append's intent is gone");
    auto const first = b.reserve(m, static_cast<std::uint32_t>(p.messages.size()));
    if (first == 0) co_return uids_used_up();
    std::vector<store::uid> seen;
    std::vector<message_entry> entries;
    for (std::size_t k = 0; k < p.messages.size(); ++k) {
        auto const flags = resolve(b, m, p.messages[k].flags, false, has(rights_of(who, *s), right::write));
        if (!flags) co_return fail(flags);
        auto mine = permitted(who, *b.find(m), *flags);
        auto const u = first + static_cast<store::uid>(k);
        if (guest(who) && mine.has(system_flag::seen)) {
            mine.set(system_flag::seen, false);
            seen.push_back(u);
        }
        entries.push_back(entry_of(p.messages[k], b, u, p.first + k, std::move(mine)));
        out.uids.push_back(u);
    }
    auto const put = co_await put_entries(b, m, std::move(entries));
    if (!put) co_return fail(put);
    auto const marked = co_await mark_guest(b, who, m, seen);
    if (!marked) co_return fail(marked);
    end_list(b, p.op);
    out.uid_validity = b.find(m)->meta->uid_validity;
    note_delivery(b, p.delivery, out);
    co_return result<void>{};
}

task<result<appended>> account_core::append_large(principal const& who, mailbox_id m, std::vector<new_message> const& messages, delivery_id const& delivery)
{
    pending_append p{.messages = messages, .delivery = delivery, .before = {}};
    operation start;
    start.prepare = [&](account_batch& b) { return prepare_pending_append(b, who, m, p); };
    auto done = co_await submit(start);
    if (!done) co_return fail(done);
    if (p.before) co_return *p.before;
    while (done && p.stored < messages.size()) {
        operation slice;
        slice.prepare = [&](account_batch& b) { return prepare_append_slice(b, m, p); };
        done = co_await submit(slice);
        p.stored = p.next;
    }
    appended out;
    if (done) {
        operation end;
        end.prepare = [&](account_batch& b) { return prepare_append_end(b, who, m, p, out); };
        done = co_await submit(end);
    }
    abandon(p.op);
    if (!done) co_return fail(done);
    co_return out;
}

}  // namespace mansio::store
