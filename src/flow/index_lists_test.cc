#include "flow/index_lists.h"

#include <gtest/gtest.h>

#include <list>

#include "flow/flow_test_support.h"

namespace clerk {
namespace {

std::vector<uint32_t> contents(const IndexLists& lists, uint32_t list) {
  std::vector<uint32_t> all;
  for (uint32_t i = lists.front(list); i != IndexLists::kNone; i = lists.next(i))
    all.push_back(i);
  return all;
}

TEST(IndexLists, BeginEmpty) {
  const IndexLists lists(4, 2);
  EXPECT_EQ(lists.front(0), IndexLists::kNone);
  EXPECT_EQ(lists.front(1), IndexLists::kNone);
}

TEST(IndexLists, KeepTheOrderOfJoining) {
  IndexLists lists(4, 2);
  lists.push_back(1, 3);
  lists.push_back(1, 0);
  lists.push_back(0, 2);
  EXPECT_EQ(contents(lists, 1), (std::vector<uint32_t>{3, 0}));
  EXPECT_EQ(contents(lists, 0), (std::vector<uint32_t>{2}));
}

TEST(IndexLists, LetAnIndexLeaveFromAnywhere) {
  for (const uint32_t leaves : {0U, 1U, 2U}) {
    IndexLists lists(3, 1);
    std::list<uint32_t> wanted;
    for (uint32_t i = 0; i < 3; ++i) {
      lists.push_back(0, i);
      wanted.push_back(i);
    }
    lists.remove(leaves);
    wanted.remove(leaves);
    EXPECT_EQ(contents(lists, 0), std::vector<uint32_t>(wanted.begin(), wanted.end()));
  }
}

TEST(IndexLists, DoWhatListsDo) {
  constexpr uint32_t kIndices = 20;
  constexpr uint32_t kLists = 3;
  Dice dice(1);
  IndexLists lists(kIndices, kLists);
  std::vector<std::list<uint32_t>> twins(kLists);
  std::vector<uint32_t> list_of(kIndices, kLists);
  for (int i = 0; i < 20'000; ++i) {
    const auto index = static_cast<uint32_t>(dice.below(kIndices));
    if (list_of[index] < kLists) {
      lists.remove(index);
      twins[list_of[index]].remove(index);
      list_of[index] = kLists;
    } else {
      list_of[index] = static_cast<uint32_t>(dice.below(kLists));
      lists.push_back(list_of[index], index);
      twins[list_of[index]].push_back(index);
    }
    for (uint32_t list = 0; list < kLists; ++list) {
      ASSERT_EQ(contents(lists, list),
                std::vector<uint32_t>(twins[list].begin(), twins[list].end()));
    }
  }
}

}  // namespace
}  // namespace clerk
