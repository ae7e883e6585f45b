"""Which announcement protocols exist?

Explicit on purpose: a search message leaves only if it is in this tuple and in the probe plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from camscan.observe.network.announcement import Announcement
from camscan.observe.network.protocols import (
    bcudp,
    bosch,
    dahua5050,
    dhip,
    foscam,
    hanwha,
    ipro,
    mdns,
    miio,
    pppp,
    reolink,
    sadp,
    sony,
    ssdp,
    tplink9999,
    tplink20002,
    tplink20004,
    tuya,
    ubiquiti,
    uniview,
    uniview2,
    vivotek,
    vstarcam,
    wsd,
    xiongmai,
)
from camscan.observe.wire.answer import Search

ANNOUNCEMENTS: tuple[Announcement, ...] = (
    wsd.ANNOUNCEMENT,
    uniview.ANNOUNCEMENT,
    uniview2.ANNOUNCEMENT,
    sadp.ANNOUNCEMENT,
    dhip.ANNOUNCEMENT,
    dahua5050.ANNOUNCEMENT,
    xiongmai.ANNOUNCEMENT,
    ssdp.ANNOUNCEMENT,
    mdns.ANNOUNCEMENT,
    tplink20002.ANNOUNCEMENT,
    tplink20004.ANNOUNCEMENT,
    tplink9999.ANNOUNCEMENT,
    hanwha.ANNOUNCEMENT,
    bosch.ANNOUNCEMENT,
    vivotek.ANNOUNCEMENT,
    ipro.ANNOUNCEMENT,
    sony.ANNOUNCEMENT,
    ubiquiti.ANNOUNCEMENT,
    reolink.ANNOUNCEMENT,
    bcudp.ANNOUNCEMENT,
    foscam.ANNOUNCEMENT,
    vstarcam.ANNOUNCEMENT,
    pppp.ANNOUNCEMENT,
    miio.ANNOUNCEMENT,
    tuya.PLAIN,
    tuya.ENCIPHERED,
)


def chosen(names: Iterable[str]) -> tuple[Announcement, ...]:
    """The protocols a plan names, in the order of the registry; `all` means every one."""
    wanted = set(names)
    return tuple(a for a in ANNOUNCEMENTS if a.name in wanted or "all" in wanted)


def searches() -> Mapping[str, Search]:
    """The one message per protocol that may be sent to a single device."""
    return {a.name: a.search() for a in ANNOUNCEMENTS if not a.listens}
