// gzip and zstd, as streams (zlib and libzstd do the work).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/error.h"
#include "capture/byte_stream.h"

namespace clerk {

class Decompressor {
 public:
  virtual ~Decompressor() = default;

  // How much input it takes at once.
  static constexpr size_t kInputOctets = 256 * 1024;

  // Fills at most `into` with decompressed octets from `input`; 0 is the end of the data.
  virtual Result<size_t> read(RawInput& input, std::span<uint8_t> into) = 0;

  // The decompressor for data that begins with `magic`, or none when it is not compressed.
  static Result<std::unique_ptr<Decompressor>> for_magic(std::span<const uint8_t> magic);
};

}  // namespace clerk
