#include "imap/capability.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.hpp"

namespace mansio::imap {
namespace {

constexpr bool early = true, late = false;
constexpr bool rev2 = true, extra = false;

using enum extension;
constexpr std::array table{
    //         extension    advertised as   source               before sign-in  part of IMAP4rev2
    capability{acl, "ACL", "RFC 4314", late, extra},
    capability{appendlimit, "APPENDLIMIT", "RFC 7889", late, extra},
    capability{binary, "BINARY", "RFC 3516", late, rev2},
    capability{catenate, "CATENATE", "RFC 4469", late, extra},
    capability{children, "CHILDREN", "RFC 3348", late, extra},
    capability{compress_deflate, "COMPRESS=DEFLATE", "RFC 4978", late, extra},
    capability{condstore, "CONDSTORE", "RFC 7162 §3.1", late, extra},
    capability{context_search, "CONTEXT=SEARCH", "RFC 5267 §4", late, extra},
    capability{context_sort, "CONTEXT=SORT", "RFC 5267 §4", late, extra},
    capability{create_special_use, "CREATE-SPECIAL-USE", "RFC 6154 §3", late, extra},
    capability{enable, "ENABLE", "RFC 5161", early, rev2},
    capability{esearch, "ESEARCH", "RFC 4731", late, rev2},
    capability{esort, "ESORT", "RFC 5267 §3", late, extra},
    capability{i18nlevel_1, "I18NLEVEL=1", "RFC 5255 §4", late, extra},
    capability{id, "ID", "RFC 2971", early, extra},
    capability{idle, "IDLE", "RFC 2177", late, rev2},
    capability{imap4rev2, "IMAP4rev2", "RFC 9051", early, rev2},
    capability{list_extended, "LIST-EXTENDED", "RFC 5258", late, rev2},
    capability{list_myrights, "LIST-MYRIGHTS", "RFC 8440", late, extra},
    capability{list_status, "LIST-STATUS", "RFC 5819", late, rev2},
    capability{literal_plus, "LITERAL+", "RFC 7888", early, extra},
    capability{literal_minus, "LITERAL-", "RFC 7888 §5", early, rev2},
    capability{extension::move, "MOVE", "RFC 6851", late, rev2},
    capability{multiappend, "MULTIAPPEND", "RFC 3502", late, extra},
    capability{multisearch, "MULTISEARCH", "RFC 7377", late, extra},
    capability{name_space, "NAMESPACE", "RFC 2342", late, rev2},
    capability{notify, "NOTIFY", "RFC 5465", late, extra},
    capability{objectid, "OBJECTID", "RFC 8474", late, extra},
    capability{partial, "PARTIAL", "RFC 9394", late, extra},
    capability{preview, "PREVIEW", "RFC 8970", late, extra},
    capability{qresync, "QRESYNC", "RFC 7162 §3.2", late, extra},
    capability{quota, "QUOTA", "RFC 9208", late, extra},
    capability{quota_message, "QUOTA=RES-MESSAGE", "RFC 9208 §5.2", late, extra},
    capability{quota_storage, "QUOTA=RES-STORAGE", "RFC 9208 §5.1", late, extra},
    capability{extension::replace, "REPLACE", "RFC 8508", late, extra},
    capability{sasl_ir, "SASL-IR", "RFC 4959", early, rev2},
    capability{savedate, "SAVEDATE", "RFC 8514", late, extra},
    capability{searchres, "SEARCHRES", "RFC 5182", late, rev2},
    capability{extension::sort, "SORT", "RFC 5256 §3", late, extra},
    capability{sort_display, "SORT=DISPLAY", "RFC 5957", late, extra},
    capability{special_use, "SPECIAL-USE", "RFC 6154 §2", late, rev2},
    capability{status_size, "STATUS=SIZE", "RFC 8438", late, rev2},
    capability{thread_orderedsubject, "THREAD=ORDEREDSUBJECT", "RFC 5256 §3", late, extra},
    capability{thread_references, "THREAD=REFERENCES", "RFC 5256 §3", late, extra},
    capability{thread_refs, "THREAD=REFS", "docs/imap-search.md", late, extra},
    capability{uidplus, "UIDPLUS", "RFC 4315", late, rev2},
    capability{unauthenticate, "UNAUTHENTICATE", "RFC 8437", late, extra},
    capability{unselect, "UNSELECT", "RFC 3691", late, rev2},
    capability{url_partial, "URL-PARTIAL", "RFC 5550 §5.7.1", late, extra},
    capability{utf8_accept, "UTF8=ACCEPT", "RFC 6855", late, extra},
    capability{within, "WITHIN", "RFC 5032", late, extra},
};
static_assert(std::ranges::is_sorted(table, {}, &capability::name));
static_assert(table.size() + 1 == static_cast<std::size_t>(count), "every extension has its row");

/// What is nothing without something else: it goes with it. Chains stand in order.
constexpr std::pair<extension, extension> stands_on[]{
    {extension::sort_display, extension::sort},
    {esort, extension::sort},
    {context_sort, esort},
    {context_search, esearch},
    {extension::partial, esearch},
    {multisearch, esearch},
    {url_partial, catenate},
    {list_myrights, acl},
    {list_myrights, list_extended},
    {quota_message, quota},
    {quota_storage, quota},
};

}  // namespace

extension_set extension_set::all() noexcept
{
    extension_set s;
    s.bits_.set();
    return s;
}

void extension_set::remove(extension_set const& off) noexcept
{
    bits_ &= ~off.bits_;
    for (auto const& [what, below] : stands_on)
        if (!has(below)) bits_[static_cast<std::size_t>(what)] = false;
    add(none);
    if (std::ranges::any_of(table, [this](auto const& c) { return c.in_rev2 && !has(c.what); })) bits_[static_cast<std::size_t>(imap4rev2)] = false;
}

std::span<capability const> capabilities() noexcept { return table; }

extension_set needs_people() noexcept
{
    extension_set s;
    s.add(acl);
    return s;
}

std::optional<extension> find_extension(std::string_view name) noexcept
{
    for (auto const& c : table)
        if (base::equal_ignoring_case(c.name, name)) return c.what;
    return std::nullopt;
}

std::string_view name_of(extension e) noexcept
{
    for (auto const& c : table)
        if (c.what == e) return c.name;
    return {};
}

extension_set extensions_named(std::vector<std::string> const& names) noexcept
{
    extension_set s;
    for (auto const& n : names)
        if (auto const e = find_extension(n)) s.add(*e);
    return s;
}

}  // namespace mansio::imap
