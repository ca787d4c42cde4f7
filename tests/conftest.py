"""What every end-to-end test needs: a clerk binary that is there, and no bytecode left beside the tests."""

import sys

import pytest

sys.dont_write_bytecode = True

import clerk_runner  # noqa: E402
import namespaces  # noqa: E402


def pytest_configure():
    if not clerk_runner.CLERK.is_file():
        pytest.exit("no clerk binary at %s: build it first, or set CLERK" % clerk_runner.CLERK, returncode=2)


@pytest.fixture
def wire():
    """Two namespaces joined by a veth pair, for this test alone."""
    with namespaces.connected_wire() as wire:
        yield wire
