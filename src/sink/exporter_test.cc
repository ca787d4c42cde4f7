#include "sink/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <string>
#include <utility>

namespace clerk {
namespace {

using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kRecordsMax = 10;

// What the exporter's thread meets before a test lets it on.
class Gate {
 public:
  void open() { latch_.count_down(); }
  void pass() const { latch_.wait(); }

 private:
  std::latch latch_{1};
};

// Keeps what it gets, and stands before a gate meanwhile if there is one.
class RecordingSink : public Sink {
 public:
  explicit RecordingSink(const Gate* gate = nullptr) : gate_(gate) {}

  void add(std::span<const FlowRecord> records, uint32_t second) override {
    if (gate_ != nullptr) gate_->pass();
    for (const FlowRecord& record : records) {
      events_.push_back(std::to_string(record.packets) + " at " + std::to_string(second));
    }
    counts_.records_sent += records.size();
  }
  void flush(uint32_t second) override { events_.push_back("tick " + std::to_string(second)); }
  void note_backlog(size_t records) override { backlogs_.push_back(records); }
  [[nodiscard]] SinkCounts counts() const override { return counts_; }
  [[nodiscard]] std::optional<Error> failure() const override { return failure_; }
  [[nodiscard]] const std::string& name() const override { return name_; }

  void fail() { failure_ = Error{"the disk is full"}; }
  [[nodiscard]] const std::vector<std::string>& events() const { return events_; }
  [[nodiscard]] const std::vector<size_t>& backlogs() const { return backlogs_; }

 private:
  const Gate* gate_;
  std::string name_ = "memory";
  std::vector<std::string> events_;
  std::vector<size_t> backlogs_;
  SinkCounts counts_;
  std::optional<Error> failure_;
};

// Records numbered by their packets.
std::vector<FlowRecord> records(uint64_t first, size_t count) {
  std::vector<FlowRecord> records(count);
  for (FlowRecord& record : records)
    record.packets = first++;
  return records;
}

class ExporterTest : public ::testing::Test {
 protected:
  RecordingSink& attach(const Gate* gate = nullptr) {
    auto sink = std::make_unique<RecordingSink>(gate);
    RecordingSink& attached = *sink;
    sinks_.attach(std::move(sink));
    return attached;
  }

  // The sinks are attached by then.
  void start() { exporter_.emplace(sinks_, stop_, kRecordsMax); }

  StopRequest stop_ = StopRequest::create().value();
  Sinks sinks_;
  std::optional<Exporters> exporter_;
};

TEST_F(ExporterTest, GivesRecordsAndTicksToEachSinkInOrder) {
  const RecordingSink& first = attach();
  const RecordingSink& second = attach();
  start();
  exporter_->add(records(1, 2), 1000);
  exporter_->tick(1000);
  exporter_->add(records(3, 1), 1002);
  exporter_->tick(1002);
  exporter_->finish();
  for (const RecordingSink* sink : {&first, &second}) {
    EXPECT_THAT(sink->events(),
                ElementsAre("1 at 1000", "2 at 1000", "tick 1000", "3 at 1002", "tick 1002"));
  }
}

TEST_F(ExporterTest, CountsNothingBeforeAnythingCame) {
  attach();
  start();
  const ExporterCounts counts = exporter_->counts();
  EXPECT_EQ(counts.records_queued, 0U);
  EXPECT_EQ(counts.sinks.records_sent, 0U);
  EXPECT_EQ(counts.sinks.records_lost, 0U);
}

TEST_F(ExporterTest, CountsWhatFindsNoRoomAsLostInEachSink) {
  Gate gate;
  const RecordingSink& first = attach(&gate);
  attach(&gate);
  start();
  exporter_->add(records(1, 4), 1000);
  exporter_->add(records(5, 4), 1000);
  exporter_->add(records(100, 3), 1000);  // 11 would wait
  exporter_->add(records(9, 2), 1000);    // 10 wait
  exporter_->add(records(200, 1), 1000);
  EXPECT_EQ(exporter_->counts().records_queued, 2 * kRecordsMax);
  EXPECT_EQ(exporter_->counts().sinks.records_lost, 2 * 4U);
  gate.open();
  const ExporterCounts counts = exporter_->finish();
  EXPECT_EQ(counts.records_queued, 0U);
  EXPECT_EQ(counts.sinks.records_sent, 2 * 10U);
  EXPECT_EQ(counts.sinks.records_lost, 2 * 4U);
  EXPECT_THAT(first.events(), Each(::testing::EndsWith(" at 1000")));
  EXPECT_THAT(first.events(), ::testing::SizeIs(10));
}

TEST_F(ExporterTest, ABatchLargerThanTheBoundGoesWhenNothingElseWaits) {
  Gate gate;
  attach(&gate);
  start();
  exporter_->add(records(1, kRecordsMax + 5), 1000);
  exporter_->add(records(100, 1), 1000);
  gate.open();
  const ExporterCounts counts = exporter_->finish();
  EXPECT_EQ(counts.sinks.records_sent, kRecordsMax + 5);
  EXPECT_EQ(counts.sinks.records_lost, 1U);
}

TEST_F(ExporterTest, ASinkThatStandsHoldsNoOtherBack) {
  Gate gate;
  const RecordingSink& standing = attach(&gate);
  attach();
  start();
  exporter_->add(records(1, 4), 1000);
  while (exporter_->counts().sinks.records_sent < 4)
    std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(exporter_->counts().records_queued, 4U);
  gate.open();
  EXPECT_EQ(exporter_->finish().sinks.records_sent, 8U);
  EXPECT_THAT(standing.events(), ::testing::SizeIs(4));
}

TEST_F(ExporterTest, TellsASinkHowManyRecordsWaitForIt) {
  Gate gate;
  const RecordingSink& sink = attach(&gate);
  start();
  exporter_->add(records(1, 4), 1000);
  exporter_->add(records(5, 3), 1000);
  exporter_->add(records(8, 2), 1000);
  exporter_->tick(1000);
  gate.open();
  exporter_->finish();
  ASSERT_THAT(sink.backlogs(), ::testing::SizeIs(4));
  EXPECT_GE(sink.backlogs()[0], 4U);  // and the others, if it came to it late
  EXPECT_THAT(std::span(sink.backlogs()).last(3), ElementsAre(5, 2, 0));
}

TEST_F(ExporterTest, HurriesNoSinkAtTheEndOfARun) {
  const RecordingSink& sink = attach();
  start();
  stop_.request();
  exporter_->add(records(1, 4), 1000);
  exporter_->tick(1000);
  exporter_->finish();
  EXPECT_THAT(sink.events(), ::testing::SizeIs(5));
  EXPECT_THAT(sink.backlogs(), IsEmpty());
}

TEST_F(ExporterTest, OfTicksWithoutRecordsTheLastOneIsLeft) {
  Gate gate;
  const RecordingSink& sink = attach(&gate);
  start();
  exporter_->add(records(1, 1), 1000);
  for (uint32_t second = 1000; second < 2000; ++second)
    exporter_->tick(second);
  gate.open();
  exporter_->finish();
  EXPECT_THAT(sink.events(), ElementsAre("1 at 1000", "tick 1999"));
}

TEST_F(ExporterTest, TicksFindRoomWhereRecordsDoNot) {
  Gate gate;
  const RecordingSink& sink = attach(&gate);
  start();
  exporter_->add(records(1, kRecordsMax), 1000);
  exporter_->tick(1000);
  exporter_->add(records(100, 1), 1001);
  exporter_->tick(1001);
  gate.open();
  exporter_->finish();
  ASSERT_THAT(sink.events(), ::testing::SizeIs(kRecordsMax + 1));
  EXPECT_EQ(sink.events().back(), "tick 1001");
}

TEST_F(ExporterTest, WaitsForRoomOnceAStopIsRequested) {
  Gate gate;
  attach(&gate);
  start();
  stop_.request();
  exporter_->add(records(1, kRecordsMax), 1000);
  std::atomic<bool> all_added = false;
  std::jthread ledger([&] {
    for (uint64_t i = 0; i < 100; ++i)
      exporter_->add(records(100 + 7 * i, 7), 1000);
    all_added = true;
  });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(all_added);
  gate.open();
  ledger.join();
  const ExporterCounts counts = exporter_->finish();
  EXPECT_EQ(counts.sinks.records_sent, kRecordsMax + 700);
  EXPECT_EQ(counts.sinks.records_lost, 0U);
}

TEST_F(ExporterTest, FinishingExportsAllThatWasAdded) {
  Gate gate;
  const RecordingSink& sink = attach(&gate);
  start();
  exporter_->add(records(1, 3), 1000);
  exporter_->add(records(4, 3), 1000);
  exporter_->tick(1000);
  std::jthread opener([&gate] {
    std::this_thread::sleep_for(milliseconds(20));
    gate.open();
  });
  EXPECT_EQ(exporter_->finish().sinks.records_sent, 6U);
  EXPECT_EQ(sink.events().back(), "tick 1000");
  EXPECT_EQ(exporter_->finish().sinks.records_sent, 6U) << "finishing again changes nothing";
}

TEST_F(ExporterTest, GoingExportsAllThatWasAdded) {
  const RecordingSink& sink = attach();
  start();
  exporter_->add(records(1, 1), 1000);
  exporter_->tick(1000);
  exporter_.reset();
  EXPECT_THAT(sink.events(), ElementsAre("1 at 1000", "tick 1000"));
}

TEST_F(ExporterTest, RequestsAStopWhenAllSinksHaveFailed) {
  attach().fail();
  attach().fail();
  start();
  for (uint32_t second = 1000; !stop_.requested() && second < 11'000; ++second) {
    exporter_->tick(second);
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_TRUE(stop_.requested());
}

TEST_F(ExporterTest, GoesOnAsLongAsASinkIsLeft) {
  attach().fail();
  const RecordingSink& left = attach();
  start();
  exporter_->tick(1000);
  exporter_->add(records(1, 1), 1001);
  std::this_thread::sleep_for(milliseconds(20));
  exporter_->tick(1001);
  exporter_->finish();
  EXPECT_FALSE(stop_.requested());
  EXPECT_THAT(left.events(), ElementsAre("tick 1000", "1 at 1001", "tick 1001"));
}

TEST_F(ExporterTest, CountsAddUpAtEveryMoment) {
  constexpr uint64_t kBatches = 5000;
  attach();
  start();
  // Each batch is one of three records; a reader may come between the two counters' steps.
  std::atomic<uint64_t> begun = 0;
  std::atomic<uint64_t> done = 0;
  std::jthread ledger([&] {
    for (uint64_t i = 0; i < kBatches; ++i) {
      begun += 3;
      exporter_->add(records(1, 3), 1000);
      done += 3;
      if (i % 16 == 0) exporter_->tick(1000);
    }
  });
  uint64_t sent_before = 0;
  while (done < 3 * kBatches) {
    const uint64_t least = done;
    const ExporterCounts counts = exporter_->counts();
    const uint64_t most = begun;
    const uint64_t all =
        counts.records_queued + counts.sinks.records_sent + counts.sinks.records_lost;
    ASSERT_GE(all, least);
    ASSERT_LE(all, most);
    ASSERT_LE(counts.records_queued, kRecordsMax);
    ASSERT_GE(counts.sinks.records_sent, sent_before);
    sent_before = counts.sinks.records_sent;
  }
  ledger.join();
  const ExporterCounts counts = exporter_->finish();
  EXPECT_EQ(counts.records_queued, 0U);
  EXPECT_EQ(counts.sinks.records_sent + counts.sinks.records_lost, 3 * kBatches);
}

TEST_F(ExporterTest, MayHaveNothingToDo) {
  const RecordingSink& sink = attach();
  start();
  EXPECT_EQ(exporter_->finish().sinks.records_sent, 0U);
  EXPECT_THAT(sink.events(), IsEmpty());
}

}  // namespace
}  // namespace clerk
