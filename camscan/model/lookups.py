"""Which look-ups of an address lie outside signatures/, and how does each name itself?

Built by `camscan.lookups` from installed data and the user's files, handed to `attribute` by `audit`.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Country(Struct, frozen=True):
    """Address -> ISO 3166 code, None where the data say nothing."""

    of: Callable[[str], str | None]
    source: str
    """Name and date of the data, as printed beside every value taken from it."""


class AutonomousSystem(Struct, frozen=True):
    """Address -> (AS number, name of the AS), None where the data say nothing."""

    of: Callable[[str], tuple[int, str] | None]
    source: str


class Lookups(Struct, frozen=True, kw_only=True):
    """Registration, place and AS of an address; a look-up that is not there is None."""

    registry: Country | None = None
    located: Country | None = None
    asn: AutonomousSystem | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    """(name, sha256 or version) of the data behind them (DESIGN rule 13)."""


NO_LOOKUPS = Lookups()
