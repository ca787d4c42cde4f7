// Any octets as a CSV file of AS numbers.
//
// What must hold besides: every skipped line is counted and the first of them are told, in octets
// that a terminal shows, and the same lines once more change nothing.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "flow/asn_csv.h"

namespace clerk {
namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(
      text, [](char octet) { return static_cast<unsigned char>(octet) >= 0x20 && octet != 0x7f; });
}

// Every line of the second copy is skipped: its addresses are claimed, or it was skipped before.
void check_twice(const AsnCsv& once, std::string_view text) {
  std::string twice(text);
  twice += '\n';
  const auto csv = parse_asn_csv(twice.append(text));
  CHECK(csv);
  CHECK(csv->table.ranges() == once.table.ranges());
  CHECK(csv->table.octets() == once.table.octets());
  CHECK(csv->lines_skipped == 2 * once.lines_skipped + once.table.ranges());
}

void fuzz(std::string_view text) {
  const auto csv = parse_asn_csv(text);
  if (!csv) {
    CHECK(is_printable(csv.error().message));
    return;
  }
  CHECK(csv->table.ranges() > 0);
  CHECK(csv->problems.size() == std::min<uint64_t>(csv->lines_skipped, AsnCsv::kProblemsMax));
  CHECK(std::ranges::all_of(csv->problems, is_printable));
  check_twice(*csv, text);
}

}  // namespace
}  // namespace clerk

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  clerk::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
