// Any octets as a MaxMind database. Whatever they are, there is a table or an error, in bounded
// time and memory, and the message holds octets that a terminal shows.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "flow/asn_db.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto table = clerk::parse_asn_db({data, size});
  if (table) {
    CHECK(table->ranges() <= size);  // a range takes a record, of three octets at least
  } else {
    CHECK(std::ranges::all_of(table.error().message, [](char octet) {
      return static_cast<unsigned char>(octet) >= 0x20;
    }));
  }
  return 0;
}
