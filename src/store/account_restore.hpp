// What a restore changes in an account's rows, so that nothing that was given out after the backup is ever given out again (docs/formats/account.md, trust.md D5).
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "store/engine.hpp"

namespace mansio::store {

/// Highest incarnation there is: 15 bits.
inline constexpr std::uint64_t last_incarnation = 0x7FFF;

/// Takes an account's rows in the order of their keys and gives them back as they are to be written. The incarnation becomes the one given; every mailbox
/// gets a UIDVALIDITY, and the counters of UIDVALIDITYs, mailboxes and emails go on, beyond all that the account can have given out between the
/// backup and the restore, or after an earlier restore from it: a sixteen-thousandth, or a four-milliardth, of the way for each incarnation that has passed.
/// UIDs stay: with another UIDVALIDITY they say nothing of what clients have seen. Pure.
class restored_account {
public:
    /// `incarnation`: above the backup's, and never given to this account before; at most last_incarnation.
    explicit restored_account(std::uint64_t incarnation) : incarnation_(incarnation) {}
    /// The row to write now; nullopt for the head: finish() gives it. A damaged row stays as it is. Errors: broken (the head is damaged: there is no
    /// account without it), refused (its incarnation or its UIDVALIDITYs are at their end).
    [[nodiscard]] result<std::optional<row>> next(row r);
    /// The head, which makes the rest an account: written last. nullopt: there was none.
    [[nodiscard]] std::optional<row> finish();

private:
    std::uint64_t incarnation_;
    std::optional<row> head_;
    std::uint32_t validity_ = 0;  ///< last given
    bool known_ = false;
};

}  // namespace mansio::store
