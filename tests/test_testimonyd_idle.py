"""While nothing comes testimonyd sleeps, whoever is connected and whatever they keep."""

import contextlib
import time

from namespaces import Wire
from numbered import Numbered
from testimony import FANOUT_LB, Client, TestimonyDaemon, read_packets, socket_config

PERIOD_S = 3
SHARE_MAX = 0.01  # of a core


def test_a_daemon_without_traffic_takes_no_processor_time(wire, tmp_path):
    """Several daemons in one go: with clients, with one that keeps blocks, with an interface that is down or away."""
    wire_down = Wire(wire.probe, wire.network, "other", "otherlink")
    wire_down.connect()
    numbered = Numbered(wire)
    with contextlib.ExitStack() as stack:
        def daemon_of(name, **keys):
            (tmp_path / name).mkdir()
            config = socket_config(tmp_path / name / "testimony.sock", FanoutType=FANOUT_LB, FanoutSize=2, **keys)
            return stack.enter_context(TestimonyDaemon(wire.probe, tmp_path / name, config)).wait_until_serving()

        def client_of(daemon, index, **options):
            return stack.enter_context(Client(daemon.path, index, **options))

        reading, holding = daemon_of("reading"), daemon_of("holding")
        down, away = daemon_of("down", Interface="other"), daemon_of("away", Interface="missing")
        readers = [client_of(reading, index) for index in (0, 0, 0, 1)]
        holders = [client_of(holding, index, keep=5) for index in (0, 1)]
        client_of(down, 0)
        for _ in range(4):
            numbered.send(2)
            read_packets([*readers, *holders], 1)
            for client in readers + holders:
                client.numbers.clear()
        wire_down.lower_watched()
        down.wait_for_line("other is down")
        daemons = [reading, holding, down, away]
        assert holding.ring(0)["blocks_held"] > 0 and reading.ring(0)["blocks_held"] == 0
        before = [daemon.processor_seconds() for daemon in daemons]
        time.sleep(PERIOD_S)
        taken = [daemon.processor_seconds() - known for daemon, known in zip(daemons, before)]
        assert max(taken) < PERIOD_S * SHARE_MAX, taken
        for daemon in daemons:
            daemon.stop()
