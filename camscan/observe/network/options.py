"""How was an active scan asked for, and what did it come to?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec
from msgspec import Struct


class ScanOptions(Struct, frozen=True, kw_only=True):
    """Options of one scan; written into the intake and read back by `--resume`."""

    speed: str = "polite"
    """polite | normal | fast"""
    announcements: bool = True
    """Send the group search messages."""
    canary: int = 0
    """Ask this many devices first, wait, check that they live, then go on."""
    canary_wait: float = 5.0
    """Seconds between the last question to the canary devices and the check."""
    interface: str | None = None
    """Use this interface only."""
    port_offset: int = 0
    """Ports below 1024 are asked at port + offset (test benches of ordinary users)."""
    connect_only: bool = False
    """Port stage by plain connections even where raw packets are allowed."""
    engine: str = "own"
    """own | nmap: who does the port stage."""
    host_budget: float = 20.0
    """Seconds of exchanges with one device."""

    def lines(self) -> tuple[tuple[str, str], ...]:
        """(name, JSON value) of every option, for intake.json."""
        return tuple(
            (name, msgspec.json.encode(getattr(self, name)).decode())
            for name in self.__struct_fields__
        )

    @classmethod
    def from_lines(cls, lines: Iterable[tuple[str, str]]) -> ScanOptions:
        """Inverse of `lines`; names of other versions are ignored."""
        values = {
            name: msgspec.json.decode(value)
            for name, value in lines
            if name in cls.__struct_fields__
        }
        return msgspec.convert(values, cls)

    def real_port(self, port: int) -> int:
        """Where a well-known port is asked."""
        return port + self.port_offset if port < 1024 else port


class Progress(Protocol):
    """Shows a person that the scan is alive."""

    def stage(self, name: str, done: int, total: int) -> None: ...
    def device(self, address: str, text: str) -> None: ...


class ScanSummary(Struct, frozen=True, kw_only=True):
    """What a scan came to; counts, seconds."""

    complete: bool
    """Every test that was asked for has finished for everything in scope."""
    addresses: int
    answered: int
    """Addresses in scope that answered anything."""
    finished: int
    """Devices whose questions were all put or settled."""
    observations: int
    attempts: int
    stopped: str = ""
    """Why the scan ended early, empty if it did not."""
    notes: tuple[str, ...] = ()
    loss: float = 0.0
    """Estimated share of SYN answers lost, 0 to 1."""
    seconds: float = 0.0
    stages: tuple[tuple[str, float], ...] = ()
    """(stage, seconds from the start of the scan to its end)"""
    sent: tuple[tuple[str, int], ...] = ()
    """Counters of the gate: everything that left this machine."""
