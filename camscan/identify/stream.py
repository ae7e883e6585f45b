"""Which devices do the records of a file describe, one after the other?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from camscan.decode import exchange, zgrab
from camscan.decode.exchange import Skipped
from camscan.identify.devices import Identifier
from camscan.identify.naming import Namer
from camscan.model.claim import Device
from camscan.model.observation import Observation

MAX_RECORDS = 100_000
MAX_BYTES = 64 << 20
"""Of one device; what comes beyond is not looked at, and said (DESIGN rule 9)."""

EXCHANGE, ZGRAB = "n", "z"
"""Forms of a line: the exchange format, zgrab2's."""


class Line(Struct, frozen=True, gc=False):
    """One line of one of the files, where it stood, and its form."""

    file: int
    number: int
    form: str
    data: bytes


class Named(Struct, frozen=True, gc=False):
    """One device: the place of its first record, and its Identity as JSON."""

    file: int
    number: int
    json: bytes


class Left(Struct, frozen=True, gc=False):
    """What was not looked at; `expected` where the file itself says that there is no answer."""

    file: int
    skipped: Skipped
    expected: bool


class _Group(Struct):
    file: int
    number: int
    observations: list[Observation]
    size: int = 0
    beyond: int = 0


def records(line: Line) -> list[Observation | Skipped]:
    """What one line holds."""
    if line.form == ZGRAB:
        return zgrab.parse(line.data, line.number)
    return [exchange.parse(line.data, line.number)]


def expected(line: Line, left: Skipped) -> bool:
    """Whether the file itself says that there is no answer: a module of zgrab2 without a result."""
    return line.form == ZGRAB and bool(left.device_id)


def devices(observations: Iterable[Observation], identifier: Identifier) -> Iterator[Device]:
    """One Device per device_id, in the order in which the ids first appear; ids are taken as given."""
    groups: dict[str, list[Observation]] = {}
    for observation in observations:
        groups.setdefault(observation.device_id, []).append(observation)
    for name, group in groups.items():
        yield identifier.device(name, group)


class Batch:
    """Records of devices that stand together here; all of it in memory."""

    def __init__(self, namer: Namer) -> None:
        self._namer = namer
        self._groups: dict[str, _Group] = {}
        self.observations = 0
        self.left: list[Left] = []

    def add(self, line: Line) -> None:
        """Take the records of one line."""
        if line.form == EXCHANGE:
            self._take(line, exchange.parse(line.data, line.number))
            return
        for record in records(line):
            self._take(line, record)

    def _take(self, line: Line, record: Observation | Skipped) -> None:
        if isinstance(record, Skipped):
            self.left.append(Left(line.file, record, expected=expected(line, record)))
            return
        self.observations += 1
        group = self._groups.get(record.device_id)
        if group is None:
            group = self._groups[record.device_id] = _Group(line.file, line.number, [])
        group.size += len(record.response)
        if len(group.observations) >= MAX_RECORDS or group.size > MAX_BYTES:
            group.beyond += 1
            return
        group.observations.append(record)

    def named(self) -> Iterator[Named]:
        """The devices, in the order in which they first appeared; afterwards `left` is whole."""
        for name, group in self._groups.items():
            if group.beyond:
                why = f"{group.beyond} more records of one device, above the limit: not looked at"
                self.left.append(Left(group.file, Skipped(group.number, why, name), expected=False))
            yield Named(group.file, group.number, self._namer.line(name, group.observations))
