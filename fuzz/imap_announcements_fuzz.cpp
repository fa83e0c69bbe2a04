// links: imap net auth store mime base
// Two sessions of one account. Each line of the input is a command; it begins with "a" or "b", whose it is. A line "a APPEND (flags)" appends a message.
// Property: each session's picture, built from announcements alone, is legal at every step (RFC 9051 §7.4.1, §7.5.1: EXISTS does not fall, nothing is
// expunged while numbers must stand still, a number keeps its UID, UIDs rise) and after NOOP equals what a third session reads afresh, flags too.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/bytes.hpp"
#include "imap_world.hpp"

using namespace mansio;
using fuzz::must;

namespace {

using flags = std::set<std::string, std::less<>>;

struct message {
    std::uint32_t uid = 0;      ///< 0: not told yet
    std::optional<flags> told;  ///< in small letters, without \Recent
};

/// Words of a response or command: parentheses, quoted strings and BODY[…] are tokens of their own; literals were taken out before.
class words {
public:
    explicit words(std::string_view text) : rest_(text) {}
    std::string_view next()
    {
        while (rest_.starts_with(' ')) rest_.remove_prefix(1);
        if (rest_.empty()) return {};
        return take(length());
    }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
    /// Passes over one value, nested ones whole.
    void skip()
    {
        int depth = 0;
        do {
            auto const w = next();
            if (w.empty()) return;
            depth += w == "(" ? 1 : w == ")" ? -1 : 0;
        } while (depth > 0);
    }
    /// "(" word* ")"
    std::optional<flags> list()
    {
        if (next() != "(") return std::nullopt;
        flags out;
        for (auto w = next(); w != ")"; w = next()) {
            if (w.empty()) return std::nullopt;
            auto name = base::to_lower_ascii(w);
            if (name != "\\recent") out.insert(std::move(name));
        }
        return out;
    }

private:
    std::string_view take(std::size_t n)
    {
        auto const w = rest_.substr(0, n);
        rest_.remove_prefix(w.size());
        return w;
    }
    [[nodiscard]] std::size_t length() const
    {
        if (rest_.front() == '(' || rest_.front() == ')') return 1;
        if (rest_.front() == '"') {
            std::size_t i = 1;
            while (i < rest_.size() && rest_[i] != '"') i += rest_[i] == '\\' ? 2U : 1U;
            return std::min(i + 1, rest_.size());
        }
        std::size_t i = 0;
        bool section = false;
        for (; i < rest_.size(); ++i) {
            if (rest_[i] == '[') section = true;
            if (rest_[i] == ']') section = false;
            if (!section && (rest_[i] == ' ' || rest_[i] == '(' || rest_[i] == ')')) break;
        }
        return i;
    }
    std::string_view rest_;
};

std::optional<std::uint32_t> numeral(std::string_view w)
{
    std::uint32_t n = 0;
    auto const end = std::from_chars(w.data(), w.data() + w.size(), n);
    return end.ec == std::errc{} && end.ptr == w.data() + w.size() ? std::optional{n} : std::nullopt;
}
std::uint32_t number(std::string_view w) { return numeral(w).value_or(0); }

/// "1,3:5" of plain numbers; nullopt for anything else ("*", "$").
std::optional<std::vector<std::pair<std::uint32_t, std::uint32_t>>> ranges(std::string_view set)
{
    std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
    for (std::size_t at = 0; at <= set.size();) {
        auto const part = set.substr(at, set.find(',', at) - at);
        at += part.size() + 1;
        auto const colon = part.find(':');
        auto const from = number(part.substr(0, colon));
        auto const to = colon == std::string_view::npos ? from : number(part.substr(colon + 1));
        if (from == 0 || to == 0) return std::nullopt;
        out.emplace_back(std::min(from, to), std::max(from, to));
    }
    return out;
}

/// Who was told that a message is \Recent: one session alone (RFC 3501 §2.3.2). By UID, of INBOX.
using recent_claims = std::map<std::uint32_t, unsigned>;

/// A client that believes what it is told, and checks that it may.
class client {
public:
    client(fuzz::imap_world& w, recent_claims& recent, unsigned number) : w_(w), recent_(recent), stream_(w.connect()), selects_(number << 16U)
    {
        say("LOGIN a " + w.secret);
        must(status_ == "OK");
    }
    ~client()
    {
        stream_->abort();
        w_.loop.run_ready();
    }
    client(client const&) = delete;
    client& operator=(client const&) = delete;

    /// One command, and all that comes back.
    void say(std::string const& line)
    {
        end_idle();
        if (!open_) return;
        begin(line);
        finish();
    }
    void listen()
    {
        bool const still = w_.hear(*stream_, heard_);
        for (auto line = next_line(); line; line = next_line()) hear(*line);
        open_ = open_ && still;
    }
    /// Asks for what it does not know of its messages, so that its picture has no holes.
    void fill()
    {
        for (int tries = 0; tries < 3 && open_ && selected_ && !idle_; ++tries) {
            auto const hole = [](message const& m) { return m.uid == 0 || !m.told; };
            auto const first = std::ranges::find_if(picture_, hole) - picture_.begin();
            if (first == std::ssize(picture_)) return;
            say("FETCH " + std::to_string(first + 1) + ":" + std::to_string(picture_.size()) + " (UID FLAGS)");
            if (status_ == "NO") say("NOOP");
        }
    }
    void end_idle()
    {
        if (!std::exchange(idle_, false) || !open_) return;
        w_.send(*stream_, "DONE\r\n");
        status_.clear();
        listen();
        must(!open_ || !status_.empty());
    }
    [[nodiscard]] bool reads_inbox() const noexcept { return open_ && selected_ && inbox_; }
    [[nodiscard]] std::vector<message> const& picture() const noexcept { return picture_; }
    [[nodiscard]] std::string const& status() const noexcept { return status_; }

private:
    void begin(std::string const& line)
    {
        words in{line};
        name_ = base::to_upper_ascii(in.next());
        if (name_ == "UID") name_ += " " + base::to_upper_ascii(in.next());
        if (name_ == "SELECT" || name_ == "EXAMINE") {
            auto const mailbox = base::to_upper_ascii(in.next());
            will_be_inbox_ = mailbox == "INBOX" || mailbox == "\"INBOX\"";
            if (!selected_) start_select();
        }
        if (name_.ends_with("STORE")) reckon(in, name_.starts_with("UID"));
        status_.clear();
        tag_ = "t" + std::to_string(++tags_);
        w_.send(*stream_, tag_ + " " + line + "\r\n");
    }
    void finish()
    {
        listen();
        if (!open_) return;
        if (status_.empty()) return must(idle_);
        settle();
        if ((name_ == "SELECT" || name_ == "EXAMINE") && selecting_) {
            selecting_ = false;
            selected_ = status_ == "OK";
            examined_ = name_ == "EXAMINE";
            inbox_ = will_be_inbox_;
            if (!selected_) picture_.clear();
        }
        if ((name_ == "CLOSE" || name_ == "UNSELECT") && status_ == "OK") selected_ = false;
        name_.clear();
    }
    void start_select()
    {
        selecting_ = true;
        selected_ = false;
        picture_.clear();
        ++selects_;
    }
    /// STORE .SILENT: what the server will not tell is worked out (RFC 9051 §6.4.6); whatever is told after this is later. What cannot be worked out
    /// simply is asked for again.
    void reckon(words in, bool by_uid)
    {
        if (!base::to_upper_ascii(in.rest()).contains("SILENT")) return;
        auto const which = ranges(in.next());
        auto const how = base::to_upper_ascii(in.next());
        auto const named = in.list();
        bool const simple = which && named && in.next().empty() && (how == "+FLAGS.SILENT" || how == "-FLAGS.SILENT");
        for (std::uint32_t p = 0; p < picture_.size(); ++p) {
            auto& m = picture_[p];
            auto const n = by_uid ? m.uid : p + 1;
            if (simple && std::ranges::none_of(*which, [n](auto const& r) { return r.first <= n && n <= r.second; })) continue;
            reckoned_.push_back(m.uid);
            if (!simple) m.told.reset();
            if (!m.told) continue;
            for (auto const& f : *named)
                if (how.front() == '+')
                    m.told->insert(f);
                else
                    m.told->erase(f);
        }
    }
    /// After the answer: a refused STORE made the reckoning wrong.
    void settle()
    {
        if (status_ != "OK")
            for (auto& m : picture_)
                if (std::ranges::find(reckoned_, m.uid) != reckoned_.end()) m.told.reset();
        reckoned_.clear();
    }

    /// A whole response with its literals taken out; nullopt when more must come.
    std::optional<std::string> next_line()
    {
        std::string line;
        std::size_t at = 0;
        for (;;) {
            auto const end = heard_.find("\r\n", at);
            if (end == std::string::npos) return std::nullopt;
            line.append(heard_, at, end - at);
            at = end + 2;
            auto const brace = line.ends_with('}') ? line.rfind('{') : std::string::npos;
            auto const size = brace == std::string::npos ? std::nullopt : numeral(std::string_view{line}.substr(brace + 1, line.size() - brace - 2));
            if (!size) break;
            if (heard_.size() < at + *size) return std::nullopt;
            line.replace(brace, std::string::npos, "\"\"");
            at += *size;
        }
        heard_.erase(0, at);
        return line;
    }
    void hear(std::string const& line)
    {
        words in{line};
        auto const first = in.next();
        if (first == "+") {
            idle_ = name_ == "IDLE";
        } else if (first == tag_) {
            status_ = in.next();
            must(status_ == "OK" || status_ == "NO" || status_ == "BAD");
        } else if (first == "*") {
            untagged(in);
        }
    }
    void untagged(words in)
    {
        auto const what = in.next();
        auto const n = number(what);
        if (what == "BYE") return;
        if (what == "OK" && in.next() == "[CLOSED]") return start_select();
        if (what == "ENABLED") qresync_ = qresync_ || in.rest().contains("QRESYNC");
        if (what == "VANISHED") return vanished(in);
        if (n == 0 && what != "0") return;
        auto const name = in.next();
        if (name == "EXISTS") {
            must(selected_ || selecting_);
            must(n >= picture_.size());
            picture_.resize(n);
        } else if (name == "EXPUNGE") {
            must(!qresync_ && n >= 1 && n <= picture_.size());
            gone(n - 1);
        } else if (name == "FETCH") {
            must(n >= 1 && n <= picture_.size());
            fetched(n - 1, in);
        }
    }
    void gone(std::size_t position)
    {
        must(selected_ && !name_.empty());
        for (auto const still : {"FETCH", "STORE", "SEARCH", "SORT", "THREAD"}) must(name_ != still);
        picture_.erase(picture_.begin() + static_cast<std::ptrdiff_t>(position));
    }
    void vanished(words in)
    {
        must(qresync_);
        if (in.rest().starts_with(" (EARLIER)")) return;
        auto const which = ranges(in.next());
        must(which.has_value());
        for (auto const& [from, to] : *which)
            for (auto uid = from;; ++uid) {
                auto const it = std::ranges::find(picture_, uid, &message::uid);
                must(it != picture_.end());
                gone(static_cast<std::size_t>(it - picture_.begin()));
                if (uid == to) break;
            }
    }
    void fetched(std::size_t position, words in)
    {
        auto& m = picture_[position];
        if (in.next() != "(") return must(false);
        for (auto item = in.next(); !item.empty() && item != ")"; item = in.next()) {
            if (item == "UID") {
                learn(position, number(in.next()));
            } else if (item == "FLAGS") {
                bool const recent = in.rest().substr(0, in.rest().find(')')).contains("\\Recent");
                m.told = in.list();
                must(m.told.has_value());
                if (recent && inbox_ && selected_ && !examined_ && m.uid != 0) must(recent_.try_emplace(m.uid, selects_).first->second == selects_);
            } else {
                in.skip();
            }
        }
    }
    void learn(std::size_t position, std::uint32_t uid)
    {
        auto& m = picture_[position];
        must(uid != 0 && (m.uid == 0 || m.uid == uid));
        m.uid = uid;
        for (std::size_t p = position; p-- > 0;)
            if (picture_[p].uid != 0) {
                must(picture_[p].uid < uid);
                break;
            }
        for (std::size_t p = position + 1; p < picture_.size(); ++p)
            if (picture_[p].uid != 0) {
                must(picture_[p].uid > uid);
                break;
            }
    }
    fuzz::imap_world& w_;
    recent_claims& recent_;
    std::unique_ptr<net::stream> stream_;
    std::string heard_, tag_, name_, status_;
    std::vector<message> picture_;
    std::vector<std::uint32_t> reckoned_;  ///< UIDs whose flags a STORE .SILENT under way made us work out
    unsigned selects_;  ///< which SELECT of which client: whose \\Recent a message is
    unsigned tags_ = 0;
    bool open_ = true, idle_ = false, selected_ = false, selecting_ = false, examined_ = false, inbox_ = false, will_be_inbox_ = false, qresync_ = false;
};

/// Commands whose conversation this model does not follow: other layers, other announcements, other numbers.
bool beyond_the_model(std::string_view line)
{
    auto const small = base::to_lower_ascii(line);
    for (auto const word : {"compress", "starttls", "authenticate", "login", "unauthenticate", "notify", "uidonly", "rename", "acl"})
        if (small.contains(word)) return true;
    return std::ranges::any_of(line, [](char c) { return c < ' ' || c == '{' || c == 127; });
}

/// "APPEND" or "APPEND (flags)": a message of a few octets into INBOX.
std::string whole_command(std::string_view line, unsigned count)
{
    if (!base::to_lower_ascii(line).starts_with("append")) return std::string{line};
    auto const text = "N: " + std::to_string(count) + "\r\n\r\n";
    auto const options = line.substr(6);
    return "APPEND INBOX" + std::string{options.starts_with(" (") ? options : ""} + " {" + std::to_string(text.size()) + "+}\r\n" + text;
}

/// What a third session reads afresh.
void agree(client const& c, client& fresh)
{
    if (!c.reads_inbox()) return;
    fresh.say("EXAMINE INBOX");
    if (fresh.status() != "OK") return;
    fresh.fill();
    must(c.picture().size() == fresh.picture().size());
    for (std::size_t p = 0; p < c.picture().size(); ++p) {
        must(c.picture()[p].uid == fresh.picture()[p].uid);
        must(c.picture()[p].told == fresh.picture()[p].told);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size > 4096) return 0;
    std::string_view rest{reinterpret_cast<char const*>(data), size};
    fuzz::imap_world w{true};
    recent_claims recent;
    client a{w, recent, 1};
    client b{w, recent, 2};
    client fresh{w, recent, 3};
    fresh.say("ENABLE IMAP4rev2");
    for (auto* const c : {&a, &b}) c->say("SELECT INBOX");
    for (unsigned count = 1; !rest.empty(); ++count) {
        auto const line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.size() < 3 || beyond_the_model(line)) continue;
        auto& speaker = line.front() == 'b' ? b : a;
        speaker.say(whole_command(line.substr(2), count));
        speaker.fill();
        (&speaker == &a ? b : a).listen();
    }
    for (auto* const c : {&a, &b}) {
        c->say("NOOP");
        c->fill();
        agree(*c, fresh);
    }
    return 0;
}
