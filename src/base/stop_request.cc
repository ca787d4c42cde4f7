#include "base/stop_request.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace clerk {
namespace {

constexpr int kSignalExitBase = 128;  // the shell's convention for "ended by signal N"

StopRequest* g_signal_target = nullptr;  // a signal handler can reach nothing else

void on_signal(int signal_number) {
  const int saved_errno = errno;
  if (!g_signal_target->request()) ::_exit(kSignalExitBase + signal_number);
  errno = saved_errno;
}

void handle_signals_with(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  for (const int signal_number : {SIGINT, SIGTERM}) {
    struct sigaction before{};
    ::sigaction(signal_number, nullptr, &before);
    // Whoever started clerk with a signal ignored (nohup) wants it ignored.
    if (before.sa_handler != SIG_IGN) ::sigaction(signal_number, &action, nullptr);
  }
}

}  // namespace

Result<StopRequest> StopRequest::create() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return fail("eventfd: {}", errno_text(errno));
  return StopRequest(std::move(event));
}

bool StopRequest::request() {
  if (requested_.exchange(true, std::memory_order_relaxed)) return false;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
  return true;
}

StopRequest::~StopRequest() {
  if (g_signal_target == this) handle_signals_with(SIG_DFL);
}

void StopRequest::install_signal_handlers() {
  g_signal_target = this;
  handle_signals_with(on_signal);
}

}  // namespace clerk
