// Whether a file source that is asked to tells where each packet stands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "capture/file_source.h"
#include "testing/capture_builder.h"
#include "testing/packet_builder.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kBeginNs = 1'700'000'000 * kSecondNs;

// File and number of a packet.
using Origin = std::pair<uint32_t, uint64_t>;

class PacketOriginTest : public ::testing::Test {
 protected:
  // UDP packets of a second each, but for the second one, which is TCP.
  std::string write(const std::string& name, uint64_t packets) {
    PcapBuilder builder;
    for (uint64_t i = 0; i < packets; ++i) {
      const auto ip = PacketBuilder().ethernet().ipv4();
      builder.packet(kBeginNs + i * kSecondNs,
                     (i == 1 ? PacketBuilder(ip).tcp() : PacketBuilder(ip).udp()).build());
    }
    return directory_.write(name, builder.build());
  }

  std::vector<Origin> origins(std::vector<std::string> paths, const std::string& filter = "") {
    const auto source = FileSource::open(std::move(paths), PacketFilter::create(filter).value(),
                                         30 * kSecondNs, stop_)
                            .value();
    source->tell_origins();
    std::vector<Origin> all;
    Slice slice;
    while (source->next_slice(slice)) {
      EXPECT_EQ(slice.origins.size(), slice.packets.size());
      for (const PacketOrigin& origin : slice.origins)
        all.emplace_back(origin.file, origin.number);
    }
    return all;
  }

  TempDirectory directory_;
  StopRequest stop_ = StopRequest::create().value();
};

TEST_F(PacketOriginTest, NumbersBeginWithOneInEachFile) {
  EXPECT_THAT(origins({write("a", 3), write("b", 2)}),
              ElementsAre(Origin(0, 1), Origin(0, 2), Origin(0, 3), Origin(1, 1), Origin(1, 2)));
}

TEST_F(PacketOriginTest, PacketsThatTheFilterHoldsBackHaveANumberToo) {
  EXPECT_THAT(origins({write("a", 3), write("b", 3)}, "udp"),
              ElementsAre(Origin(0, 1), Origin(0, 3), Origin(1, 1), Origin(1, 3)));
}

TEST_F(PacketOriginTest, AFileThatCannotBeReadHasItsPlaceAllTheSame) {
  const std::string broken = directory_.write("broken", std::vector<uint8_t>(100, 7));
  EXPECT_THAT(origins({broken, write("b", 1)}), ElementsAre(Origin(1, 1)));
}

TEST_F(PacketOriginTest, ASourceThatIsNotAskedTellsNothing) {
  const auto source =
      FileSource::open({write("a", 3)}, PacketFilter::create("").value(), 30 * kSecondNs, stop_)
          .value();
  Slice slice;
  while (source->next_slice(slice))
    EXPECT_THAT(slice.origins, IsEmpty());
}

}  // namespace
}  // namespace clerk
