// One capture file of any format: told by its first octets, read packet by packet.
//
// Packets point into the chunk of chunk(); whoever keeps a packet keeps a reference to its chunk.
// One thread at a time.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "capture/chunk_stream.h"
#include "capture/packet.h"
#include "capture/pcap_reader.h"
#include "capture/pcapng_reader.h"

namespace clerk {

class CaptureFile {
 public:
  // Reads the file's header. Errors name the path. The references must outlive the file.
  static Result<CaptureFile> open(const std::string& path, std::shared_ptr<ChunkPool> pool,
                                  const StopRequest& stop, std::atomic<uint64_t>& octets_read);

  ReadStatus next(Packet& packet) {
    ChunkStream::prefetch_ahead_of(stream_.data());
    auto* pcap = std::get_if<PcapReader>(&reader_);
    const ReadStatus status = pcap != nullptr
                                  ? pcap->next(stream_, packet)
                                  : std::get<PcapngReader>(reader_).next(stream_, packet);
    return stream_.shrank() ? ReadStatus::Broken : status;
  }

  // The packets that follow at once, as next() would give them one by one, and how many: all lie in
  // chunk(), and their times rise within the range. Where there is none of that kind, next() tells
  // what is there.
  size_t next_run(std::span<Packet> packets, const TimeRange& times) {
    auto* pcap = std::get_if<PcapReader>(&reader_);
    const size_t count = pcap != nullptr ? pcap->next_run(stream_, packets, times) : 0;
    // Where the file is gone there are zeros: no time of a run, but they may begin inside the
    // header of its last record.
    return stream_.shrank() && count > 0 ? count - 1 : count;
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  // Set once the file became shorter while it was read, also after its last packet (or none).
  [[nodiscard]] std::shared_ptr<const std::atomic<bool>> shrank_flag() const {
    return stream_.shrank_flag();
  }
  static Error shrank_error(const std::string& path);

  [[nodiscard]] const ChunkReference& chunk() const { return stream_.chunk(); }
  [[nodiscard]] FileMapping::Window take_ahead() { return stream_.take_ahead(); }

  // Why next() was Broken: the path, the offset (of the uncompressed data, where the file is
  // compressed) and what is wrong there.
  [[nodiscard]] Error error() const;

 private:
  using Reader = std::variant<PcapReader, PcapngReader>;

  CaptureFile(std::string path, ChunkStream stream, Reader reader)
      : path_(std::move(path)), stream_(std::move(stream)), reader_(std::move(reader)) {}

  static Result<Reader> open_reader(ChunkStream& stream);

  std::string path_;
  ChunkStream stream_;
  Reader reader_;
};

}  // namespace clerk
