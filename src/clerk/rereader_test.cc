#include "clerk/rereader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "testing/temp_file.h"

namespace clerk {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Whether this comes true while a thread that needs a moment has many.
template <typename Condition>
bool eventually(Condition condition) {
  const auto until = steady_clock::now() + seconds(10);
  while (!condition()) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

bool hangup_is_pending() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGHUP) == 1;
}

void hang_up() { ASSERT_EQ(::kill(::getpid(), SIGHUP), 0); }

// SIGHUP is reserved as in main, and as it was before behind the test.
class RereaderTest : public ::testing::Test {
 public:
  RereaderTest() : action_(std::signal(SIGHUP, SIG_DFL)) {
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
    reserve_hangup_signal();
    write("192.0.2.0,192.0.2.255,64496\n");
  }
  RereaderTest(const RereaderTest&) = delete;
  RereaderTest& operator=(const RereaderTest&) = delete;
  ~RereaderTest() override {
    std::signal(SIGHUP, SIG_IGN);  // one that is pending goes
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    std::signal(SIGHUP, action_);
  }

 protected:
  void write(const std::string& csv) {
    const std::vector<uint8_t> octets(csv.begin(), csv.end());
    path_ = directory_.write("asns.csv", octets);
  }

  [[nodiscard]] std::unique_ptr<Enricher> enricher() const {
    return Enricher::create({AsnFormat::Csv, path_}).value();
  }

 private:
  TempDirectory directory_;
  std::string path_;
  sigset_t mask_{};
  void (*action_)(int);
};

// The number of 192.0.2.1.
uint32_t as_number(const Enricher& enricher) {
  std::array<FlowRecord, 1> records;
  records[0].source.octets = {192, 0, 2, 1};
  enricher.enrich(records);
  return records[0].source_as;
}

TEST_F(RereaderTest, ReadsAgainOnSighup) {
  const auto table = enricher();
  const auto rereader = Rereader::start(*table, hours(1));
  ASSERT_TRUE(rereader) << rereader.error().message;
  EXPECT_EQ(as_number(*table), 64496U);
  for (const uint32_t number : {64497U, 64498U}) {
    write("192.0.2.0,192.0.2.255," + std::to_string(number) + "\n");
    hang_up();
    EXPECT_TRUE(eventually([&] { return as_number(*table) == number; })) << number;
  }
}

TEST_F(RereaderTest, DoesNotReadAgainUnasked) {
  const auto table = enricher();
  const auto rereader = Rereader::start(*table, hours(1)).value();
  write("192.0.2.0,192.0.2.255,64497\n");
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(as_number(*table), 64496U);
}

TEST_F(RereaderTest, ReadsAgainAtEachInterval) {
  const auto table = enricher();
  const auto start = steady_clock::now();
  const auto rereader = Rereader::start(*table, seconds(1)).value();
  write("192.0.2.0,192.0.2.255,64497\n");
  EXPECT_TRUE(eventually([&] { return as_number(*table) == 64497; }));
  EXPECT_GE(steady_clock::now() - start, seconds(1));
}

TEST_F(RereaderTest, AFileThatCannotBeUsedLeavesTheNumbersAndTheNextOneCounts) {
  const auto table = enricher();
  const auto rereader = Rereader::start(*table, hours(1)).value();
  write("this is no list\n");
  hang_up();
  EXPECT_TRUE(eventually([] { return !hangup_is_pending(); }));
  hang_up();  // is taken when the first reading is over
  EXPECT_TRUE(eventually([] { return !hangup_is_pending(); }));
  EXPECT_EQ(as_number(*table), 64496U);
  write("192.0.2.0,192.0.2.255,64497\n");
  hang_up();
  EXPECT_TRUE(eventually([&] { return as_number(*table) == 64497; }));
}

TEST_F(RereaderTest, TakesASignalThatCameBeforeIt) {
  const auto table = enricher();
  write("192.0.2.0,192.0.2.255,64497\n");
  hang_up();
  EXPECT_TRUE(hangup_is_pending());
  const auto rereader = Rereader::start(*table, hours(1)).value();
  EXPECT_TRUE(eventually([&] { return as_number(*table) == 64497; }));
}

TEST_F(RereaderTest, ASignalThatWasIgnoredIsHeardFromThenOn) {
  std::signal(SIGHUP, SIG_IGN);
  reserve_hangup_signal();
  const auto table = enricher();
  const auto rereader = Rereader::start(*table, hours(1)).value();
  write("192.0.2.0,192.0.2.255,64497\n");
  hang_up();
  EXPECT_TRUE(eventually([&] { return as_number(*table) == 64497; }));
}

TEST_F(RereaderTest, EndsAtOnce) {
  const auto table = enricher();
  const auto start = steady_clock::now();
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(Rereader::start(*table, hours(24)));
  EXPECT_LT(steady_clock::now() - start, seconds(2));
}

TEST_F(RereaderTest, LeavesThePriorityOfOtherThreadsAlone) {
  const auto table = enricher();
  const int before = ::nice(0);
  {
    const auto rereader = Rereader::start(*table, hours(1)).value();
    hang_up();
    EXPECT_TRUE(eventually([] { return !hangup_is_pending(); }));
  }
  EXPECT_EQ(::nice(0), before);
}

}  // namespace
}  // namespace clerk
