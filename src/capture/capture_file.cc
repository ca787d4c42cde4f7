#include "capture/capture_file.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace clerk {
namespace {

constexpr size_t kMagicOctets = 4;

// Compressions by their first octets: those that are not read, and those that are, but only once.
struct Compression {
  std::array<uint8_t, 3> magic;
  std::string_view program;  // that unpacks it to stdout with -dc
};
constexpr std::array<Compression, 6> kCompressions{{{{0xfd, '7', 'z'}, "xz"},
                                                    {{'B', 'Z', 'h'}, "bzip2"},
                                                    {{0x04, 0x22, 0x4d}, "lz4"},
                                                    {{0x1f, 0x9d, 0x90}, "gzip"},  // compress(1)
                                                    {{0x1f, 0x8b, 0x08}, "gzip"},
                                                    {{0x28, 0xb5, 0x2f}, "zstd"}}};

// Why a file that begins with these octets (its compression taken off) is none, and the way out.
Error no_capture(const uint8_t* magic, bool compressed) {
  for (const Compression& compression : kCompressions) {
    if (!std::equal(compression.magic.begin(), compression.magic.end(), magic)) continue;
    const std::string_view program = compression.program;
    if (compressed)
      return {fmt::format("is compressed twice; unpack it with {} -dc first", program)};
    return {fmt::format(
        "is compressed in a way that is not read; write {} -dc FILE | clerk --read -", program)};
  }
  return {
      fmt::format("is no pcap or pcapng file, nor a .gz or .zst of one: it begins with "
                  "{:02x} {:02x} {:02x} {:02x}; editcap may turn it into one",
                  magic[0], magic[1], magic[2], magic[3])};
}

}  // namespace

Result<CaptureFile::Reader> CaptureFile::open_reader(ChunkStream& stream) {
  if (!stream.need(kMagicOctets)) {
    return fail("is no capture file: it ends at offset {}", stream.available());
  }
  if (PcapReader::knows_magic(stream.data())) return TRY(PcapReader::open(stream));
  if (PcapngReader::knows_magic(stream.data())) return TRY(PcapngReader::open(stream));
  return std::unexpected(no_capture(stream.data(), stream.compressed()));
}

Result<CaptureFile> CaptureFile::open(const std::string& path, std::shared_ptr<ChunkPool> pool,
                                      const StopRequest& stop, std::atomic<uint64_t>& octets_read) {
  auto bytes = ByteStream::open(path, stop, octets_read);
  if (!bytes) return fail("--read {}: {}", path, bytes.error().message);
  ChunkStream stream(*std::move(bytes), std::move(pool));
  auto reader = open_reader(stream);
  if (!reader) {
    const Error& cause = stream.error() ? *stream.error() : reader.error();
    return fail("--read {}: {}", path, cause.message);
  }
  return CaptureFile(path, std::move(stream), *std::move(reader));
}

Error CaptureFile::shrank_error(const std::string& path) {
  return Error{
      fmt::format("--read {}: became shorter, or unreadable, while it was read; what came "
                  "before that is counted",
                  path)};
}

Error CaptureFile::error() const {
  if (stream_.shrank()) return shrank_error(path_);
  const Damage& damage =
      std::visit([](const auto& reader) -> const Damage& { return reader.damage(); }, reader_);
  return Error{fmt::format("--read {}: offset {}{}: {}; {} is counted", path_, damage.offset,
                           stream_.compressed() ? " of the uncompressed data" : "",
                           stream_.error() ? stream_.error()->message : damage.what,
                           damage.counted)};
}

}  // namespace clerk
