#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "base/unique_fd.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// What a descriptor is called in JOURNAL_STREAM.
std::string stream_name(int fd) {
  struct stat status{};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

// stderr leads elsewhere as long as it lives.
class RedirectedStderr {
 public:
  explicit RedirectedStderr(int to) : before_(::dup(STDERR_FILENO)) { ::dup2(to, STDERR_FILENO); }
  RedirectedStderr(const RedirectedStderr&) = delete;
  RedirectedStderr& operator=(const RedirectedStderr&) = delete;
  ~RedirectedStderr() { ::dup2(before_.get(), STDERR_FILENO); }

 private:
  UniqueFd before_;
};

// A log that is written to a file.
class Log : public ::testing::Test {
 public:
  Log() : file_(::open(path_.c_str(), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600)) {
    ::unsetenv("JOURNAL_STREAM");
  }
  ~Log() override {
    ::unsetenv("JOURNAL_STREAM");
    start_log();
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

 protected:
  void claim_journal(const std::string& stream) {
    ASSERT_EQ(::setenv("JOURNAL_STREAM", stream.c_str(), 1), 0);
  }

  template <typename Events>
  std::string text_of(Events events) {
    {
      const RedirectedStderr redirected(file_.get());
      start_log();
      events();
    }
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TempDirectory directory_;
  std::string path_ = directory_.path_of("log");
  UniqueFd file_;
};

void log_one_of_each() {
  spdlog::debug("a detail");
  spdlog::info("an event of {}", "note");
  spdlog::warn("a doubt");
  spdlog::error("a failure");
}

TEST(LogLevel, IsOneOfFourWords) {
  EXPECT_EQ(parse_log_level("debug").value(), LogLevel::Debug);
  EXPECT_EQ(parse_log_level("info").value(), LogLevel::Info);
  EXPECT_EQ(parse_log_level("warn").value(), LogLevel::Warn);
  EXPECT_EQ(parse_log_level("error").value(), LogLevel::Error);
}

TEST(LogLevel, OtherWordsAreToldTheChoices) {
  for (const char* text : {"", "Info", "warning", "2"}) {
    const auto level = parse_log_level(text);
    ASSERT_FALSE(level) << text;
    EXPECT_THAT(level.error().message, HasSubstr("choose debug, info, warn or error"));
    EXPECT_THAT(level.error().message, HasSubstr(std::string("--log_level ") + text + ":"));
  }
}

TEST_F(Log, BeginsAtInfoAndNamesProgramAndLevel) {
  EXPECT_EQ(text_of(log_one_of_each),
            "clerk: info: an event of note\n"
            "clerk: warning: a doubt\n"
            "clerk: error: a failure\n");
}

TEST_F(Log, LetsTheLevelAndGraverOnesThrough) {
  EXPECT_EQ(text_of([] {
              set_log_level(LogLevel::Warn);
              log_one_of_each();
            }),
            "clerk: warning: a doubt\n"
            "clerk: error: a failure\n");
}

TEST_F(Log, TheLevelMayChangeAtAnyTime) {
  EXPECT_EQ(text_of([] {
              set_log_level(LogLevel::Error);
              log_one_of_each();
              set_log_level(LogLevel::Debug);
              spdlog::debug("a detail");
            }),
            "clerk: error: a failure\n"
            "clerk: debug: a detail\n");
}

TEST_F(Log, StampsLinesWithTimeInUtc) {
  ::setenv("TZ", "UTC-5", 1);
  ::tzset();
  const std::time_t before = std::time(nullptr);
  const std::string text = text_of([] {
    stamp_log_with_time();
    spdlog::warn("a doubt");
  });
  ::unsetenv("TZ");
  ::tzset();
  ASSERT_THAT(text, MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}"
                                 "Z clerk: warning: a doubt\n"));
  std::tm told{};
  ASSERT_NE(::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &told), nullptr);
  EXPECT_NEAR(static_cast<double>(::timegm(&told)), static_cast<double>(before), 60);
}

TEST_F(Log, TheJournalGetsPrioritiesInsteadOfLevels) {
  claim_journal(stream_name(file_.get()));
  EXPECT_EQ(text_of([] {
              set_log_level(LogLevel::Debug);
              log_one_of_each();
            }),
            "<7>clerk: a detail\n"
            "<6>clerk: an event of note\n"
            "<4>clerk: a doubt\n"
            "<3>clerk: a failure\n");
}

TEST_F(Log, TheJournalNeedsNoTime) {
  claim_journal(stream_name(file_.get()));
  EXPECT_EQ(text_of([] {
              stamp_log_with_time();
              spdlog::info("an event");
            }),
            "<6>clerk: an event\n");
}

TEST_F(Log, AFileThatIsNotTheJournalIsNotTakenForIt) {
  for (const char* stream : {"1:2", "", ":", "text"}) {
    claim_journal(stream);
    EXPECT_THAT(text_of([] { spdlog::info("an event"); }), HasSubstr("clerk: info: an event\n"));
  }
  claim_journal(stream_name(file_.get()) + "0");
  EXPECT_THAT(text_of([] {}), ::testing::Not(HasSubstr("<6>")));
}

TEST_F(Log, APipeMayBeTheJournal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  claim_journal(stream_name(in.get()));
  {
    const RedirectedStderr redirected(in.get());
    start_log();
    spdlog::info("an event");
  }
  std::array<char, 100> buffer{};
  const ssize_t got = ::read(out.get(), buffer.data(), buffer.size());
  EXPECT_EQ(std::string(buffer.data(), static_cast<size_t>(got)), "<6>clerk: an event\n");
}

TEST_F(Log, AClosedPipeStopsNobody) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  ::close(ends[0]);
  const UniqueFd in(ends[1]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  {
    const RedirectedStderr redirected(in.get());
    start_log();
    EXPECT_NO_THROW(log_one_of_each());
  }
  std::signal(SIGPIPE, before);
  EXPECT_EQ(text_of([] { spdlog::info("an event"); }), "clerk: info: an event\n");
}

class FailingSink : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& /*message*/) override {
    throw std::runtime_error("the disk is full");
  }
  void flush_() override { throw std::runtime_error("the disk is full"); }
};

TEST_F(Log, AnErrorInsideReachesNeitherTheCallerNorTheLog) {
  EXPECT_EQ(text_of([] {
              spdlog::default_logger()->sinks().push_back(std::make_shared<FailingSink>());
              EXPECT_NO_THROW(spdlog::info("an event"));
              EXPECT_NO_THROW(spdlog::default_logger()->flush());
            }),
            "clerk: info: an event\n");
}

TEST(LogLimiter, LetsOneThroughEachIntervalAndTellsHowManyItHeldBack) {
  LogLimiter limiter(seconds(10));
  const std::chrono::steady_clock::time_point start{};
  EXPECT_EQ(limiter.allow(start), 0U);
  EXPECT_EQ(limiter.allow(start + seconds(1)), std::nullopt);
  EXPECT_EQ(limiter.allow(start + seconds(9)), std::nullopt);
  EXPECT_EQ(limiter.allow(start + seconds(10)), 2U);
  EXPECT_EQ(limiter.allow(start + seconds(20)), 0U);
}

}  // namespace
}  // namespace clerk
