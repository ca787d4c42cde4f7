// Who wants to know which record each count ends up in: for people who ask, not for every run.
//
// A count is named by the ordinal of its first packet (FlowCounters::ordinal). Record numbers are
// the table's own, and used again once a record is released. Called on the ledger's thread.
#pragma once

#include <cstdint>
#include <functional>

namespace clerk {

struct LedgerObserver {
  std::function<void(uint64_t ordinal, uint32_t record)> counted;
  // It waits for its datagram's ports as part of an earlier count, whose ordinal stands for both
  // from now on.
  std::function<void(uint64_t ordinal, uint64_t earlier)> joined;
  // Its datagram's first fragment never came: it is about to be counted with port 0.
  std::function<void(uint64_t ordinal)> orphaned;
  // LedgerOutput gets the records later, in the order in which they are released.
  std::function<void(uint32_t record)> released;
};

}  // namespace clerk
