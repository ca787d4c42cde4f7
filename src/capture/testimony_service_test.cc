#include "capture/testimony_service.h"

#include <gmock/gmock.h>

#include "base/log.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testimony::Failure;
using ::testing::HasSubstr;

constexpr testimony::Geometry kTwo{.fanout_size = 2, .block_octets = 1 << 20, .blocks = 16};
constexpr TestimonyService::Clock::time_point kStart{std::chrono::hours(1)};
const testimony::Error kEnded{Failure::Ended, "the daemon closed the connection"};
const testimony::Error kAbsent{Failure::NotThere, "there is no such socket"};

class TestimonyServiceTest : public ::testing::Test {
 protected:
  void connect_both(TestimonyService::Clock::time_point now) {
    service_.note_connected(0, kTwo, now);
    service_.note_connected(1, kTwo, now);
  }

  // What a step of the test logs.
  template <typename Step>
  static std::string log_of(Step step) {
    ::testing::internal::CaptureStderr();
    step();
    return ::testing::internal::GetCapturedStderr();
  }

  TestimonyService service_{"/x"};
};

TEST_F(TestimonyServiceTest, TellsOnceThatEveryIndexIsRead) {
  EXPECT_EQ(log_of([&] { service_.note_connected(1, kTwo, kStart); }), "");
  EXPECT_THAT(log_of([&] { service_.note_connected(0, kTwo, kStart); }),
              HasSubstr("testimony /x: reading 2 of 2 indexes, ring of 16 MiB each\n"));
  EXPECT_EQ(service_.fanout_size(), 2U);
}

TEST_F(TestimonyServiceTest, TheWaitForADaemonThatWasNotThereYetIsNoOutage) {
  service_.note_absent(kAbsent, kStart);
  service_.note_not_connected(0, kAbsent, kStart + seconds(1));
  connect_both(kStart + seconds(2));
  EXPECT_EQ(service_.take_outages(kStart + seconds(3)), SourceCounts{});
}

TEST_F(TestimonyServiceTest, AnOutageLastsFromTheFirstLossToTheLastReturn) {
  connect_both(kStart);
  service_.note_lost(0, kEnded, kStart + seconds(10));
  service_.note_lost(1, kEnded, kStart + seconds(11));
  service_.note_connected(0, kTwo, kStart + seconds(12));
  service_.note_connected(1, kTwo, kStart + seconds(13));
  EXPECT_EQ(service_.take_outages(kStart + seconds(20)),
            (SourceCounts{.outages = 1, .outage_ms = 3000}));
}

TEST_F(TestimonyServiceTest, AnOutageThatGoesOnIsCountedAsItGoes) {
  connect_both(kStart);
  service_.note_lost(0, kEnded, kStart);
  EXPECT_EQ(service_.take_outages(kStart + milliseconds(1500)),
            (SourceCounts{.outages = 1, .outage_ms = 1500}));
  EXPECT_EQ(service_.take_outages(kStart + std::chrono::microseconds(1500'900)), SourceCounts{});
  EXPECT_EQ(service_.take_outages(kStart + std::chrono::microseconds(1501'100)),
            SourceCounts{.outage_ms = 1})
      << "parts of a millisecond add up";
}

TEST_F(TestimonyServiceTest, AnIndexThatIsRefusedWhileOthersAreReadIsAnOutage) {
  service_.note_connected(0, kTwo, kStart);
  service_.note_not_connected(1, {Failure::Refused, "full"}, kStart + seconds(1));
  EXPECT_EQ(service_.take_outages(kStart + seconds(5)),
            (SourceCounts{.outages = 1, .outage_ms = 4000}));
}

TEST_F(TestimonyServiceTest, ADaemonWithMoreIndexesIsBackWhenAllAreRead) {
  constexpr testimony::Geometry kThree{.fanout_size = 3, .block_octets = 4096, .blocks = 4};
  connect_both(kStart);
  service_.note_lost(0, kEnded, kStart);
  service_.note_connected(0, kThree, kStart + seconds(1));
  service_.note_lost(1, kEnded, kStart + seconds(1));
  service_.note_connected(1, kThree, kStart + seconds(2));
  EXPECT_EQ(service_.fanout_size(), 3U);
  EXPECT_THAT(log_of([&] { service_.note_connected(2, kThree, kStart + seconds(3)); }),
              HasSubstr("reading 3 of 3 indexes, ring of 0.01562 MiB each"));
  EXPECT_EQ(service_.take_outages(kStart + seconds(9)),
            (SourceCounts{.outages = 1, .outage_ms = 3000}));
}

TEST_F(TestimonyServiceTest, ALossAndItsReturnAreALineEach) {
  connect_both(kStart);
  EXPECT_THAT(log_of([&] { service_.note_lost(0, kEnded, kStart); }),
              HasSubstr("testimony /x: the daemon closed the connection; connecting again\n"));
  EXPECT_EQ(log_of([&] { service_.note_lost(1, kEnded, kStart); }), "");
  EXPECT_THAT(log_of([&] { connect_both(kStart); }), HasSubstr("reading 2 of 2"));
}

TEST_F(TestimonyServiceTest, ADaemonThatComesAndGoesDoesNotFillTheLog) {
  connect_both(kStart);
  const std::string log = log_of([&] {
    for (int i = 0; i < 100; ++i) {
      const auto now = kStart + milliseconds(500) * i;
      service_.note_lost(0, kEnded, now);
      service_.note_not_connected(0, kAbsent, now);
      service_.note_connected(0, kTwo, now);
    }
  });
  // In fifty seconds a loss and a return each ten, and one attempt that failed.
  EXPECT_EQ(std::ranges::count(log, '\n'), 11);
}

TEST_F(TestimonyServiceTest, SilenceIsToldAfterAMinuteAndEachTenMinutes) {
  connect_both(kStart);
  const auto at = [&](auto passed) {
    return log_of([&] { service_.watch_silence(kStart + passed); });
  };
  EXPECT_EQ(at(seconds(59)), "");
  EXPECT_THAT(at(seconds(60)),
              HasSubstr("no block for 60 s (an idle link, or its interface is gone)"));
  EXPECT_EQ(at(minutes(10)), "");
  EXPECT_THAT(at(minutes(11)), HasSubstr("no block for 660 s"));
  service_.note_block(kStart + minutes(12));
  EXPECT_THAT(at(minutes(12)), HasSubstr("testimony /x: blocks come again"));
  EXPECT_EQ(at(minutes(12)), "");
}

TEST_F(TestimonyServiceTest, TheSilenceOfAnOutageIsNotTheLinks) {
  connect_both(kStart);
  service_.note_lost(0, kEnded, kStart);
  EXPECT_EQ(log_of([&] { service_.watch_silence(kStart + minutes(5)); }), "");
  service_.note_connected(0, kTwo, kStart + minutes(5));
  EXPECT_EQ(log_of([&] { service_.watch_silence(kStart + minutes(5) + seconds(59)); }), "");
}

}  // namespace
}  // namespace clerk
