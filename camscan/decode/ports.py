"""Which ports did the port stage find open, closed or silent?"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from camscan.decode.collect import Collector
from camscan.errors import DecodeError
from camscan.model.observation import Fields


class PortStates(Struct, frozen=True):
    """TCP port numbers by answer, silent ports gave none; UDP ports that said "port unreachable"."""

    open: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    udp_closed: tuple[int, ...] = ()

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.PORTS]`; numbers sorted, at most 512 of each."""
        out = Collector()
        out.add("open", *sorted(set(self.open)))
        out.add("closed", *sorted(set(self.closed)))
        out.add("silent", *sorted(set(self.silent)))
        out.add("udp-closed", *sorted(set(self.udp_closed)))
        if probed := {*self.open, *self.closed, *self.silent}:
            out.add("open-count", len(set(self.open)))
            out.add("probed-count", len(probed))
        return out.done()


def parse(data: bytes) -> PortStates:
    """Read `{"open":[80],"closed":[],"silent":[]}`; raises DecodeError for anything else."""
    try:
        states = msgspec.json.decode(data, type=PortStates)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DecodeError(f"port states are not as expected: {error}") from error
    for port in (*states.open, *states.closed, *states.silent, *states.udp_closed):
        if not 0 < port < 65_536:
            raise DecodeError(f"port {port} is not between 1 and 65535")
    return states
