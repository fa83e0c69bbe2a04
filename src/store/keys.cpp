#include "store/keys.hpp"

#include "base/bytes.hpp"

namespace mansio::store::keys {
namespace {
std::string letter32(char letter, std::uint32_t n) { return base::row_writer{}.u8(static_cast<std::uint8_t>(letter)).be32(n).take(); }
std::string letter64(char letter, std::uint64_t n) { return base::row_writer{}.u8(static_cast<std::uint8_t>(letter)).be64(n).take(); }
std::string hash16(std::string_view text)
{
    auto const digest = base::sha256(text);
    return {reinterpret_cast<char const*>(digest.data()), 16};
}
}  // namespace

std::string head() { return "H"; }
std::string meta(mailbox_id m) { return letter32('M', m); }
std::string page_table(mailbox_id m) { return letter32('G', m); }
std::string tally(mailbox_id m) { return letter32('N', m); }
std::string log(mailbox_id m, mod_seq at) { return base::row_writer{}.u8('L').be32(m).be64(at).take(); }
std::string log_of(mailbox_id m) { return letter32('L', m); }
std::string history(std::uint64_t counter) { return letter64('J', counter); }
std::string subscription(account_number person, std::string_view name) { return letter64('S', person).append(name); }
std::string email(email_id e) { return letter64('E', e); }
std::string email_page(page_id p) { return std::string{"Z"}.append(p.view()); }
std::string members(email_id e) { return letter64('W', e); }
std::string thread_lookup(std::string_view hash) { return std::string{"T"}.append(hash); }
std::string thread_email(std::uint64_t thread, email_id e) { return base::row_writer{}.u8('Q').be64(thread).be64(e).take(); }
std::string thread_emails(std::uint64_t thread) { return letter64('Q', thread); }
std::string seen(mailbox_id m, account_number person) { return base::row_writer{}.u8('P').be32(m).be64(person).take(); }
std::string seen_count(mailbox_id m, account_number person) { return base::row_writer{}.u8('C').be32(m).be64(person).take(); }
std::string delivery(std::string_view id) { return "D" + hash16(id); }
std::string intent(std::uint64_t op) { return letter64('X', op); }
std::string sharer(account_number other) { return letter64('O', other); }
std::string pop3() { return "U"; }
std::string pop3_mark(email_id e) { return letter64('U', e); }
std::string message_hash(std::string_view message_id) { return hash16(message_id); }
std::string holder_name(email_id e) { return letter64('e', e); }

bool parse_be32(std::string_view key, std::uint32_t& first, std::string_view& rest)
{
    if (key.empty()) return false;
    base::row_reader r{key.substr(1)};
    first = r.be32();
    rest = r.rest();
    return r.ok();
}
bool parse_be64(std::string_view key, std::uint64_t& first, std::string_view& rest)
{
    if (key.empty()) return false;
    base::row_reader r{key.substr(1)};
    first = r.be64();
    rest = r.rest();
    return r.ok();
}

}  // namespace mansio::store::keys
