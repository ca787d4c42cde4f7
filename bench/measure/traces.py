"""The traces of bench/trace.cc, generated anew for each run of the benchmark, in memory when there is room."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

KINDS = ("mix", "scan", "elephants")

# A record header and what the generator keeps of a frame.
OCTETS_PER_PACKET_MAX = 112


@dataclass
class Trace:
    """A file, and what any meter must find in it."""

    kind: str
    path: pathlib.Path
    packets: int
    ip_octets: int
    one_way_flows: int


@contextlib.contextmanager
def generated_traces(programs, packets):
    """One of each kind, each made when its turn comes. At the end the files are gone."""
    with _folder(packets) as folder:
        yield (_generate(programs, kind, packets, folder) for kind in KINDS)


@contextlib.contextmanager
def _folder(packets):
    """For the traces and what programs write. Memory, so that no disk is measured, else where temporary files go."""
    memory = pathlib.Path("/dev/shm")
    need = packets * len(KINDS) * OCTETS_PER_PACKET_MAX
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * need
    with tempfile.TemporaryDirectory(prefix="clerk-bench.", dir=memory if has_room else None) as path:
        yield pathlib.Path(path)


def _generate(programs, kind, packets, into):
    path, totals_path = into / (kind + ".pcap"), into / (kind + ".json")
    subprocess.run([programs / "trace", "--kind", kind, "--packets", str(packets), "--output", path,
                    "--totals", totals_path], check=True)
    totals = json.loads(totals_path.read_text())
    return Trace(kind, path, totals["packets"], totals["ip_octets"], totals["one_way_flows"])
