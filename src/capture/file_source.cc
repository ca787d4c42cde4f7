#include "capture/file_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <span>

namespace clerk {

Result<std::unique_ptr<FileSource>> FileSource::open(std::vector<std::string> paths,
                                                     PacketFilter filter, uint64_t idle_timeout_ns,
                                                     const StopRequest& stop) {
  std::unique_ptr<FileSource> source(
      new FileSource(std::move(paths), std::move(filter), idle_timeout_ns, stop));
  TRY(source->check_paths());
  return source;
}

Result<void> FileSource::check_paths() {
  if (std::ranges::count(paths_, "-") > 1) return fail("--read -: stdin can be read only once");
  bool total_known = true;
  for (const std::string& path : paths_) {
    struct stat status{};
    if (path == "-") {
      total_known = false;
      continue;
    }
    if (::stat(path.c_str(), &status) != 0) return fail("--read {}: {}", path, errno_text(errno));
    if (S_ISDIR(status.st_mode)) return fail("--read {}: is a directory", path);
    if (::access(path.c_str(), R_OK) != 0) return fail("--read {}: {}", path, errno_text(errno));
    total_known = total_known && S_ISREG(status.st_mode);
    octets_total_ += static_cast<uint64_t>(status.st_size);
  }
  if (!total_known) octets_total_ = 0;
  return {};
}

// Moves the clock to the fetched packet, once: asked again, it is there. A packet whose time cannot
// be used moves nothing.
TickClock::Step FileSource::advance_clock() {
  if (packet_.time_ns == kNoTime) packet_.time_ns = clock_.now_ns();
  if (packet_.time_ns >= kTimeEnd) return TickClock::Step::None;
  if (!clock_.started()) clock_.start(packet_.time_ns);
  const auto step = clock_.step_to(packet_.time_ns);
  clock_.move_to(packet_.time_ns, step);
  return step;
}

// The fetched packet stands behind the mark and waits for the next slice.
void FileSource::end_at_mark(Slice& slice, TickClock::Step step) const {
  slice.end = step == TickClock::Step::Restart ? SliceEnd::Restart : SliceEnd::Tick;
  slice.clock_jumped = step == TickClock::Step::Jump;
  slice.next_second = clock_.second();
}

inline bool FileSource::is_full(const Slice& slice) const {
  return slice.packets.size() == Slice::kPacketsMax ||
         (slice.chunks.size() == Slice::kChunksMax && slice.chunks.back() != chunk_);
}

inline void FileSource::append(Slice& slice) {
  slice.second = clock_.second();
  if (slice.chunks.empty() || slice.chunks.back() != chunk_) slice.chunks.push_back(chunk_);
  slice.packets.push_back(packet_);
  if (tells_origins_) slice.origins.push_back(origin_);
  have_packet_ = false;
}

// Behind a packet that was appended: those that follow it in its chunk, as long as they change
// nothing but the time of day. That is what most packets do, and all of a slice's walk.
inline void FileSource::append_run(Slice& slice) {
  if (!filter_.empty() || tells_origins_) return;
  std::array<Packet, kRunMax> run;
  size_t count = run.size();
  while (count == run.size()) {
    const size_t room = Slice::kPacketsMax - slice.packets.size();
    count = file_->next_run(std::span(run).first(std::min(run.size(), room)),
                            {.from = clock_.now_ns(), .before = clock_.next_mark_ns()});
    if (count == 0) return;
    slice.packets.insert(slice.packets.end(), run.begin(), run.begin() + count);
    clock_.move_to(run[count - 1].time_ns, TickClock::Step::None);
    origin_.number += count;
  }
}

// Makes packet_ the next packet that passes the filter. False at the end of the input.
inline bool FileSource::fetch(uint64_t& packets_filtered) {
  if (have_packet_) [[unlikely]]
    return true;
  if (!filter_.empty()) return fetch_filtered(packets_filtered);
  have_packet_ = next_packet();
  return have_packet_;
}

bool FileSource::fetch_filtered(uint64_t& packets_filtered) {
  while (!have_packet_) {
    if (!next_packet()) return false;
    auto passes = filter_.passes(packet_);
    if (!passes) {
      close_broken(
          Error{fmt::format("--read {}: {}", paths_[next_path_ - 1], passes.error().message)});
      continue;
    }
    have_packet_ = *passes;
    packets_filtered += *passes ? 0U : 1U;
  }
  return true;
}

inline bool FileSource::next_packet() {
  for (;;) {
    if (!file_ && !open_next_file()) return false;
    const ReadStatus status = file_->next(packet_);
    if (status == ReadStatus::Packet) [[likely]] {
      ++origin_.number;
      if (chunk_ != file_->chunk()) [[unlikely]]
        chunk_ = file_->chunk();
      return true;
    }
    // A file that a stop request cut off may end anywhere; that is no damage.
    if (status == ReadStatus::Broken && !stop_.requested()) {
      close_broken(file_->error());
    } else {
      close_file();
    }
  }
}

bool FileSource::next_slice(Slice& slice) {
  slice.clear();
  if (ended_) return false;
  while (fetch(slice.packets_filtered)) {
    const auto step = advance_clock();
    if (step != TickClock::Step::None) {
      end_at_mark(slice, step);
      return true;
    }
    if (is_full(slice)) {
      slice.end = SliceEnd::Full;
      return true;
    }
    append(slice);
    append_run(slice);
  }
  slice.second = clock_.second();
  slice.end = SliceEnd::Input;
  ended_ = true;
  return true;
}

// Passes over files that cannot be opened, noting why. False when no file is left.
bool FileSource::open_next_file() {
  while (next_path_ < paths_.size() && !stop_.requested()) {
    origin_ = {.file = static_cast<uint32_t>(next_path_)};
    auto opened = CaptureFile::open(paths_[next_path_++], pool_, stop_, octets_read_);
    if (opened) {
      file_.emplace(*std::move(opened));
      return true;
    }
    if (!stop_.requested()) errors_.push_back(std::move(opened).error());
  }
  return false;
}

void FileSource::close_file() {
  if (auto shrank = file_->shrank_flag()) read_files_.push_back({file_->path(), std::move(shrank)});
  file_.reset();
}

std::vector<Error> FileSource::errors() const {
  std::vector<Error> errors = errors_;
  for (const auto& [path, shrank] : read_files_)
    if (shrank->load(std::memory_order_relaxed)) errors.push_back(CaptureFile::shrank_error(path));
  return errors;
}

void FileSource::close_broken(Error error) {
  errors_.push_back(std::move(error));
  file_.reset();
}

}  // namespace clerk
