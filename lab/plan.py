"""What is in one emulated city: its segments and how many of which device?"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

PLANS = Path(__file__).parent / "plans"


class PlanError(Exception):
    """A plan file is missing or wrong."""


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables: unknown keys are errors."""


class PlacePlan(_Table):
    """A place name the owner uses and its share of the segment's cameras."""

    name: str
    sensitivity: str = ""
    share: float = 1


class SegmentPlan(_Table):
    id: str
    cidr: str
    kind: Literal["on-link", "routed", "unreachable"] = "on-link"
    cameras: int = 0
    others: int = 0
    reject: int = 0
    place: tuple[PlacePlan, ...] = ()

    @property
    def network(self) -> IPv4Network:
        return IPv4Network(self.cidr)


class AssetPlan(_Table):
    """How the owner's list differs from what is there."""

    unlisted: int = 0
    """Cameras on the network that the list does not know."""
    hidden: int = 0
    """Listed cameras behind recorders, without an address of their own."""
    list_only: int = 0
    """Listed cameras that are nowhere on the network (on a mobile network)."""


class Plan(_Table):
    id: str
    about: str
    segment: tuple[SegmentPlan, ...]
    seed: int = 1
    every: bool = True
    """At least one unit of every persona that fits."""
    exclude: tuple[str, ...] = ()
    """Persona ids or patterns that are left out."""
    weights: Mapping[str, float] = {}
    """Persona id or pattern -> weight when filling up (default 1)."""
    counts: Mapping[str, int] = {}
    """Persona id or pattern -> at least so many."""
    composite: int = 0
    """Addresses with three cameras on different ports behind them."""
    foreign: Mapping[str, str] = {}
    """Persona id or pattern -> address of a foreign subnet that one extra unit has."""
    channels_seen: int | None = None
    """Of each recorder, so many cameras answer for themselves (default: what the persona says)."""
    assets: AssetPlan = AssetPlan()
    owner: str = "Town of Camville (emulated)"
    jurisdiction: str = "RS"
    declarations: tuple[Mapping[str, str | tuple[str, ...]], ...] = ()


def load_plan(name: str) -> Plan:
    """A shipped plan by id, or a file by path. Raises PlanError."""
    path = Path(name) if name.endswith(".toml") else PLANS / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PLANS.glob("*.toml")))
        raise PlanError(f"no plan {name!r}; known: {known}; or give the path of a .toml file")
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Plan)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise PlanError(f"{path.name}: {error}") from error
