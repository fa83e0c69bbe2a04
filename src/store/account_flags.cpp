// Flags: their names, who may change which, and STORE. RFC 9051 §6.4.6, RFC 7162 §3.1.3, RFC 4314 §4.
#include "base/bytes.hpp"
#include "store/account_core.hpp"
#include "store/mailbox_uids.hpp"
#include "store/mailbox_views.hpp"

namespace mansio::store {
namespace {

constexpr std::size_t keyword_most = 255;
constexpr std::size_t set_inline_ranges = 8192;    ///< a longer UID set goes into a page
constexpr std::size_t runs_enough = 512;           ///< of a guest's marks before they are made compact
constexpr std::uint32_t slice = 8192;              ///< messages looked at before other work gets its turn

/// System flags are not case-sensitive (RFC 9051 §2.3.2). nullopt: none of them.
std::optional<unsigned> system_index(std::string_view name)
{
    static constexpr std::array<std::string_view, 5> names{"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"};
    for (unsigned i = 0; i < names.size(); ++i)
        if (base::equal_ignoring_case(names[i], name)) return i;
    return std::nullopt;
}

/// RFC 9051 §9: flag-keyword is an atom.
bool keyword_fits(std::string_view name)
{
    if (name.empty() || name.size() > keyword_most) return false;
    return std::none_of(name.begin(), name.end(),
                        [](unsigned char c) { return c <= 0x20 || c >= 0x7F || std::string_view{"(){%*\"\\]"}.contains(static_cast<char>(c)); });
}

}  // namespace

result<flag_set> account_core::resolve(account_batch& b, mailbox_id m, std::vector<std::string> const& names, bool strict, bool may_add)
{
    flag_set flags;
    auto const* s = b.find(m);
    std::vector<std::string> added;
    auto const& known = s->meta->keywords;
    auto const index_in = [](std::vector<std::string> const& list, std::string_view name) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < list.size(); ++i)
            if (base::equal_ignoring_case(list[i], name)) return i;
        return std::nullopt;
    };
    for (auto const& name : names) {
        if (auto const index = system_index(name)) {
            flags.set(*index);
        } else if (!keyword_fits(name)) {
            if (strict) return fail(fault::kind::refused, "this flag cannot be used", "cannot");
        } else if (auto const at = index_in(known, name)) {
            flags.set(first_keyword + static_cast<unsigned>(*at));
        } else if (auto const again = index_in(added, name)) {
            flags.set(first_keyword + static_cast<unsigned>(known.size() + *again));
        } else if (!may_add) {
            continue;
        } else if (known.size() + added.size() >= services_.limits.keywords) {
            services_.limit_refusals.add();
            if (strict) return fail(fault::kind::over_limit, "this mailbox has too many keywords", "keywords");
        } else {
            flags.set(first_keyword + static_cast<unsigned>(known.size() + added.size()));
            added.push_back(name);
        }
    }
    if (!added.empty()) {
        auto meta = std::make_shared<rows::meta>(*s->meta);
        meta->keywords.insert(meta->keywords.end(), added.begin(), added.end());
        b.put_meta(m, std::move(meta));
    }
    return flags;
}

flag_set account_core::permitted(principal const& who, mailbox_state const& m, flag_set wanted) const
{
    // RFC 4314 §4: s for \Seen, t for \Deleted, w for all others; what one may not set is left out in silence.
    auto const held = rights_of(who, m);
    flag_set out;
    for (auto const index : wanted.indexes()) {
        auto needed = right::write;
        if (index == static_cast<unsigned>(system_flag::seen)) needed = right::keep_seen;
        if (index == static_cast<unsigned>(system_flag::deleted)) needed = right::delete_message;
        if (has(held, needed)) out.set(index);
    }
    return out;
}

task<result<void>> account_core::log_flags(account_batch& b, mailbox_id m, rows::log_action a)
{
    if (a.which.size() > set_inline_ranges) {
        auto const page = co_await b.put_page(rows::encode_set_page(a.which));
        if (!page) co_return fail(page);
        a.pages.emplace_back(*page, 0);
        a.what = a.what == rows::log_action::kind::flags ? rows::log_action::kind::flags_page : rows::log_action::kind::expunge_page;
        a.which.clear();
    }
    b.log(m, std::move(a));
    co_return result<void>{};
}

/// What a STORE asks, in the mailbox's own bits: new flags = (old without `clear`) with `set`.
struct account_core::resolved_flags {
    flag_set clear, set;
    bool everything = false;  ///< nothing of the old flags stays
    [[nodiscard]] flag_set on(flag_set old) const
    {
        if (everything) return set;
        old.remove(clear);
        old.add(set);
        return old;
    }
};

task<result<void>> account_core::prepare_flags(account_batch& b, principal const& who, mailbox_id m, uid_set const& which, flag_change const& what,
                                               flags_changed& out)
{
    out = {};
    auto const* const s = b.find(m);
    auto const allowed = admit(who, s, 0);
    if (!allowed) co_return fail(allowed);
    auto const held = rights_of(who, *s);
    if ((held & (right::write | right::keep_seen | right::delete_message)) == 0) co_return no_right();
    auto const* const index = b.look(m);
    if (index == nullptr) co_return rows::damaged(s->index_damage);
    out.before = guest(who) ? 0 : s->tally.highest;
    auto const named = resolve(b, m, what.names, true, what.how != flag_operation::remove && has(held, right::write));
    if (!named) co_return fail(named);
    auto const mine = permitted(who, *b.find(m), *named);
    // RFC 4314 §4: a STORE fails only when none of its flags may be changed.
    bool const unknown_keyword = named->empty() && !what.names.empty() && !has(held, right::write);
    if (mine.empty() && (!named->empty() || unknown_keyword)) co_return no_right();

    resolved_flags r;
    if (what.how == flag_operation::remove) {
        r.clear = mine;
    } else if (what.how == flag_operation::add) {
        r.set = mine;
    } else {
        r.set = mine;
        r.everything =
            (held & (right::write | right::keep_seen | right::delete_message)) == (right::write | right::keep_seen | right::delete_message) && !guest(who);
        flag_set all;
        for (unsigned i = 0; i < first_keyword + b.find(m)->meta->keywords.size(); ++i)
            if (i <= static_cast<unsigned>(system_flag::draft) || i >= first_keyword) all.set(i);
        r.clear = permitted(who, *s, all);
    }
    // A guest's \Seen is his own (docs/formats/account.md, P).
    bool const own_marks = guest(who);
    constexpr auto seen_index = static_cast<unsigned>(system_flag::seen);
    bool const marks_on = own_marks && r.set.has(seen_index);
    bool const marks_off = own_marks && !marks_on && r.clear.has(seen_index);
    std::shared_ptr<rows::seen_marks const> marks;
    if (own_marks) {
        r.set.set(seen_index, false);
        r.clear.set(seen_index, false);
        auto const it = s->people.find(who.who());
        marks = it == s->people.end() ? std::make_shared<rows::seen_marks const>() : it->second;
    }

    std::vector<std::pair<std::uint32_t, flag_set>> changes;
    std::vector<store::uid> marked;
    std::uint32_t looked = 0;
    std::int64_t unseen = 0, deleted = 0;
    uid_set touched;
    for (auto const& range : which) {
        auto const span = index->positions(range);
        for (auto p = span.first; p < span.second; ++p) {
            if (++looked % slice == 0) co_await base::yield_now{};
            auto const u = index->uid_at(p);
            auto const* const run = own_marks ? find_run(*marks, u) : nullptr;
            auto const modseq = std::max(index->modseq_at(p), run != nullptr ? run->when : 0);
            if (what.unchanged_since && modseq > *what.unchanged_since) {
                out.conflicts.push_back(u);
                continue;
            }
            auto const old = index->flags_at(p);
            auto const now = r.on(old);
            bool const seen = run != nullptr && run->seen;
            bool const remark = (marks_on && !seen) || (marks_off && seen);
            if (remark) marked.push_back(u);
            if (now == old) {
                (remark ? out.changed : out.unchanged).push_back(u);
                continue;
            }
            unseen += int{old.has(system_flag::seen)} - int{now.has(system_flag::seen)};
            deleted += int{now.has(system_flag::deleted)} - int{old.has(system_flag::deleted)};
            changes.emplace_back(p, now);
            append_uid(touched, u);
            out.changed.push_back(u);
        }
    }
    if (!changes.empty()) {
        rows::log_action a;
        a.what = rows::log_action::kind::flags;
        a.clear_all = r.everything;
        a.clear = r.clear;
        a.set = r.set;
        a.which = std::move(touched);
        auto const logged = co_await log_flags(b, m, std::move(a));
        if (!logged) co_return fail(logged);
        auto* const columns = b.columns(m);
        for (auto const& [p, f] : changes) columns->set_flags(p, f, b.when);
        auto& tally = b.edit(m).tally;
        tally.unseen = static_cast<std::uint32_t>(tally.unseen + unseen);
        tally.deleted = static_cast<std::uint32_t>(tally.deleted + deleted);
        b.touch(rows::data_type::emails);
    }
    if (!marked.empty()) {
        auto now = std::make_shared<rows::seen_marks>(*marks);
        mark_seen(*now, marked, marks_on, b.when);
        if (now->runs.size() > runs_enough) compact(*now, *b.look(m));
        auto const put = co_await b.put_people(m, who.who(), std::move(now));
        if (!put) co_return fail(put);
        b.touch(rows::data_type::emails);
    }
    co_return result<void>{};
}

task<result<flags_changed>> account_core::change_flags(principal const& who, mailbox_id m, uid_set which, flag_change what)
{
    flags_changed out;
    auto const wanted = normalized(std::move(which));
    operation op;
    op.note = "flags";
    op.needs.push_back(m);
    op.prepare = [&](account_batch& b) {
        b.afterwards([&] {
            auto const* const s = find(m);
            if (s == nullptr || !s->index || out.after != nullptr) return;
            out.after = view_for(who, *s);
            if (b.actions(m) != 1 || out.changed.empty()) out.before = 0;
        });
        return prepare_flags(b, who, m, wanted, what, out);
    };
    auto const done = co_await submit(op);
    if (!done) co_return fail(done);
    if (!out.after) {
        // Nothing had to be committed: what is there is the answer.
        out.before = 0;
        auto latest = co_await view(who, m);
        if (!latest) co_return fail(latest);
        out.after = std::move(*latest);
    }
    co_return out;
}

}  // namespace mansio::store
