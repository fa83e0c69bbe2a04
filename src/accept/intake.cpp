#include "accept/intake.hpp"

#include <algorithm>

namespace mansio::accept {
namespace {

/// Where the header ends, past its empty line. `from`: where to begin looking, put to where to go on when more has come.
std::optional<std::size_t> find_end(std::string_view text, std::size_t& from)
{
    auto const empty_line_at = [&](std::size_t at) -> std::optional<std::size_t> {
        if (at < text.size() && text[at] == '\n') return at + 1;
        if (at + 1 < text.size() && text[at] == '\r' && text[at + 1] == '\n') return at + 2;
        return std::nullopt;
    };
    if (from == 0)
        if (auto const end = empty_line_at(0)) return end;
    while (true) {
        auto const lf = text.find('\n', from);
        if (lf == std::string_view::npos) {
            from = std::max(from, text.size());
            return std::nullopt;
        }
        if (auto const end = empty_line_at(lf + 1)) return end;
        if (lf + 2 >= text.size()) {  // the next line may yet turn out to be empty
            from = lf;
            return std::nullopt;
        }
        from = lf + 1;
    }
}

}  // namespace

intake::intake(store::spool::writer into, header_rules rules, base::limits const& limits, base::memory_budget& memory)
    : into_(std::move(into)),
      rules_(std::move(rules)),
      limits_(limits),
      memory_(memory)
{}

void intake::refuse(reply why)
{
    if (refused_) return;
    refused_ = std::move(why);
    pending_ = {};
    header_hold_ = {};
}

bool intake::hopeless() const noexcept { return received_ / 2 > limits_.message_size + (1U << 20U); }

void intake::store(std::string_view octets)
{
    if (refused_ || octets.empty()) return;
    if (into_.size() + octets.size() > limits_.message_size)
        return refuse({552, "5.3.4", "the message is larger than " + std::to_string(limits_.message_size) + " octets"});
    if (auto done = into_.append(octets); !done) refuse(reply_for(done.error(), {452, "4.3.1", "no room for the message now, try again later"}));
}

void intake::end_header(std::string_view header)
{
    in_header_ = false;
    header_ = filter_header(header, rules_, limits_);
    if (header_.over_limit) return refuse({552, "5.3.4", std::string{header_refusal}});
    store(header_.changed ? std::string_view{header_.text} : header);
    if (header_.changed && rules_.keep_original) original_ = header;
    header_.text = {};
    pending_ = {};
    header_hold_ = {};
}

void intake::put(std::string_view octets)
{
    received_ += octets.size();
    if (refused_) return;
    if (!in_header_) return store(octets);
    if (pending_.empty()) {  // most headers come in one piece
        std::size_t from = 0;
        if (auto const end = find_end(octets, from)) {
            end_header(octets.substr(0, *end));
            return store(octets.substr(*end));
        }
    }
    if (pending_.size() + octets.size() > limits_.header_size + 65536) return refuse({552, "5.3.4", std::string{header_refusal}});
    auto const granted = header_hold_ ? header_hold_.grow(octets.size()) : static_cast<bool>(header_hold_ = memory_.take(octets.size()));
    if (!granted && !octets.empty()) return refuse({452, "4.3.1", "the server is busy, try again later"});
    pending_ += octets;
    auto const end = find_end(pending_, scanned_);
    if (!end) return;
    auto const whole = std::exchange(pending_, {});
    end_header(std::string_view{whole}.substr(0, *end));
    store(std::string_view{whole}.substr(*end));
}

result<mime::octets> intake::finish()
{
    if (in_header_ && !refused_) {
        auto const whole = std::exchange(pending_, {});
        end_header(whole);
    }
    if (refused_) return fail(fault::kind::refused, refused_->text);
    return into_.finish();
}

}  // namespace mansio::accept
