"""The other end of the wire: a plain UDP receiver, and the independent programs that judge what clerk sends.

Each `*_records` function gives flow_model.Records in the order in which that program shows them. What a program cannot
show, or shows coarser, is said where it is read; `shown_by_nfdump` brings the expected records to the same form.
"""

import ipaddress
import json
import re
import socket
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import captures
import flow_model
import packets

NTP_TO_UNIX_S = 2_208_988_800
RECEIVE_BUFFER = 64 << 20
PORTS_NFDUMP_SHOWS = {packets.PROTOCOL_TCP, packets.PROTOCOL_UDP}


def free_udp_port(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def has_ipv6_loopback():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


class UdpReceiver:
    """Records every datagram: (arrival on the monotonic clock, sender, octets), in `arrivals`."""

    def __init__(self, host="127.0.0.1", port=0):
        self.arrivals = []
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._enlarge_buffer()
        self._socket.bind((host, port))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive)

    def _enlarge_buffer(self):
        """Beyond rmem_max where the process may (SO_RCVBUFFORCE is 33), else as far as it goes."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, 33, RECEIVE_BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    def _receive(self):
        while True:
            try:
                octets, sender = self._socket.recvfrom(65536)
                self.arrivals.append((time.monotonic(), sender, octets))
            except socket.timeout:
                if self._stop.is_set():
                    return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def datagrams(self):
        """Everything that came until the wire fell silent."""
        self._stop.set()
        self._thread.join()
        return [octets for _, _, octets in self.arrivals]


# nfcapd and nfdump


def _udp_socket_state(port):
    """(octets that wait to be read, datagrams dropped) of the UDP socket on this port, or None without one."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        columns = line.split()
        if int(columns[1].split(":")[1], 16) == port:
            return int(columns[4].split(":")[1], 16), int(columns[-1])
    return None


def wait_until(condition, what, patience_s=20):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain until " + what
        time.sleep(0.02)


class Nfcapd:
    """A running nfcapd. `records` stops it and gives what it stored."""

    def __init__(self, folder):
        self._folder = folder
        self.port = free_udp_port()

    def __enter__(self):
        self._process = subprocess.Popen(["nfcapd", "-w", self._folder, "-p", str(self.port), "-b", "127.0.0.1",
                                          "-B", "4000000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: _udp_socket_state(self.port), "nfcapd listens")
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def records(self):
        wait_until(lambda: _udp_socket_state(self.port)[0] == 0, "nfcapd has read everything")
        assert _udp_socket_state(self.port)[1] == 0, "the kernel dropped datagrams for nfcapd"
        self._process.terminate()
        log = self._process.communicate(timeout=20)[1].decode()
        assert "Sequence Errors: 0, Bad Packets: 0" in log, log
        return nfdump_records(self._folder)


def nfdump_records(folder):
    """Milliseconds. Ports of TCP and UDP only: nfdump stores IE 32 over the destination port of the rest."""
    raw = subprocess.run(["nfdump", "-q", "-R", folder, "-o", "raw"], capture_output=True, check=True).stdout.decode()
    return [_nfdump_record(part) for part in raw.split("Flow Record:")[1:]]


def _nfdump_record(text):
    fields = {name.strip(): value.split()[0] for name, value in re.findall(r"^  ([^=\n]+)=\s*(\S.*)$", text, re.M)}
    protocol = int(fields["proto"])
    ports = (int(fields["src port"]), int(fields["dst port"])) if protocol in PORTS_NFDUMP_SHOWS else (0, 0)
    icmp_type, icmp_code = fields.get("ICMP", "0.0").split(".")
    key = flow_model.FlowKey(fields["src addr"], fields["dst addr"], protocol, *ports,
                             int(icmp_type) * 256 + int(icmp_code), int(fields["src vlan"]))
    return flow_model.Record(key, int(fields["dst tos"]), int(fields["in packets"]), int(fields["in bytes"]),
                             int(fields["first"]) * 10**6, int(fields["last"]) * 10**6,
                             int(fields["tcp flags"], 16), int(fields["end reason"], 16))


def shown_by_nfdump(record):
    record = in_units_of(10**6, record)
    if record.key.protocol in PORTS_NFDUMP_SHOWS:
        return record
    return record._replace(key=record.key._replace(source_port=0, destination_port=0))


def in_units_of(unit_ns, record):
    return record._replace(first_ns=record.first_ns // unit_ns * unit_ns, last_ns=record.last_ns // unit_ns * unit_ns)


# tshark


def write_datagrams(path, datagrams, port):
    """The datagrams as a capture that tshark opens."""
    frames = [packets.ethernet(packets.ipv4("127.0.0.1", "127.0.0.1", packets.udp(40000, port, datagram)))
              for datagram in datagrams]
    path.write_bytes(captures.pcap([captures.Captured(place, frame) for place, frame in enumerate(frames)]))
    return path


def tshark_documents(path, port=None):
    """tshark's JSON of a capture, or, without a port, of an IPFIX file. It must not complain of anything."""
    decode_as = ["-d", "udp.port==%d,cflow" % port] if port else []
    output = subprocess.run(["tshark", "-n", "-r", path, *decode_as, "-T", "json", "--no-duplicate-keys"],
                            capture_output=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}).stdout
    assert b"_ws.expert" not in output and b"_ws.malformed" not in output, output[:2000]
    return json.loads(output)


def tshark_records(path, port=None):
    """Nanoseconds; tshark cuts the NTP fraction where the nearest nanosecond is meant, so a time may be 1 ns early."""
    return [_tshark_record(flow) for flow in tshark_flows(tshark_documents(path, port))]


def tshark_flows(node):
    """Every "Flow N" object, however deep, in order."""
    if isinstance(node, list):
        for item in node:
            yield from tshark_flows(item)
    elif isinstance(node, dict):
        for name, item in node.items():
            if name.startswith("Flow "):
                yield item
            else:
                yield from tshark_flows(item)


def _tshark_record(flow):
    fields = {name.removeprefix("cflow."): value for name, value in flow.items()}
    version = "v6" if "srcaddrv6" in fields else ""
    if version:
        type_code = int(fields["icmp_ipv6_type"]) * 256 + int(fields["icmp_ipv6_code"])
    else:
        type_code = int(fields["icmp_type_code_ipv4"], 16)
    key = flow_model.FlowKey(fields["srcaddr" + version], fields["dstaddr" + version], int(fields["protocol"]),
                             int(fields["srcport"]), int(fields["dstport"]), type_code, int(fields["vlanid"]))
    times = fields["timedelta_tree"]
    return flow_model.Record(key, int(fields["tos"], 16), int(fields["packets"]), int(fields["octets"]),
                             tshark_time(times["cflow.abstimestart"]), tshark_time(times["cflow.abstimeend"]),
                             int(fields["tcpflags"], 16), int(fields["flow_end_reason"]))


def tshark_time(text):
    """Nov 14, 2023 22:13:28.450026114 UTC"""
    whole, fraction = text.removesuffix(" UTC").split(".")
    return _unix_ns(datetime.strptime(whole, "%b %d, %Y %H:%M:%S")) + int(fraction)


def _unix_ns(moment):
    """A naive UTC datetime in ns since 1970, exactly."""
    since = moment.replace(tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000


# ipfixDump and python3-ipfix, which read files


def ipfix_dump(path, *options):
    run = subprocess.run(["ipfixDump", "--in", path, *options], capture_output=True, timeout=60)
    assert run.returncode == 0 and not run.stderr, run.stderr
    return run.stdout.decode()


def ipfix_dump_records(path, unit):
    """Times are whole seconds for nanoseconds (its output has no fraction there), else exact."""
    return [_named_record(fields, unit, ipfix_dump_time) for fields in ipfix_dump_fields(path)]


def ipfix_dump_fields(path):
    """The fields of each record by their names, as text."""
    parts = re.split(r"--- data record \d+ ---", ipfix_dump(path, "--data"))[1:]
    return [dict(re.findall(r"\)\s+(\w+) : (.*)", part)) for part in parts]


def ipfix_dump_time(text):
    whole, _, fraction = text.partition(".")
    return _unix_ns(datetime.strptime(whole, "%Y-%m-%d %H:%M:%S")) + int(fraction.ljust(9, "0"))


PYTHON_IPFIX_READER = """
import ipfix.ie, ipfix.reader, json, sys
ipfix.ie.use_iana_default()
with open(sys.argv[1], "rb") as stream:
    for record in ipfix.reader.from_stream(stream).namedict_iterator():
        print(json.dumps(record, default=lambda value: value.hex(":") if isinstance(value, bytes) else str(value)))
"""


def python_ipfix_records(path, unit):
    """Microseconds at best. It reads NTP times as if they began in 1970."""
    take_time = _python_ipfix_time if unit == "Milliseconds" else python_ipfix_ntp_time
    return [_named_record(fields, unit, take_time) for fields in python_ipfix_fields(path)]


def python_ipfix_fields(path):
    """The fields of each record by their names."""
    output = subprocess.run(["/usr/bin/python3", "-c", PYTHON_IPFIX_READER, path], capture_output=True, check=True)
    return [json.loads(line) for line in output.stdout.splitlines()]


def _python_ipfix_time(text):
    return _unix_ns(datetime.fromisoformat(text))


def python_ipfix_ntp_time(text):
    return _unix_ns(datetime.fromisoformat(text) - timedelta(seconds=NTP_TO_UNIX_S))


def _address(text):
    """ipfixDump writes leading zeros."""
    return str(ipaddress.ip_address(text))


def _named_record(fields, unit, take_time):
    """A record whose fields carry the IANA names."""
    family = "IPv6" if "sourceIPv6Address" in fields else "IPv4"
    number = {name: int(value) for name, value in fields.items() if str(value).isdigit()}
    key = flow_model.FlowKey(_address(fields["source%sAddress" % family]),
                             _address(fields["destination%sAddress" % family]), number["protocolIdentifier"],
                             number["sourceTransportPort"], number["destinationTransportPort"],
                             number["icmpTypeCode" + family], number["vlanId"])
    return flow_model.Record(key, number["ipClassOfService"], number["packetDeltaCount"], number["octetDeltaCount"],
                             take_time(fields["flowStart" + unit]), take_time(fields["flowEnd" + unit]),
                             number["tcpControlBits"], number["flowEndReason"])
