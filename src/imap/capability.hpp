// What CAPABILITY tells: one row for each extension, with the switch that turns it off (docs/imap.md is written from the rows).
#pragma once
#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mansio::imap {

/// Names as CAPABILITY has them, in letters an identifier may have.
enum class extension : std::uint8_t {
    none,  ///< of the base protocol: always on
    acl,
    appendlimit,
    binary,
    catenate,
    children,
    compress_deflate,
    condstore,
    context_search,
    context_sort,
    create_special_use,
    enable,
    esearch,
    esort,
    i18nlevel_1,
    id,
    idle,
    imap4rev2,
    list_extended,
    list_myrights,
    list_status,
    literal_minus,
    literal_plus,
    move,
    multiappend,
    multisearch,
    name_space,
    notify,
    objectid,
    partial,
    preview,
    qresync,
    sasl_ir,
    quota,
    quota_message,
    quota_storage,
    replace,
    savedate,
    searchres,
    sort,
    sort_display,
    special_use,
    status_size,
    thread_orderedsubject,
    thread_references,
    thread_refs,
    uidplus,
    unauthenticate,
    unselect,
    url_partial,
    utf8_accept,
    within,
    count,
};

/// A set of extensions. Value type.
class extension_set {
public:
    [[nodiscard]] static extension_set all() noexcept;
    [[nodiscard]] bool has(extension e) const noexcept { return bits_[static_cast<std::size_t>(e)]; }
    void add(extension e) noexcept { bits_[static_cast<std::size_t>(e)] = true; }
    /// Takes `off` away, what needs a part of it, and with a part of IMAP4rev2 the claim to speak IMAP4rev2.
    void remove(extension_set const& off) noexcept;
    bool operator==(extension_set const&) const = default;

private:
    std::bitset<static_cast<std::size_t>(extension::count)> bits_;
};

struct capability {
    extension what;
    std::string_view name;       ///< as advertised; of APPENDLIMIT=n what stands before "="
    std::string_view rfc;        ///< "RFC 7162 §3.1"
    bool before_sign_in = false; ///< advertised before sign-in too
    bool in_rev2 = false;        ///< IMAP4rev2 has it: without it, IMAP4rev2 is not claimed (RFC 9051 appendix E)
};
/// What is about other people, and so needs to know who they are.
[[nodiscard]] extension_set needs_people() noexcept;
/// By name.
[[nodiscard]] std::span<capability const> capabilities() noexcept;
/// By the name CAPABILITY has, ASCII case ignored. nullopt: there is no such extension.
[[nodiscard]] std::optional<extension> find_extension(std::string_view name) noexcept;
/// As CAPABILITY has it.
[[nodiscard]] std::string_view name_of(extension e) noexcept;
/// Those of a list of names; unknown ones, of another release perhaps, are left out.
[[nodiscard]] extension_set extensions_named(std::vector<std::string> const& names) noexcept;

}  // namespace mansio::imap
