#include "testimony/handshake.h"

#include <fcntl.h>

#include <string>

#include "testimony/failure.h"
#include "testimony/ring_view.h"

namespace testimony {
namespace {

constexpr uint8_t kTlvBit = 0x80;  // the first octet of a TLV has it

// Where a part of the geometry goes, or nullptr for other messages.
uint32_t* part_of(Geometry& geometry, const Message& message) {
  if (message.is(Type::FanoutSize)) return &geometry.fanout_size;
  if (message.is(Type::BlockSize)) return &geometry.block_octets;
  if (message.is(Type::NumBlocks)) return &geometry.blocks;
  return nullptr;
}

Result<void> note(const Message& message, Geometry& geometry) {
  uint32_t* part = part_of(geometry, message);
  if (part == nullptr) return {};
  const auto number = number_in(message);
  if (!number) return fail(Failure::Broken, "the daemon tells its geometry in no 32-bit numbers");
  *part = *number;
  return {};
}

Result<Geometry> checked(const Geometry& geometry) {
  if (geometry.fanout_size > 0 && geometry.fanout_size <= kFanoutSizeMax && is_possible(geometry))
    return geometry;
  return fail(Failure::Broken, "the daemon tells a geometry that no ring has: " +
                                   std::to_string(geometry.fanout_size) + " parts of " +
                                   std::to_string(geometry.blocks) + " blocks of " +
                                   std::to_string(geometry.block_octets) + " octets");
}

}  // namespace

Result<Geometry> Handshake::hear_geometry() {
  if (const auto version = hear_version(); !version) return std::unexpected(version.error());
  Geometry geometry;
  while (true) {
    const auto message = next_message();
    if (!message) return std::unexpected(message.error());
    if (message->is_block())
      return fail(Failure::Broken, "the daemon sent a block before its ring");
    if (message->is(Type::WaitingForFanoutIndex)) return checked(geometry);
    if (const auto noted = note(*message, geometry); !noted) return std::unexpected(noted.error());
  }
}

Result<clerk::UniqueFd> Handshake::ask_ring(uint32_t index) {
  if (const auto sent = send_index(index); !sent) return std::unexpected(sent.error());
  while (true) {
    const auto octet = next_octet();
    if (!octet) return std::unexpected(octet.error());
    if ((*octet & kTlvBit) == 0) return take_ring();
    if (const auto skipped = next_message(); !skipped) return std::unexpected(skipped.error());
  }
}

Result<void> Handshake::hear_version() {
  const auto version = next_octet();
  if (!version) return std::unexpected(version.error());
  connection_.arrived().skip_octet();
  if (*version == kVersion) return {};
  return fail(Failure::Broken, "the daemon speaks version " + std::to_string(*version) +
                                   " of the protocol, and this is " + std::to_string(kVersion));
}

Result<void> Handshake::send_index(uint32_t index) {
  std::vector<uint8_t> message;
  put_number(Type::FanoutIndex, index, message);
  const auto sent = connection_.send(message);
  // What a daemon that reads no more has said comes out of receive().
  if (!sent && sent.error().failure != Failure::Ended) return sent;
  return {};
}

Result<clerk::UniqueFd> Handshake::take_ring() {
  connection_.arrived().skip_octet();
  if (descriptors_.size() != 1)
    return fail(Failure::Broken, "the daemon passed " + std::to_string(descriptors_.size()) +
                                     " descriptors, where a ring is one");
  return std::move(descriptors_.front());
}

Result<Message> Handshake::next_message() {
  auto message = connection_.arrived().next();
  while (!message) {
    if (const auto received = receive(); !received) return std::unexpected(received.error());
    message = connection_.arrived().next();
  }
  if (message->is(Type::Error))
    return fail(Failure::Refused, "the daemon says: " + printable(message->value));
  return *message;
}

Result<uint8_t> Handshake::next_octet() {
  auto octet = connection_.arrived().peek_octet();
  while (!octet) {
    if (const auto received = receive(); !received) return std::unexpected(received.error());
    octet = connection_.arrived().peek_octet();
  }
  return *octet;
}

Result<void> Handshake::receive() {
  auto received = connection_.receive(deadline_);
  if (!received && received.error().failure == Failure::Ended)
    return fail(Failure::Refused, "the daemon closed the connection in its greeting");
  if (!received) return std::unexpected(received.error());
  if (!*received) return fail(Failure::Silent, "the daemon does not answer");
  descriptors_ = std::move(**received);
  return {};
}

}  // namespace testimony
