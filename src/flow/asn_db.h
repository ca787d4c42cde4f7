// Reads the AS numbers out of a MaxMind database (.mmdb): the field autonomous_system_number, which
// GeoLite2-ASN, GeoIP2-ISP and the databases of others in their shape have.
//
// The search tree is walked once (mmdb_file.h) and yields an AsnTable; the database is not needed
// any longer. IPv4 is the subtree of ::/96. Databases lead further prefixes to that same
// subtree (::ffff:0:0/96, 2001::/32, 2002::/16); these are passed over, so that the AS number of
// such an IPv6 address is 0: that of the IPv4 address inside says nothing about where it is routed.
// An IPv6 address in ::/96 is 0 too. Everything else is answered as MMDB_lookup_sockaddr does.
//
// A file that is broken, or hostile, is an error. Time and memory are bounded, see asn_db.cc. Any
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "flow/asn_table.h"

namespace clerk {

// `octets` are those of the whole file.
Result<AsnTable> parse_asn_db(std::span<const uint8_t> octets);

// Fails besides when the file cannot be read or has more than 512 MiB. Messages begin with `path`.
Result<AsnTable> load_asn_db(const std::string& path);

}  // namespace clerk
