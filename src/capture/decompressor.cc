#include "capture/decompressor.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <vector>

namespace clerk {
namespace {

constexpr size_t kInputOctets = 256 * 1024;
constexpr std::array<uint8_t, 2> kGzipMagic{0x1f, 0x8b};
constexpr std::array<uint8_t, 4> kZstdMagic{0x28, 0xb5, 0x2f, 0xfd};

bool starts_with(std::span<const uint8_t> data, std::span<const uint8_t> magic) {
  return data.size() >= magic.size() && std::equal(magic.begin(), magic.end(), data.begin());
}

// Several gzip members one after the other are one stream, as gzip(1) reads them.
class Gzip : public Decompressor {
 public:
  Gzip() : buffer_(kInputOctets) {}
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { ::inflateEnd(&stream_); }

  Result<void> start() {
    constexpr int kGzipWindow = 15 + 16;  // the largest window; + 16 expects a gzip header (zlib.h)
    if (::inflateInit2(&stream_, kGzipWindow) != Z_OK) return fail("zlib cannot start");
    return {};
  }

  Result<size_t> read(RawInput& input, std::span<uint8_t> into) override {
    stream_.next_out = into.data();
    stream_.avail_out = static_cast<uInt>(into.size());
    while (stream_.avail_out == into.size()) {
      if (stream_.avail_in == 0) {
        const size_t got = TRY(input.read(buffer_));
        if (got == 0 && member_ended_) return 0;
        if (got == 0) return fail("the gzip data ends early");
        stream_.next_in = buffer_.data();
        stream_.avail_in = static_cast<uInt>(got);
      }
      TRY(step());
    }
    return into.size() - stream_.avail_out;
  }

 private:
  Result<void> step() {
    if (member_ended_) {
      ::inflateReset(&stream_);
      member_ended_ = false;
    }
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      member_ended_ = true;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return fail("the gzip data is damaged ({})", stream_.msg ? stream_.msg : "zlib error");
    }
    return {};
  }

  z_stream stream_{};
  std::vector<uint8_t> buffer_;
  bool member_ended_ = false;
};

class Zstd : public Decompressor {
 public:
  Zstd() : stream_(::ZSTD_createDStream(), ::ZSTD_freeDStream), buffer_(kInputOctets) {}

  Result<size_t> read(RawInput& input, std::span<uint8_t> into) override {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size && !output_pending_) {
        const size_t got = TRY(input.read(buffer_));
        if (got == 0 && frame_ended_) return 0;
        if (got == 0) return fail("the zstd data ends early");
        in_ = {buffer_.data(), got, 0};
      }
      const size_t status = ::ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (::ZSTD_isError(status)) {
        return fail("the zstd data is damaged ({})", ::ZSTD_getErrorName(status));
      }
      frame_ended_ = status == 0;
      output_pending_ = out.pos == out.size;
    }
    return out.pos;
  }

 private:
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
  std::vector<uint8_t> buffer_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool frame_ended_ = true;
  bool output_pending_ = false;  // libzstd may hold more output than the last call had room for
};

}  // namespace

Result<std::unique_ptr<Decompressor>> Decompressor::for_magic(std::span<const uint8_t> magic) {
  if (starts_with(magic, kZstdMagic)) return std::make_unique<Zstd>();
  if (!starts_with(magic, kGzipMagic)) return nullptr;
  auto gzip = std::make_unique<Gzip>();
  TRY(gzip->start());
  return gzip;
}

}  // namespace clerk
