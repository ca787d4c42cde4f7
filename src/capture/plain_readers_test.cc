// Files that were damaged at random are read as the slow twins of the readers read them.
#include "capture/plain_readers.h"

#include <gtest/gtest.h>

#include <random>

#include "capture/capture_test_support.h"
#include "capture/plain_readers_check.h"
#include "testing/capture_builder.h"

namespace clerk {
namespace {

using Random = std::mt19937;

constexpr uint32_t kFiles = 3000;

Octets damaged(Octets file, Random& random) {
  const auto place = [&file, &random] { return random() % file.size(); };
  for (auto changes = random() % 4; changes > 0; --changes)
    file[place()] = static_cast<uint8_t>(random());
  for (auto changes = random() % 3; changes > 0; --changes)
    file[place()] ^= static_cast<uint8_t>(1U << random() % 8);
  if (random() % 4 == 0) file.resize(place() + 1);
  return file;
}

TEST(PlainReaders, DamagedPcapFilesAreReadAlike) {
  Random random(1);  // NOLINT(cert-msc51-cpp): the same files in each run
  for (uint32_t i = 0; i < kFiles; ++i) {
    PcapBuilder builder({.order = i % 2 == 0 ? ByteOrder::Little : ByteOrder::Big,
                         .link_type = i % 3 == 0 ? 0x24000001U : 1U,
                         .minor_version = static_cast<uint16_t>(random() % 6)});
    for (const size_t octets : {10U, 0U, 60U, 31U})
      builder.packet(kStart + random() % 3 * 1000, noise(octets), octets + random() % 3);
    const auto file = damaged(builder.build(), random);
    plainly::check_reading(file, plainly::read_pcap(file));
  }
}

TEST(PlainReaders, DamagedPcapngFilesAreReadAlike) {
  Random random(2);  // NOLINT(cert-msc51-cpp): the same files in each run
  for (uint32_t i = 0; i < kFiles; ++i) {
    PcapngBuilder builder(i % 2 == 0 ? ByteOrder::Little : ByteOrder::Big);
    builder
        .interface({.snap_octets = static_cast<uint32_t>(random() % 70),
                    .resolution = static_cast<uint8_t>(random()),
                    .offset_seconds = static_cast<int32_t>(random())})
        .interface()
        .packet({.interface = 1, .units = random()}, noise(60))
        .block(static_cast<uint32_t>(random() % 12), noise(36))
        .packet({.units = random()}, noise(21))
        .section(i % 3 == 0 ? ByteOrder::Little : ByteOrder::Big)
        .interface({.resolution = 9})
        .old_packet({.units = kStart}, noise(7))
        .simple_packet(noise(9));
    const auto file = damaged(builder.build(), random);
    plainly::check_reading(file, plainly::read_pcapng(file));
  }
}

}  // namespace
}  // namespace clerk
