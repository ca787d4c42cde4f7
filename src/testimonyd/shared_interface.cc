#include "testimonyd/shared_interface.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "testimony/protocol.h"
#include "testimonyd/ring_group.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kTick{1};

// How often to look whether an interface is there again, and whether it can be opened by now, which
// costs more.
constexpr milliseconds kLookInterval{200};
constexpr seconds kRetryInterval{1};

// What a client has for saying which index it wants, and for the rest of a message that it began.
constexpr seconds kMessagePatience{5};

// How long the last packets of an interface that is gone may lie in a block that is not full.
constexpr milliseconds kLingerMin{80};
constexpr milliseconds kLingerMax{1000};

// What is read from one client, and how many are let in, before the others and the rings get their
// turn.
constexpr int kReadsMax = 16;
constexpr int kAcceptsMax = 16;

constexpr size_t kMebibyte = size_t{1} << 20;

milliseconds linger_of(const SocketConfig& config) {
  return std::clamp(2 * milliseconds(config.block_timeout_ms), kLingerMin, kLingerMax);
}

ListenerOptions listener_options(const SocketConfig& config) {
  return {.path = config.socket_name,
          .user = config.user,
          .group = config.group,
          .mode = config.group.empty() ? mode_t{0600} : mode_t{0660}};
}

// What follows a line of which others were held back.
std::string and_before(uint64_t unsaid) {
  return unsaid == 0 ? "" : fmt::format("; so were {} others before it", unsaid);
}

std::string_view plural(size_t count) { return count == 1 ? "" : "s"; }

}  // namespace

SharedInterface::SharedInterface(SocketConfig config, EventLoop& loop, Listener listener)
    : config_(std::move(config)),
      loop_(loop),
      listener_(std::move(listener)),
      counts_before_(config_.fanout_size),
      next_tick_(Clock::now() + kTick) {}

SharedInterface::~SharedInterface() { close_clients(); }

Result<std::unique_ptr<SharedInterface>> SharedInterface::open(const SocketConfig& config,
                                                               EventLoop& loop) {
  TRY(Ring::check_permission());
  Listener listener = TRY(Listener::open(listener_options(config)));
  std::unique_ptr<SharedInterface> shared(new SharedInterface(config, loop, std::move(listener)));
  TRY(shared->open_first());
  auto* const self = shared.get();
  shared->listener_watch_ =
      TRY(loop.watch(self->listener_.fd(), EPOLLIN, [self](uint32_t) { self->accept_clients(); }));
  return shared;
}

// Rings

Result<void> SharedInterface::open_first() {
  const auto found = TRY(find_interface(config_.interface));
  if (!found) {
    absence_.allow(Clock::now());
    spdlog::warn("{}: there is no interface {} (there are {}); waiting for it", config_.socket_name,
                 config_.interface, fmt::join(interface_names(), ", "));
    return {};
  }
  const auto opened = open_rings(*found);
  if (opened || found->is_up) return opened;
  spdlog::warn("{}; waiting for it to come up", opened.error().message);
  return {};
}

Result<void> SharedInterface::open_rings(const NetworkInterface& interface) {
  auto group = make_ring_group(config_, interface);
  if (!group)
    return fail("{}: interface {}: {}", config_.socket_name, config_.interface,
                group.error().message);
  promiscuity_ = std::move(group->promiscuity);
  for (Ring& ring : group->rings) {
    auto added = add_ring(std::move(ring));
    if (added) continue;
    close_rings();  // all or none
    return added;
  }
  interface_ = interface;
  current_name_ = config_.interface;
  is_down_ = false;
  ++rings_made_;
  if (!std::exchange(tells_rings_, true)) return {};
  spdlog::info("{}: interface {}: {} ring{} of {} MiB", config_.socket_name, config_.interface,
               rings_.size(), plural(rings_.size()),
               static_cast<double>(rings_.front()->ring().shape().octets()) / kMebibyte);
  if (!interface.is_up)
    spdlog::warn("{}: interface {}: is down; waiting for it to come up", config_.socket_name,
                 config_.interface);
  return {};
}

// Edge-triggered: while a block is held the kernel calls the socket readable all the time.
Result<void> SharedInterface::add_ring(Ring ring) {
  const SharedRingLimits limits{.reserve_blocks = config_.reserve_blocks,
                                .hold_max = milliseconds(config_.max_hold_ms)};
  rings_.push_back(
      std::make_unique<SharedRing>(std::move(ring), limits, counts_before_[rings_.size()]));
  SharedRing* const added = rings_.back().get();
  ring_watches_.push_back(
      TRY(loop_.watch(added->ring().fd(), EPOLLIN | EPOLLET, [this, added](uint32_t events) {
        if ((events & EPOLLERR) == 0) return;  // work() looks at all rings
        added->clear_error();
        next_tick_ = Clock::now();
      })));
  return {};
}

void SharedInterface::close_rings() {
  close_clients();
  ring_watches_.clear();
  keep_counts();
  rings_.clear();
  promiscuity_ = {};
  closing_at_ = Clock::time_point::max();
}

void SharedInterface::keep_counts() {
  for (size_t i = 0; i < rings_.size(); ++i) {
    counts_before_[i] = rings_[i]->counts();
    counts_before_[i].blocks_held = 0;
  }
}

void SharedInterface::lend_blocks(Clock::time_point now) {
  for (const auto& ring : rings_) {
    if (!ring->dispatch()) return note_damage();
    evict_late_clients(*ring, now);
  }
}

// Whoever seems late is heard first: what it has given back may have come since the loop looked.
void SharedInterface::evict_late_clients(SharedRing& ring, Clock::time_point now) {
  for (auto late = ring.late_clients(now); !late.empty();) {
    for (Client* client : late)
      listen_to(*client);
    const auto suspects = std::exchange(late, ring.late_clients(now));
    if (late != suspects) continue;
    for (Client* client : late)
      evict(ring, *client);
    late = ring.late_clients(now);
  }
}

std::string SharedInterface::why_late(const SharedRing& ring) const {
  if (ring.is_short_of_room())
    return fmt::format("and the kernel has no more than {} left (ReserveBlocks)",
                       config_.reserve_blocks);
  return fmt::format("one for more than {} ms (MaxHoldMillis)", config_.max_hold_ms);
}

void SharedInterface::evict(SharedRing& ring, Client& client) {
  if (!client.is_over) {
    if (const auto unsaid = evictions_.allow(Clock::now()))
      spdlog::warn("{}: client {} ({}) holds {} of {} blocks, {}; its connection is ended{}",
                   config_.socket_name, client.number, client.connection.peer(),
                   ring.held_by(client), config_.blocks, why_late(ring), and_before(*unsaid));
    ring.note_eviction();
    send_away(client, "blocks were held too long");
  }
  ring.leave(client);
}

// Whoever may read a ring may write to it; the next one is whole again.
void SharedInterface::note_damage() {
  tells_rings_ = failures_.allow(Clock::now()).has_value();
  if (tells_rings_)
    spdlog::error(
        "{}: a client has written to the ring of interface {}; it is made anew, and all clients "
        "must connect again",
        config_.socket_name, config_.interface);
  close_rings();
  next_look_ = Clock::now() + kRetryInterval;
}

// Interface

void SharedInterface::work(Clock::time_point now) {
  if (now >= next_tick_) tick(now);
  lend_blocks(now);
  end_overdue_clients(now);
  std::erase_if(clients_, [](const auto& entry) {
    Client& client = *entry.second;
    if (client.is_over && client.ring != nullptr) client.ring->leave(client);
    return client.is_over;
  });
  if (now >= closing_at_) close_rings();
  if (rings_.empty() && now >= next_look_) try_to_reopen();
}

SharedInterface::Clock::time_point SharedInterface::deadline() const {
  auto deadline = std::min(next_tick_, closing_at_);
  if (rings_.empty()) deadline = std::min(deadline, next_look_);
  for (const auto& ring : rings_)
    deadline = std::min(deadline, ring->deadline());
  for (const auto& [number, client] : clients_)
    deadline = std::min(deadline, client->deadline);
  return deadline;
}

void SharedInterface::tick(Clock::time_point now) {
  next_tick_ = now + kTick;
  if (!std::exchange(is_accepting_, true)) listener_watch_.change(EPOLLIN);
  for (const auto& ring : rings_)
    if (!ring->tick()) return note_damage();
  if (!rings_.empty()) watch_interface(now);
}

void SharedInterface::watch_interface(Clock::time_point now) {
  if (closing_at_ != Clock::time_point::max()) return;
  if (!rings_.front()->ring().is_detached()) return watch_state();
  absence_.allow(now);
  spdlog::warn("{}: interface {} was removed; waiting for it to come back", config_.socket_name,
               config_.interface);
  closing_at_ = now + linger_of(config_);
}

// The rings stay on their interface, whatever that is called.
void SharedInterface::watch_name(const std::string& name) {
  if (name.empty() || name == current_name_) return;
  spdlog::warn("{}: interface {} is called {} now, and goes on being captured", config_.socket_name,
               config_.interface, name);
  current_name_ = name;
}

void SharedInterface::watch_state() {
  const std::string name = interface_name(interface_.index);
  watch_name(name);
  const auto found = find_interface(name);
  if (!found || !*found || (*found)->is_up == !is_down_) return;
  is_down_ = !(*found)->is_up;
  if (is_down_) {
    spdlog::warn("{}: interface {} is down; waiting for it to come up", config_.socket_name,
                 config_.interface);
  } else {
    spdlog::info("{}: interface {} is up again", config_.socket_name, config_.interface);
  }
}

void SharedInterface::try_to_reopen() {
  const auto now = Clock::now();
  next_look_ = now + kLookInterval;
  const auto found = find_interface(config_.interface);
  if (found && !*found) {
    if (absence_.allow(now))
      spdlog::warn("{}: there is no interface {}; waiting for it", config_.socket_name,
                   config_.interface);
    return;
  }
  const auto opened = found ? open_rings(**found) : std::unexpected(found.error());
  if (opened) return;
  next_look_ = now + kRetryInterval;
  if (failures_.allow(now)) spdlog::warn("{}; trying again", opened.error().message);
}

// Clients

void SharedInterface::accept_clients() {
  for (int accepts = 0; accepts < kAcceptsMax; ++accepts) {
    auto accepted = listener_.accept();
    if (!accepted) {
      if (failures_.allow(Clock::now())) spdlog::warn("{}; trying again", accepted.error().message);
      is_accepting_ = false;  // until the next tick
      return listener_watch_.change(0);
    }
    if (!*accepted) return;
    add_client(*std::move(*accepted));
  }
}

void SharedInterface::add_client(UniqueFd socket) {
  const auto now = Clock::now();
  auto client = std::make_unique<Client>(++clients_accepted_, std::move(socket), now);
  Client& added = *client;
  if (clients_.size() >= config_.clients_max) {
    ++clients_refused_;
    if (const auto unsaid = refusals_.allow(now))
      spdlog::warn("{}: there are {} clients already; {} is sent away (MaxClients){}",
                   config_.socket_name, clients_.size(), added.connection.peer(),
                   and_before(*unsaid));
    return send_away_at_once(added, "there are too many clients already (MaxClients)");
  }
  auto watch = loop_.watch(added.connection.fd(), EPOLLIN | EPOLLRDHUP,
                           [this, &added](uint32_t events) { handle(added, events); });
  if (!watch) return;
  added.watch = *std::move(watch);
  added.deadline = now + kMessagePatience;
  clients_.emplace(added.number, std::move(client));
  greet(added);
}

void SharedInterface::greet(Client& client) {
  std::vector<uint8_t> greeting{testimony::kVersion};
  if (rings_.empty())
    return send_away_at_once(client, fmt::format("interface {} is not there", config_.interface));
  testimony::put_number(testimony::Type::FanoutSize, config_.fanout_size, greeting);
  testimony::put_number(testimony::Type::BlockSize, config_.block_octets, greeting);
  testimony::put_number(testimony::Type::NumBlocks, config_.blocks, greeting);
  testimony::put_tlv(testimony::Type::WaitingForFanoutIndex, {}, greeting);
  client.send(greeting);
}

void SharedInterface::handle(Client& client, uint32_t events) {
  if (client.is_over) return;
  if ((events & EPOLLOUT) != 0) client.flush();
  if ((events & ~uint32_t{EPOLLOUT}) != 0) listen_to(client);
}

void SharedInterface::listen_to(Client& client) {
  for (int reads = 0; reads < kReadsMax && !client.is_over; ++reads) {
    switch (client.connection.receive()) {
      case Connection::Received::End: return give_up(client, "");
      case Connection::Received::Nothing:
        if (client.protocol.is_within_word()) give_up(client, "sent a part of a word");
        return;
      case Connection::Received::Octets: break;
    }
    client.protocol.feed(client.connection.octets());
    obey(client);
    if (!client.protocol.is_within_message()) {
      client.deadline = Clock::time_point::max();
    } else if (client.deadline == Clock::time_point::max()) {
      client.deadline = Clock::now() + kMessagePatience;
    }
  }
}

void SharedInterface::obey(Client& client) {
  while (!client.is_over) {
    switch (client.protocol.next()) {
      case ClientProtocol::Event::Nothing: return;
      case ClientProtocol::Event::Broken: return give_up(client, client.protocol.why_broken());
      case ClientProtocol::Event::Join: join(client, client.protocol.value()); break;
      case ClientProtocol::Event::Return:
        if (!client.ring->give_back(client, client.protocol.value()))
          give_up(client, "returned a block that it does not hold");
        break;
    }
  }
}

void SharedInterface::join(Client& client, uint32_t index) {
  if (index >= rings_.size()) return give_up(client, "wants an index that there is not");
  if (!rings_[index]->join(client)) return give_up(client, "");
  spdlog::debug("{}: client {} ({}) reads index {}", config_.socket_name, client.number,
                client.connection.peer(), index);
}

// Ends the connection of one that is gone, or that has done something wrong.
void SharedInterface::give_up(Client& client, std::string_view why) {
  client.is_over = true;
  if (why.empty()) {
    if (client.ring != nullptr)
      spdlog::debug("{}: client {} has ended", config_.socket_name, client.number);
    return;
  }
  ++clients_refused_;
  if (const auto unsaid = refusals_.allow(Clock::now()))
    spdlog::warn("{}: client {} ({}) {}; its connection is ended{}", config_.socket_name,
                 client.number, client.connection.peer(), why, and_before(*unsaid));
}

// Instead of a greeting.
void SharedInterface::send_away_at_once(Client& client, std::string_view why) {
  client.send({&testimony::kVersion, sizeof testimony::kVersion});
  send_away(client, why);
}

// Ends the connection and says so.
void SharedInterface::send_away(Client& client, std::string_view why) {
  std::vector<uint8_t> message;
  testimony::put_tlv(testimony::Type::Error,
                     {reinterpret_cast<const uint8_t*>(why.data()), why.size()}, message);
  if (!client.connection.has_unsent()) client.send(message);
  client.is_over = true;
}

void SharedInterface::end_overdue_clients(Clock::time_point now) {
  for (const auto& [number, client] : clients_) {
    if (client->is_over || now < client->deadline) continue;
    // One that says nothing may have wanted to know the ring's geometry, and knows it by now.
    give_up(*client,
            client->protocol.has_said_nothing() ? "" : "did not finish its message in time");
  }
}

// What they are told at last is what their rings have counted.
void SharedInterface::close_clients() {
  for (const auto& ring : rings_)
    ring->tell_counters();
  for (const auto& [number, client] : clients_)
    if (client->ring != nullptr) client->ring->leave(*client);
  clients_.clear();
}

SocketStats SharedInterface::stats(Clock::time_point now) {
  SocketStats stats{.socket = config_.socket_name,
                    .interface = config_.interface,
                    .is_capturing = !rings_.empty() && !is_down_,
                    .clients_refused = clients_refused_,
                    .rings_made = rings_made_};
  for (uint32_t i = 0; i < config_.fanout_size; ++i)
    stats.rings.push_back(
        {.index = i, .counts = rings_.empty() ? counts_before_[i] : rings_[i]->counts()});
  for (const auto& [number, client] : clients_) {
    const auto ring = std::ranges::find(rings_, client->ring, &std::unique_ptr<SharedRing>::get);
    if (ring == rings_.end()) {
      ++stats.clients_greeting;
      continue;
    }
    stats.rings[static_cast<size_t>(ring - rings_.begin())].clients.push_back(
        {.number = number,
         .process = client->connection.process(),
         .user = client->connection.user(),
         .connected_seconds = std::chrono::duration<double>(now - client->since).count(),
         .blocks_sent = client->blocks_sent,
         .blocks_returned = client->blocks_returned,
         .blocks_held = client->ring->held_by(*client)});
  }
  return stats;
}

}  // namespace clerk
