"""Which records of signatures/ name product lines, and entries that were taken back?"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.claim import Level


class LineText(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text as a device prints it, and the designation that must be read out of it."""

    text: str
    model: str = ""


class ProductLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a maker designates the models of one line: `DCS-935L` wherever a name is printed.

    Looked for in every short text in which a device prints its own name (identify/lines.py), whatever
    the protocol. Family label: a seller can print anything.
    """

    id: str
    """`<maker or brand>.line.<what>`."""
    about: str
    pattern: str
    """RE2 with exactly one group, the designation; searched on word borders."""
    source: str
    as_of: str
    maker: str | None = None
    """Party id; None where only the brand is known."""
    brand: str = ""
    platform: str | None = None
    role: str = ""
    """A role of the closed vocabulary; empty where the line holds several."""
    level: Level = Level.E2
    sample: tuple[LineText, ...] = ()
    near_miss: tuple[LineText, ...] = ()
    verification: str = "sourced"
    not_proof_of: str = "who built the device: a label"
    version: str = ""  # short hash of the record, filled by the loader
    local: bool = False


class Withdrawn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry that once decided something and turned out wrong; its id is never used again."""

    id: str
    date: str
    reason: str
    source: str
    as_of: str
    replaced_by: str = ""
    """Id of the signature that stands in its place, empty if there is none."""
