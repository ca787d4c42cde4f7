// Any octets as a pcapng file: PcapngReader reads what its slow twin reads. The input is the file.
#include "capture/plain_readers_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clerk;
  if (size < 4 || !PcapngReader::knows_magic(data)) return 0;
  const plainly::File file(data, size);
  plainly::check_reading(file, plainly::read_pcapng(file));
  return 0;
}
