"""Which devices do the observations of a file describe, one after the other?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from camscan.identify.devices import Identifier
from camscan.model.claim import Device
from camscan.model.observation import Observation


def devices(observations: Iterable[Observation], identifier: Identifier) -> Iterator[Device]:
    """One Device per device_id, in the order in which the ids first appear; ids are taken as given."""
    groups: dict[str, list[Observation]] = {}
    for observation in observations:
        groups.setdefault(observation.device_id, []).append(observation)
    for name, group in groups.items():
        yield identifier.device(name, group)
