#include "testimony/ring_view.h"

#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>

#include "testimony/failure.h"
#include "testimony/protocol.h"

namespace testimony {
namespace {

static_assert(alignof(tpacket_block_desc) == alignof(uint64_t));
static_assert(offsetof(tpacket_block_desc, hdr.bh1.seq_num) % alignof(uint64_t) == 0);

// A picture of a ring is for tests. Whoever passes one gets no more of this process's memory by it.
constexpr size_t kCopiedOctetsMax = size_t{256} << 20;

int option_of(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

// A ring whose interface is gone delivers no more, but what is in it came from there: Ethernet
// more likely than not.
Link link_of(int socket) {
  if (option_of(socket, SO_TYPE) != SOCK_RAW) return Link::Other;
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  const bool is_ethernet =
      address.sll_hatype == ARPHRD_ETHER || address.sll_hatype == ARPHRD_LOOPBACK;
  return is_ethernet || address.sll_ifindex <= 0 ? Link::Ethernet : Link::Other;
}

size_t octets_of(const Geometry& geometry) {
  return size_t{geometry.block_octets} * geometry.blocks;
}

// By std::atomic_ref, for others write there meanwhile; it loads only, so read-only memory will do.
template <typename T>
T load_shared(const T& from, std::memory_order order) {
  return std::atomic_ref(const_cast<T&>(from)).load(order);
}

// The kernel's own: kept at an address that suits it, for is_possible() is true.
BlockMark mark_in(const uint8_t* block) {
  const auto& header = reinterpret_cast<const tpacket_block_desc*>(block)->hdr.bh1;
  // What was read of the block before this must not be read after it: a block that changed
  // meanwhile could look untouched.
  std::atomic_thread_fence(std::memory_order_acquire);
  // Acquire: what the kernel wrote before it handed the block over must be seen.
  const uint32_t status = load_shared(header.block_status, std::memory_order_acquire);
  // Relaxed: it was written before the status was.
  const uint64_t sequence = load_shared<__u64>(header.seq_num, std::memory_order_relaxed);
  return {.status = status, .sequence = sequence};
}

}  // namespace

bool is_possible(const Geometry& geometry) {
  constexpr uint64_t kOctetsMax = std::numeric_limits<ptrdiff_t>::max();
  return geometry.block_octets >= sizeof(tpacket_block_desc) &&
         geometry.block_octets % alignof(tpacket_block_desc) == 0 && geometry.blocks > 0 &&
         geometry.blocks <= kBlocksMax &&
         uint64_t{geometry.block_octets} * geometry.blocks <= kOctetsMax;
}

Result<RingView> RingView::open(clerk::UniqueFd ring, const Geometry& geometry) {
  struct stat status{};
  if (::fstat(ring.get(), &status) != 0)
    return fail_by_errno("the descriptor that the daemon passed", errno);
  if (S_ISREG(status.st_mode)) return copy(std::move(ring), geometry);
  if (S_ISSOCK(status.st_mode) && option_of(ring.get(), SO_DOMAIN) == AF_PACKET)
    return map(std::move(ring), geometry);
  return fail(Failure::Broken, "the descriptor that the daemon passed is no packet socket");
}

Result<RingView::Memory> RingView::memory_for(const Geometry& geometry, int protection, int flags,
                                              int descriptor) {
  const size_t octets = octets_of(geometry);
  void* at = ::mmap(nullptr, octets, protection, flags | MAP_NORESERVE, descriptor, 0);
  if (at != MAP_FAILED) return Memory(static_cast<uint8_t*>(at), Unmap{octets});
  if (errno == EINVAL)
    return fail(Failure::Broken, "the daemon's ring is not of the size that it tells");
  return fail_by_errno("mapping a ring of " + std::to_string(octets) + " octets", errno);
}

Result<RingView> RingView::map(clerk::UniqueFd ring, const Geometry& geometry) {
  auto memory = memory_for(geometry, PROT_READ, MAP_SHARED, ring.get());
  if (!memory) return std::unexpected(memory.error());
  const Link link = link_of(ring.get());
  return RingView(std::move(ring), *std::move(memory), Kind::Mapped, geometry.block_octets, link);
}

Result<RingView> RingView::copy(clerk::UniqueFd file, const Geometry& geometry) {
  if (octets_of(geometry) > kCopiedOctetsMax)
    return fail(Failure::Broken, "the daemon passed a file that is too large to be copied");
  auto memory = memory_for(geometry, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (!memory) return std::unexpected(memory.error());
  return RingView(std::move(file), *std::move(memory), Kind::Copied, geometry.block_octets,
                  Link::Ethernet);
}

uint64_t RingView::number() const {
  struct stat status{};
  return ::fstat(ring_.get(), &status) == 0 ? status.st_ino : 0;
}

BlockMark RingView::load(uint32_t index) {
  const size_t offset = offset_of(index);
  if (kind_ == Kind::Copied) read_file(offset, {memory_.get() + offset, block_octets_});
  return mark_in(memory_.get() + offset);
}

BlockMark RingView::mark(uint32_t index) const {
  const size_t offset = offset_of(index);
  if (kind_ == Kind::Mapped) return mark_in(memory_.get() + offset);
  alignas(tpacket_block_desc) std::array<uint8_t, sizeof(tpacket_block_desc)> header;
  read_file(offset, header);
  return mark_in(header.data());
}

std::span<const uint8_t> RingView::block(uint32_t index) const {
  return {memory_.get() + offset_of(index), block_octets_};
}

void RingView::read_file(size_t offset, std::span<uint8_t> to) const {
  while (!to.empty()) {
    const ssize_t octets = ::pread(ring_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (octets < 0 && errno == EINTR) continue;
    if (octets <= 0) break;
    to = to.subspan(static_cast<size_t>(octets));
    offset += static_cast<size_t>(octets);
  }
  std::ranges::fill(to, uint8_t{0});
}

}  // namespace testimony
