"""What does a reading look for? The same for every process that reads a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from camscan.decode.own_networks import Own
from camscan.model.service import ServiceSignature
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.packet import Gate
from camscan.observe.traffic.services import service_gates


class Asked(NamedTuple):
    services: Sequence[ServiceSignature]
    resolvers: Mapping[str, str]
    """Name or address -> whose resolver."""
    local: tuple[str, ...]
    """Networks of the owner."""

    def namer(self) -> Namer:
        """One that has read nothing."""
        return Namer(self.services, local=Own(self.local), resolvers=self.resolvers)

    def gates(self) -> tuple[Gate, ...]:
        return (*GATES, *service_gates(self.services))
