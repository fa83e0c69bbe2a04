// Mailbox names: keys, never paths (trust.md I7).
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include "base/bytes.hpp"
#include "store/account.hpp"

namespace mansio::store {
namespace {

std::unexpected<fault> cannot(std::string why) { return fail(fault::kind::refused, "this mailbox name cannot be used: " + why, "cannot"); }

/// What could make two names look alike, or steer a terminal: controls, formats (bidi, zero width, tags, soft hyphen), line and
/// paragraph separators, noncharacters.
bool unfit(UChar32 c)
{
    switch (u_charType(c)) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
    case U_SURROGATE: return true;
    default: break;
    }
    if (U_IS_UNICODE_NONCHAR(c)) return true;
    // Emoji need the variation selectors; nothing else that is drawn as nothing.
    bool const selector = c >= 0xFE00 && c <= 0xFE0F;
    return !selector && u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

bool blank(UChar32 c) { return u_isUWhiteSpace(c) != 0; }

result<void> check_level(std::string_view level)
{
    if (level.empty()) return cannot("a level is empty");
    // As keys they would be harmless; a program that exports a mailbox to files must never meet them.
    if (level == "." || level == "..") return cannot("a level may not be . or ..");
    auto const length = static_cast<int32_t>(level.size());
    int32_t at = 0;
    UChar32 c = 0;
    U8_NEXT(level.data(), at, length, c);
    if (c < 0) return cannot("it is not UTF-8");
    if (blank(c)) return cannot("a level begins with a blank");
    UChar32 last = c;
    while (at < length) {
        U8_NEXT(level.data(), at, length, c);
        last = c;
    }
    if (blank(last)) return cannot("a level ends with a blank");
    return {};
}

}  // namespace

std::string_view special_use_name(special_use u) noexcept
{
    switch (u) {
    case special_use::none: return {};
    case special_use::all: return "\\All";
    case special_use::archive: return "\\Archive";
    case special_use::drafts: return "\\Drafts";
    case special_use::flagged: return "\\Flagged";
    case special_use::junk: return "\\Junk";
    case special_use::sent: return "\\Sent";
    case special_use::trash: return "\\Trash";
    }
    return {};
}

result<std::string> canonical_mailbox_name(std::string_view utf8, base::limits const& l)
{
    if (utf8.empty()) return cannot("it is empty");
    if (utf8.size() > l.mailbox_name) return cannot("it is too long");
    if (!base::is_utf8(utf8)) return cannot("it is not UTF-8");
    UErrorCode error = U_ZERO_ERROR;
    auto const* const nfc = icu::Normalizer2::getNFCInstance(error);
    auto const text = icu::UnicodeString::fromUTF8({utf8.data(), static_cast<int32_t>(utf8.size())});
    for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1))
        if (unfit(text.char32At(i))) return cannot("it holds a character that cannot be seen");
    auto const normal = U_SUCCESS(error) ? nfc->normalize(text, error) : text;
    if (U_FAILURE(error)) return fail(fault::kind::broken, "the server cannot do that now", u_errorName(error));
    std::string name;
    normal.toUTF8String(name);
    if (name.size() > l.mailbox_name) return cannot("it is too long");
    if (name.front() == '#') return cannot("names with # belong to other namespaces");  // RFC 9051 §5.1.2
    std::size_t levels = 0;
    for (std::size_t from = 0; from <= name.size();) {
        auto const slash = std::min(name.find('/', from), name.size());
        if (auto const ok = check_level(std::string_view{name}.substr(from, slash - from)); !ok) return fail(ok);
        if (++levels > l.mailbox_depth) return cannot("it has too many levels");
        from = slash + 1;
    }
    // RFC 9051 §5.1: INBOX in any case is one name; so its children have one parent.
    auto const first = std::min(name.find('/'), name.size());
    if (base::equal_ignoring_case(std::string_view{name}.substr(0, first), "INBOX")) name.replace(0, first, "INBOX");
    return name;
}

}  // namespace mansio::store
