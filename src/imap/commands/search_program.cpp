#include "imap/commands/search_program.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "mime/unicode.hpp"

namespace mansio::imap::commands {
namespace {

using kind = search_key::kind;

constexpr struct {
    std::string_view name;
    kind what;
    bool wanted;
    store::system_flag flag;
} plain_keys[] = {
    {"ALL", kind::all, true, {}},
    {"ANSWERED", kind::flag, true, store::system_flag::answered},
    {"DELETED", kind::flag, true, store::system_flag::deleted},
    {"DRAFT", kind::flag, true, store::system_flag::draft},
    {"FLAGGED", kind::flag, true, store::system_flag::flagged},
    {"SEEN", kind::flag, true, store::system_flag::seen},
    {"UNANSWERED", kind::flag, false, store::system_flag::answered},
    {"UNDELETED", kind::flag, false, store::system_flag::deleted},
    {"UNDRAFT", kind::flag, false, store::system_flag::draft},
    {"UNFLAGGED", kind::flag, false, store::system_flag::flagged},
    {"UNSEEN", kind::flag, false, store::system_flag::seen},
    {"RECENT", kind::recent, true, {}},  // these three are RFC 3501's
    {"OLD", kind::recent, false, {}},
    {"NEW", kind::new_, true, {}},
    {"SAVEDATESUPPORTED", kind::all, true, {}},  // RFC 8514 §4.3: true of every message of a mailbox that keeps the date, as all here do
};
constexpr struct {
    std::string_view name;
    kind what;
    extension part_of = extension::none;
} date_keys[] = {{"BEFORE", kind::before},
                 {"ON", kind::on},
                 {"SINCE", kind::since},
                 {"SENTBEFORE", kind::sent_before},
                 {"SENTON", kind::sent_on},
                 {"SENTSINCE", kind::sent_since},
                 {"SAVEDBEFORE", kind::saved_before, extension::savedate},
                 {"SAVEDON", kind::saved_on, extension::savedate},
                 {"SAVEDSINCE", kind::saved_since, extension::savedate}};
constexpr struct {
    std::string_view name;
    kind what;
} id_keys[] = {{"EMAILID", kind::email_id}, {"THREADID", kind::thread_id}};
constexpr struct {
    std::string_view name;
    kind what;
    extension part_of = extension::none;
} number_keys[] = {
    {"LARGER", kind::larger}, {"SMALLER", kind::smaller}, {"OLDER", kind::older, extension::within}, {"YOUNGER", kind::younger, extension::within}};
constexpr std::string_view address_keys[] = {"FROM", "TO", "CC", "BCC", "SUBJECT"};

/// A string to look for. Every client sends UTF-8 or ASCII here; what is neither can match nothing that is text.
result<std::string> parse_needle(wire::scanner& in)
{
    if (auto sp = in.space(); !sp) return fail(sp);
    auto text = in.astring();
    if (!text) return fail(text);
    if (!base::is_utf8(*text)) return fail(fault::kind::refused, "[BADCHARSET (US-ASCII UTF-8)] the string is not UTF-8");
    return mime::casemap(*text);
}

// "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer   (RFC 7162 §3.1.5)
result<search_key> parse_modseq(wire::scanner& in)
{
    search_key k;
    k.what = kind::modseq;
    if (auto sp = in.space(); !sp) return fail(sp);
    if (in.peek() == '"') {
        // We keep one mod-sequence a message: which flag is meant makes no difference.
        auto const entry = in.string();
        if (!entry) return fail(entry);
        if (!entry->starts_with("/flags/")) return fail(fault::kind::syntax, "the entry is \"/flags/\" and a flag");
        if (auto sp = in.space(); !sp) return fail(sp);
        if (!in.take_word("all") && !in.take_word("priv") && !in.take_word("shared"))
            return fail(fault::kind::syntax, "the entry's type is all, priv or shared");
        if (auto sp = in.space(); !sp) return fail(sp);
    }
    auto const least = in.number64();
    if (!least) return fail(least);
    k.number = *least;
    return k;
}

result<search_key> parse_argument_key(wire::scanner& in, extension_set const& on)
{
    search_key k;
    if (on.has(extension::condstore) && in.take_word("MODSEQ")) return parse_modseq(in);
    for (auto const& d : date_keys) {
        if (!on.has(d.part_of) || !in.take_word(d.name)) continue;
        if (auto sp = in.space(); !sp) return fail(sp);
        auto const day = in.date();
        if (!day) return fail(day);
        k.what = d.what;
        k.day = *day;
        return k;
    }
    for (auto const& n : number_keys) {
        if (!on.has(n.part_of) || !in.take_word(n.name)) continue;
        if (auto sp = in.space(); !sp) return fail(sp);
        auto const number = in.number64();
        if (!number) return fail(number);
        k.what = n.what;
        k.number = *number;
        return k;
    }
    for (auto const& i : id_keys) {
        if (!on.has(extension::objectid) || !in.take_word(i.name)) continue;
        if (auto sp = in.space(); !sp) return fail(sp);
        auto const id = in.atom();
        if (!id) return fail(id);
        k.what = i.what;
        k.field = *id;
        return k;
    }
    bool const is_header = in.take_word("HEADER");
    bool const is_text = !is_header && in.take_word("TEXT");
    bool const is_body = !is_header && !is_text && in.take_word("BODY");
    k.what = is_text ? kind::text : is_body ? kind::body : kind::header;
    if (is_header) {
        if (auto sp = in.space(); !sp) return fail(sp);
        auto const field = in.astring();
        if (!field) return fail(field);
        k.field = base::to_lower_ascii(*field);
    } else if (!is_text && !is_body) {
        for (auto const name : address_keys)
            if (k.field.empty() && in.take_word(name)) k.field = base::to_lower_ascii(name);
        if (k.field.empty()) return fail(fault::kind::syntax, "there is no such search key");
    }
    auto needle = parse_needle(in);
    if (!needle) return fail(needle);
    k.needle = std::move(*needle);
    return k;
}

result<search_key> parse_key(wire::scanner& in, extension_set const& on)
{
    search_key k;
    for (auto const& p : plain_keys) {
        if (p.name == "SAVEDATESUPPORTED" && !on.has(extension::savedate)) continue;
        if (!in.take_word(p.name)) continue;
        k.what = p.what;
        k.wanted = p.wanted;
        k.flag = p.flag;
        return k;
    }
    auto const c = in.peek();
    bool const by_uid = in.take_word("UID");
    if (by_uid || c == '*' || c == '$' || (c >= '0' && c <= '9')) {
        if (by_uid)
            if (auto sp = in.space(); !sp) return fail(sp);
        auto set = wire::parse_sequence_set(in);
        if (!set) return fail(set);
        k.what = by_uid ? kind::uid_set : kind::set;
        k.set = std::move(*set);
        return k;
    }
    k.wanted = !in.take_word("UNKEYWORD");
    if (!k.wanted || in.take_word("KEYWORD")) {
        if (auto sp = in.space(); !sp) return fail(sp);
        auto const name = in.atom();
        if (!name) return fail(name);
        k.what = kind::keyword;
        k.field = *name;
        return k;
    }
    return parse_argument_key(in, on);
}

}  // namespace

search_cost cost_of(search_key const& k) noexcept
{
    if (k.what == kind::body || k.what == kind::text) return search_cost::message;
    if (k.what == kind::header) {
        bool const kept = std::ranges::binary_search(mime::kept_fields(), std::string_view{k.field});
        return kept ? search_cost::summary : search_cost::message;
    }
    return k.what >= kind::sent_before ? search_cost::summary : search_cost::index;
}

bool search_program::needs(search_cost c) const noexcept
{
    return std::ranges::any_of(keys_, [c](auto const& k) { return cost_of(k) == c; });
}

bool search_program::has(search_key::kind what) const noexcept { return std::ranges::find(keys_, what, &search_key::what) != keys_.end(); }

/// Keeps what is open: each NOT waits for one operand, each OR for two, each list joins what it holds with AND.
class search_program::builder {
public:
    /// `p`: null to follow a search that is a part of another one, without writing it down.
    explicit builder(search_program* p) : p_(p) { open_.push_back({op::and_, 0}); }
    void open_list() { open_.push_back({op::and_, 0}); }
    void open_not() { open_.push_back({op::not_, 0}); }
    void open_or() { open_.push_back({op::or_, 0}); }
    void add(search_key k)
    {
        push({op::key, p_ != nullptr ? static_cast<std::uint32_t>(p_->keys_.size()) : 0});
        if (p_ != nullptr) p_->keys_.push_back(std::move(k));
        operand_done();
    }
    /// False: there is no open list, or it is empty, or an operator in it still waits.
    bool close_list()
    {
        if (open_.size() < 2 || open_.back().what != op::and_ || open_.back().operands == 0) return false;
        open_.pop_back();
        operand_done();
        return true;
    }
    [[nodiscard]] bool complete() const { return open_.size() == 1 && open_.back().operands != 0; }

private:
    void push(step s)
    {
        if (p_ != nullptr) p_->steps_.push_back(s);
    }
    void operand_done()
    {
        while (true) {
            auto& top = open_.back();
            ++top.operands;
            if (top.what == op::and_) {
                if (top.operands > 1) push({op::and_});
                return;
            }
            if (top.what == op::or_ && top.operands < 2) return;
            push({top.what});
            open_.pop_back();
        }
    }
    struct frame {
        op what;
        std::size_t operands;
    };
    search_program* p_;
    std::vector<frame> open_;
};

/// Reads keys from the command and, while there are any, from the filters that stand in it. A filter's text is put in its place as it is (RFC 5466 §3.1): its
/// keys go straight into the program, and are followed apart to see that they are a whole search by themselves.
class search_program::parser {
public:
    /// `filters`: null: whatever is named is there, and nothing is put in its place.
    parser(search_program& p, wire::scanner& in, std::uint64_t most_keys, extension_set const& on, named_filters const* filters)
        : command_(in),
          whole_(&p),
          left_(most_keys),
          on_(on),
          filters_(filters)
    {}
    result<void> run()
    {
        while (true) {
            if (left_ == 0) return fail(fault::kind::over_limit, "[LIMIT] too many search keys");
            --left_;
            auto const more = step();
            if (!more) return blamed(more.error());
            if (!*more) break;
        }
        if (!whole_.complete()) return fail(fault::kind::syntax, "the search is not complete");
        return {};
    }

private:
    /// RFC 5466 §3.1 asks for three passes; who has no more needs no look-out for circles.
    static constexpr std::size_t deepest = 3;
    struct inserted {
        std::string_view name;
        wire::scanner in;
        builder own;
    };
    [[nodiscard]] wire::scanner& in() { return inserted_.empty() ? command_ : inserted_.back().in; }
    template <class F> void to_all(F f)
    {
        f(whole_);
        for (auto& i : inserted_) f(i.own);
    }
    /// The client's command may be right though a filter is not.
    [[nodiscard]] result<void> blamed(fault const& f) const
    {
        if (inserted_.empty() || f.what != fault::kind::syntax) return std::unexpected(f);
        return fail(fault::kind::refused, "[CANNOT] the filter " + std::string{inserted_.back().name} + " is not a whole search: " + f.say);
    }
    /// False: that was the end.
    result<bool> step()
    {
        auto const list = in().enter();
        if (!list) return fail(list);
        if (*list) {
            to_all([](builder& b) { b.open_list(); });
            return true;
        }
        bool const negates = in().take_word("NOT");
        if (negates || in().take_word("OR")) {
            to_all([negates](builder& b) { negates ? b.open_not() : b.open_or(); });
            if (auto sp = in().space(); !sp) return fail(sp);
            return true;
        }
        if (on_.has(extension::filters) && in().take_word("FILTER")) {
            auto const known = filter();
            if (!known) return fail(known);
            if (*known) return true;
            return after_key();
        }
        auto key = parse_key(in(), on_);
        if (!key) return fail(key);
        to_all([&key](builder& b) { b.add(*key); });
        return after_key();
    }
    // search-key =/ "FILTER" SP filter-name. False: nothing was put in its place.
    result<bool> filter()
    {
        if (auto sp = in().space(); !sp) return fail(sp);
        auto const name = in().atom();
        if (!name) return fail(name);
        if (name->contains('/')) return fail(fault::kind::syntax, "that cannot be the name of a filter");
        if (filters_ == nullptr) {
            to_all([](builder& b) { b.add({}); });
            return false;
        }
        auto const known = filters_->find(base::to_lower_ascii(*name));
        if (known == filters_->end() || inserted_.size() == deepest)
            return fail(fault::kind::refused, "[UNDEFINED-FILTER " + std::string{*name} + "] there is no such filter");
        inserted_.push_back({known->first, wire::scanner{known->second}, builder{nullptr}});
        return true;
    }
    result<bool> after_key()
    {
        while (true) {
            while (in().leave()) {
                bool closes = whole_.close_list();
                for (auto& i : inserted_) closes = i.own.close_list() && closes;
                if (!closes) return fail(fault::kind::syntax, "\")\" closes nothing");
            }
            if (!in().at_end()) {
                if (auto sp = in().space(); !sp) return fail(sp);
                return true;
            }
            if (inserted_.empty()) return false;
            if (!inserted_.back().own.complete()) return fail(fault::kind::syntax, "something is missing");
            inserted_.pop_back();
        }
    }

    wire::scanner& command_;
    builder whole_;
    std::uint64_t left_;
    extension_set const& on_;
    named_filters const* filters_;
    std::vector<inserted> inserted_;
};

result<search_program> search_program::parse(wire::scanner& in, std::uint64_t most_keys, extension_set const& on, named_filters const& filters)
{
    search_program p;
    auto const done = parser{p, in, most_keys, on, &filters}.run();
    if (!done) return fail(done);
    return p;
}

result<void> search_program::check(std::string_view text, std::uint64_t most_keys, extension_set const& on)
{
    search_program p;
    wire::scanner in{text};
    return parser{p, in, most_keys, on, nullptr}.run();
}

search_program::truth search_program::evaluate(std::vector<truth> const& known) const
{
    std::vector<truth> stack;
    stack.reserve(steps_.size());
    auto const pop = [&stack] {
        auto const t = stack.back();
        stack.pop_back();
        return t;
    };
    for (auto const& s : steps_) {
        if (s.what == op::key) {
            stack.push_back(known[s.key]);
            continue;
        }
        auto const a = pop();
        if (s.what == op::not_) {
            stack.push_back(a == truth::unknown ? a : a == truth::yes ? truth::no : truth::yes);
            continue;
        }
        auto const b = pop();
        auto const decides = s.what == op::and_ ? truth::no : truth::yes;
        if (a == decides || b == decides)
            stack.push_back(decides);
        else
            stack.push_back(a == truth::unknown ? a : b);
    }
    return stack.back();
}

}  // namespace mansio::imap::commands
