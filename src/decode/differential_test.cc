// decode() against the slow decoder of testing/reference_decoder.h, on packets drawn at random and
// on all packets of the captures, where there are any.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "base/stop_request.h"
#include "capture/capture_file.h"
#include "decode/differential_support.h"
#include "testing/packet_grammar.h"

namespace clerk::differential {
namespace {

constexpr int kDisagreementsShown = 5;
constexpr uint32_t kPrefixesMax = 256;  // as far as headers usually reach

// Compares, and after some failures only counts.
class Comparison {
 public:
  void compare(const Subject& subject) {
    ++packets_;
    const std::string difference = disagreement(subject);
    if (difference.empty()) return;
    if (++disagreements_ <= kDisagreementsShown) ADD_FAILURE() << difference;
  }

  // Each capture of the packet that ends earlier, as far as headers reach.
  void compare_prefixes(Subject subject) {
    const uint32_t longest = std::min(static_cast<uint32_t>(subject.octets.size()), kPrefixesMax);
    subject.octets.resize(longest);
    for (; !subject.octets.empty(); subject.octets.pop_back())
      compare(subject);
    compare(subject);
  }

  [[nodiscard]] size_t packets() const { return packets_; }
  [[nodiscard]] size_t disagreements() const { return disagreements_; }

 private:
  size_t packets_ = 0;
  size_t disagreements_ = 0;
};

TEST(Differential, BothAnswerTheSameOnPacketsDrawnAtRandom) {
  constexpr uint64_t kPackets = 40000;
  constexpr uint64_t kWithPrefixes = 400;
  constexpr uint32_t kEthernet = 1;  // no tag is taken off anything else
  Comparison comparison;
  for (uint64_t seed = 0; seed < kPackets; ++seed) {
    grammar::PacketGrammar grammar(seed);
    const grammar::DrawnPacket packet = grammar.draw();
    Subject subject{.link_type = packet.link_type,
                    .octets = packet.octets,
                    .wire_octets = static_cast<uint32_t>(packet.octets.size()),
                    .tunnels = all_tunnels()};
    if (seed % 8 == 0) subject.tunnels.clear();
    if (seed % 8 == 1 && packet.link_type == kEthernet)
      subject.stripped_vlan_id = static_cast<uint16_t>(seed % 4096);
    comparison.compare(subject);
    if (seed % (kPackets / kWithPrefixes) == 0) comparison.compare_prefixes(subject);
  }
  EXPECT_EQ(comparison.disagreements(), 0U) << "among " << comparison.packets();
}

// The folder of captures: CLERK_CAPTURES names it, or it lies beside the repository.
std::filesystem::path captures_folder() {
  if (const char* named = std::getenv("CLERK_CAPTURES")) return named;
  const auto repository = std::filesystem::path(__FILE__).parent_path() / "../..";
  return repository / "../shared/captures";
}

std::vector<std::string> files_below(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

Subject subject_of(const Packet& packet) {
  Subject subject{.link_type = static_cast<uint32_t>(packet.link_type),
                  .octets = {packet.data, packet.data + packet.captured_octets},
                  .wire_octets = packet.wire_octets};
  if (packet.stripped_vlan_id != kNoVlanTag) subject.stripped_vlan_id = packet.stripped_vlan_id;
  return subject;
}

// Of each file every packet, and each prefix of a few.
void compare_file(const std::string& path, Comparison& comparison) {
  constexpr size_t kPacketsWithPrefixes = 3;
  std::atomic<uint64_t> octets_read = 0;
  auto stop = StopRequest::create();
  ASSERT_TRUE(stop);
  auto file = CaptureFile::open(path, ChunkPool::create(), *stop, octets_read);
  if (!file) return;  // not a capture, or one of a kind that clerk refuses
  Packet packet;
  for (size_t packets = 0; file->next(packet) == ReadStatus::Packet; ++packets) {
    Subject subject = subject_of(packet);
    comparison.compare(subject);
    subject.tunnels = all_tunnels();
    comparison.compare(subject);
    if (packets < kPacketsWithPrefixes) comparison.compare_prefixes(subject);
  }
}

TEST(Differential, BothAnswerTheSameOnEveryPacketOfTheCaptures) {
  const auto folder = captures_folder();
  if (!std::filesystem::is_directory(folder / "pcaps"))
    GTEST_SKIP() << "THE CAPTURES ARE NOT THERE: " << folder << " (set CLERK_CAPTURES)";
  Comparison comparison;
  for (const std::string& path : files_below(folder / "pcaps"))
    compare_file(path, comparison);
  RecordProperty("packets", std::to_string(comparison.packets()));
  EXPECT_GT(comparison.packets(), 0U);
  EXPECT_EQ(comparison.disagreements(), 0U) << "among " << comparison.packets();
}

}  // namespace
}  // namespace clerk::differential
