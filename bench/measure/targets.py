"""What clerk must reach. Ratios are between two figures of one run on one machine, so they hold anywhere."""

# CPU a packet, by that of `roofline --mode prefetch` on the same trace.
OVER_ROOFLINE = {"mix": 1.6, "scan": 4.5, "elephants": 1.3}

# Peak anonymous memory with default fields and timeouts; a mapped or cached file is none of it.
ANONYMOUS_MIB = {"mix": 160, "scan": 450}
OCTETS_PER_FLOW_HELD = 160

# Live: CPU a packet by that of the bare ring reader with its table, and of a core.
OVER_RING_READER = 1.4
TESTIMONYD_CORE_SHARE = 0.05
TESTIMONY_OVER_AF_PACKET = 1.1

# Two meters whose ledger has next to nothing to do, by one: packets a second, and CPU a packet.
TWO_METERS_SPEED = 1.6
TWO_METERS_CPU = 1.1

ASN_LOOKUP_NS = 60
ASN_TABLE_MIB = 64
EXPORT_NS = 70
EXPIRY_PERCENT = 2
HAND_OVER_US = 50
