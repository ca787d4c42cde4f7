// Capture files, one after the other, cut into slices at the tick marks of the packet clock.
//
// next_slice() only walks the record headers; the packets are decoded by whoever takes the slice.
// It is called by one thread at a time (the meters keep each other out); the two counters for the
// progress display may be read by any thread.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "base/tick_clock.h"
#include "capture/capture_file.h"
#include "capture/packet_filter.h"
#include "capture/slice.h"

namespace clerk {

class FileSource {
 public:
  // Looks for every file, so that a wrong name is told before anything is written. `stop` must
  // outlive the source. The idle timeout is the packet clock's.
  static Result<std::unique_ptr<FileSource>> open(std::vector<std::string> paths,
                                                  PacketFilter filter, uint64_t idle_timeout_ns,
                                                  const StopRequest& stop);

  // From now on slices tell where each packet stands.
  void tell_origins() { tells_origins_ = true; }

  // Fills `slice` with the next packets. False once the slice that ended the input was given out.
  bool next_slice(Slice& slice);

  // The file's memory behind the last slice, as much as is worth having at hand; may be empty. For
  // the caller to populate while the next slice is read: that is half of what reading takes.
  FileMapping::Window take_ahead() { return file_ ? file_->take_ahead() : FileMapping::Window{}; }

  // What ended a file early, in the order met. Complete when next_slice() has returned false and
  // all packets have been looked at.
  [[nodiscard]] std::vector<Error> errors() const;

  // For the progress display; the total is 0 when it is not known (stdin).
  [[nodiscard]] uint64_t octets_read() const {
    return octets_read_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t octets_total() const { return octets_total_; }

 private:
  FileSource(std::vector<std::string> paths, PacketFilter filter, uint64_t idle_timeout_ns,
             const StopRequest& stop)
      : paths_(std::move(paths)),
        filter_(std::move(filter)),
        clock_(idle_timeout_ns),
        stop_(stop) {}

  Result<void> check_paths();
  bool fetch(uint64_t& packets_filtered);
  bool fetch_filtered(uint64_t& packets_filtered);
  bool next_packet();
  bool open_next_file();
  void close_file();
  void close_broken(Error error);
  TickClock::Step advance_clock();
  void end_at_mark(Slice& slice, TickClock::Step step) const;
  [[nodiscard]] bool is_full(const Slice& slice) const;
  void append(Slice& slice);
  void append_run(Slice& slice);

  std::vector<std::string> paths_;
  size_t next_path_ = 0;
  std::optional<CaptureFile> file_;
  PacketFilter filter_;
  TickClock clock_;
  const StopRequest& stop_;
  std::shared_ptr<ChunkPool> pool_ = ChunkPool::create();

  // Few enough to stay in the first-level cache.
  static constexpr size_t kRunMax = 64;

  Packet packet_;         // read, and not yet in a slice
  ChunkReference chunk_;  // what packet_ points into
  PacketOrigin origin_;   // of packet_
  bool tells_origins_ = false;
  bool have_packet_ = false;
  bool ended_ = false;
  std::vector<Error> errors_;
  // Files read to their end, which may yet become shorter before their last packets are looked at.
  struct ReadFile {
    std::string path;
    std::shared_ptr<const std::atomic<bool>> shrank;
  };
  std::vector<ReadFile> read_files_;
  std::atomic<uint64_t> octets_read_{0};  // relaxed: a number to show
  uint64_t octets_total_ = 0;
};

}  // namespace clerk
