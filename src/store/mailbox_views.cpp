#include "store/mailbox_views.hpp"

#include <algorithm>
#include <array>

namespace mansio::store {
namespace {

constexpr std::array<std::string_view, 5> system_names{"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"};

class shared_view final : public mailbox_view {
public:
    shared_view(view_facts facts, std::shared_ptr<mailbox_columns const> columns, std::shared_ptr<std::vector<std::string> const> keywords)
        : facts_(facts),
          columns_(std::move(columns)),
          keywords_(std::move(keywords))
    {}
    [[nodiscard]] mailbox_id mailbox() const noexcept override { return facts_.mailbox; }
    [[nodiscard]] std::uint32_t uid_validity() const noexcept override { return facts_.uid_validity; }
    [[nodiscard]] store::uid uid_next() const noexcept override { return facts_.uid_next; }
    [[nodiscard]] mod_seq highest_modseq() const noexcept override { return facts_.highest; }
    [[nodiscard]] std::uint32_t size() const noexcept override { return columns_->size(); }
    [[nodiscard]] message_entry at(std::uint32_t position) const override { return columns_->at(position); }
    [[nodiscard]] store::uid uid_at(std::uint32_t position) const noexcept override { return columns_->uid_at(position); }
    [[nodiscard]] std::uint32_t lower_bound(store::uid u) const noexcept override { return columns_->lower_bound(u); }
    [[nodiscard]] std::vector<std::string> const& keywords() const noexcept override { return *keywords_; }
    void changed_since(mod_seq since, std::move_only_function<void(std::uint32_t)> each) const override { columns_->changed_since(since, std::move(each)); }

private:
    view_facts facts_;
    std::shared_ptr<mailbox_columns const> columns_;
    std::shared_ptr<std::vector<std::string> const> keywords_;
};

class guest_view final : public mailbox_view {
public:
    guest_view(mailbox_view_ptr shared, std::shared_ptr<rows::seen_marks const> marks) : shared_(std::move(shared)), marks_(std::move(marks))
    {
        for (auto const& run : marks_->runs) newest_ = std::max(newest_, run.when);
    }
    [[nodiscard]] mailbox_id mailbox() const noexcept override { return shared_->mailbox(); }
    [[nodiscard]] std::uint32_t uid_validity() const noexcept override { return shared_->uid_validity(); }
    [[nodiscard]] store::uid uid_next() const noexcept override { return shared_->uid_next(); }
    [[nodiscard]] mod_seq highest_modseq() const noexcept override { return std::max(newest_, shared_->highest_modseq()); }
    [[nodiscard]] std::uint32_t size() const noexcept override { return shared_->size(); }
    [[nodiscard]] message_entry at(std::uint32_t position) const override
    {
        auto e = shared_->at(position);
        auto const* const run = find_run(*marks_, e.uid);
        e.flags.set(system_flag::seen, run != nullptr && run->seen);
        if (run != nullptr) e.modseq = std::max(e.modseq, run->when);
        return e;
    }
    [[nodiscard]] store::uid uid_at(std::uint32_t position) const noexcept override { return shared_->uid_at(position); }
    [[nodiscard]] std::uint32_t lower_bound(store::uid u) const noexcept override { return shared_->lower_bound(u); }
    [[nodiscard]] std::vector<std::string> const& keywords() const noexcept override { return shared_->keywords(); }
    void changed_since(mod_seq since, std::move_only_function<void(std::uint32_t)> each) const override
    {
        if (newest_ <= since) {
            shared_->changed_since(since, std::move(each));
            return;
        }
        for (std::uint32_t i = 0; i < size(); ++i)
            if (at(i).modseq > since) each(i);
    }

private:
    mailbox_view_ptr shared_;
    std::shared_ptr<rows::seen_marks const> marks_;
    mod_seq newest_ = 0;
};

void push_run(std::vector<rows::seen_run>& runs, rows::seen_run const& run)
{
    if (!runs.empty() && runs.back().last + 1 == run.first && runs.back().seen == run.seen && runs.back().when == run.when) {
        runs.back().last = run.last;
    } else {
        runs.push_back(run);
    }
}

}  // namespace

std::optional<std::uint32_t> mailbox_view::find(store::uid u) const noexcept
{
    auto const position = lower_bound(u);
    if (position >= size() || uid_at(position) != u) return std::nullopt;
    return position;
}

std::vector<std::string> mailbox_view::names(flag_set const& f) const
{
    std::vector<std::string> out;
    for (auto const index : f.indexes()) {
        if (index < system_names.size()) {
            out.emplace_back(system_names[index]);
        } else if (index >= first_keyword && index - first_keyword < keywords().size()) {
            out.push_back(keywords()[index - first_keyword]);
        }
    }
    return out;
}

mailbox_view_ptr make_view(view_facts facts, std::shared_ptr<mailbox_columns const> columns, std::shared_ptr<std::vector<std::string> const> keywords)
{
    return std::make_shared<shared_view const>(facts, std::move(columns), std::move(keywords));
}

mailbox_view_ptr make_guest_view(mailbox_view_ptr shared, std::shared_ptr<rows::seen_marks const> marks)
{
    if (!marks) marks = std::make_shared<rows::seen_marks const>();
    return std::make_shared<guest_view const>(std::move(shared), std::move(marks));
}

late_view::late_view(view_facts facts, rows::tally const& tally, std::shared_ptr<std::vector<std::string> const> keywords, bool guest,
                     std::shared_ptr<rows::seen_marks const> marks)
    : facts_(facts),
      messages_(tally.messages),
      highest_(facts.highest),
      keywords_(std::move(keywords)),
      guest_(guest),
      marks_(std::move(marks))
{
    if (!marks_) return;
    for (auto const& run : marks_->runs) highest_ = std::max(highest_, run.when);
}

message_entry late_view::at(std::uint32_t /*position*/) const
{
    MANSIO_ASSERT(whole());
    return {};
}
store::uid late_view::uid_at(std::uint32_t /*position*/) const noexcept
{
    MANSIO_ASSERT(whole());
    return 0;
}
std::uint32_t late_view::lower_bound(store::uid /*u*/) const noexcept
{
    MANSIO_ASSERT(whole());
    return 0;
}
void late_view::changed_since(mod_seq /*since*/, std::move_only_function<void(std::uint32_t)> /*each*/) const { MANSIO_ASSERT(whole()); }

void late_view::arrive(rows::tally const& tally, mailbox_view_ptr shared) const
{
    if (arrived_) return;
    if (tally.highest != facts_.highest || tally.uid_next != facts_.uid_next || tally.messages != messages_) return lose();
    arrived_ = guest_ ? make_guest_view(std::move(shared), marks_) : std::move(shared);
}

rows::seen_run const* find_run(rows::seen_marks const& marks, store::uid u) noexcept
{
    auto const it = std::upper_bound(marks.runs.begin(), marks.runs.end(), u, [](store::uid v, rows::seen_run const& run) { return v < run.first; });
    if (it == marks.runs.begin()) return nullptr;
    auto const& run = *std::prev(it);
    return u <= run.last ? &run : nullptr;
}

void mark_seen(rows::seen_marks& marks, std::vector<store::uid> const& which, bool seen, mod_seq when)
{
    std::vector<rows::seen_run> out;
    auto next = which.begin();
    for (auto run : marks.runs) {
        for (; next != which.end() && *next < run.first; ++next) {
            push_run(out, rows::seen_run{.first = *next, .last = *next, .seen = seen, .when = when});
            if (seen) ++marks.seen;
        }
        for (; next != which.end() && *next <= run.last; ++next) {
            if (*next > run.first) push_run(out, rows::seen_run{.first = run.first, .last = *next - 1, .seen = run.seen, .when = run.when});
            push_run(out, rows::seen_run{.first = *next, .last = *next, .seen = seen, .when = when});
            if (seen && !run.seen) ++marks.seen;
            if (!seen && run.seen) --marks.seen;
            run.first = *next + 1;
        }
        if (run.first <= run.last) push_run(out, run);
    }
    for (; next != which.end(); ++next) {
        push_run(out, rows::seen_run{.first = *next, .last = *next, .seen = seen, .when = when});
        if (seen) ++marks.seen;
    }
    marks.runs = std::move(out);
}

void forget_seen(rows::seen_marks& marks, uid_set const& gone, mailbox_columns const& before)
{
    for (auto const& range : gone) {
        auto const span = before.positions(range);
        for (auto p = span.first; p < span.second; ++p) {
            auto const* const run = find_run(marks, before.uid_at(p));
            if (run != nullptr && run->seen && marks.seen > 0) --marks.seen;
        }
    }
}

void compact(rows::seen_marks& marks, mailbox_columns const& columns)
{
    std::vector<rows::seen_run> out;
    std::uint32_t end = 0;  // position behind the last run kept
    for (auto const& run : marks.runs) {
        auto const span = columns.positions({run.first, run.last});
        if (span.first == span.second) continue;
        if (!out.empty() && out.back().seen == run.seen && span.first == end) {
            out.back().last = run.last;
            out.back().when = std::max(out.back().when, run.when);
        } else {
            out.push_back(run);
        }
        end = span.second;
    }
    marks.runs = std::move(out);
}

}  // namespace mansio::store
