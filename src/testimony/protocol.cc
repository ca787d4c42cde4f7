#include "testimony/protocol.h"

#include <array>

#include "base/big_endian.h"

namespace testimony {
namespace {

constexpr size_t kWordOctets = sizeof(uint32_t);

void put_word(uint32_t word, std::vector<uint8_t>& to) {
  std::array<uint8_t, kWordOctets> octets{};
  clerk::store_big_endian(octets.data(), word);
  to.insert(to.end(), octets.begin(), octets.end());
}

}  // namespace

void MessageReader::append(std::span<const uint8_t> octets) {
  octets_.erase(octets_.begin(), octets_.begin() + static_cast<ptrdiff_t>(start_));
  start_ = 0;
  octets_.insert(octets_.end(), octets.begin(), octets.end());
}

std::optional<Message> MessageReader::next() {
  const auto rest = std::span<const uint8_t>(octets_).subspan(start_);
  if (rest.size() < kWordOctets) return {};
  Message message{.word = clerk::load_big_endian<uint32_t>(rest.data())};
  const size_t value_octets = message.is_block() ? 0 : message.word & kValueOctetsMax;
  if (rest.size() - kWordOctets < value_octets) return {};
  message.value = rest.subspan(kWordOctets, value_octets);
  start_ += kWordOctets + value_octets;
  return message;
}

std::optional<uint8_t> MessageReader::peek_octet() const {
  if (octets_left() == 0) return {};
  return octets_[start_];
}

void put_block(uint32_t index, std::vector<uint8_t>& to) { put_word(index, to); }

void put_tlv(Type type, std::span<const uint8_t> value, std::vector<uint8_t>& to) {
  put_word(uint32_t{static_cast<uint16_t>(type)} << 16 | static_cast<uint32_t>(value.size()), to);
  to.insert(to.end(), value.begin(), value.end());
}

void put_number(Type type, uint32_t value, std::vector<uint8_t>& to) {
  std::array<uint8_t, kWordOctets> octets{};
  clerk::store_big_endian(octets.data(), value);
  put_tlv(type, octets, to);
}

std::optional<uint32_t> number_in(const Message& message) {
  if (message.value.size() != kWordOctets) return {};
  return clerk::load_big_endian<uint32_t>(message.value.data());
}

}  // namespace testimony
