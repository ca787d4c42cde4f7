// Packets for tests, written the way one says them:
//
//   PacketBuilder().ethernet().vlan(7).ipv4().tcp({.flags = wire::tcp_flag::kSyn}).build()
//
// Each call appends one header and tells the header before it what follows, so that EtherTypes,
// protocol numbers, next headers and bottom-of-stack bits come out right; lengths are filled in by
// build(). Whatever a test wants wrong is a member of the header's struct or set_octet().
// Checksums are 0: nothing in clerk reads them. Payload and padding are not zero, so that whoever
// takes them for a header is found out. A layer that no call has is a header() of plain octets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace clerk {

struct VlanTag {
  uint16_t tpid = 0x8100;
  uint8_t priority = 0;
};

struct Ipv4Header {
  std::string source = "192.0.2.1";
  std::string destination = "198.51.100.2";
  uint8_t tos = 0;
  uint16_t identification = 0;
  uint16_t fragment_offset = 0;  // in octets, a multiple of 8
  bool more_fragments = false;
  size_t options_octets = 0;  // a multiple of 4
  uint8_t version = 4;
  std::optional<uint8_t> header_words = {};  // the header length field, instead of the right one
  std::optional<uint16_t> total_length = {};
};

struct Ipv6Header {
  std::string source = "2001:db8::1";
  std::string destination = "2001:db8::2";
  uint8_t traffic_class = 0;
  uint32_t flow_label = 0;
  uint8_t version = 6;
  std::optional<uint16_t> payload_length = {};
};

struct Ipv6FragmentHeader {
  uint16_t offset = 0;  // in octets, a multiple of 8
  bool more = false;
  uint32_t identification = 0;
};

struct Ports {
  uint16_t source = 1024;
  uint16_t destination = 80;
};

struct TcpHeader {
  uint16_t source_port = 1024;
  uint16_t destination_port = 80;
  uint8_t flags = 0x10;  // ACK
};

// Which optional fields of version 0 there are (RFC 2784, RFC 2890).
struct GreHeader {
  bool checksum = false;
  bool key = false;
  bool sequence = false;
};

struct GtpuHeader {
  uint8_t type = 255;          // G-PDU
  bool sequence = false;       // the optional four octets
  size_t extension_words = 0;  // one extension header of so many words, behind the optional octets
};

// Which optional fields there are (RFC 2661); no control message.
struct L2tpHeader {
  bool length = false;
  bool sequence = false;
  std::optional<uint16_t> offset = {};
};

// How a header tells what follows it.
enum class Announces : uint8_t { Nothing, EtherType, Protocol, Ppp, Nlpid, Gpe };

class PacketBuilder {
 public:
  // Any header, whose octets from `at` on announce the next one.
  PacketBuilder& header(std::initializer_list<uint8_t> octets, Announces by, size_t at);

  // The link layer. A second ethernet() begins the frame inside a pseudowire, a shim or a tunnel.
  PacketBuilder& ethernet();
  // IEEE 802.3: a length in the place of the type.
  PacketBuilder& ethernet_with_length();
  PacketBuilder& snap(uint32_t oui = 0);
  // SNAP with a bridged Ethernet frame, which ethernet() begins.
  PacketBuilder& snap_bridged();
  // A protocol of two octets. What stands in front of it is octets() or another call.
  PacketBuilder& ppp();
  PacketBuilder& cisco_hdlc();
  PacketBuilder& frame_relay();
  PacketBuilder& linux_cooked(uint16_t hardware = 1);
  PacketBuilder& linux_cooked2(uint16_t hardware = 1);
  PacketBuilder& vlan(uint16_t id, VlanTag tag = {});
  PacketBuilder& mpls(uint32_t label, uint16_t ether_type = 0x8847);
  PacketBuilder& control_word();
  PacketBuilder& pbb(uint32_t service);
  // In clear: the security tag, then what it protects; the ICV is a trailer(16).
  PacketBuilder& macsec();
  // With its PPP header.
  PacketBuilder& pppoe(uint16_t session = 1);
  // What follows, where no other call says it.
  PacketBuilder& ether_type(uint16_t type);

  // The network layer. Inside another IP header it is a tunnel.
  PacketBuilder& ipv4(const Ipv4Header& header = {});
  PacketBuilder& ipv6(const Ipv6Header& header = {});
  PacketBuilder& hop_by_hop(size_t octets = 8) { return extension(0, octets); }
  PacketBuilder& routing(size_t octets = 8) { return extension(43, octets); }
  PacketBuilder& destination_options(size_t octets = 8) { return extension(60, octets); }
  PacketBuilder& mobility(size_t octets = 8) { return extension(135, octets); }
  PacketBuilder& host_identity(size_t octets = 40) { return extension(139, octets); }
  PacketBuilder& shim6(size_t octets = 8) { return extension(140, octets); }
  PacketBuilder& fragment(Ipv6FragmentHeader header);
  PacketBuilder& authentication(size_t octets = 24);
  PacketBuilder& protocol(uint8_t number);

  // The transport layer.
  PacketBuilder& tcp(TcpHeader header = {});
  PacketBuilder& udp(Ports ports = {});
  PacketBuilder& udp_lite(Ports ports = {});
  PacketBuilder& sctp(Ports ports = {});
  PacketBuilder& dccp(Ports ports = {});
  PacketBuilder& icmp(uint8_t type, uint8_t code);
  PacketBuilder& icmp_v6(uint8_t type, uint8_t code);

  // Tunnels: gre() behind IP, the others behind udp() to their port.
  PacketBuilder& gre(GreHeader header = {});
  // Version 1 (PPTP), with its PPP header.
  PacketBuilder& gre_pptp();
  // With its GRE header; ethernet() follows.
  PacketBuilder& erspan2();
  PacketBuilder& erspan3();
  PacketBuilder& eoip();
  PacketBuilder& vxlan(uint32_t network = 7);
  PacketBuilder& vxlan_gpe(uint32_t network = 7);
  PacketBuilder& geneve(size_t options_octets = 0);
  PacketBuilder& gtpu(GtpuHeader header = {});
  PacketBuilder& l2tp(L2tpHeader header = {});

  PacketBuilder& payload(size_t octets);
  PacketBuilder& octets(const std::vector<uint8_t>& octets);
  // Appends to a frame shorter than `octets` what no length field counts.
  PacketBuilder& pad_to(size_t octets);
  // Appends to the finished packet, behind any padding, what no length field counts.
  PacketBuilder& trailer(size_t octets);
  // Overwrites one octet of the finished packet.
  PacketBuilder& set_octet(size_t at, uint8_t value);

  [[nodiscard]] std::vector<uint8_t> build() const;

 private:
  // A length field of 16 bits: the octets from `from` to the end of the payload.
  struct LengthField {
    size_t at;
    size_t from;
  };

  PacketBuilder& extension(uint8_t number, size_t octets);
  PacketBuilder& icmp_header(uint8_t number, uint8_t type, uint8_t code);
  size_t append_ports(uint8_t number, size_t octets, Ports ports);
  size_t append(size_t octets);
  void announce(uint16_t ether_type, uint8_t protocol);
  void expect(Announces by, size_t at);
  void fill_length(std::optional<uint16_t> length, LengthField field);
  void put16(size_t at, uint16_t value);
  void put32(size_t at, uint32_t value);
  void put_address(int family, const std::string& text, size_t at);

  std::vector<uint8_t> octets_;
  std::vector<LengthField> lengths_;
  std::vector<std::pair<size_t, uint8_t>> overwritten_;
  Announces announces_ = Announces::Nothing;  // the last header
  size_t announcement_at_ = 0;
  std::optional<size_t> last_label_at_;
  size_t padded_octets_ = 0;
  size_t trailer_octets_ = 0;
};

}  // namespace clerk
