#include "capture/file_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>
#include <utility>

#include "capture/capture_test_support.h"
#include "testing/capture_builder.h"
#include "testing/packet_builder.h"

namespace clerk {

static std::ostream& operator<<(std::ostream& out, SliceEnd end) {
  const char* const names[] = {"Full", "Tick", "Restart", "Input"};
  return out << names[static_cast<size_t>(end)];
}

namespace {

constexpr uint64_t kIdleTimeout = 30 * kSecond;
constexpr uint32_t kStartSecond = whole_seconds(kStart);

// A slice without its packets, which do not outlive the reading.
struct SliceSummary {
  size_t packets;
  uint32_t second;
  SliceEnd end;
  uint32_t next_second = 0;  // with SliceEnd::Tick
  bool clock_jumped = false;

  friend bool operator==(const SliceSummary&, const SliceSummary&) = default;
};

std::ostream& operator<<(std::ostream& out, const SliceSummary& slice) {
  return out << slice.packets << " packets at " << slice.second << ", " << slice.end << " "
             << slice.next_second << (slice.clock_jumped ? " jumped" : "");
}

struct ReadSource {
  std::vector<SliceSummary> slices;
  std::vector<uint64_t> times;
  uint64_t packets_filtered = 0;
  std::vector<std::string> errors;

  [[nodiscard]] size_t packets() const { return times.size(); }
};

void add_slice(const Slice& slice, ReadSource& read) {
  read.slices.push_back({slice.packets.size(), slice.second, slice.end,
                         slice.end == SliceEnd::Tick ? slice.next_second : 0, slice.clock_jumped});
  for (const Packet& packet : slice.packets)
    read.times.push_back(packet.time_ns);
  read.packets_filtered += slice.packets_filtered;
}

ReadSource read_source(FileSource& source) {
  ReadSource read;
  Slice slice;
  while (source.next_slice(slice)) {
    add_slice(slice, read);
    EXPECT_LE(slice.packets.size(), Slice::kPacketsMax);
    EXPECT_LE(slice.chunks.size(), Slice::kChunksMax);
  }
  for (const Error& error : source.errors())
    read.errors.push_back(error.message);
  return read;
}

class FileSourceTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const Octets& content) {
    return directory_.write(name, content);
  }

  Result<std::unique_ptr<FileSource>> open(std::vector<std::string> paths,
                                           const std::string& filter = "") {
    return FileSource::open(std::move(paths), *PacketFilter::create(filter), kIdleTimeout, stop_);
  }

  ReadSource read(std::vector<std::string> paths, const std::string& filter = "") {
    auto source = open(std::move(paths), filter);
    CHECK(source);
    return read_source(**source);
  }

  std::string refusal(std::vector<std::string> paths) {
    const auto source = open(std::move(paths));
    return source ? "no refusal" : source.error().message;
  }

  TempDirectory directory_;
  StopRequest stop_ = *StopRequest::create();
};

// A file of packets at these nanoseconds from kStart.
Octets pcap_at(const std::vector<uint64_t>& times) {
  PcapBuilder file({.unit = TimeUnit::Nanoseconds});
  for (const uint64_t time : times)
    file.packet(kStart + time, PacketBuilder().ethernet().ipv4().udp().build());
  return file.build();
}

using Slices = std::vector<SliceSummary>;

TEST_F(FileSourceTest, SlicesEndAtTickMarks) {
  const auto path = file("a", pcap_at({0, 1, kSecond - 1, kSecond, kSecond + 1, 5 * kSecond}));
  const auto source = read({path});
  EXPECT_EQ(source.slices, (Slices{{3, kStartSecond, SliceEnd::Tick, kStartSecond + 1},
                                   {2, kStartSecond + 1, SliceEnd::Tick, kStartSecond + 5},
                                   {1, kStartSecond + 5, SliceEnd::Input}}));
}

TEST_F(FileSourceTest, APacketOlderThanTheClockStaysInTheSliceItCameIn) {
  const auto path = file("a", pcap_at({10 * kSecond, 9 * kSecond, 10 * kSecond + 1}));
  const auto source = read({path});
  EXPECT_EQ(source.slices, (Slices{{3, kStartSecond + 10, SliceEnd::Input}}));
  EXPECT_EQ(source.times[1], kStart + 9 * kSecond);
}

TEST_F(FileSourceTest, AJumpForwardIsBelievedAndNoted) {
  const auto path = file("a", pcap_at({0, 3600 * kSecond}));
  EXPECT_EQ(read({path}).slices,
            (Slices{{1, kStartSecond, SliceEnd::Tick, kStartSecond + 3600, true},
                    {1, kStartSecond + 3600, SliceEnd::Input}}));
}

TEST_F(FileSourceTest, AStepBackBeyondTheIdleTimeoutRestartsTheClock) {
  const auto newer = file("newer", pcap_at({3600 * kSecond}));
  const auto older = file("older", pcap_at({0, kSecond}));
  EXPECT_EQ(read({newer, older}).slices,
            (Slices{{1, kStartSecond + 3600, SliceEnd::Restart},
                    {1, kStartSecond, SliceEnd::Tick, kStartSecond + 1},
                    {1, kStartSecond + 1, SliceEnd::Input}}));
}

TEST_F(FileSourceTest, SeveralFilesAreOneInput) {
  const auto first = file("first", pcap_at({0, 1}));
  const auto empty = file("empty", PcapBuilder().build());
  const auto second = file("second", gzip(pcap_at({2, kSecond})));
  const auto third = file(
      "third",
      PcapngBuilder().interface().packet({.units = kStart / 1000 + 1'000'001}, noise(60)).build());
  const auto source = read({first, empty, second, third});
  EXPECT_EQ(source.slices, (Slices{{3, kStartSecond, SliceEnd::Tick, kStartSecond + 1},
                                   {2, kStartSecond + 1, SliceEnd::Input}}));
  EXPECT_TRUE(source.errors.empty());
}

TEST_F(FileSourceTest, AnInputWithoutPacketsIsOneEmptySlice) {
  EXPECT_EQ(read({file("a", PcapBuilder().build())}).slices, (Slices{{0, 0, SliceEnd::Input}}));
  EXPECT_EQ(read({}).slices, (Slices{{0, 0, SliceEnd::Input}}));
}

TEST_F(FileSourceTest, NothingFollowsTheEndOfTheInput) {
  auto source = open({file("a", pcap_at({0}))});
  Slice slice;
  EXPECT_TRUE((*source)->next_slice(slice));
  EXPECT_FALSE((*source)->next_slice(slice));
  EXPECT_FALSE((*source)->next_slice(slice));
}

TEST_F(FileSourceTest, ASliceIsFullAtItsMostPackets) {
  const auto path = file("a", pcap_at(std::vector<uint64_t>(2 * Slice::kPacketsMax + 1)));
  EXPECT_EQ(read({path}).slices, (Slices{{Slice::kPacketsMax, kStartSecond, SliceEnd::Full},
                                         {Slice::kPacketsMax, kStartSecond, SliceEnd::Full},
                                         {1, kStartSecond, SliceEnd::Input}}));
}

TEST_F(FileSourceTest, AFullSliceThatEndsAtATickMarkEndsOnce) {
  std::vector<uint64_t> times(Slice::kPacketsMax);
  times.push_back(kSecond);
  EXPECT_EQ(read({file("a", pcap_at(times))}).slices,
            (Slices{{Slice::kPacketsMax, kStartSecond, SliceEnd::Tick, kStartSecond + 1},
                    {1, kStartSecond + 1, SliceEnd::Input}}));
}

// Seven chunks of packets in one second. They do not compress, so that these are seven of any file.
constexpr size_t kLargeOctets = 9000;
constexpr size_t kLargePackets = 7 * kChunkOctets / (kLargeOctets + 16);

Octets large_octets() { return noise(kLargePackets * kLargeOctets); }

Octets large_pcap() {
  PcapBuilder file;
  const Octets octets = large_octets();
  for (size_t i = 0; i < kLargePackets; ++i) {
    const auto begin = octets.begin() + static_cast<ptrdiff_t>(i * kLargeOctets);
    file.packet(kStart + i * 1000, {begin, begin + kLargeOctets});
  }
  return file.build();
}

TEST_F(FileSourceTest, ASliceIsFullAtItsMostChunks) {
  const auto source = read({file("a", large_pcap())});
  ASSERT_EQ(source.slices.size(), 2U);
  EXPECT_EQ(source.slices[0].end, SliceEnd::Full);
  EXPECT_EQ(source.slices[1].end, SliceEnd::Input);
}

TEST_F(FileSourceTest, ASliceKeepsTheMemoryOfItsPackets) {
  auto source = open({file("a", large_pcap())});
  std::vector<Slice> slices(3);
  size_t held = 0;
  while ((*source)->next_slice(slices.at(held)))
    ++held;
  ASSERT_EQ(held, 2U);
  Octets octets;
  for (const Slice& slice : {slices[0], slices[1]}) {
    for (const Packet& packet : slice.packets)
      octets.insert(octets.end(), packet.data, packet.data + packet.captured_octets);
  }
  EXPECT_TRUE(octets == large_octets());
}

// Writes a file into a named pipe, a few octets at a time.
class PipeOf {
 public:
  PipeOf(const std::string& path, Octets content) {
    CHECK(::mkfifo(path.c_str(), 0600) == 0);
    writer_ = std::jthread([path, content = std::move(content)] {
      const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      constexpr size_t kPiece = 1021;
      for (size_t at = 0; at < content.size(); at += kPiece) {
        const size_t size = std::min(kPiece, content.size() - at);
        CHECK(::write(fd.get(), content.data() + at, size) == static_cast<ssize_t>(size));
      }
    });
  }

 private:
  std::jthread writer_;
};

TEST_F(FileSourceTest, WhereSlicesEndDependsOnTheFileAlone) {
  const Octets content = large_pcap();
  const auto plain = read({file("plain", content)});
  EXPECT_EQ(read({file("gzip", gzip(content))}).slices, plain.slices);
  EXPECT_EQ(read({file("zstd", zstd(content))}).slices, plain.slices);
  const PipeOf pipe(directory_.path_of("pipe"), content);
  EXPECT_EQ(read({directory_.path_of("pipe")}).slices, plain.slices);
}

TEST_F(FileSourceTest, WhereSlicesEndDependsOnNoSkippedBlock) {
  PcapngBuilder builder;
  builder.interface();
  for (size_t i = 0; i < 20; ++i)
    builder.packet({.units = kStart / 1000 + i}, noise(200'000)).block(5, noise(kChunkOctets / 2));
  const auto plain = read({file("plain", builder.build())});
  EXPECT_EQ(read({file("gzip", gzip(builder.build()))}).slices, plain.slices);
  EXPECT_EQ(plain.packets(), 20U);
}

// Times.

TEST_F(FileSourceTest, APacketWithoutTimeTakesTheClocks) {
  const auto path = file("a", PcapngBuilder()
                                  .interface()
                                  .packet({.units = kStart / 1000}, noise(60))
                                  .simple_packet(noise(60))
                                  .packet({.units = kStart / 1000 + 2'000'000}, noise(60))
                                  .packet({.units = kStart / 1000 + 1'000'000}, noise(60))
                                  .simple_packet(noise(60))
                                  .build());
  EXPECT_EQ(read({path}).times, (std::vector{kStart, kStart, kStart + 2 * kSecond, kStart + kSecond,
                                             kStart + 2 * kSecond}));
}

TEST_F(FileSourceTest, WithoutAnyTimeTheClockShows1970) {
  const auto path = file(
      "a", PcapngBuilder().interface().simple_packet(noise(60)).simple_packet(noise(60)).build());
  const auto source = read({path});
  EXPECT_EQ(source.slices, (Slices{{2, 0, SliceEnd::Input}}));
  EXPECT_EQ(source.times, (std::vector<uint64_t>{0, 0}));
}

TEST_F(FileSourceTest, ATimeThatCannotBeUsedMovesNoClock) {
  const auto path = file("a", PcapngBuilder()
                                  .interface({.resolution = 0})
                                  .packet({.units = UINT64_MAX}, noise(60))
                                  .packet({.units = kStartSecond}, noise(60))
                                  .packet({.units = uint64_t{1} << 32}, noise(60))
                                  .packet({.units = kStartSecond}, noise(60))
                                  .build());
  const auto source = read({path});
  EXPECT_EQ(source.slices, (Slices{{4, kStartSecond, SliceEnd::Input}}));
  EXPECT_EQ(source.times, (std::vector{kTimeEnd, kStart, kTimeEnd, kStart}));
}

// The filter.

TEST_F(FileSourceTest, TheFilterHoldsPacketsBackAndCountsThem) {
  PcapBuilder builder;
  for (int i = 0; i < 10; ++i) {
    const auto ip = PacketBuilder().ethernet().ipv4();
    builder.packet(kStart,
                   (i % 3 == 0 ? PacketBuilder(ip).tcp() : PacketBuilder(ip).udp()).build());
  }
  const auto source = read({file("a", builder.build())}, "tcp");
  EXPECT_EQ(source.packets(), 4U);
  EXPECT_EQ(source.packets_filtered, 6U);
}

TEST_F(FileSourceTest, AFilterThatMakesNoSenseForAFileEndsItAndNamesIt) {
  const auto raw = file(
      "raw",
      PcapBuilder({.link_type = 101}).packet(kStart, PacketBuilder().ipv4().udp().build()).build());
  const auto good = file("good", pcap_at({0}));
  const auto source = read({raw, good}, "ether host 02:00:00:00:00:01");
  EXPECT_EQ(source.packets(), 1U);
  ASSERT_EQ(source.errors.size(), 1U);
  EXPECT_TRUE(source.errors[0].starts_with("--read " + raw + ": ")) << source.errors[0];
  EXPECT_NE(source.errors[0].find("--filter 'ether host 02:00:00:00:00:01': "), std::string::npos)
      << source.errors[0];
}

// Errors.

TEST_F(FileSourceTest, AFileThatCannotBeReadIsToldBeforeAnythingElse) {
  const auto missing = directory_.path_of("missing");
  EXPECT_EQ(refusal({missing}), "--read " + missing + ": No such file or directory");
  EXPECT_EQ(refusal({directory_.path()}), "--read " + directory_.path() + ": is a directory");
  EXPECT_EQ(refusal({file("good", pcap_at({0})), missing}),
            "--read " + missing + ": No such file or directory");
}

TEST_F(FileSourceTest, AFileWithoutPermissionIsToldBeforeAnythingElse) {
  const auto path = file("secret", pcap_at({0}));
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  if (::access(path.c_str(), R_OK) == 0)
    GTEST_SKIP() << "THIS USER MAY READ A FILE WITHOUT PERMISSIONS";
  EXPECT_EQ(refusal({path}), "--read " + path + ": Permission denied");
}

TEST_F(FileSourceTest, StdinCanBeReadOnlyOnce) {
  EXPECT_EQ(refusal({"-", "-"}), "--read -: stdin can be read only once");
}

TEST_F(FileSourceTest, ABrokenFileIsNotedAndTheNextOneIsRead) {
  Octets content = pcap_at({0, 1});
  content.pop_back();
  const auto broken = file("broken", content);
  const auto other = file("other", {'t', 'e', 'x', 't'});
  const auto good = file("good", pcap_at({2, 3}));
  const auto source = read({broken, other, good});
  EXPECT_EQ(source.times, (std::vector{kStart, kStart + 2, kStart + 3}));
  EXPECT_EQ(
      source.errors,
      (std::vector<std::string>{
          "--read " + broken +
              ": offset 82: ends inside a record of 58 octets; what came before it is counted",
          "--read " + other +
              ": is no pcap or pcapng file, nor a .gz or .zst of one: it begins with 74 65 78 74; "
              "editcap may turn it into one"}));
}

// Progress.

TEST_F(FileSourceTest, ProgressCountsTheOctetsOfAllFiles) {
  const Octets first = pcap_at({0, 1, 2});
  const Octets second = gzip(pcap_at({3}));
  auto source = open({file("first", first), file("second", second)});
  EXPECT_EQ((*source)->octets_total(), first.size() + second.size());
  EXPECT_EQ((*source)->octets_read(), 0U);
  read_source(**source);
  EXPECT_EQ((*source)->octets_read(), first.size() + second.size());
}

TEST_F(FileSourceTest, TheTotalIsUnknownWithStdinOrAPipe) {
  const auto path = file("a", pcap_at({0}));
  EXPECT_EQ((*open({path, "-"}))->octets_total(), 0U);
  const auto pipe = directory_.path_of("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ((*open({path, pipe}))->octets_total(), 0U);
}

// A stop request.

TEST_F(FileSourceTest, AStopRequestLosesNothingThatWasRead) {
  auto source = open({file("a", pcap_at({0, kSecond, 2 * kSecond}))});
  Slice slice;
  ASSERT_TRUE((*source)->next_slice(slice));  // the first read took in the whole file
  stop_.request();
  const auto rest = read_source(**source);
  EXPECT_EQ(rest.slices, (Slices{{1, kStartSecond + 1, SliceEnd::Tick, kStartSecond + 2},
                                 {1, kStartSecond + 2, SliceEnd::Input}}));
  EXPECT_TRUE(rest.errors.empty());
}

TEST_F(FileSourceTest, AStopRequestEndsTheInputInTheMiddleOfAFile) {
  for (const Octets& content : {large_pcap(), gzip(large_pcap()), zstd(large_pcap())}) {
    StopRequest stop = *StopRequest::create();
    auto source = FileSource::open({file("large", content), file("next", pcap_at({0}))},
                                   *PacketFilter::create(""), kIdleTimeout, stop);
    Slice slice;
    ASSERT_TRUE((*source)->next_slice(slice));
    EXPECT_EQ(slice.end, SliceEnd::Full);
    stop.request();
    const auto rest = read_source(**source);
    ASSERT_EQ(rest.slices.size(), 1U);
    EXPECT_EQ(rest.slices[0].end, SliceEnd::Input);
    EXPECT_LT(slice.packets.size() + rest.packets(), kLargePackets);
    EXPECT_TRUE(rest.errors.empty());
  }
}

// Of a file that becomes shorter while it is read, what is gone is not guessed.

std::string shrank(const std::string& path) {
  return "--read " + path +
         ": became shorter, or unreadable, while it was read; what came before that is counted";
}

TEST_F(FileSourceTest, AFileThatBecomesShorterEndsThere) {
  const auto path = file("a", large_pcap());
  auto source = open({path});
  Slice slice;
  ASSERT_TRUE((*source)->next_slice(slice));
  ASSERT_EQ(slice.end, SliceEnd::Full);
  ASSERT_EQ(::truncate(path.c_str(), 5000), 0);
  const auto rest = read_source(**source);
  EXPECT_LT(slice.packets.size() + rest.packets(), kLargePackets);
  EXPECT_EQ(rest.errors, std::vector<std::string>{shrank(path)});
}

TEST_F(FileSourceTest, AFileMayBecomeShorterBehindItsReader) {
  const auto path = file("a", large_pcap());
  auto source = open({path});
  std::vector<Slice> slices(3);
  for (Slice& slice : slices)
    static_cast<void>((*source)->next_slice(slice));
  EXPECT_TRUE((*source)->errors().empty());
  ASSERT_EQ(::truncate(path.c_str(), 0), 0);
  EXPECT_EQ(slices[1].packets.back().data[0], 0);
  ASSERT_EQ((*source)->errors().size(), 1U);
  EXPECT_EQ((*source)->errors().front().message, shrank(path));
}

TEST_F(FileSourceTest, APipeThatAStopRequestInterruptsIsNotBroken) {
  const auto path = directory_.path_of("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const UniqueFd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  const Octets content = pcap_at({0, 1});
  ASSERT_GT(::write(writer.get(), content.data(), content.size() - 1), 0);
  auto source = open({path});
  const std::jthread stopper([this, &source, &content] {
    while ((*source)->octets_read() < content.size() - 1)
      std::this_thread::yield();
    stop_.request();
  });
  const auto rest = read_source(**source);
  EXPECT_LE(rest.packets(), 1U);
  EXPECT_TRUE(rest.errors.empty());
}

TEST_F(FileSourceTest, AStopRequestBeforeTheFileHeaderIsNoError) {
  const auto path = directory_.path_of("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const UniqueFd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  auto source = open({path});
  const std::jthread stopper([this] { stop_.request(); });
  const auto rest = read_source(**source);
  EXPECT_EQ(rest.packets(), 0U);
  EXPECT_TRUE(rest.errors.empty());
}

}  // namespace
}  // namespace clerk
