#include "capture/capture_file.h"

namespace clerk {
namespace {

constexpr size_t kMagicOctets = 4;

}  // namespace

Result<CaptureFile::Reader> CaptureFile::open_reader(ChunkStream& stream) {
  if (!stream.need(kMagicOctets)) {
    return fail("is no capture file: it has {} octets", stream.available());
  }
  if (PcapReader::knows_magic(stream.data())) return TRY(PcapReader::open(stream));
  if (PcapngReader::knows_magic(stream.data())) return TRY(PcapngReader::open(stream));
  return fail("is no pcap or pcapng file (also not a .gz or .zst of one)");
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

Error CaptureFile::error() const {
  const std::string& why =
      stream_.error()
          ? stream_.error()->message
          : std::visit([](const auto& reader) -> const std::string& { return reader.error(); },
                       reader_);
  return Error{fmt::format("--read {}: offset {}: {}; what came before it is counted", path_,
                           stream_.offset(), why)};
}

}  // namespace clerk
