#include "base/log.h"

#include <poll.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace clerk {
namespace {

constexpr auto kPlainPattern = "%n: %^%l%$: %v";
constexpr auto kStampedPattern = "%Y-%m-%dT%H:%M:%S.%eZ %n: %^%l%$: %v";
constexpr auto kJournalPattern = "<%*>%n: %v";

struct LevelName {
  std::string_view name;
  LogLevel level;
};
constexpr std::array<LevelName, 4> kLevelNames{{{"debug", LogLevel::Debug},
                                                {"info", LogLevel::Info},
                                                {"warn", LogLevel::Warn},
                                                {"error", LogLevel::Error}}};

// The priorities of syslog(3), as digits.
char journal_priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return '2';
    case spdlog::level::err: return '3';
    case spdlog::level::warn: return '4';
    case spdlog::level::info: return '6';
    default: return '7';
  }
}

class JournalPriority : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& to) override {
    to.push_back(journal_priority(message.level));
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalPriority>();
  }
};

// Leaves a line out rather than wait for whoever reads stderr: a reader that stands still must not
// hold back packets or export. A pipe that says it is writable takes a line at once.
class UnwaitingSink : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    pollfd waited{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&waited, 1, 0) != 0) stderr_.log(message);
  }
  void flush() override { stderr_.flush(); }
  void set_pattern(const std::string& pattern) override { stderr_.set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    stderr_.set_formatter(std::move(formatter));
  }

 private:
  spdlog::sinks::stderr_color_sink_mt stderr_;
};

std::unique_ptr<spdlog::formatter> create_formatter(const char* pattern) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<JournalPriority>('*').set_pattern(pattern);
  return formatter;
}

// systemd.exec(5): JOURNAL_STREAM names the device and inode of the journal's socket. Whoever
// redirected stderr since then left the variable behind, so it must be compared.
bool is_journal(int fd) {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status{};
  if (stream == nullptr || ::fstat(fd, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
  for (const LevelName& each : kLevelNames)
    if (each.name == text) return each.level;
  return fail("--log_level {}: there is no such level; choose debug, info, warn or error", text);
}

void start_log(const std::string& program) {
  auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<UnwaitingSink>());
  logger->set_formatter(
      create_formatter(is_journal(STDERR_FILENO) ? kJournalPattern : kPlainPattern));
  logger->set_error_handler([](const std::string&) {});  // by default it writes to stderr
  spdlog::set_default_logger(std::move(logger));
}

Result<void> log_to_syslog() {
  if (::access(_PATH_LOG, W_OK) != 0)
    return fail("nobody listens to syslog at {} ({})", _PATH_LOG, errno_text(errno));
  const auto before = spdlog::default_logger();
  auto logger = spdlog::syslog_logger_mt(before->name() + " to syslog", before->name(), LOG_PID,
                                         LOG_DAEMON, false);
  logger->set_level(before->level());
  spdlog::set_default_logger(std::move(logger));
  return {};
}

void set_log_level(LogLevel level) {
  constexpr std::array kOfSpdlog{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                 spdlog::level::err};
  spdlog::default_logger_raw()->set_level(kOfSpdlog[std::to_underlying(level)]);
}

void stamp_log_with_time() {
  if (is_journal(STDERR_FILENO)) return;
  spdlog::default_logger_raw()->set_formatter(create_formatter(kStampedPattern));
}

std::optional<uint64_t> LogLimiter::allow(std::chrono::steady_clock::time_point now) {
  if (last_ && now - *last_ < interval_) {
    ++held_back_;
    return std::nullopt;
  }
  last_ = now;
  return std::exchange(held_back_, 0);
}

}  // namespace clerk
