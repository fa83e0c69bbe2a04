// Address lists of header fields, read as mail has them: RFC 5322 §3.4 and §4.4, and what is written instead.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mime/address.hpp"
#include "mime/lexer.hpp"

namespace mansio::mime {
namespace {
struct token {
    std::string text;
    char special = '\0';  // '@' outside quotes, else a word
    bool blank_before = false;
    bool quoted = false;
};

bool is_special(char c) noexcept { return std::string_view{"<>,;:@\"("}.find(c) != std::string_view::npos || detail::is_white(c); }

/// Reads one field from left to right; every octet is looked at a fixed number of times.
class list_reader {
public:
    list_reader(std::string_view s, base::budget& most) noexcept : s_(s), most_(most) {}
    std::vector<address> run()
    {
        while (at_ < s_.size() && !stopped_) step();
        finish_item();
        if (in_group_) emit_group_end();
        return std::move(out_);
    }

private:
    void step()
    {
        char const c = s_[at_];
        if (detail::is_white(c)) {
            blank_ = true;
            ++at_;
        } else if (c == '(') {
            std::size_t const end = detail::skip_comment(s_, at_);
            if (comment_.empty()) comment_ = detail::comment_text(s_, at_, end);
            at_ = end;
            blank_ = true;
        } else if (c == '"') {
            token t{{}, '\0', take_blank(), true};
            at_ = detail::read_quoted(s_, at_, t.text);
            words_.push_back(std::move(t));
        } else if (c == '@') {
            words_.push_back({"@", '@', take_blank(), false});
            has_at_ = true;
            ++at_;
        } else if (c == ',') {
            finish_item();
            ++at_;
        } else if (c == ';') {  // ends a group; elsewhere some programs write it for ','
            finish_item();
            if (in_group_) emit_group_end();
            ++at_;
        } else if (c == ':')
            colon();
        else if (c == '<')
            angle();
        else if (c == '>') {  // never opened
            blank_ = true;
            ++at_;
        } else
            word();
    }

    void word()
    {
        token t{{}, '\0', take_blank(), false};
        if (s_[at_] == '[') {  // a domain literal holds ':' (RFC 5322 §3.4.1)
            auto const end = s_.find_first_of("]<>,;[\"(@ \t\r\n", at_ + 1);  // stops at the next "[": linear
            if (end != std::string_view::npos && s_[end] == ']') {
                t.text = s_.substr(at_, end + 1 - at_);
                at_ = end + 1;
                words_.push_back(std::move(t));
                return;
            }
        }
        do {
            if (s_[at_] == '\\' && at_ + 1 < s_.size()) ++at_;  // a quoted pair outside quotes (RFC 5322 §4.1, obs-phrase in the wild)
            t.text += s_[at_++];
        } while (at_ < s_.size() && !is_special(s_[at_]));
        words_.push_back(std::move(t));
    }

    /// "group: …;". A colon anywhere else is text.
    void colon()
    {
        ++at_;
        if (in_group_ || has_at_ || words_.empty()) {
            words_.push_back({":", '\0', take_blank(), false});
            return;
        }
        auto name = phrase(words_);
        reset();
        if (!most_.take(2)) {  // its end wants one too: a group that is begun is always ended
            stopped_ = true;
            return;
        }
        address a;
        a.what = address::kind::group_start;
        a.mailbox = std::move(name);
        out_.push_back(std::move(a));
        in_group_ = true;
    }

    /// "name <route:local@domain>". What was read so far is the name, '@' and all.
    void angle()
    {
        if (angle_done_) finish_item();  // "<a@b> <c@d>": the comma is missing
        auto name = phrase(words_);
        words_.clear();
        ++at_;
        address a;
        a.name = std::move(name);
        read_route(a);
        read_angle_words();
        split_at(words_, a);
        words_.clear();
        pending_ = std::move(a);
        angle_done_ = true;
        blank_ = false;
    }

    /// obs-route = "@" domain *("," "@" domain) ":" (RFC 5322 §4.4). Without its colon it is none.
    void read_route(address& a)
    {
        std::size_t at = detail::skip_cfws(s_, at_);
        if (at >= s_.size() || s_[at] != '@') return;
        std::string route;
        for (; at < s_.size() && s_[at] != ':'; ++at) {
            if (std::string_view{"<>;\"()"}.find(s_[at]) != std::string_view::npos) return;
            if (!detail::is_white(s_[at])) route += s_[at];
        }
        if (at >= s_.size()) return;
        a.route = std::move(route);
        at_ = at + 1;
    }

    void read_angle_words()
    {
        blank_ = false;
        while (at_ < s_.size()) {
            char const c = s_[at_];
            if (c == '>') {
                ++at_;
                return;
            }
            if (c == ',' || c == ';' || c == '<') return;  // never closed
            if (c == ':') {                                // "<http://…>" of List-* fields
                words_.push_back({":", '\0', take_blank(), false});
                ++at_;
            } else
                step();
        }
    }

    /// local@domain out of words: the last '@' divides. Without one it is all local part.
    static void split_at(std::vector<token> const& words, address& a)
    {
        auto const last = std::find_if(words.rbegin(), words.rend(), [](token const& t) { return t.special == '@'; });
        auto const mid = last == words.rend() ? words.end() : last.base() - 1;
        for (auto i = words.begin(); i != mid; ++i) a.mailbox += i->text;
        if (mid == words.end()) return;
        for (auto i = mid + 1; i != words.end(); ++i) a.host += i->text;
    }

    void finish_item()
    {
        if (angle_done_) {
            if (pending_.name.empty()) pending_.name = words_.empty() ? comment_ : phrase(words_);
            emit(std::move(pending_));
        } else if (!words_.empty())
            emit_bare();
        reset();
    }

    /// "local@domain", "name local@domain", "local@domain (name)", or a name alone.
    void emit_bare()
    {
        auto const last = std::find_if(words_.rbegin(), words_.rend(), [](token const& t) { return t.special == '@'; });
        address a;
        if (last == words_.rend()) {
            if (words_.size() == 1)
                a.mailbox = words_[0].text;
            else
                a.name = phrase(words_);
            if (a.name.empty()) a.name = comment_;
            emit(std::move(a));
            return;
        }
        auto const at = static_cast<std::size_t>(last.base() - words_.begin()) - 1;
        // Blanks may stand round the dots (RFC 5322 §4.4 obs-local-part); any other blank separates.
        std::size_t from = at;
        while (from > 0 && (from == at || joined(words_[from - 1], words_[from]))) --from;
        std::size_t to = at + 1;
        while (to < words_.size() && (to == at + 1 || joined(words_[to - 1], words_[to]))) ++to;
        for (std::size_t i = from; i < at; ++i) a.mailbox += words_[i].text;
        for (std::size_t i = at + 1; i < to; ++i) a.host += words_[i].text;
        a.name = phrase({words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(from)});
        if (a.name.empty()) a.name = comment_;
        emit(std::move(a));
    }
    static bool joined(token const& a, token const& b) noexcept { return !b.blank_before || a.text.ends_with('.') || b.text.starts_with('.'); }

    static std::string phrase(std::vector<token> const& words)
    {
        std::string out;
        for (auto const& t : words) {
            if (t.blank_before && !out.empty()) out += ' ';
            out += t.text;
        }
        return out;
    }

    void emit(address a)
    {
        if (!most_.take()) {
            stopped_ = true;
            return;
        }
        out_.push_back(std::move(a));
    }
    void emit_group_end()
    {
        address a;
        a.what = address::kind::group_end;
        out_.push_back(std::move(a));
        in_group_ = false;
    }
    void reset()
    {
        words_.clear();
        comment_.clear();
        pending_ = {};
        angle_done_ = false;
        has_at_ = false;
        blank_ = false;
    }
    bool take_blank() noexcept { return std::exchange(blank_, false); }

    std::string_view s_;
    base::budget& most_;
    std::size_t at_ = 0;
    std::vector<address> out_;
    std::vector<token> words_;
    std::string comment_;
    address pending_;
    bool angle_done_ = false;
    bool has_at_ = false;  // among words_
    bool blank_ = false;
    bool in_group_ = false;
    bool stopped_ = false;
};
}  // namespace

std::vector<address> parse_address_list(std::string_view field_body, base::budget& most) { return list_reader{field_body, most}.run(); }

}  // namespace mansio::mime
