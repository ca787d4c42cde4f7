// What a run is going to do, before it does it: the memory bound that every run prints, and
// --check.
#pragma once

#include <string>

#include "base/error.h"
#include "base/stop_request.h"
#include "clerk/options.h"

namespace clerk {

// One line: the most memory that the run may occupy, and what for.
std::string describe_memory(const Options& options);

// Fails when an output file is one of the inputs, which opening it would empty, or when two outputs
// are the same.
Result<void> check_outputs(const Options& options);

// Opens every file, resolves every collector, prints the plan to stdout. Creates nothing. Returns
// the exit status; an error is what would keep the run from starting.
Result<int> check_plan(const Options& options, const StopRequest& stop);

}  // namespace clerk
