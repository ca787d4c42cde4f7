#include "testimonyd/client_protocol.h"

#include <algorithm>

#include "base/big_endian.h"

namespace clerk {
namespace {

// The head of FanoutIndex.
constexpr std::array<uint8_t, 4> kHead{0xc0, 0x07, 0x00, 0x04};

}  // namespace

void ClientProtocol::feed(std::span<const uint8_t> octets) {
  const size_t greeting = std::min(octets.size(), kGreetingOctets - greeted_);
  std::ranges::copy(octets.first(greeting), greeting_.begin() + static_cast<ptrdiff_t>(greeted_));
  greeted_ += greeting;
  messages_.append(octets.subspan(greeting));
}

ClientProtocol::Event ClientProtocol::next() {
  if (!why_broken_.empty()) return Event::Broken;
  if (!has_joined_) return next_of_greeting();
  while (const auto message = messages_.next()) {
    if (!message->is_block()) continue;
    value_ = message->word;
    return Event::Return;
  }
  return Event::Nothing;
}

ClientProtocol::Event ClientProtocol::next_of_greeting() {
  const size_t head = std::min(greeted_, kHead.size());
  if (!std::equal(kHead.begin(), kHead.begin() + static_cast<ptrdiff_t>(head), greeting_.begin()))
    return break_off("sent something else than the fanout index it wants");
  if (greeted_ < kGreetingOctets) return Event::Nothing;
  has_joined_ = true;
  value_ = load_big_endian<uint32_t>(greeting_.data() + kHead.size());
  return Event::Join;
}

ClientProtocol::Event ClientProtocol::break_off(std::string_view why) {
  why_broken_ = why;
  return Event::Broken;
}

}  // namespace clerk
