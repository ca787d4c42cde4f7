#include "capture/af_packet_source.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <optional>
#include <thread>
#include <utility>

namespace clerk {
namespace {

// How often to ask whether an interface is up, or there again: sooner than people look, and a few
// system calls each time.
constexpr auto kLookInterval = std::chrono::milliseconds(100);

// How long to wait when it is there and yet cannot be opened, which costs more.
constexpr auto kRetryInterval = std::chrono::seconds(1);

}  // namespace

class AfPacketInterface::Member : public PacketSource {
 public:
  Member(AfPacketInterface& interface, size_t number) : interface_(interface), number_(number) {}

  std::optional<Block> take_block(std::chrono::milliseconds patience) override;
  void return_block() override { ring_->return_block(); }
  SourceCounts take_counts() override;

 private:
  void look_after_interface();
  void close_ring();

  AfPacketInterface& interface_;
  size_t number_;
  std::unique_ptr<Ring> ring_;  // none while the interface is gone
  uint64_t drops_ = 0;          // of rings that are closed
  std::optional<Clock::time_point> detached_at_;
};

std::optional<Block> AfPacketInterface::Member::take_block(std::chrono::milliseconds patience) {
  if (!ring_) ring_ = interface_.take_ring(number_);
  if (!ring_) {
    std::this_thread::sleep_for(patience);
    return {};
  }
  if (const auto block = ring_->ready_block()) return block;
  ring_->wait(patience);
  if (const auto block = ring_->ready_block()) return block;
  look_after_interface();
  return {};
}

SourceCounts AfPacketInterface::Member::take_counts() {
  return {.dropped = std::exchange(drops_, 0) + (ring_ ? ring_->take_statistics().drops : 0)};
}

// With nothing to read there is time to ask how the interface is.
void AfPacketInterface::Member::look_after_interface() {
  if (!ring_->is_detached()) {
    if (number_ == 0) interface_.watch_state();
    return;
  }
  if (!detached_at_) {
    detached_at_ = Clock::now();
    interface_.note_removal();
  } else if (Clock::now() - *detached_at_ > kBlockDelayMax) {
    close_ring();  // the last block has come
  }
}

void AfPacketInterface::Member::close_ring() {
  drops_ += ring_->take_statistics().drops;
  ring_.reset();
  detached_at_.reset();
  interface_.note_closed_ring();
}

AfPacketInterface::AfPacketInterface(std::string name, AfPacketOptions options)
    : name_(std::move(name)), options_(std::move(options)), fresh_(options_.members) {
  members_.reserve(options_.members);
  for (size_t i = 0; i < options_.members; ++i)
    members_.push_back(std::make_unique<Member>(*this, i));
}

AfPacketInterface::~AfPacketInterface() = default;

Result<std::unique_ptr<AfPacketInterface>> AfPacketInterface::open(std::string name,
                                                                   AfPacketOptions options) {
  std::unique_ptr<AfPacketInterface> interface(
      new AfPacketInterface(std::move(name), std::move(options)));
  TRY(interface->open_first());
  return interface;
}

std::vector<PacketSource*> AfPacketInterface::sources() const {
  std::vector<PacketSource*> sources;
  sources.reserve(members_.size());
  for (const auto& member : members_)
    sources.push_back(member.get());
  return sources;
}

// Rings are opened anew only when no member has one of the interface as it was.
std::unique_ptr<Ring> AfPacketInterface::take_ring(size_t member) {
  const std::lock_guard lock(mutex_);
  if (open_rings_ == 0 && Clock::now() >= next_look_) try_to_reopen();
  if (member == 0 && fresh_[member]) {
    spdlog::info("interface {}: capturing with {} thread{}", name_, options_.members,
                 options_.members == 1 ? "" : "s");
  }
  return std::move(fresh_[member]);
}

void AfPacketInterface::note_removal() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_removed_, true)) return;
  absence_limiter_.allow(Clock::now());
  spdlog::warn("interface {}: was removed; waiting for it to come back", name_);
}

void AfPacketInterface::note_closed_ring() {
  const std::lock_guard lock(mutex_);
  --open_rings_;
}

void AfPacketInterface::watch_state() {
  const std::lock_guard lock(mutex_);
  if (Clock::now() < next_look_) return;
  next_look_ = Clock::now() + kLookInterval;
  watch_name();
  const auto found = find_interface(current_name_);
  if (!found || !*found || (*found)->index != index_ || (*found)->is_up == is_up_) return;
  is_up_ = (*found)->is_up;
  if (is_up_) {
    spdlog::info("interface {}: is up again", name_);
  } else {
    spdlog::warn("interface {}: is down; waiting for it to come up", name_);
  }
}

// A ring stays on its interface, whatever that is called.
void AfPacketInterface::watch_name() {
  std::string name = interface_name(index_);
  if (name.empty() || name == current_name_) return;
  spdlog::warn("interface {}: is called {} now, and goes on being captured", name_, name);
  current_name_ = std::move(name);
}

void AfPacketInterface::try_to_reopen() {
  next_look_ = Clock::now() + kLookInterval;
  const auto found = find_interface(name_);
  if (found && !*found) {
    if (absence_limiter_.allow(Clock::now()))
      spdlog::warn("interface {}: is not there; waiting for it", name_);
    return;
  }
  const auto opened = found ? open_rings(**found) : std::unexpected(found.error());
  if (opened) return;
  next_look_ = Clock::now() + kRetryInterval;
  if (log_limiter_.allow(Clock::now())) spdlog::warn("{}; trying again", opened.error().message);
}

// What may come good is waited for: an interface that is down, as one that goes down later is, and
// one that is not there, when the user said so.
Result<void> AfPacketInterface::open_first() {
  const auto found = TRY(find_interface(name_));
  const bool may_come = found ? !found->is_up : options_.wait;
  if (!found && !may_come) {
    return fail("--interface {}: there is no such interface; there are {} (--wait waits for one)",
                name_, fmt::join(interface_names(), ", "));
  }
  const auto opened = found ? open_rings(*found) : fail("interface {}: is not there", name_);
  if (opened) return {};
  if (!may_come) return opened;
  const auto possible = check_possible();
  if (!possible) return fail("--interface {}: {}", name_, possible.error().message);
  absence_limiter_.allow(Clock::now());
  spdlog::warn("{}; waiting for it", opened.error().message);
  return {};
}

// Whatever the interface: what is missing here does not come by waiting.
Result<void> AfPacketInterface::check_possible() const {
  TRY(Ring::check_permission());
  return Ring::check_memory(options_.ring_octets * options_.members);
}

void AfPacketInterface::warn_of_offloads() const {
  if (!merges_packets(name_)) return;
  spdlog::warn(
      "interface {}: merges packets as they arrive, and those count as one; for every packet: "
      "ethtool -K {} gro off lro off rx-gro-hw off",
      name_, name_);
}

Result<void> AfPacketInterface::open_rings(const NetworkInterface& interface) {
  auto rings = make_rings(interface);
  if (!rings) return fail("--interface {}: {}", name_, rings.error().message);
  fresh_ = *std::move(rings);
  open_rings_ = fresh_.size();
  index_ = interface.index;
  current_name_ = interface_name(index_);
  is_removed_ = false;
  is_up_ = true;
  warn_of_offloads();
  return {};
}

Result<AfPacketInterface::Rings> AfPacketInterface::make_rings(const NetworkInterface& interface) {
  const KernelFilter filter =
      TRY(compile_kernel_filter(options_.filter, options_.snaplen, name_, interface));
  TRY(check_possible());
  const RingShape shape = RingShape::of_octets(options_.ring_octets);
  Rings rings;
  for (size_t i = 0; i < options_.members; ++i)
    rings.push_back(std::make_unique<Ring>(TRY(Ring::create(interface, shape))));
  if (options_.members > 1) {
    const uint16_t group = TRY(rings.front()->found_group(options_.fanout));
    for (size_t i = 1; i < rings.size(); ++i)
      TRY(rings[i]->join_group(options_.fanout, group));
  }
  if (options_.promiscuous) promiscuity_ = TRY(Promiscuity::ask(interface));
  for (const auto& ring : rings)
    TRY(ring->listen(filter));
  return rings;
}

}  // namespace clerk
