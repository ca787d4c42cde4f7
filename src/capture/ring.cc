#include "capture/ring.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>

#include "base/machine_memory.h"

namespace clerk {
namespace {

constexpr size_t kMebibyte = size_t{1} << 20;

// Frames of TPACKET_V3 are as long as their packets; the kernel wants the figure all the same.
constexpr uint32_t kNominalFrameOctets = 2048;

template <typename T>
[[nodiscard]] bool set_option(int socket, int name, const T& value) {
  return ::setsockopt(socket, SOL_PACKET, name, &value, sizeof value) == 0;
}

// No packet comes before bind(): the protocol of this socket is none.
Result<UniqueFd> packet_socket(RingLink link) {
  const int type = link == RingLink::Ethernet ? SOCK_RAW : SOCK_DGRAM;
  UniqueFd socket(::socket(AF_PACKET, type | SOCK_CLOEXEC, 0));
  if (socket) return socket;
  if (errno != EPERM) return fail("a packet socket: {}", errno_text(errno));
  std::error_code unknown;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  return fail(
      "capturing needs the capability CAP_NET_RAW, which this process lacks: run it as root that "
      "has "
      "it, or once: setcap cap_net_raw+ep {}",
      program.string());
}

Result<void> make_ring(int socket, const RingShape& shape) {
  const int version = TPACKET_V3;
  tpacket_req3 request{};
  request.tp_block_size = shape.block_octets;
  request.tp_block_nr = shape.blocks;
  request.tp_frame_size = kNominalFrameOctets;
  request.tp_frame_nr = shape.blocks * (shape.block_octets / kNominalFrameOctets);
  request.tp_retire_blk_tov = static_cast<uint32_t>(shape.retire.count());
  if (set_option(socket, PACKET_VERSION, version) && set_option(socket, PACKET_RX_RING, request))
    return {};
  return fail(
      "the kernel makes no ring of {} MiB ({}); choose a smaller --ring_mib (NumBlocks of "
      "testimonyd)",
      shape.octets() / kMebibyte, errno_text(errno));
}

Result<void> bind_to(int socket, const NetworkInterface& interface) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = interface.index;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  return fail("cannot capture: {}", errno_text(errno));
}

}  // namespace

Result<void> Ring::check_memory(size_t octets) {
  const auto memory = read_machine_memory();
  if (!memory || fits_memory(octets, memory->available_octets)) return {};
  return fail(
      "rings of {} MiB do not fit the {} MiB of memory that are available; choose a smaller "
      "--ring_mib or fewer --threads (NumBlocks or FanoutSize of testimonyd)",
      octets / kMebibyte, memory->available_octets / kMebibyte);
}

Result<void> Ring::check_permission() {
  TRY(packet_socket(RingLink::Ethernet));
  return {};
}

RingShape RingShape::of_octets(size_t octets) {
  RingShape shape;
  shape.blocks = std::max(static_cast<uint32_t>(octets / shape.block_octets), 2U);
  return shape;
}

Result<Ring> Ring::create(const NetworkInterface& interface, const RingShape& shape) {
  UniqueFd socket = TRY(packet_socket(interface.link));
  TRY(make_ring(socket.get(), shape));
  void* at = ::mmap(nullptr, shape.octets(), PROT_READ | PROT_WRITE, MAP_SHARED, socket.get(), 0);
  if (at == MAP_FAILED) return fail("cannot map the ring: {}", errno_text(errno));
  Ring ring(std::move(socket), Memory(static_cast<uint8_t*>(at), Unmap{shape.octets()}), interface,
            shape);
  TRY(ring.set_filter(deaf_filter()));
  TRY(bind_to(ring.socket_.get(), interface));
  ring.clear_error();  // ENETDOWN, when the interface is down
  return ring;
}

template <typename Argument>
Result<void> Ring::set_fanout(const Argument& argument) {
  if (set_option(socket_.get(), PACKET_FANOUT, argument)) return {};
  return fail(
      "cannot share its packets among threads: {} (before Linux 6.13 an interface must be up for "
      "this, see ip link set)",
      errno_text(errno));
}

Result<uint16_t> Ring::found_group(Fanout mode) {
  const uint32_t flags = std::to_underlying(mode) | uint32_t{PACKET_FANOUT_FLAG_UNIQUEID};
  TRY(set_fanout(flags << 16));
  uint32_t argument = 0;
  socklen_t size = sizeof argument;
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_FANOUT, &argument, &size) != 0)
    return fail("cannot ask for its fanout group: {}", errno_text(errno));
  return static_cast<uint16_t>(argument);  // the mode stands above
}

Result<void> Ring::join_group(Fanout mode, uint16_t group) {
  return set_fanout(uint32_t{std::to_underlying(mode)} << 16 | group);
}

Result<void> Ring::join_closed_group(Fanout mode, uint16_t group, uint32_t members) {
  fanout_args argument{};
  argument.id = group;
  argument.type_flags = std::to_underlying(mode);
  argument.max_num_members = members;
  return set_fanout(argument);
}

Result<void> Ring::set_filter(const KernelFilter& filter) {
  if (filter.size() > BPF_MAXINSNS)
    return fail("the filter takes {} instructions, and the kernel no more than {}", filter.size(),
                BPF_MAXINSNS);
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size());
  program.filter = const_cast<sock_filter*>(filter.data());  // the kernel only reads it
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0)
    return {};
  return fail("the kernel does not take the filter: {}", errno_text(errno));
}

Result<void> Ring::listen(const KernelFilter& filter) {
  const int yes = 1;
  TRY(set_filter(filter));
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_LOCK_FILTER, &yes, sizeof yes) == 0) return {};
  return fail("the kernel does not lock the filter: {}", errno_text(errno));
}

std::atomic_ref<uint32_t> Ring::status(uint32_t index) const {
  auto* description = reinterpret_cast<tpacket_block_desc*>(block(index));
  return std::atomic_ref(description->hdr.bh1.block_status);
}

std::optional<Block> Ring::ready_block(uint32_t index) const {
  // Acquire: what the kernel wrote before it handed the block over must be seen.
  if ((status(index).load(std::memory_order_acquire) & TP_STATUS_USER) == 0) return {};
  return Block{.octets = {block(index), shape_.block_octets}, .link = link_, .mtu = mtu_};
}

void Ring::return_block() {
  return_block(next_);
  next_ = (next_ + 1) % shape_.blocks;
}

void Ring::return_block(uint32_t index) {
  // Release: the kernel may overwrite the block only after it was read.
  status(index).store(TP_STATUS_KERNEL, std::memory_order_release);
}

void Ring::wait(std::chrono::milliseconds patience) {
  pollfd waited{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  ::poll(&waited, 1, static_cast<int>(patience.count()));
  if ((waited.revents & POLLERR) != 0) clear_error();
}

void Ring::clear_error() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
}

bool Ring::is_detached() const {
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  const int known = ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return known == 0 && address.sll_ifindex < 0;
}

RingStatistics Ring::take_statistics() {
  tpacket_stats_v3 taken{};
  socklen_t size = sizeof taken;
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &taken, &size) != 0) return {};
  return {taken.tp_packets, taken.tp_drops, taken.tp_freeze_q_cnt};
}

}  // namespace clerk
