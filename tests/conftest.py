"""What every end-to-end test needs: a clerk binary that is there, and no bytecode left beside the tests."""

import contextlib
import sys

import pytest

sys.dont_write_bytecode = True

import clerk_runner  # noqa: E402
import namespaces  # noqa: E402
import numbered as numbered_packets  # noqa: E402
import testimony  # noqa: E402


def pytest_configure():
    if not clerk_runner.CLERK.is_file():
        pytest.exit("no clerk binary at %s: build it first, or set CLERK" % clerk_runner.CLERK, returncode=2)


@pytest.fixture
def wire():
    """Two namespaces joined by a veth pair, for this test alone."""
    with namespaces.connected_wire() as wire:
        yield wire


@pytest.fixture
def numbered(wire):
    """Sends numbered packets onto the wire."""
    return numbered_packets.Numbered(wire)


@pytest.fixture
def serve(wire, tmp_path):
    """Starts testimonyd with one socket, whose configuration has these keys. The end of the test stops it."""
    with contextlib.ExitStack() as stack:
        def start(**keys):
            config = testimony.socket_config(tmp_path / "testimony.sock", **keys)
            return stack.enter_context(testimony.TestimonyDaemon(wire.probe, tmp_path, config)).wait_until_serving()
        yield start
