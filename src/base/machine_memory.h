// How much memory there is, for those who are about to take a lot of it: the kernel does not refuse
// a ring that is too large, but ends whatever other program it likes to make room.
#pragma once

#include <cstddef>
#include <optional>

namespace clerk {

struct MachineMemory {
  size_t octets;
  size_t available_octets;  // what could be had without swapping
};

// Of proc_meminfo(5); nothing where it cannot be read.
[[nodiscard]] std::optional<MachineMemory> read_machine_memory();

// Whether a fifth of `octets` is left to other programs.
[[nodiscard]] constexpr bool fits_memory(size_t wanted, size_t octets) {
  return wanted / 4 <= octets / 5;
}

}  // namespace clerk
