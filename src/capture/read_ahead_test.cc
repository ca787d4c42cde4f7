#include "capture/read_ahead.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include "capture/capture_test_support.h"

namespace clerk {
namespace {

// More than is ever ahead of a reader.
constexpr size_t kMoreThanTheRing = 3 * ReadAhead::kOctets;

// What a test wants of a step; it is asked by one thread.
using Step = std::function<Result<size_t>(std::span<uint8_t> into)>;

class Scripted : public Decompressor {
 public:
  explicit Scripted(Step step) : step_(std::move(step)) {}
  Result<size_t> read(RawInput& /*input*/, std::span<uint8_t> into) override { return step_(into); }

 private:
  Step step_;
};

// Steps that each give `octets` of their own number, `count` of them, and then do `last`.
Step steps(size_t count, size_t octets, Step last) {
  return [=, last = std::move(last),
          number = size_t{0}](std::span<uint8_t> into) mutable -> Result<size_t> {
    if (number == count) return last(into);
    std::ranges::fill(into.first(octets), static_cast<uint8_t>(number++));
    return octets;
  };
}

Result<size_t> end(std::span<uint8_t> /*into*/) { return 0; }

class ReadAheadTest : public testing::Test {
 protected:
  RawInput input(const std::string& path = "/dev/null") {
    auto opened = RawInput::open(path, around_.stop, around_.octets_read);
    CHECK(opened);
    return *std::move(opened);
  }

  std::unique_ptr<ReadAhead> scripted(Step step) {
    return std::make_unique<ReadAhead>(input(), std::make_unique<Scripted>(std::move(step)));
  }

  ByteStream open(const std::string& path) {
    auto stream = ByteStream::open(path, around_.stop, around_.octets_read);
    CHECK(stream);
    return *std::move(stream);
  }

  Surroundings around_;
};

struct Given {
  Octets octets;
  std::string error;
};

Given read_to_end(auto& stream, size_t piece = 10'000) {
  Given given;
  Octets buffer(piece);
  for (;;) {
    const auto got = stream.read(buffer);
    if (!got) given.error = got.error().message;
    if (!got || *got == 0) return given;
    given.octets.insert(given.octets.end(), buffer.begin(),
                        buffer.begin() + static_cast<ptrdiff_t>(*got));
  }
}

Octets numbered(size_t count, size_t octets) {
  Octets all;
  for (size_t number = 0; number < count; ++number)
    all.insert(all.end(), octets, static_cast<uint8_t>(number));
  return all;
}

TEST_F(ReadAheadTest, OctetsComeInTheOrderTheyWereDecompressed) {
  for (const size_t octets : {size_t{1}, size_t{100'000}, ReadAhead::kBufferOctets}) {
    const auto ahead = scripted(steps(23, octets, end));
    EXPECT_EQ(read_to_end(*ahead).octets, numbered(23, octets)) << octets;
  }
}

TEST_F(ReadAheadTest, MembersAndFramesOfAnySizeAreOneStream) {
  const Octets large = noise(kMoreThanTheRing);
  const Octets small = noise(10);
  const Octets plain = large + small + Octets(kMoreThanTheRing, 7) + small;
  for (const auto pack : {gzip, zstd}) {
    const TempFile file(pack(large) + pack({}) + pack(small) + pack(Octets(kMoreThanTheRing, 7)) +
                        pack(small));
    for (const size_t piece : {size_t{4093}, ReadAhead::kBufferOctets, size_t{1} << 20}) {
      auto stream = open(file.path());
      const auto given = read_to_end(stream, piece);
      EXPECT_EQ(given.octets, plain) << piece;
      EXPECT_EQ(given.error, "") << piece;
    }
  }
}

TEST_F(ReadAheadTest, TheEndStays) {
  const auto ahead = scripted(steps(1, 10, end));
  EXPECT_EQ(read_to_end(*ahead).octets.size(), 10U);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(read_to_end(*ahead).octets.size(), 0U);
}

TEST_F(ReadAheadTest, AnErrorIsMetBehindWhatCameBeforeItAndStays) {
  constexpr size_t kSteps = 2 * ReadAhead::kBuffers;
  const auto ahead = scripted(steps(kSteps, 1000, [](auto) { return fail("the data is odd"); }));
  for (const auto& expected : {numbered(kSteps, 1000), Octets{}, Octets{}}) {
    const auto given = read_to_end(*ahead);
    EXPECT_EQ(given.octets, expected);
    EXPECT_EQ(given.error, "the data is odd");
  }
}

TEST_F(ReadAheadTest, DamageIsMetBehindTheMembersInFrontOfIt) {
  const Octets plain = noise(kMoreThanTheRing);
  const Octets tail{'t', 'a', 'i', 'l', '!'};
  for (const auto pack : {gzip, zstd}) {
    const Octets second = pack(noise(100));
    const Octets cut = first_of(second, second.size() - 1);
    for (const Octets& damage : {tail, first_of(second, 6), cut}) {
      const TempFile file(pack(plain) + damage);
      auto stream = open(file.path());
      const auto given = read_to_end(stream, size_t{1} << 20);
      EXPECT_TRUE(given.octets == plain || (damage == cut && given.octets == plain + noise(100)));
      EXPECT_NE(given.error, "");
    }
  }
}

TEST_F(ReadAheadTest, WhatIsThrownIsAnErrorOfTheRead) {
  const auto poor = scripted(steps(5, 10, [](auto) -> Result<size_t> { throw std::bad_alloc(); }));
  EXPECT_EQ(read_to_end(*poor).error, "out of memory");
  const auto odd =
      scripted(steps(5, 10, [](auto) -> Result<size_t> { throw std::runtime_error("odd"); }));
  const auto given = read_to_end(*odd);
  EXPECT_EQ(given.octets, numbered(5, 10));
  EXPECT_EQ(given.error, "odd");
}

TEST_F(ReadAheadTest, TheThreadIsNoFurtherAheadThanTheRing) {
  std::atomic<size_t> steps_taken{0};
  const auto ahead = scripted([&](std::span<uint8_t> into) {
    ++steps_taken;
    return into.size();
  });
  Octets buffer(ReadAhead::kBufferOctets);
  for (size_t read = 0; read < 10; ++read) {
    // What is held while it is read is none that can be filled.
    const size_t filled_max = ReadAhead::kBuffers + (read == 0 ? 0 : read - 1);
    while (steps_taken < filled_max)
      std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(steps_taken, filled_max);
    ASSERT_EQ(ahead->read(buffer), buffer.size());
  }
}

TEST_F(ReadAheadTest, AReaderMayLoseInterestAtAnyTime) {
  for (const auto pack : {gzip, zstd}) {
    const TempFile file(pack(noise(kMoreThanTheRing)));
    for (size_t pieces = 0; pieces < 20; ++pieces) {
      auto stream = open(file.path());
      Octets buffer(ReadAhead::kBufferOctets / 4);
      for (size_t i = 0; i < pieces; ++i)
        EXPECT_TRUE(stream.read(buffer));
    }
  }
}

// A named pipe that somebody holds open and writes into.
class HeldPipe {
 public:
  HeldPipe() {
    CHECK(::mkfifo(path().c_str(), 0600) == 0);
    writer_ = UniqueFd(::open(path().c_str(), O_RDWR | O_CLOEXEC));
  }

  [[nodiscard]] std::string path() const { return directory_.path_of("pipe"); }

  void write(const Octets& content) const {
    CHECK(::write(writer_.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  }

 private:
  TempDirectory directory_;
  UniqueFd writer_;
};

TEST_F(ReadAheadTest, WhatArrivesSlowlyIsNotHeldBack) {
  for (const auto pack : {gzip, zstd}) {
    const HeldPipe pipe;
    pipe.write(pack(noise(100)));
    auto stream = open(pipe.path());
    Octets buffer(1000);
    for (size_t octets = 100; octets < 110; ++octets) {
      ASSERT_EQ(stream.read(buffer), octets);
      EXPECT_EQ(first_of(buffer, octets), noise(octets));
      pipe.write(pack(noise(octets + 1)));
    }
  }
}

TEST_F(ReadAheadTest, TheWaitForAPipeEndsWithTheStream) {
  const HeldPipe pipe;
  pipe.write(gzip(noise(100)));
  auto stream = open(pipe.path());
  Octets buffer(1000);
  EXPECT_EQ(stream.read(buffer), 100U);
}

TEST_F(ReadAheadTest, AStopRequestEndsTheWaitForAPipe) {
  const HeldPipe pipe;
  const Octets packed = gzip(noise(100));
  pipe.write(packed + first_of(packed, 15));
  auto stream = open(pipe.path());
  const std::jthread stopper([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    around_.stop.request();
  });
  const auto given = read_to_end(stream);
  EXPECT_EQ(first_of(given.octets, 100), noise(100));
  EXPECT_EQ(given.error, "the gzip data ends early");
}

// All that was read from the file before the request is still given.
TEST_F(ReadAheadTest, AStopRequestLosesNothingThatWasRead) {
  const Octets packed = gzip(noise(2 * kMoreThanTheRing));
  const TempFile file(packed);
  auto stream = open(file.path());
  Octets first(1000);
  ASSERT_EQ(stream.read(first), first.size());
  around_.stop.request();
  const auto rest = read_to_end(stream);
  const TempFile read_file(first_of(packed, around_.octets_read));
  Surroundings others;
  auto read_stream = ByteStream::open(read_file.path(), others.stop, others.octets_read);
  ASSERT_TRUE(read_stream);
  EXPECT_EQ(first + rest.octets, read_to_end(*read_stream).octets);
  EXPECT_EQ(rest.error, "the gzip data ends early");
}

// Threads started while this lives ask for a stack that no address space has room for.
class NoThreads {
 public:
  NoThreads() {
    ::pthread_attr_init(&attributes_);
    CHECK(::pthread_getattr_default_np(&attributes_) == 0);
    ::pthread_attr_getstacksize(&attributes_, &before_);
    set(size_t{1} << 50);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  ~NoThreads() {
    set(before_);
    ::pthread_attr_destroy(&attributes_);
  }

 private:
  void set(size_t stack) {
    ::pthread_attr_setstacksize(&attributes_, stack);
    CHECK(::pthread_setattr_default_np(&attributes_) == 0);
  }

  pthread_attr_t attributes_{};
  size_t before_ = 0;
};

// No descriptor can be opened while this lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    CHECK(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit none{0, before_.rlim_max};
    CHECK(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

template <typename Shortage>
std::unique_ptr<ReadAhead> start_short_of(RawInput input, std::unique_ptr<Decompressor> with) {
  const Shortage shortage;
  return std::make_unique<ReadAhead>(std::move(input), std::move(with));
}

// As the threaded one gives them: each step fills a buffer, and what comes last stays.
TEST_F(ReadAheadTest, WhereNoThreadCanBeStartedTheReaderDecompresses) {
  for (const auto start : {start_short_of<NoThreads>, start_short_of<NoDescriptors>}) {
    std::thread::id decompresses;
    const auto step = [&decompresses](std::span<uint8_t> into) -> Result<size_t> {
      EXPECT_EQ(into.size(), ReadAhead::kBufferOctets);
      decompresses = std::this_thread::get_id();
      throw std::bad_alloc();
    };
    const auto ahead = start(input(), std::make_unique<Scripted>(steps(9, 100'000, step)));
    const auto given = read_to_end(*ahead);
    EXPECT_EQ(given.octets, numbered(9, 100'000));
    EXPECT_EQ(given.error, "out of memory");
    EXPECT_EQ(read_to_end(*ahead).error, "out of memory");
    EXPECT_EQ(decompresses, std::this_thread::get_id());
  }
}

TEST_F(ReadAheadTest, ManyStreamsDoNotGetInEachOthersWay) {
  const Octets plain = noise(kMoreThanTheRing);
  const TempFile gzipped(gzip(plain));
  const TempFile zstded(zstd(plain));
  constexpr size_t kReaders = 16;
  std::vector<std::jthread> readers;
  readers.reserve(kReaders);
  for (size_t reader = 0; reader < kReaders; ++reader) {
    readers.emplace_back([this, &plain, reader, &file = reader % 2 == 0 ? gzipped : zstded] {
      auto stream = open(file.path());
      if (reader % 5 == 0) return;
      EXPECT_EQ(read_to_end(stream, 1000 + 50'000 * reader).octets, plain);
    });
  }
}

}  // namespace
}  // namespace clerk
