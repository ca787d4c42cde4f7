#include "testimony_dump/output.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "testimony_dump/packet_text.h"

namespace testimony_dump {

std::expected<Output, std::string> Output::open(const std::string& path) {
  if (path.empty()) return Output(stdout, false);
  if (path == "-" && ::isatty(STDOUT_FILENO) == 1)
    return std::unexpected("-w -: stdout is a terminal; pipe it into a program or name a file");
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "wbe");
  if (file != nullptr) return Output(file, true);
  return std::unexpected("-w " + path + ": " + std::generic_category().message(errno));
}

void Output::begin(testimony::Link link) {
  link_ = link;
  if (is_pcap_) pcap_.emplace(file_.get(), link);
}

void Output::write(const testimony::RingPacket& packet, uint32_t part) {
  if (pcap_)
    pcap_->write(packet);
  else
    std::fputs((text_of(packet, link_, part) + "\n").c_str(), file_.get());
}

bool Output::flush() { return std::fflush(file_.get()) == 0 && std::ferror(file_.get()) == 0; }

}  // namespace testimony_dump
