// What net's own sources know of a shard beyond its public face: watching descriptors. Internal to this folder.
#pragma once
#include <cstdint>
#include <memory>

#include "net/shard.hpp"

namespace mansio::net {

enum class direction : std::uint8_t { read, write };

/// Told, on the loop's thread, that a descriptor is ready. Called once for each arm(); may come without need.
class fd_sink {
public:
    virtual ~fd_sink() = default;
    virtual void ready(direction d) = 0;
};

/// Watches one descriptor; destroying it ends the watching and leaves the descriptor open. On the loop's thread only.
class fd_watch {
public:
    virtual ~fd_watch() = default;
    /// Asks for one ready(d). Level-triggered: what is ready already is told. Cheap when asked already.
    virtual void arm(direction d) = 0;
};

class loop : public shard {
public:
    /// The sink may die at any time. Throws std::system_error when the kernel refuses another watch.
    [[nodiscard]] virtual std::unique_ptr<fd_watch> watch(int fd, std::weak_ptr<fd_sink> sink) = 0;
    [[nodiscard]] virtual base::log& log() const noexcept = 0;
    [[nodiscard]] virtual base::counter& proxy_headers_refused() const noexcept = 0;
};

/// The loops of a runtime are these.
[[nodiscard]] inline loop& loop_of(shard& s) noexcept { return static_cast<loop&>(s); }

}  // namespace mansio::net
