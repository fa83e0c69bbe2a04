// Rows of a queue partition (docs/formats/queue.md).
#pragma once
#include <string>
#include <string_view>

#include "queue/queue.hpp"

namespace mansio::queue {

/// 64 fixed partitions; the id's first part says which.
inline constexpr unsigned partition_count = 64;
[[nodiscard]] store::partition_id partition_of(unsigned number);
/// nullopt: no queue id of ours.
[[nodiscard]] std::optional<unsigned> partition_number(std::string_view id);
[[nodiscard]] queue_id make_queue_id(unsigned partition, base::random& r);
[[nodiscard]] store::holder holder_of(store::partition_id where, queue_id const& id);

/// When a message is tried next, and what is known of its age.
struct schedule {
    std::int64_t due = 0;               ///< unix seconds (wall clock); clamped on load, so that a jump freezes nothing
    std::int64_t written = 0;           ///< unix seconds of this row
    std::chrono::seconds age{0};        ///< monotonic age when it was written
    std::uint32_t attempts = 0;
    std::string held;
    int priority = 0;                   ///< MT-PRIORITY: those due are begun in this order
    std::chrono::seconds hold_left{0};  ///< still not to be tried for so long: the sender wished it (FUTURERELEASE); counts down before `age` counts up
    std::chrono::seconds waited{0};     ///< and was not tried for so long
    /// Some time later, none of it clamped.
    void pass(std::chrono::seconds time) noexcept;
};

[[nodiscard]] std::string envelope_key(queue_id const& id);
[[nodiscard]] std::string recipient_key(queue_id const& id, std::size_t index);
[[nodiscard]] std::string recipient_prefix(queue_id const& id);
[[nodiscard]] std::string schedule_key(queue_id const& id);
inline constexpr std::string_view schedule_prefix = "s";

/// Recipients in their first state are part of it; later states are rows of their own.
[[nodiscard]] std::string encode_envelope(envelope const& e);
[[nodiscard]] result<envelope> decode_envelope(std::string_view row);
[[nodiscard]] std::string encode_recipient_state(recipient const& r);
[[nodiscard]] result<void> decode_recipient_state(std::string_view row, recipient& into);
[[nodiscard]] std::string encode_schedule(schedule const& s);
[[nodiscard]] result<schedule> decode_schedule(std::string_view row);

}  // namespace mansio::queue
