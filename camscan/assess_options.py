"""What is a result a function of, besides the run and the knowledge?"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.knowledge import Network
from camscan.model.lookups import NO_LOOKUPS, Lookups
from camscan.model.site import Site


class AssessOptions(Struct, frozen=True, kw_only=True):
    """What a result is a function of, besides the run and the knowledge (DESIGN rule 13)."""

    site: Site = Site()
    networks: tuple[Network, ...] = ()
    jurisdiction: str = ""
    """`RS`, `EU:xx`; empty: from the site file, else none."""
    as_of: str = ""
    """ISO time; empty: end of the last intake."""
    inputs: tuple[tuple[str, str], ...] = ()
    """(name, sha256) of the files that were read: site file, asset list, network table."""
    lookups: Lookups = NO_LOOKUPS
    """Registration, place and AS of addresses, from the data of this machine."""
