"""A wire of its own for a live measurement: two network namespaces joined by a veth pair, on which nobody else speaks.

Both ends are silent (no IPv6, no ARP, no addresses), so what `watched` receives is what is injected, to the packet.
"""

import contextlib
import os
import subprocess

WATCHED, UPLINK = "watched", "uplink"


class NotPermitted(Exception):
    """The kernel, or whoever runs this, does not allow it."""


class Wire:
    """`prefix` are the words that run a command in the namespace of the watched interface."""

    def __init__(self, probe):
        self.prefix = ["ip", "netns", "exec", probe]

    def command(self, *words):
        return [*self.prefix, *map(str, words)]


@contextlib.contextmanager
def connected_wire():
    """Deleted at the end."""
    names = ["clerk-bench-%s-%d" % (purpose, os.getpid()) for purpose in ("probe", "network")]
    with contextlib.ExitStack() as stack:
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "delete", name)
            _run("ip", "netns", "exec", name, "sh", "-c",
                 "cd /proc/sys/net/ipv6/conf && echo 1 >all/disable_ipv6 && echo 1 >default/disable_ipv6")
            _ip("-n", name, "link", "set", "lo", "up")
        probe, network = names
        _ip("link", "add", WATCHED, "netns", probe, "arp", "off", "type", "veth",
            "peer", "name", UPLINK, "netns", network, "arp", "off")
        _ip("-n", network, "link", "set", UPLINK, "up")
        _ip("-n", probe, "link", "set", WATCHED, "up")
        yield Wire(probe)


def _ip(*words):
    _run("ip", *words)


def _run(*command):
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except FileNotFoundError as error:
        raise NotPermitted(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise NotPermitted("%s: %s" % (" ".join(command), error.stderr.strip())) from error
