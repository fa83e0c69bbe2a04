#include "store/account_restore.hpp"

#include "store/account_rows.hpp"
#include "store/keys.hpp"

namespace mansio::store {
namespace {
// Room for what one incarnation gives out. All incarnations together take half a milliard of the four that mailboxes and UIDVALIDITYs have.
constexpr std::uint64_t small_step = 16'384;
constexpr unsigned email_shift = 32;

std::unexpected<fault> at_its_end(char const* what)
{
    return fail(fault::kind::refused, std::string{"the account cannot be restored again: "} + what + " are used up");
}
}  // namespace

result<std::optional<row>> restored_account::next(row r)
{
    if (r.key == keys::head()) {
        auto head = rows::decode_head(r.value);
        if (!head) return fail(head);
        if (incarnation_ <= head->incarnation || incarnation_ > last_incarnation) return at_its_end("its incarnations");
        auto const passed = incarnation_ - head->incarnation;
        auto const validity = head->last_uid_validity + passed * small_step;
        auto const mailbox = head->next_mailbox + passed * small_step;
        // The step above must stay free for the mailboxes themselves.
        if (validity > UINT32_MAX - small_step || mailbox > UINT32_MAX - small_step) return at_its_end("its UIDVALIDITYs");
        head->incarnation = incarnation_;
        head->next_mailbox = static_cast<mailbox_id>(mailbox);
        head->next_email += passed << email_shift;
        validity_ = static_cast<std::uint32_t>(validity);
        head->last_uid_validity = validity_;
        known_ = true;
        head_ = row{std::move(r.key), rows::encode(*head)};
        return std::optional<row>{};
    }
    if (known_ && r.key.starts_with('M')) {
        if (auto meta = rows::decode_meta(r.value)) {
            meta->uid_validity = ++validity_;
            r.value = rows::encode(*meta);
        }
    }
    return std::optional{std::move(r)};
}

std::optional<row> restored_account::finish()
{
    if (!head_) return std::nullopt;
    if (auto head = rows::decode_head(head_->value)) {
        head->last_uid_validity = validity_;
        head_->value = rows::encode(*head);
    }
    return std::move(head_);
}

}  // namespace mansio::store
