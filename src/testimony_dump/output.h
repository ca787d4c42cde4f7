// Where packets go: lines on stdout, or a pcap file. Owns the file.
#pragma once

#include <cstdint>
#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "testimony/client.h"
#include "testimony_dump/pcap_writer.h"

namespace testimony_dump {

class Output {
 public:
  // An empty path is text on stdout, - a pcap file there. The error is for people.
  static std::expected<Output, std::string> open(const std::string& path);

  // Before the first packet: what they all begin with.
  void begin(testimony::Link link);

  void write(const testimony::RingPacket& packet, uint32_t part);

  // Lets readers see what was written. False once something could not be, for good.
  bool flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };

  Output(std::FILE* file, bool is_pcap) : file_(file), is_pcap_(is_pcap) {}

  std::unique_ptr<std::FILE, Close> file_;
  bool is_pcap_;
  testimony::Link link_ = testimony::Link::Ethernet;
  std::optional<PcapWriter> pcap_;
};

}  // namespace testimony_dump
