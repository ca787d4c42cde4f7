#include "base/spsc_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace clerk {
namespace {

TEST(SpscQueue, RefusesWhenFullAndWhenEmpty) {
  const auto on_heap =
      std::make_unique<SpscQueue<int, 2>>();  // aligned there whatever checks the stack
  SpscQueue<int, 2>& queue = *on_heap;
  int value = 0;
  EXPECT_FALSE(queue.try_pop(value));
  EXPECT_TRUE(queue.try_push(1));
  EXPECT_TRUE(queue.try_push(2));
  EXPECT_FALSE(queue.try_push(3));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
}

TEST(SpscQueueDeathTest, HasRoomForWhatIsPushed) {
  const auto on_heap = std::make_unique<SpscQueue<int, 1>>();
  on_heap->push(1);
  EXPECT_DEATH(on_heap->push(2), "check failed");
  EXPECT_EQ(on_heap->pop(), 1);
}

TEST(SpscQueue, KeepsTheOrderBetweenTwoThreads) {
  constexpr int kValues = 20'000;
  const auto on_heap =
      std::make_unique<SpscQueue<int, 8>>();  // aligned there whatever checks the stack
  SpscQueue<int, 8>& queue = *on_heap;
  std::jthread producer([&] {
    for (int i = 0; i < kValues; ++i) {
      while (!queue.try_push(i))
        std::this_thread::yield();
    }
  });
  for (int i = 0; i < kValues; ++i)
    ASSERT_EQ(queue.pop(), i);
}

}  // namespace
}  // namespace clerk
