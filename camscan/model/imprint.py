"""Which typed values does signatures/ hold about what stands in firmware images?

An imprint is a text that programs of an image carry by their own build: a component's version line, a
maker's SDK, a platform's file. Patterns are RE2 and searched in latin-1 text around a literal.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from camscan.model.claim import Family, Level


class ImprintSample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text as it stands in a file, and what must be read from it."""

    text: str
    path: str = ""
    expect: str = ""
    """Version or value; empty: only that the signature holds."""


class Support(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Until when a line of versions got fixes."""

    line: str
    """First numbers of the versions it covers: `1.0.2`."""
    ended: str
    """A day, or a month where the source names no day."""
    source: str
    as_of: str
    verification: str = "sourced"
    """`unverified`: no page was read that says so."""


class Flaw(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published flaw and the versions it names."""

    id: str
    source: str
    as_of: str
    title: str = ""
    first: str = ""
    below: str = ""
    """First version that is fixed."""
    last: str = ""
    """Last version that is affected; it names a line: `2.6` covers 2.6.1."""
    known_exploited: str = ""
    """Date added to the known-exploited list, empty if not on it."""
    known_exploited_as_of: str = ""
    verification: str = "sourced"
    """`unverified`: no page was read that names this range."""


class Component(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A software component and how an image shows it."""

    id: str
    name: str
    find: tuple[str, ...]
    """Literals of which one must stand in a file."""
    source: str
    as_of: str
    version_pattern: str = ""
    """RE2 with one group, searched around the literal."""
    version_required: bool = False
    """Whether the literal alone, without a version, says nothing."""
    party: str = ""
    note: str = ""
    support: tuple[Support, ...] = ()
    flaw: tuple[Flaw, ...] = ()
    sample: tuple[ImprintSample, ...] = ()
    near_miss: tuple[ImprintSample, ...] = ()


class Imprint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text or file of an image that supports one value of one attribute (DESIGN rule 3, family firmware)."""

    id: str
    about: str
    attribute: str
    """maker | brand | platform | model | firmware | build_date | toolchain | kernel_date | boot_date"""
    find: tuple[str, ...]
    source: str
    as_of: str
    value: str = ""
    """Fixed value; else group 1 of `pattern`."""
    pattern: str = ""
    path: str = ""
    """RE2 that must be found in the inner path; empty: any file."""
    values: Mapping[str, str] = {}
    """Raw text -> value; what is not listed counts for nothing where this is given."""
    family: Family = Family.FIRMWARE
    level: Level = Level.E2
    sample: tuple[ImprintSample, ...] = ()
    near_miss: tuple[ImprintSample, ...] = ()
    verification: str = "sourced"
    not_proof_of: str = ""


class FirmwareKnowledge(Struct, frozen=True, kw_only=True):
    components: tuple[Component, ...] = ()
    imprints: tuple[Imprint, ...] = ()
