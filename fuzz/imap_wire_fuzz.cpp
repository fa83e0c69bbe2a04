// links: imap mime base
// The grammar of IMAP commands: whatever the octets, what it reads it reads alike twice, and names and strings survive the way out and back.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "imap/commands/fetch_items.hpp"
#include "imap/commands/search_options.hpp"
#include "imap/commands/search_program.hpp"
#include "imap/names.hpp"
#include "imap/sorting.hpp"
#include "imap/text_find.hpp"
#include "imap/threads.hpp"
#include "imap/wire/message_url.hpp"
#include "imap/wire/scanner.hpp"
#include "imap/wire/sequence_set.hpp"
#include "imap/wire/utf7.hpp"
#include "imap/wire/writer.hpp"
#include "mime/unicode.hpp"

using namespace mansio;
using namespace mansio::imap;

namespace {

void must(bool b)
{
    if (!b) std::abort();
}

void strings(std::string_view octets)
{
    wire::scanner in{octets};
    auto const read = in.astring();
    if (read) {
        std::string out;
        wire::append_astring(out, *read, true);
        wire::scanner again{out};
        must(again.astring() == *read && again.at_end());
    }
    if (auto const utf8 = wire::from_utf7(octets)) {
        must(base::is_utf8(*utf8));
        must(wire::to_utf7(*utf8) == octets);  // one spelling each (trust.md I7)
    }
    if (base::is_utf8(octets) && !octets.contains('\0')) {
        auto const back = wire::from_utf7(wire::to_utf7(octets));
        // Controls have a spelling that is refused on the way in.
        must(!back || *back == octets);
    }
}

void sets(std::string_view octets)
{
    wire::scanner in{octets};
    auto const set = wire::parse_sequence_set(in);
    if (!set || set->saved) return;
    auto const ranges = wire::resolve(*set, 1000);
    for (std::size_t i = 1; i < ranges.size(); ++i) must(ranges[i - 1].second + 1 < ranges[i].first);
    std::string out;
    wire::append_ranges(out, ranges);
    wire::scanner again{out};
    auto const once_more = wire::parse_sequence_set(again);
    must(once_more.has_value() && wire::resolve(*once_more, 1000) == ranges);
}

void commands_of(std::string_view octets)
{
    wire::scanner fetch{octets};
    static_cast<void>(commands::parse_fetch_items(fetch, extension_set::all()));
    wire::scanner search{octets};
    auto const program = commands::search_program::parse(search, 256);
    if (program) {
        std::vector<commands::search_program::truth> known(program->keys().size(), commands::search_program::truth::unknown);
        must(program->evaluate(known) == commands::search_program::truth::unknown);
    }
    wire::scanner rest{octets};
    static_cast<void>(rest.tag());
    static_cast<void>(rest.take(' '));
    static_cast<void>(rest.flag_list());
    wire::scanner date{octets};
    static_cast<void>(date.date_time());
    auto const cut = octets.find('\n');
    if (cut != std::string_view::npos) static_cast<void>(matches(octets.substr(0, std::min<std::size_t>(cut, 200)), octets.substr(cut + 1).substr(0, 200)));
    if (auto const head = wire::literal_at_end(octets)) must(head->length <= octets.size());
}

void searches(std::string_view octets)
{
    auto const on = extension_set::all();
    wire::scanner sort{octets};
    static_cast<void>(parse_sort_order(sort, on));
    wire::scanner options{octets};
    commands::search_options o;
    if (commands::parse_return_options(options, commands::searcher::sort, on, o)) {
        must(!o.partial || !o.all);
        std::string out;
        commands::append_return_data(out, o, {4, 5, 6, 2}, true);
        for (auto const n : commands::saved_of(o, {2, 4, 5, 6})) must(n >= 2 && n <= 6);
    }
    // A quick search finds what a plain one finds.
    auto const cut = octets.find('\n');
    if (cut == std::string_view::npos) return;
    auto const key = mime::casemap(octets.substr(0, cut));
    auto const text = octets.substr(cut + 1);
    bool const there = mime::casemap(text).contains(key);
    must(text_needle{key}.found_in(text) == there);
    if (there && hides_nothing(text)) must(text_needle{key}.may_be_in(text));
}

/// Each octet is a reference of one message or ends it: whatever refers to what, every message is told once and the parentheses fit.
void threads(std::string_view octets)
{
    std::vector<std::vector<std::uint64_t>> references(1);
    for (auto const c : octets.substr(0, 4096)) {
        if (c == '\n')
            references.emplace_back();
        else
            references.back().push_back(1 + static_cast<unsigned char>(c) % 64U);
    }
    std::vector<thread_message> messages;
    for (auto const& r : references) {
        auto const n = static_cast<std::uint32_t>(messages.size() + 1);
        auto const subject = std::string_view{"ABCD"}.substr(r.size() % 5 % 4, r.size() % 2);
        messages.push_back({n, static_cast<std::int64_t>(r.size() * 7 % 5), n % 64, r, subject, r.size() % 3 == 0});
    }
    for (auto const how : {thread_algorithm::ordered_subject, thread_algorithm::references, thread_algorithm::refs}) {
        std::vector<bool> told(messages.size() + 1);
        std::size_t depth = 0, number = 0, count = 0;
        for (auto const c : make_threads(how, messages)) {
            if (c >= '0' && c <= '9') {
                number = number * 10 + static_cast<std::size_t>(c - '0');
                continue;
            }
            if (number != 0) {
                must(number < told.size() && !told[number]);
                told[number] = true;
                ++count;
            }
            number = 0;
            must(c != ')' || depth != 0);
            depth += c == '(' ? 1 : 0;
            depth -= c == ')' ? 1 : 0;
        }
        must(depth == 0 && count == messages.size());
    }
}

/// A URL's parts, put together anew, say the same.
void urls(std::string_view octets)
{
    auto const u = wire::parse_message_url(octets);
    if (!u) return;
    auto const escape = [](std::string_view text) {
        std::string out;
        for (unsigned char const c : text) {
            constexpr std::string_view digits = "0123456789ABCDEF";
            ((out += '%') += digits[c >> 4U]) += digits[c & 15U];
        }
        return out;
    };
    std::string again = "/" + escape(u->mailbox);
    if (u->uid_validity) again += ";UIDVALIDITY=" + std::to_string(*u->uid_validity);
    again += "/;UID=" + std::to_string(u->uid);
    if (!u->section.empty()) again += "/;SECTION=" + escape(u->section);
    if (u->partial) again += "/;PARTIAL=" + std::to_string(u->partial->offset);
    if (u->partial && u->partial->octets) again += "." + std::to_string(*u->partial->octets);
    auto const read = wire::parse_message_url(again);
    must(read.has_value() && *read == *u);
    static_cast<void>(commands::parse_section_text(u->section));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string_view const octets{reinterpret_cast<char const*>(data), size};
    strings(octets);
    sets(octets);
    commands_of(octets);
    searches(octets);
    threads(octets);
    urls(octets);
    return 0;
}
