#include "base/machine_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>

namespace clerk {
namespace {

TEST(MachineMemory, IsWhatTheSystemSays) {
  const auto memory = read_machine_memory();
  ASSERT_TRUE(memory);
  const auto pages = static_cast<size_t>(::sysconf(_SC_PHYS_PAGES));
  EXPECT_EQ(memory->octets, pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
  EXPECT_GT(memory->available_octets, 0U);
  EXPECT_LE(memory->available_octets, memory->octets);
}

TEST(MachineMemory, AFifthIsLeftToOthers) {
  EXPECT_TRUE(fits_memory(0, 0));
  EXPECT_TRUE(fits_memory(800, 1000));
  EXPECT_FALSE(fits_memory(804, 1000));
  EXPECT_FALSE(fits_memory(SIZE_MAX, SIZE_MAX));
}

}  // namespace
}  // namespace clerk
