#include "flow/flow_directory.h"

#include <gtest/gtest.h>

#include <map>

#include "flow/flow_test_support.h"

namespace clerk {
namespace {

TEST(FlowDirectory, FindsTheRecordThatMatches) {
  FlowDirectory directory(10);
  directory.insert(42, 3);
  directory.insert(42, 4);
  EXPECT_EQ(directory.find(42, [](uint32_t record) { return record == 4; }), 4U);
  EXPECT_EQ(directory.find(42, [](uint32_t record) { return record == 3; }), 3U);
  EXPECT_EQ(directory.find(42, [](uint32_t) { return false; }), FlowDirectory::kNone);
}

TEST(FlowDirectory, NeverAsksAboutRecordsOfAnotherHash) {
  FlowDirectory directory(10);
  directory.insert(uint64_t{1} << 32 | 5, 1);
  const auto must_not_be_asked = [](uint32_t) {
    ADD_FAILURE();
    return true;
  };
  EXPECT_EQ(directory.find(uint64_t{2} << 32 | 5, must_not_be_asked), FlowDirectory::kNone);
}

TEST(FlowDirectory, NeverAsksAboutRecordsThatWereRemoved) {
  FlowDirectory directory(10);
  directory.insert(42, 3);
  directory.remove(42, 3);
  const auto must_not_be_asked = [](uint32_t) {
    ADD_FAILURE();
    return true;
  };
  EXPECT_EQ(directory.find(42, must_not_be_asked), FlowDirectory::kNone);
}

TEST(FlowDirectory, HoldsAsManyRecordsAsItWasMadeForEvenOfOneHash) {
  for (const uint32_t records : {1U, 4U, 5U, 6U, 70U, 1000U}) {
    FlowDirectory directory(records);
    for (uint32_t record = 0; record < records; ++record)
      directory.insert(7, record);
    for (uint32_t record = 0; record < records; ++record)
      ASSERT_EQ(directory.find(7, [=](uint32_t candidate) { return candidate == record; }), record);
    for (uint32_t record = 0; record < records; ++record)
      directory.remove(7, record);
    EXPECT_EQ(directory.find(7, [](uint32_t) { return true; }), FlowDirectory::kNone);
  }
}

TEST(FlowDirectory, GrowsUntilThereIsRoomForAllRecordsAndNotBefore) {
  constexpr uint32_t kRecords = 100'000;
  FlowDirectory directory(kRecords);
  const auto hash_of = [](uint32_t record) { return record * 0x9e3779b97f4a7c15ULL; };
  int grown = 0;
  for (uint32_t record = 0; record < kRecords; ++record) {
    if (directory.is_crowded()) {
      ++grown;
      directory.grow();
      for (uint32_t earlier = 0; earlier < record; ++earlier)
        directory.insert(hash_of(earlier), earlier);
    }
    directory.insert(hash_of(record), record);
  }
  EXPECT_EQ(grown, 3);  // 4096, 8192, 16384 and then all 20001 lines
  EXPECT_FALSE(directory.is_crowded());
  for (uint32_t record = 0; record < kRecords; ++record) {
    ASSERT_EQ(
        directory.find(hash_of(record), [=](uint32_t candidate) { return candidate == record; }),
        record);
  }
}

TEST(FlowDirectory, GuessesTheRecordOfALineThatIsNotFull) {
  FlowDirectory directory(10);
  directory.insert(uint64_t{9} << 32, 3);
  EXPECT_EQ(directory.guess(uint64_t{9} << 32), 3U);
  EXPECT_EQ(directory.guess(uint64_t{8} << 32), FlowDirectory::kNone);
}

// The directory and a multimap at full load: records come and go, with hashes that crowd into few
// lines and share tags.
class DirectoryAndMultimap {
 public:
  DirectoryAndMultimap(uint32_t records, uint64_t hash_mask)
      : dice_(records), directory_(records), hash_mask_(hash_mask), hash_of_(records) {
    for (uint32_t record = 0; record < records; ++record)
      insert(record);
  }

  void replace_one() {
    const auto record = static_cast<uint32_t>(dice_.below(hash_of_.size()));
    directory_.remove(hash_of_[record], record);
    std::erase_if(twin_, [record](const auto& item) { return item.second == record; });
    expect_same(hash_of_[record]);
    insert(record);
    expect_same(hash_of_[record]);
    expect_same(random_hash());
  }

 private:
  uint64_t random_hash() { return dice_.bits() & hash_mask_; }

  void insert(uint32_t record) {
    hash_of_[record] = random_hash();
    directory_.insert(hash_of_[record], record);
    twin_.emplace(hash_of_[record], record);
  }

  // Every record of this hash is found, and none of another.
  void expect_same(uint64_t hash) {
    std::vector<uint32_t> found;
    const auto collect = [&](uint32_t record) {
      if (hash_of_[record] == hash) found.push_back(record);
      return false;
    };
    EXPECT_EQ(directory_.find(hash, collect), FlowDirectory::kNone);
    std::vector<uint32_t> wanted;
    for (auto [at, end] = twin_.equal_range(hash); at != end; ++at)
      wanted.push_back(at->second);
    std::ranges::sort(found);
    std::ranges::sort(wanted);
    ASSERT_EQ(found, wanted);
  }

  Dice dice_;
  FlowDirectory directory_;
  uint64_t hash_mask_;
  std::vector<uint64_t> hash_of_;
  std::multimap<uint64_t, uint32_t> twin_;
};

TEST(FlowDirectory, DoesWhatAMultimapDoesAtFullLoad) {
  for (const uint64_t hash_mask :
       {uint64_t{0x3'e000'0000}, uint64_t{0xff'ff00'0000}, ~uint64_t{0}}) {
    for (const uint32_t records : {5U, 64U, 79U, 635U}) {
      DirectoryAndMultimap both(records, hash_mask);
      for (int i = 0; i < 4000 && !::testing::Test::HasFatalFailure(); ++i)
        both.replace_one();
    }
  }
}

}  // namespace
}  // namespace clerk
