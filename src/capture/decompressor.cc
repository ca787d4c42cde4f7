#include "capture/decompressor.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace clerk {
namespace {

constexpr std::array<uint8_t, 2> kGzipMagic{0x1f, 0x8b};
constexpr std::array<uint8_t, 4> kZstdMagic{0x28, 0xb5, 0x2f, 0xfd};
// Behind a first octet of 0x50 to 0x5f: a skippable frame, with which pzstd begins its files (RFC
// 8878).
constexpr std::array<uint8_t, 3> kZstdSkippableMagic{0x2a, 0x4d, 0x18};

bool starts_with(std::span<const uint8_t> data, std::span<const uint8_t> magic) {
  return data.size() >= magic.size() && std::equal(magic.begin(), magic.end(), data.begin());
}

bool is_zstd(std::span<const uint8_t> magic) {
  if (starts_with(magic, kZstdMagic)) return true;
  return magic.size() == 4 && magic[0] >> 4 == 5 &&
         starts_with(magic.subspan(1), kZstdSkippableMagic);
}

// What both formats share: input is taken a buffer at a time, and an error is told only when all
// that was decompressed before it has been given out.
class BufferedDecompressor : public Decompressor {
 public:
  Result<size_t> read(RawInput& input, std::span<uint8_t> into) final {
    if (error_) return std::unexpected(*error_);
    size_t produced = 0;
    while (produced == 0) {
      auto more = step(input, into, produced);
      if (!more) error_ = more.error();
      if (!more && produced == 0) return std::unexpected(*error_);
      if (error_ || !*more) break;
    }
    return produced;
  }

 protected:
  // Decompresses some input into `into` and sets `produced`. False at the end of the data.
  virtual Result<bool> step(RawInput& input, std::span<uint8_t> into, size_t& produced) = 0;

  // The next octets of the input, or none at its end.
  Result<std::span<uint8_t>> refill(RawInput& input) {
    const size_t got = TRY(input.read(buffer_));
    return std::span<uint8_t>(buffer_.data(), got);
  }

 private:
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kInputOctets);
  std::optional<Error> error_;
};

// Several gzip members one after the other are one stream, as gzip(1) reads them.
class Gzip : public BufferedDecompressor {
 public:
  Gzip() = default;
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { ::inflateEnd(&stream_); }

  Result<void> start() {
    constexpr int kGzipWindow = 15 + 16;  // the largest window; + 16 expects a gzip header (zlib.h)
    if (::inflateInit2(&stream_, kGzipWindow) != Z_OK) return fail("zlib cannot start");
    return {};
  }

 protected:
  Result<bool> step(RawInput& input, std::span<uint8_t> into, size_t& produced) override {
    if (stream_.avail_in == 0 && !output_pending_) {
      input_ = TRY(refill(input));
      if (input_.empty() && member_ended_) return false;
      if (input_.empty()) return fail("the gzip data ends early");
      stream_.next_in = input_.data();
      stream_.avail_in = static_cast<uInt>(input_.size());
    }
    if (member_ended_ && !begin_next_member()) return true;
    stream_.next_out = into.data();
    stream_.avail_out = static_cast<uInt>(into.size());
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    produced = into.size() - stream_.avail_out;
    member_ended_ = status == Z_STREAM_END;
    output_pending_ = !member_ended_ && stream_.avail_out == 0;
    if (!member_ended_ && status != Z_OK && status != Z_BUF_ERROR) {
      return fail("the gzip data is damaged ({})", stream_.msg ? stream_.msg : "zlib error");
    }
    return true;
  }

 private:
  // Passes over zeros, with which tapes pad, as gzip(1) does. False when nothing else is there yet.
  bool begin_next_member() {
    for (; stream_.avail_in > 0 && *stream_.next_in == 0; --stream_.avail_in)
      ++stream_.next_in;
    if (stream_.avail_in == 0) return false;
    return ::inflateReset(&stream_) == Z_OK;
  }

  z_stream stream_{};
  std::span<uint8_t> input_;
  bool member_ended_ = false;
  bool output_pending_ = false;  // zlib may hold more output than the last call had room for
};

class Zstd : public BufferedDecompressor {
 public:
  Zstd() : stream_(::ZSTD_createDStream(), ::ZSTD_freeDStream) {
    ::ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kWindowBits);
  }

 protected:
  Result<bool> step(RawInput& input, std::span<uint8_t> into, size_t& produced) override {
    if (input_.pos == input_.size && !output_pending_) {
      const auto refilled = TRY(refill(input));
      if (refilled.empty() && frame_ended_) return false;
      if (refilled.empty()) return fail("the zstd data ends early");
      input_ = {refilled.data(), refilled.size(), 0};
    }
    ZSTD_outBuffer output{into.data(), into.size(), 0};
    const size_t status = ::ZSTD_decompressStream(stream_.get(), &output, &input_);
    produced = output.pos;
    if (::ZSTD_getErrorCode(status) == ZSTD_error_frameParameter_windowTooLarge) {
      return fail(
          "needs more than 128 MiB to decompress; write zstd -dc --long=31 FILE | clerk --read -");
    }
    if (::ZSTD_isError(status)) {
      return fail("the zstd data is damaged ({})", ::ZSTD_getErrorName(status));
    }
    frame_ended_ = status == 0;
    output_pending_ = !frame_ended_ && output.pos == output.size;
    return true;
  }

 private:
  static constexpr int kWindowBits = 27;  // 128 MiB: what libzstd takes unless told otherwise

  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
  ZSTD_inBuffer input_{nullptr, 0, 0};
  bool frame_ended_ = true;
  bool output_pending_ = false;  // libzstd may hold more output than the last call had room for
};

}  // namespace

Result<std::unique_ptr<Decompressor>> Decompressor::for_magic(std::span<const uint8_t> magic) {
  if (is_zstd(magic)) return std::make_unique<Zstd>();
  if (!starts_with(magic, kGzipMagic)) return nullptr;
  auto gzip = std::make_unique<Gzip>();
  TRY(gzip->start());
  return gzip;
}

}  // namespace clerk
