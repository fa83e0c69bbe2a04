// Dying at the worst moment, for the soak (docs/durability.md): hidden options of the demo alone.
#pragma once
#include <functional>

namespace mansio::app {

/// From now on SIGUSR2 asks the process to die. What is returned belongs into store::rocks_options::before_sync: the first sync after the signal ends
/// the process with SIGKILL, so that what was written just before it was never synced and never acknowledged.
[[nodiscard]] std::function<void()> die_when_told();

}  // namespace mansio::app
