"""What a run of the benchmark is to do; the command line fills it in."""

import pathlib
from dataclasses import dataclass, field


@dataclass
class Settings:
    build: pathlib.Path
    packets: int  # of each trace
    rounds: int
    peer_rounds: int  # the first ones: some peers take half a minute
    live_rounds: int
    live_seconds: int
    flood_packets: int
    clerk_flags: list = field(default_factory=list)

    @property
    def programs(self):
        return self.build / "bin"
