#include "testimonyd/daemon.h"

#include <linux/capability.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>

#include "base/read_file.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// For sockets that could not be opened.
constexpr seconds kRetryInterval{1};

constexpr std::array kSignals{SIGTERM, SIGINT, SIGHUP, SIGUSR1};

// Whether this user may make and remove sockets there, without a capability.
bool is_directory_writable(const std::string& socket_path) {
  const auto parent = std::filesystem::path(socket_path).parent_path();
  struct stat status{};
  if (::stat(parent.empty() ? "." : parent.c_str(), &status) != 0) return true;
  if (status.st_uid == ::geteuid()) return (status.st_mode & S_IWUSR) != 0;
  return (status.st_mode & S_IWOTH) != 0;
}

}  // namespace

Result<Config> load_config(const std::string& path) {
  const std::string text = TRY(read_file(path, kConfigOctetsMax));
  auto config = parse_config(text);
  for (const ConfigProblem& problem : config ? config->warnings : config.error()) {
    const bool is_error = problem.severity == ConfigSeverity::Error;
    spdlog::log(is_error ? spdlog::level::err : spdlog::level::warn, "{}:{}:{}: {}", path,
                problem.line, problem.column, problem.message);
  }
  if (!config) return fail("{}: cannot be used (testimonyd --check looks at one)", path);
  return *std::move(config);
}

std::vector<int> kept_capabilities(const Config& config, const DaemonOptions& options) {
  std::vector<int> kept{CAP_NET_RAW, CAP_CHOWN};
  const bool are_writable =
      (options.stats_socket.empty() || is_directory_writable(options.stats_socket)) &&
      std::ranges::all_of(config.sockets, is_directory_writable, &SocketConfig::socket_name);
  if (!are_writable) kept.push_back(CAP_DAC_OVERRIDE);
  return kept;
}

Result<std::unique_ptr<Daemon>> Daemon::open(const Config& config, const DaemonOptions& options) {
  EventLoop loop = TRY(EventLoop::create());
  std::unique_ptr<Daemon> daemon(new Daemon(options, std::move(loop)));
  TRY(daemon->open_all(config));
  return daemon;
}

Result<void> Daemon::open_all(const Config& config) {
  TRY(watch_signals());
  for (const SocketConfig& socket : config.sockets)
    interfaces_.push_back(TRY(SharedInterface::open(socket, loop_)));
  if (options_.stats_socket.empty()) return {};
  auto opened =
      StatsSocket::open(options_.stats_socket, loop_, [this] { return to_json(stats()); });
  if (!opened) return fail("--stats_socket {}", opened.error().message);
  stats_socket_ = *std::move(opened);
  return {};
}

void Daemon::run() {
  spdlog::info("serving {} socket{}", interfaces_.size(), interfaces_.size() == 1 ? "" : "s");
  while (!is_ending_) {
    loop_.wait(patience());
    const auto now = Clock::now();
    for (const auto& interface : interfaces_)
      interface->work(now);
    if (stats_socket_) stats_socket_->work(now);
    retry_unserved(now);
  }
  log_stats();
}

// To the next deadline, and a little more, so that it has passed then.
milliseconds Daemon::patience() const {
  const auto now = Clock::now();
  auto deadline = now + seconds(1);
  for (const auto& interface : interfaces_)
    deadline = std::min(deadline, interface->deadline());
  if (stats_socket_) deadline = std::min(deadline, stats_socket_->deadline());
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - now));
}

Result<void> Daemon::watch_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : kSignals)
    ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return fail("signalfd: {}", errno_text(errno));
  signals_watch_ =
      TRY(loop_.watch(signals_.get(), EPOLLIN, [this](uint32_t) { handle_signals(); }));
  return {};
}

void Daemon::handle_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    switch (static_cast<int>(signal.ssi_signo)) {
      case SIGHUP: reread_config(); break;
      case SIGUSR1: log_stats(); break;
      default: is_ending_ = true;
    }
  }
}

void Daemon::reread_config() {
  const auto config = load_config(options_.config);
  if (!config) return spdlog::error("{}; going on as before", config.error().message);
  apply(*config);
}

// What goes, goes first: its memory and its path may be wanted again.
void Daemon::apply(const Config& config) {
  const size_t before = interfaces_.size();
  std::erase_if(interfaces_, [&](const auto& interface) {
    return std::ranges::find(config.sockets, interface->config()) == config.sockets.end();
  });
  const size_t kept = interfaces_.size();
  unserved_ = config.sockets;
  std::erase_if(unserved_, [&](const SocketConfig& socket) {
    return std::ranges::any_of(
        interfaces_, [&](const auto& interface) { return interface->config() == socket; });
  });
  for (const Error& error : open_unserved())
    spdlog::error("{}; it is not served yet, and tried again each second", error.message);
  spdlog::info("the configuration was read again: {} kept, {} ended, {} begun, {} failed", kept,
               before - kept, interfaces_.size() - kept, unserved_.size());
}

// The memory of an earlier ring may be held by its clients for a moment, for example. Returns why
// the others are left.
std::vector<Error> Daemon::open_unserved() {
  next_try_ = Clock::now() + kRetryInterval;
  std::vector<Error> errors;
  std::erase_if(unserved_, [&](const SocketConfig& socket) {
    auto opened = SharedInterface::open(socket, loop_);
    if (!opened) {
      errors.push_back(opened.error());
      return false;
    }
    interfaces_.push_back(*std::move(opened));
    return true;
  });
  return errors;
}

void Daemon::retry_unserved(Clock::time_point now) {
  if (unserved_.empty() || now < next_try_) return;
  const auto errors = open_unserved();
  if (errors.empty() || !unserved_limiter_.allow(now)) return;
  for (const Error& error : errors)
    spdlog::error("{}; it is not served yet", error.message);
}

// Statistics

DaemonStats Daemon::stats() {
  const auto now = Clock::now();
  DaemonStats stats{.uptime_seconds = std::chrono::duration<double>(now - start_).count()};
  stats.sockets.reserve(interfaces_.size());
  for (const auto& interface : interfaces_)
    stats.sockets.push_back(interface->stats(now));
  return stats;
}

void Daemon::log_stats() {
  for (const std::string& line : to_lines(stats()))
    spdlog::info("{}", line);
}

}  // namespace clerk
