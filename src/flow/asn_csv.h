// Reads clerk's own list of AS numbers, a CSV file without a header:
//
//   first address,last address,asn
//
//   192.0.2.0,192.0.2.255,64496
//   ::198.51.100.0,::198.51.100.127,64497
//   2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64498
//
// IPv4 is written plain, as ::1.2.3.4 or as ::ffff:1.2.3.4, also mixed on one line: everything in
// ::/96 and ::ffff:0:0/96 is IPv4. The AS number is decimal, 0 to 4294967295; 0 means "not known"
// and claims its addresses like any other. Blanks around fields, CRLF, empty lines and lines that
// begin with # are fine; lines may come in any order.
//
// A line that cannot be used is skipped whole, and so is one that overlaps an earlier line that is
// used: the first line to claim an address wins. A skipped line claims nothing. scripts/clerk-asns
// makes such a file. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "flow/asn_table.h"

namespace clerk {

struct AsnCsv {
  static constexpr size_t kProblemsMax = 20;

  AsnTable table;
  // "line 17: why it was skipped", of the first kProblemsMax lines that were.
  std::vector<std::string> problems;
  uint64_t lines_skipped = 0;
};

// Fails when there is not one line to use.
Result<AsnCsv> parse_asn_csv(std::string_view text);

// Fails besides when the file cannot be read or has more than 1 GiB. Messages begin with `path`.
Result<AsnCsv> load_asn_csv(const std::string& path);

}  // namespace clerk
