// What a client of the daemon says, octet by octet: first the fanout index that it wants, then the
// blocks that it gives back (testimony/protocol.h). It knows nothing of sockets and rings; whoever
// feeds it acts on what it tells.
//
// A client that says anything else has Broken the protocol, which is final. Before the index
// nothing may come; behind it TLVs are skipped.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "testimony/protocol.h"

namespace clerk {

class ClientProtocol {
 public:
  enum class Event : uint8_t {
    Nothing,  // for now
    Join,     // wants the ring of index value()
    Return,   // gives block value() back
    Broken,   // see why_broken()
  };

  // What was read in one go.
  void feed(std::span<const uint8_t> octets);

  // Call until it is Nothing, then once more octets were fed.
  Event next();

  [[nodiscard]] uint32_t value() const { return value_; }
  [[nodiscard]] std::string_view why_broken() const { return why_broken_; }

  // Not a word came yet.
  [[nodiscard]] bool has_said_nothing() const { return greeted_ == 0; }

  // A message has begun and is not whole: the client owes the rest of it.
  [[nodiscard]] bool is_within_message() const {
    return !has_joined_ || messages_.octets_left() > 0;
  }

  // The same, and not even its first word is whole. Behind everything that was sent that is an
  // error: words come whole, as the original daemon reads them.
  [[nodiscard]] bool is_within_word() const {
    return messages_.octets_left() > 0 && messages_.octets_left() < kWordOctets;
  }

 private:
  Event next_of_greeting();
  Event break_off(std::string_view why);

  static constexpr size_t kGreetingOctets = 8;
  static constexpr size_t kWordOctets = 4;

  std::array<uint8_t, kGreetingOctets> greeting_{};
  size_t greeted_ = 0;  // octets of it
  bool has_joined_ = false;
  testimony::MessageReader messages_;
  uint32_t value_ = 0;
  std::string_view why_broken_;
};

}  // namespace clerk
