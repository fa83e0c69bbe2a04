// RFC 4469: messages put together from text and from what is here already; ;PARTIAL= of RFC 5092 is URL-PARTIAL (RFC 5550 §5.7.1).
// URLs of this session's own account only. URLAUTH (RFC 4467) is left out on purpose: its URLs work for whoever holds them.
#include "imap/commands/catenate.hpp"

#include <algorithm>

#include "imap/commands/fetch_body.hpp"
#include "imap/names.hpp"
#include "imap/commands/mailbox_argument.hpp"
#include "imap/session.hpp"
#include "imap/wire/message_url.hpp"

namespace mansio::imap::commands {
namespace {

/// url-resp-text holds no "]", no line end and nothing beyond ASCII.
std::string bad_url(std::string_view url)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out = "[BADURL ";
    for (char const c : url.substr(0, 1000)) {
        auto const octet = static_cast<unsigned char>(c);
        if (c > ' ' && c <= '~' && c != ']')
            out += c;
        else
            ((out += '%') += digits[octet >> 4U]) += digits[octet & 15U];
    }
    return out + "] ";
}

/// What a URL names.
struct found_part {
    store::account_ref account;  ///< of the mailbox's owner
    store::email_record_ptr email;
    fetch_section section;
};

task<result<found_part>> find(session& s, std::string url)
{
    auto const parsed = wire::parse_message_url(url);
    if (!parsed) co_return fail(parsed);
    if (parsed->partial && !s.offers(extension::url_partial)) co_return fail(fault::kind::refused, "a URL with ;PARTIAL= is not taken here");
    found_part out;
    if (!parsed->section.empty()) {
        auto section = parse_section_text(parsed->section);
        if (!section) co_return fail(section);
        out.section = std::move(*section);
    }
    if (parsed->partial) out.section.partial.emplace(parsed->partial->offset, parsed->partial->octets.value_or(UINT64_MAX));
    auto name = mailbox_from_wire(parsed->mailbox, name_form::utf8, name_use::existing, s.limits());
    if (!name) co_return fail(name);
    auto mailbox = co_await find_mailbox(s, std::move(*name));
    if (!mailbox) co_return fail(mailbox);
    out.account = std::move(mailbox->account);
    auto const view = co_await out.account.view(mailbox->info.id);
    if (!view) co_return fail(view);
    if (parsed->uid_validity && *parsed->uid_validity != (*view)->uid_validity()) co_return fail(fault::kind::not_found, "that mailbox was made anew");
    auto const position = (*view)->find(parsed->uid);
    if (!position) co_return fail(fault::kind::not_found, "there is no such message");
    std::vector<store::email_id> ids{(*view)->at(*position).email};
    auto const emails = co_await out.account.emails(mailbox->info.id, std::move(ids));
    if (!emails) co_return fail(emails);
    out.email = emails->front();
    if (!out.email) co_return fail(fault::kind::not_found, "there is no such message");
    co_return out;
}

task<result<void>> append_range(store::account_ref account, store::email_record_ptr email, mime::byte_range range, store::spool::writer& to)
{
    for (std::uint64_t done = 0; done < range.length;) {
        auto const octets = co_await account.read(email, range.offset + done, std::min(piece_of_message, range.length - done));
        if (!octets) co_return fail(octets);
        if (octets->empty()) co_return fail(fault::kind::broken, "internal error", "corruption: the message ends early");
        auto put = to.append(*octets);
        if (!put) co_return put;
        done += octets->size();
        co_await base::yield_now{};
    }
    co_return result<void>{};
}

result<void> check_size(session const& s, store::spool::writer const& to, std::uint64_t more)
{
    if (more <= s.limits().message_size && to.size() + more <= s.limits().message_size) return {};
    return fail(fault::kind::over_limit, "[TOOBIG] the message is too big");
}

task<result<void>> append_part(session& s, found_part const& found, store::spool::writer& to)
{
    auto const place = place_of(found.section, *found.email);
    auto ready = place.ready;
    if (!ready && !place.range) co_return fail(fault::kind::not_found, "the message has no such part");
    if (!ready && found.section.choice != fetch_section::filter::none) {
        if (place.range->length > longest_filtered_header) co_return fail(fault::kind::over_limit, "[LIMIT] the header is too long to be filtered");
        auto const header = co_await found.account.read(found.email, place.range->offset, place.range->length);
        if (!header) co_return fail(header);
        ready = filter_header(*header, found.section, s.limits());
    }
    auto const range = cut(ready ? mime::byte_range{0, ready->size()} : *place.range, found.section);
    if (auto ok = check_size(s, to, range.length); !ok) co_return ok;
    if (ready) co_return to.append(std::string_view{*ready}.substr(static_cast<std::size_t>(range.offset), static_cast<std::size_t>(range.length)));
    co_return co_await append_range(found.account, found.email, range, to);
}

}  // namespace

task<result<void>> append_url(session& s, std::string url, store::spool::writer& to)
{
    auto const found = co_await find(s, url);
    result<void> done;
    if (!found)
        done = fail(found);
    else
        done = co_await append_part(s, *found, to);
    if (done) co_return done;
    // Whatever is wrong with the URL is one answer, so that it tells nobody what exists (trust.md I8); what is wrong with us is another.
    auto const what = done.error().what;
    if (what != fault::kind::syntax && what != fault::kind::not_found && what != fault::kind::refused) co_return done;
    co_return fail(fault::kind::refused, bad_url(url) + "that URL names no octets here");
}

}  // namespace mansio::imap::commands
