#include "imap/contexts.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "imap/commands/search_options.hpp"
#include "imap/commands/search_run.hpp"
#include "imap/commands/sort_run.hpp"
#include "imap/session.hpp"
#include "imap/wire/writer.hpp"

namespace mansio::imap {
namespace {

/// ret-data-addto / ret-data-removefrom: of a search the position is 0, "maintained in mailbox order"; of a sort every result has its own.
void append_item(std::string& out, std::string_view name, std::vector<std::pair<std::uint32_t, std::uint32_t>> const& changes, bool sorted)
{
    if (changes.empty()) return;
    out += ' ';
    out += name;
    out += " (";
    if (sorted) {
        for (auto const& [position, number] : changes) {
            if (out.back() != '(') out += ' ';
            wire::append_number(out, position);
            out += ' ';
            wire::append_number(out, number);
        }
    } else {
        std::vector<std::uint32_t> numbers;
        for (auto const& [position, number] : changes) numbers.push_back(number);
        std::ranges::sort(numbers);
        out += "0 ";
        wire::append_numbers(out, numbers);
    }
    out += ')';
}

/// UIDs become numbers of `picture` where the client asked for those.
void number(std::vector<std::pair<std::uint32_t, store::uid>>& changes, search_context const& c, store::mailbox_view const& picture)
{
    if (c.by_uid) return;
    for (auto& [position, uid] : changes) uid = picture.find(uid).value_or(0) + 1;
}

task<result<void>> tell(session& s, search_context& c, std::vector<store::uid> after, store::mailbox_view_ptr picture)
{
    auto change = compare_lists(c.results, after);
    c.results = std::move(after);
    if (change.removed.empty() && change.added.empty()) co_return result<void>{};
    number(change.removed, c, *picture);
    number(change.added, c, *picture);
    std::string out = "* ESEARCH (TAG ";
    wire::append_string(out, c.tag);
    out += c.by_uid ? ") UID" : ")";
    append_item(out, "REMOVEFROM", change.removed, !c.order.empty());
    append_item(out, "ADDTO", change.added, !c.order.empty());
    out += "\r\n";
    co_return co_await s.send(out);
}

void end_context(session& s, std::string_view tag)
{
    std::string line = "NO [NOUPDATE ";
    wire::append_string(line, tag);
    s.untagged(line + "] its changes are not told");
}

/// Results after some messages were tried again.
task<result<std::vector<store::uid>>> results_now(session& s, search_context const& c, std::vector<std::uint32_t> changed)
{
    auto& m = *s.selected();
    auto const picture = m.announced;
    std::unordered_set<store::uid> tried;
    for (auto const p : changed) tried.insert(picture->uid_at(p));
    auto const place = commands::search_place_of(m, picture);
    auto const found = co_await commands::run_search(s, place, c.program, std::move(changed));
    if (!found) co_return fail(found);
    std::vector<store::uid> after;
    std::ranges::copy_if(c.results, std::back_inserter(after), [&tried](auto u) { return !tried.contains(u); });
    for (auto const p : found->positions) after.push_back(picture->uid_at(p));
    std::ranges::sort(after);
    if (c.order.empty()) co_return after;
    std::vector<std::uint32_t> positions;
    for (auto const u : after)
        if (auto const p = picture->find(u)) positions.push_back(*p);
    auto const sorted = co_await commands::sort_positions(s, picture, std::move(positions), c.order);
    if (!sorted) co_return fail(sorted);
    after.clear();
    for (auto const p : *sorted) after.push_back(picture->uid_at(p));
    co_return after;
}

}  // namespace

list_change compare_lists(std::vector<store::uid> const& before, std::vector<store::uid> const& after)
{
    list_change out;
    std::unordered_set<store::uid> const old{before.begin(), before.end()}, now{after.begin(), after.end()};
    for (auto i = before.size(); i-- > 0;)
        if (!now.contains(before[i])) out.removed.emplace_back(static_cast<std::uint32_t>(i + 1), before[i]);
    for (std::size_t i = 0; i < after.size(); ++i)
        if (!old.contains(after[i])) out.added.emplace_back(static_cast<std::uint32_t>(i + 1), after[i]);
    return out;
}

void begin_context(session& s, search_context c)
{
    auto& m = *s.selected();
    if (m.contexts.size() >= s.limits().imap_contexts || c.results.size() > s.limits().imap_context_results) {
        s.counts().searches_refused.add();
        return end_context(s, c.tag);
    }
    m.contexts.push_back(std::make_shared<search_context>(std::move(c)));
}

bool has_context(selected_mailbox const& m, std::string_view tag) noexcept
{
    return std::ranges::any_of(m.contexts, [tag](auto const& c) { return c->tag == tag; });
}

task<result<void>> tell_contexts_expunged(session& s, store::mailbox_view_ptr now)
{
    auto const contexts = s.selected()->contexts;
    for (auto const& c : contexts) {
        std::vector<store::uid> after;
        std::ranges::copy_if(c->results, std::back_inserter(after), [&now](auto u) { return now->find(u).has_value(); });
        auto const told = co_await tell(s, *c, std::move(after), s.selected()->announced);
        if (!told) co_return fail(told);
    }
    co_return result<void>{};
}

task<result<void>> tell_contexts_changed(session& s, store::mailbox_view_ptr before)
{
    auto& m = *s.selected();
    if (m.contexts.empty()) co_return result<void>{};
    std::vector<std::uint32_t> changed;
    m.announced->changed_since(before->highest_modseq(), [&changed](std::uint32_t position) { changed.push_back(position); });
    if (changed.empty()) co_return result<void>{};
    auto const contexts = m.contexts;
    for (auto const& c : contexts) {
        auto after = co_await results_now(s, *c, changed);
        if (!after && ends_conversation(after.error())) co_return fail(after);
        if (!after) {
            std::erase(m.contexts, c);
            end_context(s, c->tag);
            continue;
        }
        auto const told = co_await tell(s, *c, std::move(*after), m.announced);
        if (!told) co_return fail(told);
    }
    co_return result<void>{};
}

}  // namespace mansio::imap
