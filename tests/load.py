"""The two C++ programs of bench/ that are fast enough for load: the sender of frames and the collector that counts."""

import json
import signal
import subprocess

import clerk_runner

PATIENCE_S = 60


class Sender:
    """bench/sender on the wire's uplink; `flags` are its flags. Its totals come from `wait`, or sooner from `stop`."""

    def __init__(self, wire, *flags):
        self._process = subprocess.Popen(wire.network.command(clerk_runner.BUILD / "bin" / "sender", "--interface",
                                                              wire.uplink, *flags), stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def is_running(self):
        return self._process.poll() is None

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self, patience_s=PATIENCE_S):
        """packets, octets (of IP), seconds, pps."""
        output = self._process.communicate(timeout=patience_s)[0]
        assert self._process.returncode == 0
        return json.loads(output)


class Home:
    """Where the test itself runs, in the place of a namespace."""

    def command(self, *words):
        return list(map(str, words))


class CountingCollector:
    """bench/udp_collector on a free port of the namespace's loopback interface; `flags` are its flags."""

    def __init__(self, namespace, *flags):
        self._process = subprocess.Popen(namespace.command(clerk_runner.BUILD / "bin" / "udp_collector", *flags),
                                         stdout=subprocess.PIPE)
        self.port = int(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def stop(self):
        """Its counts, once everything that was sent has been read."""
        self._process.send_signal(signal.SIGTERM)
        return json.loads(self._process.communicate(timeout=PATIENCE_S)[0])
