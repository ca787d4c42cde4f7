// The CPUs of --cpus, and keeping a thread on one of them.
//
// A thread that counts packets should stay where its tables are in the cache, best on a CPU near
// the network card. main parses the list once; each packet thread pins itself.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace clerk {

// "0-3,8" becomes {0, 1, 2, 3, 8}: the CPUs in the order written, none twice. Each must be one that
// the calling thread may run on, as taskset, a control group or a container allow.
[[nodiscard]] Result<std::vector<uint32_t>> parse_cpu_list(std::string_view text);

// Keeps the calling thread, and threads that it starts from then on, on that CPU.
[[nodiscard]] Result<void> pin_thread_to(uint32_t cpu);

}  // namespace clerk
