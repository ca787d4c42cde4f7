"""bench/collector.cc at the other end: receives IPFIX over UDP and counts what it is told."""

import json
import signal
import subprocess

FAULTS = ("sequence_errors", "records_missing", "unknown_sets", "malformed", "socket_drops")

# Where it stands among the counts of records by flowEndReason.
LACK_OF_RESOURCES = 5


class Collector:
    """As a context: its port while it runs, its counts from `stop`. `prefix` are words before the command."""

    def __init__(self, programs, prefix=()):
        self._process = subprocess.Popen([*prefix, str(programs / "udp_collector")], stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def destination(self):
        return "127.0.0.1:%d" % self.port

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        return json.loads(self._process.communicate(timeout=60)[0])
