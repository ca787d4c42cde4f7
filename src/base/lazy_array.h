// A fixed-size array of zeroed plain values whose pages the kernel provides when they are first
// touched, so that a large bound costs address space and no memory. It never grows and never moves.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace clerk {

template <typename T>
class LazyArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  // Throws std::bad_alloc when the address space is refused: at start, never later.
  explicit LazyArray(size_t size) : size_(size), data_(map(size)) {}
  LazyArray(LazyArray&& other) noexcept
      : size_(std::exchange(other.size_, 0)), data_(std::exchange(other.data_, nullptr)) {}
  LazyArray(const LazyArray&) = delete;
  LazyArray& operator=(const LazyArray&) = delete;
  LazyArray& operator=(LazyArray&&) = delete;
  ~LazyArray() {
    if (data_ != nullptr) ::munmap(data_, octets(size_));
  }

  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  static constexpr size_t kHugePageOctets = size_t{2} << 20;  // x86-64, and ARMv8 with 4 KiB pages

  static size_t octets(size_t size) { return size == 0 ? sizeof(T) : size * sizeof(T); }

  static T* map(size_t size) {
    void* at = ::mmap(nullptr, octets(size), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    // Fewer faults and address translations; where the machine has no huge pages nothing is lost.
    if (octets(size) >= kHugePageOctets) ::madvise(at, octets(size), MADV_HUGEPAGE);
    return static_cast<T*>(at);
  }

  size_t size_;
  T* data_;
};

}  // namespace clerk
