"""Who is a company or body that makes, runs, sells or owns something, and what is known of it?"""

from __future__ import annotations

import re

from msgspec import Struct

_BRACKET = re.compile(r" *[(;/]")


class Party(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A company or other body.

    `kind`: maker | operator | network-operator | software | intermediary (sells, never makes) |
    component (chips inside devices of others; never their maker).
    """

    id: str
    name: str
    kind: tuple[str, ...]
    source: str
    as_of: str
    country: str | None = None
    """Seat of the party itself, ISO 3166; None = not known or disputed."""
    group_seat: str | None = None
    """Country of the group's headquarters; None = not known; `disputed`: see seat_note."""
    parent: str | None = None
    jurisdiction: tuple[str, str] = ("J?", "J?")
    """Lower and upper J level that the maker alone supports (facts: scoring 6, never above J2)."""
    spellings: tuple[str, ...] = ()
    """Exact texts devices print for this party as manufacturer."""
    listing: str = ""
    ownership: str = ""
    note: str = ""
    position: str = ""
    """The party's published position, printed beside a jurisdiction finding."""
    verification: str = "sourced"
    seat_note: str = ""
    state_share: str = ""
    """What is reported of public ownership, with its date; empty: nothing was read."""
    disputed: str = ""
    """What sources disagree about."""
    network_shows: str = ""
    """What an audit of one network can and cannot show of this party."""
    restrictions: tuple[str, ...] = ()
    """Listings elsewhere: text of the non-binding annex only, never a reason for a level."""
    position_source: str = ""
    city: str = ""

    @property
    def short(self) -> str:
        """The name as it stands on devices: the spelling that is the id but for case and marks, else the name alone."""
        plain = "".join(filter(str.isalnum, self.id))
        known = (t for t in self.spellings if "".join(filter(str.isalnum, t.casefold())) == plain)
        return next(known, _BRACKET.split(self.name, maxsplit=1)[0])

    @property
    def builds(self) -> bool:
        """Whether a device or program can be of its make: suppliers and makers of chips build neither."""
        return not {"intermediary", "component"} & set(self.kind)
