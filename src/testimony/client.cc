#include "testimony/client.h"

#include <fcntl.h>
#include <linux/if_packet.h>

#include <utility>
#include <vector>

#include "base/big_endian.h"
#include "testimony/connection.h"
#include "testimony/dial.h"
#include "testimony/failure.h"
#include "testimony/handshake.h"
#include "testimony/protocol.h"
#include "testimony/ring_view.h"
#include "testimony/sequence_watch.h"

namespace testimony {
namespace {

using std::chrono::milliseconds;

// How often a closed connection is read for what the daemon said at last: its messages are short,
// and one that goes on talking is not listened to for ever.
constexpr int kLastReadsMax = 64;

// What is remembered of a block between its visits.
struct Visit {
  BlockMark mark;  // when it was handed out last
  bool seen = false;
  bool handed_out = false;
};

std::optional<KernelCounters> counters_in(const Message& message) {
  if (message.value.size() != 2 * sizeof(uint64_t)) return {};
  const uint8_t* packets = message.value.data();
  return KernelCounters{.packets = clerk::load_big_endian<uint64_t>(packets),
                        .drops = clerk::load_big_endian<uint64_t>(packets + sizeof(uint64_t))};
}

Error said_by_daemon(const Message& message) {
  return {Failure::Ended, "the daemon says: " + printable(message.value)};
}

}  // namespace

// What a Client is once the handshake is over.
struct Client::State {
  State(Connection connection_in, const Geometry& geometry_in, RingView ring_in)
      : connection(std::move(connection_in)),
        geometry(geometry_in),
        ring(std::move(ring_in)),
        visits(geometry_in.blocks) {}

  static Result<Client> create(clerk::UniqueFd socket, uint32_t index, milliseconds patience);

  // The first block among the messages that have arrived.
  Result<std::optional<Block>> next_arrived();

  // The block of this index, or nothing when it is stale and goes back.
  Result<std::optional<Block>> take(uint32_t index);

  // Whether the daemon sent a block that is not ours to read, or that was read already.
  [[nodiscard]] static bool is_stale(const BlockMark& mark, const Visit& last);
  void hand_out(Visit& visit, const BlockMark& mark);

  Result<void> give_back(uint32_t index);
  void note(const Message& message);

  // Ends the connection, with the reason that the daemon gives where it closed it.
  std::unexpected<Error> over(Error error);

  // What the daemon said before it stopped reading, or that it did.
  Error last_words();

  Connection connection;
  Geometry geometry;
  RingView ring;
  std::vector<Visit> visits;  // by block index
  SequenceWatch sequences;
  BlockCounts counts;
  std::optional<KernelCounters> kernel_counters;
  std::optional<Error> ended;
};

Result<Client> Client::State::create(clerk::UniqueFd socket, uint32_t index,
                                     milliseconds patience) {
  Connection connection(std::move(socket));
  Handshake handshake(connection, deadline_after(patience));
  const auto geometry = handshake.hear_geometry();
  if (!geometry) return std::unexpected(geometry.error());
  if (index >= geometry->fanout_size)
    return fail(Failure::Refused, "the daemon has no part " + std::to_string(index) +
                                      " of this ring, only 0 to " +
                                      std::to_string(geometry->fanout_size - 1));
  auto descriptor = handshake.ask_ring(index);
  if (!descriptor) return std::unexpected(descriptor.error());
  auto ring = RingView::open(*std::move(descriptor), *geometry);
  if (!ring) return std::unexpected(ring.error());
  return Client(std::make_unique<State>(std::move(connection), *geometry, *std::move(ring)));
}

Result<std::optional<Block>> Client::State::next_arrived() {
  while (const auto message = connection.arrived().next()) {
    if (message->is(Type::Error)) {
      ended = said_by_daemon(*message);
      return std::unexpected(*ended);
    }
    if (!message->is_block()) {
      note(*message);
      continue;
    }
    auto block = take(message->word);
    if (!block || *block) return block;
  }
  return std::nullopt;
}

Result<std::optional<Block>> Client::State::take(uint32_t index) {
  if (index >= geometry.blocks)
    return fail(Failure::Broken, "the daemon sent block " + std::to_string(index) +
                                     " of a ring of " + std::to_string(geometry.blocks));
  Visit& visit = visits[index];
  if (visit.handed_out)
    return fail(Failure::Broken, "the daemon sent block " + std::to_string(index) +
                                     " again before it was given back");
  const BlockMark mark = ring.load(index);
  if (is_stale(mark, visit)) {
    ++counts.stale;
    if (const auto given = give_back(index); !given) return std::unexpected(given.error());
    return std::nullopt;
  }
  hand_out(visit, mark);
  return Block{.index = index, .octets = ring.block(index)};
}

bool Client::State::is_stale(const BlockMark& mark, const Visit& last) {
  const bool is_users = (mark.status & TP_STATUS_USER) != 0;
  return !is_users || (last.seen && mark.sequence == last.mark.sequence);
}

void Client::State::hand_out(Visit& visit, const BlockMark& mark) {
  visit = {.mark = mark, .seen = true, .handed_out = true};
  sequences.note(mark.sequence);
  counts.missed = sequences.missed();
  ++counts.blocks;
  if ((mark.status & TP_STATUS_LOSING) != 0) ++counts.losing;
}

Result<void> Client::State::give_back(uint32_t index) {
  std::vector<uint8_t> message;
  put_block(index, message);
  // One that sends blocks and takes none back would fill the memory with what it is to be sent.
  if (connection.octets_queued() / message.size() >= geometry.blocks)
    return fail(Failure::Broken, "the daemon goes on sending blocks and takes none back");
  return connection.send(message);
}

void Client::State::note(const Message& message) {
  if (!message.is(Type::KernelCounters)) return;
  if (const auto counters = counters_in(message)) kernel_counters = counters;
}

std::unexpected<Error> Client::State::over(Error error) {
  if (!ended) ended = error.failure == Failure::Ended ? last_words() : std::move(error);
  return std::unexpected(*ended);
}

Error Client::State::last_words() {
  for (int reads = 0; reads < kLastReadsMax; ++reads) {
    while (const auto message = connection.arrived().next()) {
      if (message->is(Type::Error)) return said_by_daemon(*message);
    }
    const auto received = connection.receive(Clock::now());
    if (!received) return received.error();
    if (!*received) break;
  }
  return {Failure::Ended, "the daemon takes no blocks back any more"};
}

Result<Geometry> ask_geometry(const std::string& path, milliseconds patience) {
  auto socket = dial(path);
  if (!socket) return std::unexpected(socket.error());
  Connection connection(*std::move(socket));
  return Handshake(connection, deadline_after(patience)).hear_geometry();
}

Result<Client> Client::connect(const std::string& path, uint32_t index, milliseconds patience) {
  auto socket = dial(path);
  if (!socket) return std::unexpected(socket.error());
  return State::create(*std::move(socket), index, patience);
}

Result<Client> Client::greet(int socket, uint32_t index, milliseconds patience) {
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  return State::create(clerk::UniqueFd(socket), index, patience);
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const Geometry& Client::geometry() const { return state_->geometry; }
Link Client::link() const { return state_->ring.link(); }
int Client::fd() const { return state_->connection.fd(); }
const BlockCounts& Client::counts() const { return state_->counts; }

std::optional<Position> Client::position() const {
  const auto sequence = state_->sequences.highest();
  if (!sequence) return {};
  return Position{.ring = state_->ring.number(), .sequence = *sequence};
}

void Client::go_on_from(const Position& position) {
  if (position.ring == state_->ring.number()) state_->sequences.note(position.sequence);
}

const std::optional<KernelCounters>& Client::kernel_counters() const {
  return state_->kernel_counters;
}

Result<std::optional<Block>> Client::next_block(milliseconds patience) {
  State& state = *state_;
  if (state.ended) return std::unexpected(*state.ended);
  const auto deadline = deadline_after(patience);
  if (const auto sent = state.connection.flush(); !sent) return state.over(sent.error());
  for (bool late = false;; late = Clock::now() >= deadline) {
    auto block = state.next_arrived();
    if (!block) return state.over(block.error());
    // Messages may go on coming that hold no block to hand out.
    if (*block || late) return block;
    const auto received = state.connection.receive(deadline);
    if (!received) return state.over(received.error());
    if (!*received) return std::nullopt;
  }
}

Result<void> Client::return_block(uint32_t index) {
  State& state = *state_;
  if (state.ended) return std::unexpected(*state.ended);
  if (index >= state.geometry.blocks || !state.visits[index].handed_out)
    return fail(Failure::Broken, "block " + std::to_string(index) +
                                     " cannot be returned: it is not handed out, or was returned");
  Visit& visit = state.visits[index];
  if (state.ring.mark(index) != visit.mark) ++state.counts.torn;
  visit.handed_out = false;
  if (const auto given = state.give_back(index); !given) return state.over(given.error());
  return {};
}

}  // namespace testimony
