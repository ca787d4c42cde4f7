// Checks on the program itself, never on outside input: CHECK always, DCHECK in builds that define
// CLERK_DEBUG_CHECKS (the dev, asan and tsan presets). A failed check prints where and aborts.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace clerk {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

#ifdef CLERK_DEBUG_CHECKS
inline constexpr bool kDebugChecks = true;
#else
inline constexpr bool kDebugChecks = false;
#endif

}  // namespace clerk

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::clerk::check_failed(#condition, __FILE__, __LINE__))

#define DCHECK(condition)                                       \
  (!::clerk::kDebugChecks || (condition) ? static_cast<void>(0) \
                                         : ::clerk::check_failed(#condition, __FILE__, __LINE__))
