#include "capture/file_mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <mutex>
#include <utility>

namespace clerk {
namespace {

size_t page_octets() {
  static const auto kOctets = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return kOctets;
}

// A mapping as the signal handler sees it. `octets` is 0 while nobody uses the place; it is written
// last (release) and read first (acquire), so that the handler sees all of it or nothing.
struct Place {
  std::atomic<bool> taken{false};
  std::atomic<uint8_t*> begin{nullptr};
  std::atomic<size_t> octets{0};
  std::atomic<std::atomic<bool>*> shrank{nullptr};
};
static_assert(std::atomic<uint8_t*>::is_always_lock_free);  // else no signal handler may look

// All mappings there are: a few for each meter. A process has one SIGBUS, and so one list.
constexpr size_t kPlaces = 1024;
std::array<Place, kPlaces> places;

// Puts zeros from the page of `at` to the end of the mapping. Only what a signal handler may call.
bool patch(const Place& place, const void* at) {
  const size_t octets = place.octets.load(std::memory_order_acquire);
  uint8_t* const begin = place.begin.load(std::memory_order_relaxed);
  // In front of the mapping it wraps around.
  const auto offset = reinterpret_cast<uintptr_t>(at) - reinterpret_cast<uintptr_t>(begin);
  if (offset >= octets) return false;
  const size_t page = offset - offset % page_octets();
  if (::mmap(begin + page, octets - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED)
    return false;
  place.shrank.load(std::memory_order_relaxed)->store(true, std::memory_order_relaxed);
  return true;
}

// Behind an access that is none of ours the default action meets the same access again.
void on_bus_error(int /*signal*/, siginfo_t* info, void* /*context*/) {
  for (const Place& place : places)
    if (patch(place, info->si_addr)) return;
  std::signal(SIGBUS, SIG_DFL);
}

void install_handler() {
  static std::once_flag installed;
  std::call_once(installed, [] {
    static_cast<void>(page_octets());  // a handler must not be the first to ask
    struct sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
  });
}

Place* take_place() {
  for (Place& place : places)
    if (!place.taken.exchange(true, std::memory_order_acquire)) return &place;
  return nullptr;
}

// A mapping and its place in the list.
class MappedMemory {
 public:
  MappedMemory(void* begin, size_t octets, Place& place, std::shared_ptr<std::atomic<bool>> shrank)
      : begin_(begin), octets_(octets), place_(place), shrank_(std::move(shrank)) {
    place_.begin.store(static_cast<uint8_t*>(begin), std::memory_order_relaxed);
    place_.shrank.store(shrank_.get(), std::memory_order_relaxed);
    place_.octets.store(octets, std::memory_order_release);
  }
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;
  ~MappedMemory() {
    place_.octets.store(0, std::memory_order_release);
    ::munmap(begin_, octets_);
    place_.taken.store(false, std::memory_order_release);
  }

 private:
  void* begin_;
  size_t octets_;
  Place& place_;
  std::shared_ptr<std::atomic<bool>> shrank_;
};

}  // namespace

void FileMapping::Window::populate() const {
  if (octets.empty()) return;
  const size_t in_page = reinterpret_cast<uintptr_t>(octets.data()) % page_octets();
  // The memory is only read, which madvise() cannot say.
  auto* const begin = const_cast<uint8_t*>(octets.data() - in_page);
  ::madvise(begin, in_page + octets.size(), MADV_POPULATE_READ);
}

std::optional<FileMapping::Window> FileMapping::window(uint64_t offset, size_t octets_max) {
  struct stat status{};
  if (::fstat(file_, &status) != 0 || status.st_size <= 0) return std::nullopt;
  const auto file_octets = static_cast<uint64_t>(status.st_size);
  if (offset > file_octets) shrank_->store(true, std::memory_order_relaxed);
  if (offset >= file_octets) return std::nullopt;
  const size_t octets = std::min<uint64_t>(octets_max, file_octets - offset);
  const bool is_in_stretch =
      offset >= stretch_at_ && offset + octets <= stretch_at_ + stretch_.size();
  if (!is_in_stretch &&
      !map_stretch(offset,
                   std::max<uint64_t>(octets, std::min(kStretchOctets, file_octets - offset))))
    return std::nullopt;
  window_end_ = offset + octets;
  if (window_end_ > populated_end_) {
    part(std::max(offset, populated_end_), window_end_).populate();
    populated_end_ = window_end_;
  }
  return part(offset, window_end_);
}

FileMapping::Window FileMapping::take_ahead() {
  const uint64_t end = std::min(window_end_ + kAheadOctets, stretch_at_ + stretch_.size());
  const uint64_t begin = std::exchange(populated_end_, std::max(populated_end_, end));
  return part(begin, populated_end_);
}

// Between two offsets in the stretch.
FileMapping::Window FileMapping::part(uint64_t begin, uint64_t end) const {
  const auto octets = stretch_.subspan(begin - stretch_at_, end - begin);
  return {{memory_, octets.data()}, octets};
}

bool FileMapping::map_stretch(uint64_t offset, size_t octets) {
  Place* const place = take_place();
  if (place == nullptr) return false;
  install_handler();
  const size_t in_page = offset % page_octets();
  void* const begin = ::mmap(nullptr, in_page + octets, PROT_READ, MAP_PRIVATE, file_,
                             static_cast<off_t>(offset - in_page));
  if (begin == MAP_FAILED) {
    place->taken.store(false, std::memory_order_release);
    return false;
  }
  memory_ = std::make_shared<MappedMemory>(begin, in_page + octets, *place, shrank_);
  stretch_ = {static_cast<const uint8_t*>(begin) + in_page, octets};
  stretch_at_ = populated_end_ = offset;
  return true;
}

}  // namespace clerk
