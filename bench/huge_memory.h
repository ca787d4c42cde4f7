// An array of zeros in huge pages, for tables whose lines are touched in no order. The memory is
// the kernel's until an element is first touched, and goes back with the array.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>

namespace clerk::bench {

template <typename T>
class HugeArray {
 public:
  // Throws std::bad_alloc.
  explicit HugeArray(std::size_t size) : octets_(rounded(size * sizeof(T))) {
    void* const memory =
        mmap(nullptr, octets_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    madvise(memory, octets_, MADV_HUGEPAGE);  // refused, it is slower and no less right
    elements_ = static_cast<T*>(memory);
  }
  ~HugeArray() { munmap(elements_, octets_); }
  HugeArray(const HugeArray&) = delete;
  HugeArray& operator=(const HugeArray&) = delete;

  T& operator[](std::size_t index) { return elements_[index]; }
  const T& operator[](std::size_t index) const { return elements_[index]; }

 private:
  static constexpr std::size_t kHugePageOctets = std::size_t{2} << 20;

  static std::size_t rounded(std::size_t octets) {
    return (octets + kHugePageOctets - 1) / kHugePageOctets * kHugePageOctets;
  }

  std::size_t octets_;
  T* elements_;
};

}  // namespace clerk::bench
