// Asks the CPU to fetch a cache line that will be written, or read, soon. A guess costs nothing but
// the fetch.
//
// GCC 12 takes a function that does nothing but prefetch for one without effects and deletes the
// calls to it. So every function on the way from here to one with effects is CLERK_ALWAYS_INLINE.
#pragma once

#define CLERK_ALWAYS_INLINE [[gnu::always_inline]] inline

namespace clerk {

CLERK_ALWAYS_INLINE void prefetch_for_write(const void* at) { __builtin_prefetch(at, 1); }
CLERK_ALWAYS_INLINE void prefetch_for_read(const void* at) { __builtin_prefetch(at, 0); }

}  // namespace clerk
