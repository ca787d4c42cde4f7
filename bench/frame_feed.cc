#include "frame_feed.h"

#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <pcap/pcap.h>

#include "frame.h"

namespace clerk::bench {
namespace {

template <class Traffic>
class GeneratedFrames final : public FrameFeed {
 public:
  explicit GeneratedFrames(const TrafficPlan& plan) : plan_(plan) {}

  bool next(TimedFrame& frame) override {
    if (!traffic_) traffic_.emplace(plan_);
    Packet packet;
    if (!traffic_->next(packet)) {
      traffic_.reset();
      return false;
    }
    const Frame built = builder_.build(packet);
    frame.bytes.assign(built.bytes.begin(), built.bytes.end());
    frame.time_ns = packet.time_ns;
    frame.ip_octets = built.ip_octets;
    return true;
  }

 private:
  TrafficPlan plan_;
  std::optional<Traffic> traffic_;
  FrameBuilder builder_{Traffic::kFrameOctetsMin};
};

using Bytes = std::span<const std::uint8_t>;

// Only where at + 2 lies within the bytes.
std::size_t u16_at(Bytes bytes, std::size_t at) {
  return static_cast<std::size_t>(bytes[at] << 8 | bytes[at + 1]);
}

// Ethernet, any number of tags, IP: what the traffics make, and most of what a tap sees. The IP
// octets of anything else count as 0.
std::size_t ip_octets_of(Bytes frame) {
  constexpr std::size_t kTagOctets = 4;
  constexpr std::size_t kIpv6HeaderOctets = 40;
  std::size_t at = 12;
  const auto is_tag = [](std::size_t type) {
    return type == 0x8100 || type == 0x88a8 || type == 0x9100;
  };
  while (at + 2 <= frame.size() && is_tag(u16_at(frame, at))) {
    at += kTagOctets;
  }
  if (at + 2 + 6 > frame.size()) return 0;
  const std::size_t type = u16_at(frame, at);
  if (type == 0x0800) return u16_at(frame, at + 2 + 2);
  if (type == 0x86dd) return u16_at(frame, at + 2 + 4) + kIpv6HeaderOctets;
  return 0;
}

struct ClosePcap {
  void operator()(pcap_t* pcap) const { pcap_close(pcap); }
};

class CapturedFrames final : public FrameFeed {
 public:
  explicit CapturedFrames(std::string path) : path_(std::move(path)) { open(); }

  bool next(TimedFrame& frame) override {
    if (!pcap_) open();
    pcap_pkthdr* header = nullptr;
    const std::uint8_t* bytes = nullptr;
    const int result = pcap_next_ex(pcap_.get(), &header, &bytes);
    if (result == PCAP_ERROR_BREAK) {
      pcap_.reset();
      return false;
    }
    if (result != 1) fail(pcap_geterr(pcap_.get()));
    if (header->caplen != header->len) {
      fail(
          fmt::format("a frame of {} octets was cut to {}; capture whole frames (trace --snaplen "
                      "65535)",
                      header->len, header->caplen));
    }
    frame.bytes.assign(bytes, bytes + header->caplen);
    frame.time_ns = static_cast<std::uint64_t>(header->ts.tv_sec) * 1'000'000'000 +
                    static_cast<std::uint64_t>(header->ts.tv_usec);
    frame.ip_octets = ip_octets_of(frame.bytes);
    return true;
  }

 private:
  void open() {
    char error[PCAP_ERRBUF_SIZE] = {};
    pcap_.reset(
        pcap_open_offline_with_tstamp_precision(path_.c_str(), PCAP_TSTAMP_PRECISION_NANO, error));
    if (!pcap_) throw std::runtime_error(error);  // it begins with the path
    if (pcap_datalink(pcap_.get()) != DLT_EN10MB) fail("its frames are not Ethernet");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(path_ + ": " + what);
  }

  std::string path_;
  std::unique_ptr<pcap_t, ClosePcap> pcap_;
};

}  // namespace

std::unique_ptr<FrameFeed> generated_frames(std::string_view kind, const TrafficPlan& plan) {
  if (kind == "scan") return std::make_unique<GeneratedFrames<ScanTraffic>>(plan);
  if (kind == "mix") return std::make_unique<GeneratedFrames<MixTraffic>>(plan);
  return std::make_unique<GeneratedFrames<ElephantTraffic>>(plan);
}

std::unique_ptr<FrameFeed> captured_frames(const std::string& path) {
  return std::make_unique<CapturedFrames>(path);
}

}  // namespace clerk::bench
