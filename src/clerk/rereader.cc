#include "clerk/rereader.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace clerk {
namespace {

// Behind packets and collectors.
constexpr int kNiceness = 10;

// poll(2) counts milliseconds in an int; waiting is cut into pieces of this.
constexpr std::chrono::milliseconds kPatienceMax = std::chrono::hours(1);

sigset_t hangup_signal() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

void reserve_hangup_signal() {
  const sigset_t signals = hangup_signal();
  std::signal(SIGHUP, SIG_DFL);  // an ignored signal, as under nohup, would reach no signalfd
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Result<std::unique_ptr<Rereader>> Rereader::start(Enricher& enricher,
                                                  std::chrono::seconds interval) {
  const sigset_t signals = hangup_signal();
  UniqueFd hangups(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  UniqueFd end(::eventfd(0, EFD_CLOEXEC));
  if (!hangups || !end) return fail("cannot wait for SIGHUP: {}", errno_text(errno));
  return std::unique_ptr<Rereader>(
      new Rereader(enricher, interval, std::move(hangups), std::move(end)));
}

Rereader::Rereader(Enricher& enricher, std::chrono::seconds interval, UniqueFd hangups,
                   UniqueFd end)
    : enricher_(enricher),
      interval_(interval),
      hangups_(std::move(hangups)),
      end_(std::move(end)),
      thread_([this] { run(); }) {}

Rereader::~Rereader() {
  ::eventfd_write(end_.get(), 1);
  thread_.join();
}

void Rereader::run() {
  // On Linux the niceness is the calling thread's own.
  [[maybe_unused]] const int niceness = ::nice(kNiceness);
  auto next = Clock::now() + interval_;
  for (;;) {
    switch (wait_until(next)) {
      case Event::End: return;
      case Event::Hangup: spdlog::info("SIGHUP: reading the AS numbers again"); break;
      case Event::Interval: break;
    }
    reread();
    next = Clock::now() + interval_;
  }
}

// What came of it is in the log.
void Rereader::reread() { [[maybe_unused]] const auto reread = enricher_.reload(); }

Rereader::Event Rereader::wait_until(Clock::time_point next) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    if (left.count() <= 0) return Event::Interval;
    std::array<pollfd, 2> waited{pollfd{.fd = end_.get(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = hangups_.get(), .events = POLLIN, .revents = 0}};
    ::poll(waited.data(), waited.size(), static_cast<int>(std::min(left, kPatienceMax).count()));
    if (waited[0].revents != 0) return Event::End;
    signalfd_siginfo signal{};
    if (::read(hangups_.get(), &signal, sizeof signal) == sizeof signal) return Event::Hangup;
  }
}

}  // namespace clerk
