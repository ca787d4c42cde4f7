// What a ring, and what else is asked of an interface, say when the kernel refuses.
#include <gmock/gmock.h>
#include <linux/bpf_common.h>
#include <sys/resource.h>

#include "base/check.h"
#include "capture/live_test_support.h"
#include "capture/promiscuity.h"
#include "capture/ring.h"

namespace clerk {
namespace {

using ::testing::StartsWith;

constexpr size_t kMebibyte = size_t{1} << 20;
constexpr size_t kGibibyte = 1024 * kMebibyte;

template <typename T>
std::string refusal(const Result<T>& result) {
  return result ? "no refusal" : result.error().message;
}

// While this lives, the process gets no more descriptors.
class NoDescriptors {
 public:
  NoDescriptors() {
    CHECK(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    CHECK(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class RingRefusal : public OnLoopback {
 protected:
  static Result<Ring> create() {
    return Ring::create(interface_of("lo"), RingShape::of_octets(4 * kMebibyte));
  }
};

constexpr NetworkInterface kGone{.index = 99'999};

TEST_F(RingRefusal, NoDescriptorIsLeft) {
  const auto lo = interface_of("lo");
  const NoDescriptors none;
  EXPECT_EQ(refusal(Ring::create(lo, RingShape::of_octets(4 * kMebibyte))),
            "a packet socket: Too many open files");
  EXPECT_EQ(refusal(find_interface("lo")), "--interface lo: Too many open files");
}

TEST_F(RingRefusal, TheInterfaceHasGoneMeanwhile) {
  EXPECT_EQ(refusal(Ring::create(kGone, RingShape::of_octets(4 * kMebibyte))),
            "cannot capture: No such device");
  EXPECT_EQ(refusal(Promiscuity::ask(kGone)),
            "cannot become promiscuous: No such device; it can be done without");
}

TEST_F(RingRefusal, TheGroupHasAnotherMode) {
  auto founder = create();
  auto member = create();
  ASSERT_TRUE(founder && member);
  const auto group = founder->found_group(Fanout::Hash);
  ASSERT_TRUE(group);
  EXPECT_THAT(refusal(member->join_group(Fanout::Cpu, *group)),
              StartsWith("cannot share its packets among threads: "));
}

TEST_F(RingRefusal, TheFilterIsTooLong) {
  auto ring = create();
  ASSERT_TRUE(ring);
  const sock_filter keep_all{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 1};
  EXPECT_EQ(refusal(ring->listen(KernelFilter(4097, keep_all))),
            "the filter takes 4097 instructions, and the kernel no more than 4096");
}

TEST(RingMemory, RingsThatTheMachineCannotHoldAreRefused) {
  EXPECT_TRUE(Ring::check_memory(kMebibyte));
  const std::string message = refusal(Ring::check_memory(size_t{1024} * 1024 * kGibibyte));
  EXPECT_THAT(message, StartsWith("rings of 1073741824 MiB do not fit the "));
  EXPECT_NE(message.find("choose a smaller --ring_mib or fewer --threads"), std::string::npos);
}

}  // namespace
}  // namespace clerk
