// Doubly linked lists of indices into a fixed table: each index is in at most one list at a time,
// joins at the back and may leave from anywhere, all in constant time.
//
// The ledger keeps its free and its held records in two of them, and the buckets of its expiry
// wheel in as many as the wheel has. Links of indices never used are never touched.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "base/lazy_array.h"

namespace clerk {

class IndexLists {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kOctetsPerIndex = 2 * sizeof(uint32_t);

  // Indices are below `indices`; lists below `lists`.
  IndexLists(uint32_t indices, uint32_t lists)
      : heads_at_(indices), links_(size_t{indices} + lists) {
    CHECK(indices <= kNone - 1 - lists);
    for (uint32_t list = 0; list < lists; ++list)
      links_[head(list)] = {head(list), head(list)};
  }

  // The first of the list, or kNone.
  [[nodiscard]] uint32_t front(uint32_t list) const { return known(links_[head(list)].next); }

  // The one behind `index` in its list, or kNone.
  [[nodiscard]] uint32_t next(uint32_t index) const { return known(links_[index].next); }

  // The index must be in no list.
  void push_back(uint32_t list, uint32_t index) {
    const uint32_t last = links_[head(list)].previous;
    links_[index] = {last, head(list)};
    links_[last].next = index;
    links_[head(list)].previous = index;
  }

  // The index must be in a list.
  void remove(uint32_t index) {
    const Link link = links_[index];
    links_[link.previous].next = link.next;
    links_[link.next].previous = link.previous;
  }

 private:
  struct Link {
    uint32_t previous;
    uint32_t next;
  };

  // Each list is a ring that its head closes; the heads lie behind the indices.
  [[nodiscard]] uint32_t head(uint32_t list) const { return heads_at_ + list; }
  [[nodiscard]] uint32_t known(uint32_t index) const { return index < heads_at_ ? index : kNone; }

  uint32_t heads_at_;
  LazyArray<Link> links_;
};

}  // namespace clerk
