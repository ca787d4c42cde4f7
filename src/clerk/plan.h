// What a run is going to do, before it does it: the memory bound that every run prints, and
// --check.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/privileges.h"
#include "base/stop_request.h"
#include "clerk/options.h"

namespace clerk {

// One line: the most memory that the run may occupy, and what for. `asn_octets` is what AS numbers
// may take; `socket_meters` is how many meters read testimony sockets, whose rings are the
// daemon's.
std::string describe_memory(const Options& options, size_t asn_octets, size_t socket_meters = 0);

// Fails when an output file is one of the inputs, which opening it would empty, or when two outputs
// are the same.
Result<void> check_outputs(const Options& options);

// Fails when two names of --interface are one interface, each of whose packets would count twice.
Result<void> check_interfaces(const Options& options);

// The same for --testimony.
Result<void> check_sockets(const Options& options);

// The most records that wait for each collector of a live run.
size_t queued_records_max(const Options& options);

// The capabilities of <linux/capability.h> that the run keeps: what it takes to open an interface
// that comes back. Testimony sockets and files take none.
std::span<const int> kept_capabilities(const Options& options);

// Whom the run becomes, if anybody: --user, or when root captures, an unprivileged account. When
// root only reads testimony sockets it becomes the owner of the first that is there, who may
// connect again later; while none is there it stays root, without capabilities.
Result<std::optional<Account>> account_of(const Options& options);

// Opens every source and table, resolves every collector, prints the plan to stdout and everything
// that is missing to the log. Creates nothing. Returns the exit status.
Result<int> check_plan(const Options& options, const StopRequest& stop);

}  // namespace clerk
