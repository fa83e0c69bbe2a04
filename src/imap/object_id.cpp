#include "imap/object_id.hpp"

#include <charconv>

#include "imap/wire/writer.hpp"

namespace mansio::imap {

std::string object_id(object_kind k, store::account_number account, std::uint64_t number)
{
    std::string id{static_cast<char>(k)};
    wire::append_number(id, account);
    id += '_';
    wire::append_number(id, number);
    return id;
}

void append_object_id(std::string& out, std::string_view name, object_kind k, store::account_number account, std::uint64_t number)
{
    out.append(name).append(" (").append(object_id(k, account, number)).append(")");
}

std::optional<std::uint64_t> object_number(std::string_view id, object_kind k, store::account_number account) noexcept
{
    auto const at = id.find('_');
    if (at == std::string_view::npos || id.front() != static_cast<char>(k)) return std::nullopt;
    std::uint64_t number = 0;
    auto const* const end = id.data() + id.size();
    auto const read = std::from_chars(id.data() + at + 1, end, number);
    // One spelling each: "M1_05" names nothing.
    if (read.ec != std::errc{} || read.ptr != end || object_id(k, account, number) != id) return std::nullopt;
    return number;
}

}  // namespace mansio::imap
