// testimony-dump: shows the packets of a shared ring. It is the example of the client library as
// well: ask_geometry() and connect() in connect_all(), next_block(), BlockWalker and return_block()
// in Dump.
#include <poll.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "testimony/client.h"
#include "testimony_dump/options.h"
#include "testimony_dump/output.h"

namespace testimony_dump {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{10'000};  // for a daemon that is there
constexpr milliseconds kNoPatience{0};

// A signal that comes just before poll() waits is seen so much later.
constexpr milliseconds kSignalDelay{200};

volatile std::sig_atomic_t g_stop = 0;  // a signal handler can reach nothing else

void stop_at_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { g_stop = 1; };  // without SA_RESTART: a write that waits ends too
  for (const int signal_number : {SIGINT, SIGTERM})
    ::sigaction(signal_number, &action, nullptr);
}

// One part of the ring, and the connection over which it comes.
struct Part {
  uint32_t index;
  testimony::Client client;
};

using Parts = std::vector<Part>;

testimony::Result<Parts> connect_all(const Options& options) {
  const auto geometry = testimony::ask_geometry(options.socket, kPatience);
  if (!geometry) return std::unexpected(geometry.error());
  const uint32_t first = options.index.value_or(0);
  const uint32_t last = options.index.value_or(geometry->fanout_size - 1);
  Parts parts;
  for (uint32_t index = first;; ++index) {
    auto client = testimony::Client::connect(options.socket, index, kPatience);
    if (!client) return std::unexpected(client.error());
    parts.push_back({.index = index, .client = *std::move(client)});
    if (index == last) return parts;
  }
}

// Reads blocks, writes their packets and gives the blocks back.
class Dump {
 public:
  Dump(Parts& parts, Output& output, const Options& options)
      : parts_(parts), output_(output), packets_max_(options.count) {}

  // Until the count is reached, a signal comes or the output fails; or until a connection is over,
  // which is an error.
  testimony::Result<void> run() {
    while (!is_done()) {
      bool any = false;
      for (Part& part : parts_) {
        const auto had_block = read_block(part);
        if (!had_block) return std::unexpected(had_block.error());
        any = any || *had_block;
      }
      if (!any) wait();
    }
    return {};
  }

  void print_counts() const;
  [[nodiscard]] bool output_failed() const { return output_failed_; }

 private:
  [[nodiscard]] bool is_full() const { return packets_max_ && packets_ >= *packets_max_; }
  [[nodiscard]] bool is_done() const { return is_full() || output_failed_ || g_stop != 0; }

  // Whether there was one.
  testimony::Result<bool> read_block(Part& part) {
    if (is_done()) return false;
    const auto block = part.client.next_block(kNoPatience);
    if (!block) return std::unexpected(block.error());
    if (!*block) return false;
    write_packets(**block, part.index);
    const auto returned = part.client.return_block((*block)->index);
    if (!returned) return std::unexpected(returned.error());
    return true;
  }

  void write_packets(const testimony::Block& block, uint32_t part) {
    testimony::BlockWalker packets(block.octets);
    for (testimony::RingPacket packet; !is_full() && packets.next(packet); ++packets_)
      output_.write(packet, part);
    if (!is_full()) unreadable_ += packets.packets_left();
  }

  // For the next block, while readers of the output see what there is.
  void wait() {
    output_failed_ = !output_.flush();
    std::vector<pollfd> waited;
    for (const Part& part : parts_)
      waited.push_back({.fd = part.client.fd(), .events = POLLIN, .revents = 0});
    ::poll(waited.data(), waited.size(), static_cast<int>(kSignalDelay.count()));
  }

  Parts& parts_;
  Output& output_;
  std::optional<uint64_t> packets_max_;
  uint64_t packets_ = 0;
  uint64_t unreadable_ = 0;  // announced by a block in which they cannot be found
  bool output_failed_ = false;
};

void Dump::print_counts() const {
  testimony::BlockCounts blocks;
  uint64_t missed = 0;  // of all parts; a daemon may claim any number
  std::optional<testimony::KernelCounters> kernel;
  for (const Part& part : parts_) {
    const testimony::BlockCounts& counts = part.client.counts();
    blocks.blocks += counts.blocks;
    blocks.stale += counts.stale;
    blocks.torn += counts.torn;
    missed += static_cast<uint64_t>(counts.missed);
    const auto& counters = part.client.kernel_counters();
    if (counters) kernel = kernel.value_or(testimony::KernelCounters{});
    if (counters) kernel->drops += counters->drops;
  }
  std::fprintf(stderr, "packets=%ju unreadable=%ju blocks=%ju stale=%ju torn=%ju missed=%ju",
               uintmax_t{packets_}, uintmax_t{unreadable_}, uintmax_t{blocks.blocks},
               uintmax_t{blocks.stale}, uintmax_t{blocks.torn}, uintmax_t{missed});
  if (kernel) std::fprintf(stderr, " drops=%ju", uintmax_t{kernel->drops});
  std::fputs("\n", stderr);
}

const char* way_out(testimony::Failure failure) {
  using enum testimony::Failure;
  switch (failure) {
    case NotThere: return "start testimonyd, or name the socket of one that runs";
    case NotPermitted:
      return "become a user who may, or name a Group in testimonyd's configuration";
    case NoSocket: return "name a SocketName of testimonyd's configuration";
    case Silent: return "is testimonyd stopped, or overloaded?";
    case Refused: return "see testimonyd's log; an --index must be below its FanoutSize";
    case Ended: return "see testimonyd's log, and start again";
    case Broken: return "is this a testimonyd of protocol version 2?";
    case System: return "raise this process's limits, or make the ring smaller";
  }
  return "";
}

int failed(const Options& options, const testimony::Error& error) {
  std::fprintf(stderr, "testimony-dump: %s: %s; %s\n", options.socket.c_str(),
               error.message.c_str(), way_out(error.failure));
  return kExitFailed;
}

int failed(const std::string& what) {
  std::fprintf(stderr, "testimony-dump: %s\n", what.c_str());
  return kExitFailed;
}

int dump(const Options& options) {
  auto output = Output::open(options.file);
  if (!output) return failed(output.error());
  auto parts = connect_all(options);
  if (!parts) return failed(options, parts.error());
  output->begin(parts->front().client.link());
  stop_at_signals();
  Dump dump(*parts, *output, options);
  const auto end = dump.run();
  const bool written = output->flush() && !dump.output_failed();
  dump.print_counts();
  if (!end) return failed(options, end.error());
  // What a signal interrupted was to be given up anyway.
  return written || g_stop != 0 ? kExitDone
                                : failed("the packets cannot be written; is the disk full?");
}

int answer_with(const Answer& answer) {
  std::fputs(answer.text.c_str(), answer.exit_status == kExitDone ? stdout : stderr);
  return answer.exit_status;
}

}  // namespace
}  // namespace testimony_dump

int main(int argc, char** argv) {
  using namespace testimony_dump;
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* answer = std::get_if<Answer>(&parsed)) return answer_with(*answer);
  return dump(std::get<Options>(parsed));
}
