// A Flow Record as a line of text: CSV, or JSON with the IANA names of the template's fields.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "flow/flow_record.h"
#include "ipfix/template.h"

namespace clerk {

inline constexpr std::string_view kCsvHeader =
    "flowStart,flowEnd,sourceAddress,destinationAddress,sourceTransportPort,"
    "destinationTransportPort,"
    "protocolIdentifier,ipClassOfService,icmpTypeCode,tcpControlBits,vlanId,bgpSourceAsNumber,"
    "bgpDestinationAsNumber,octetDeltaCount,packetDeltaCount,flowEndReason\n";

// Where flows without IP may be among the records, CSV has one more column, which is empty for
// flows of IP. The others have MAC addresses in the columns of addresses, and 0 for what they lack.
std::string csv_header_with_ether_type();

// All append one line with its end. Times are RFC 3339 UTC with nine decimals, addresses as RFC
// 5952 writes them, everything else decimal numbers.
void append_csv(fmt::memory_buffer& to, const FlowRecord& record);
void append_csv_with_ether_type(fmt::memory_buffer& to, const FlowRecord& record);
void append_json(fmt::memory_buffer& to, const FlowRecord& record, ipfix::FieldList fields);

}  // namespace clerk
