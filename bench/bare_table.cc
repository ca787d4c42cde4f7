#include "bare_table.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

namespace clerk::bench {

void BareTable::fail_for_flows(std::uint64_t flows_max) {
  fmt::print(stderr, "--flows: there are more than {}\n", flows_max);
  std::exit(1);
}

}  // namespace clerk::bench
