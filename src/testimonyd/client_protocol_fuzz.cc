// Clients that say anything, in any pieces, to a ring of six blocks. The input is a script: an
// octet chooses what happens and to which client, and octets said follow it. Whatever happens, a
// block is free only after it was lent, and once; and how a stream is cut changes nothing in what
// it means.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "testimonyd/block_ledger.h"
#include "testimonyd/client_protocol.h"

namespace clerk {
namespace {

constexpr uint32_t kBlocks = 6;
constexpr size_t kClients = 3;

using Events = std::vector<std::pair<ClientProtocol::Event, uint32_t>>;

struct Talker {
  ClientProtocol protocol;
  std::vector<uint8_t> said;
  Events events;
  bool is_member = false;
};

// Appends what is new. Broken is the last event of all.
void take_events(ClientProtocol& protocol, Events& to) {
  if (!to.empty() && to.back().first == ClientProtocol::Event::Broken) return;
  for (;;) {
    const auto event = protocol.next();
    if (event == ClientProtocol::Event::Nothing) return;
    to.emplace_back(event, event == ClientProtocol::Event::Broken ? 0 : protocol.value());
    if (event == ClientProtocol::Event::Broken) return;
  }
}

class Ring {
 public:
  void lend() {
    if (ledger_.room() == 0) return;
    const uint32_t index = ledger_.next();
    CHECK(!is_out_[index]);
    is_out_[index] = ledger_.lend({});
  }
  void add(size_t client) { ledger_.add(client); }
  void remove(size_t client) {
    for (const uint32_t index : ledger_.remove(client))
      note_free(index);
  }
  void give_back(size_t client, uint32_t index) {
    const auto given = ledger_.give_back(client, index);
    if (given != BlockLedger::Return::Foreign) CHECK(index < kBlocks && is_out_[index]);
    if (given == BlockLedger::Return::Free) note_free(index);
  }

 private:
  void note_free(uint32_t index) {
    CHECK(is_out_[index] && !ledger_.is_held(index));
    is_out_[index] = false;
  }

  BlockLedger ledger_{kBlocks};
  std::array<bool, kBlocks> is_out_{};
};

void obey(Ring& ring, size_t number, Talker& talker) {
  const size_t known = talker.events.size();
  take_events(talker.protocol, talker.events);
  for (const auto& [event, value] : std::span(talker.events).subspan(known)) {
    if (event == ClientProtocol::Event::Return) {
      ring.give_back(number, value);
    } else if (event == ClientProtocol::Event::Join && !std::exchange(talker.is_member, true)) {
      ring.add(number);
    } else if (event == ClientProtocol::Event::Broken && std::exchange(talker.is_member, false)) {
      ring.remove(number);
    }
  }
}

void check_whole(const Talker& talker) {
  ClientProtocol protocol;
  Events events;
  protocol.feed(talker.said);
  take_events(protocol, events);
  CHECK(events == talker.events);
}

}  // namespace
}  // namespace clerk

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clerk;
  std::span<const uint8_t> input(data, size);
  std::array<Talker, kClients> talkers;
  Ring ring;
  while (!input.empty()) {
    const uint8_t step = input.front();
    input = input.subspan(1);
    const size_t number = step % kClients;
    Talker& talker = talkers[number];
    switch (step / kClients % 4) {
      case 0: ring.lend(); break;
      case 1:
        if (std::exchange(talker.is_member, false)) ring.remove(number);
        check_whole(talker);
        talker = {};
        break;
      default: {
        const auto piece = input.first(std::min<size_t>(input.size(), step / 16));
        input = input.subspan(piece.size());
        talker.said.insert(talker.said.end(), piece.begin(), piece.end());
        talker.protocol.feed(piece);
        obey(ring, number, talker);
      }
    }
  }
  for (const Talker& talker : talkers)
    check_whole(talker);
  return 0;
}
