// testimonyd: shares capture rings among programs. The whole wiring: configuration, sockets and
// rings, privileges, work.
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <new>

#include "base/log.h"
#include "base/print.h"
#include "base/privileges.h"
#include "testimonyd/check.h"
#include "testimonyd/daemon.h"
#include "testimonyd/options.h"

namespace clerk {
namespace {

// A descriptor for each client.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<void> serve(const DaemonOptions& options) {
  if (!options.syslog) {
    stamp_log_with_time();
  } else if (const auto syslog = log_to_syslog(); !syslog) {
    return fail("--syslog: {}; without the flag the log goes to stderr", syslog.error().message);
  }
  const Config config = TRY(load_config(options.config));
  const auto daemon = TRY(Daemon::open(config, options));
  TRY(give_up_privileges(std::nullopt, kept_capabilities(config, options)));
  spdlog::info("{}", describe_privileges());
  daemon->run();
  return {};
}

int answer_with(const Answer& answer) {
  const bool printed = print_to(answer.exit_status == kExitDone ? stdout : stderr, answer.text);
  return printed ? answer.exit_status : std::max(answer.exit_status, kExitFailed);
}

}  // namespace
}  // namespace clerk

int main(int argc, char** argv) {
  using namespace clerk;
  std::signal(SIGPIPE, SIG_IGN);
  start_log("testimonyd");
  const auto parsed = parse_daemon_command_line(argc, argv);
  if (const auto* answer = std::get_if<Answer>(&parsed)) return answer_with(*answer);
  const auto& options = std::get<DaemonOptions>(parsed);
  if (options.check) return check_config(options.config);
  set_log_level(options.log_level);
  allow_many_descriptors();
  try {
    const auto served = serve(options);
    if (served) return kExitDone;
    spdlog::error("{}", served.error().message);
  } catch (const std::bad_alloc&) {
    spdlog::error("there is not enough memory");
  }
  return kExitFailed;
}
