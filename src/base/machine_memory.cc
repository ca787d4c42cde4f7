#include "base/machine_memory.h"

#include <cstdio>
#include <fstream>
#include <string>

namespace clerk {

std::optional<MachineMemory> read_machine_memory() {
  std::ifstream meminfo("/proc/meminfo");
  std::string line;
  std::optional<size_t> total;
  std::optional<size_t> available;
  while (std::getline(meminfo, line)) {
    size_t kibibytes = 0;
    if (std::sscanf(line.c_str(), "MemTotal: %zu kB", &kibibytes) == 1) total = kibibytes << 10;
    if (std::sscanf(line.c_str(), "MemAvailable: %zu kB", &kibibytes) == 1)
      available = kibibytes << 10;
  }
  if (!total || !available) return std::nullopt;
  return MachineMemory{*total, *available};
}

}  // namespace clerk
