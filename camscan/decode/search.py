"""Which search messages may be sent to which group and port (facts: discovery 1 to 7)?

The complete list: what is not here is never sent. Each message only asks; none changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from msgspec import Struct

from camscan.decode import (
    bosch,
    dahua5050,
    dhip,
    dvrip,
    foscam,
    hanwha,
    mdns,
    miio,
    panasonic,
    pppp,
    reolink,
    sadp,
    sony,
    ssdp,
    tplink,
    ubiquiti,
    vivotek,
    vstarcam,
    wsd,
)
from camscan.model.observation import Kind

BROADCAST = "255.255.255.255"


class Asker(Struct, frozen=True, kw_only=True):
    """What a message says of the one who asks."""

    token: int
    """Random number of 64 bits; answers are known by it."""
    address: str
    """Own IPv4 address on the interface that is used."""
    answer_port: int = 0
    """Own UDP port to which answers are asked for where the message names one."""


class Search(Struct, frozen=True, kw_only=True):
    """One protocol: where the messages go, where answers come to, how they are built."""

    id: str
    kind: Kind
    port: int
    groups: tuple[str, ...]
    """IPv4 destinations: multicast groups or the limited broadcast."""
    answer_port: int | None
    """Port to listen on; None: answers come to the sender's port."""
    build: Callable[[Asker], tuple[bytes, ...]]


def _uuid(asker: Asker, number: int) -> UUID:
    return UUID(int=(asker.token & (1 << 64) - 1) << 8 | number, version=4)


SEARCHES: tuple[Search, ...] = (
    Search(
        id="wsd",
        kind=Kind.WSD,
        port=wsd.PORT,
        groups=(wsd.GROUP,),
        answer_port=None,
        build=lambda asker: (wsd.search_message(_uuid(asker, 1)),),
    ),
    Search(
        id="uniview",
        kind=Kind.WSD,
        port=wsd.PORT,
        groups=(wsd.GROUP,),
        answer_port=None,
        build=lambda asker: wsd.uniview_search_messages(_uuid(asker, 2), _uuid(asker, 3)),
    ),
    Search(
        id="sadp",
        kind=Kind.SADP,
        port=sadp.PORT,
        groups=(sadp.GROUP,),
        answer_port=sadp.PORT,
        build=lambda asker: (sadp.search_message(_uuid(asker, 4)),),
    ),
    Search(
        id="dhip",
        kind=Kind.DHDISCOVER,
        port=dhip.PORT,
        groups=(dhip.GROUP, BROADCAST),
        answer_port=None,
        build=lambda _: (dhip.search_message(),),
    ),
    Search(
        id="dahua5050",
        kind=Kind.DHDISCOVER,
        port=dahua5050.PORT,
        groups=(BROADCAST,),
        answer_port=dahua5050.PORT,
        build=lambda _: (dahua5050.search_message(),),
    ),
    Search(
        id="xiongmai",
        kind=Kind.DVRIP,
        port=dvrip.PORT,
        groups=(BROADCAST,),
        answer_port=dvrip.PORT,
        build=lambda _: (dvrip.search_message(),),
    ),
    Search(
        id="ssdp",
        kind=Kind.SSDP,
        port=ssdp.PORT,
        groups=(ssdp.GROUP,),
        answer_port=None,
        build=lambda _: (ssdp.search_message(),),
    ),
    Search(
        id="mdns",
        kind=Kind.MDNS,
        port=mdns.PORT,
        groups=(mdns.GROUP,),
        answer_port=mdns.PORT,
        build=lambda _: (mdns.search_message(),),
    ),
    Search(
        id="tplink-20002",
        kind=Kind.KASA,
        port=tplink.PORTS[0],
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda _: (tplink.search_message(),),
    ),
    Search(
        id="tplink-20004",
        kind=Kind.KASA,
        port=tplink.PORTS[1],
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda _: (tplink.search_message(),),
    ),
    Search(
        id="kasa",
        kind=Kind.KASA,
        port=tplink.LEGACY_PORT,
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda _: (tplink.legacy_search_message(),),
    ),
    Search(
        id="hanwha",
        kind=Kind.VENDOR_DISC,
        port=hanwha.PORT,
        groups=(BROADCAST,),
        answer_port=hanwha.ANSWER_PORT,
        build=lambda _: (hanwha.search_message(),),
    ),
    Search(
        id="bosch",
        kind=Kind.VENDOR_DISC,
        port=bosch.PORT,
        groups=(BROADCAST,),
        answer_port=bosch.ANSWER_PORT,
        build=lambda asker: (bosch.search_message(asker.token),),
    ),
    Search(
        id="vivotek",
        kind=Kind.VENDOR_DISC,
        port=vivotek.PORT,
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda asker: (vivotek.search_message(asker.token),),
    ),
    Search(
        id="panasonic",
        kind=Kind.VENDOR_DISC,
        port=panasonic.PORT,
        groups=(BROADCAST,),
        answer_port=panasonic.ANSWER_PORT,
        build=lambda asker: (panasonic.search_message(asker.address),),
    ),
    Search(
        id="sony",
        kind=Kind.VENDOR_DISC,
        port=sony.PORT,
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda _: (sony.search_message(),),
    ),
    Search(
        id="ubiquiti",
        kind=Kind.VENDOR_DISC,
        port=ubiquiti.PORT,
        groups=(ubiquiti.GROUP, BROADCAST),
        answer_port=ubiquiti.PORT,
        build=lambda _: (ubiquiti.search_message(1), ubiquiti.search_message(2)),
    ),
    Search(
        id="reolink",
        kind=Kind.VENDOR_DISC,
        port=reolink.PORT,
        groups=(BROADCAST,),
        answer_port=reolink.ANSWER_PORT,
        build=lambda _: (reolink.search_message(),),
    ),
    Search(
        id="reolink-2015",
        kind=Kind.VENDOR_DISC,
        port=reolink.UDP_PORTS[0],
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda asker: (reolink.udp_search_message(asker.token, asker.answer_port),),
    ),
    Search(
        id="reolink-2018",
        kind=Kind.VENDOR_DISC,
        port=reolink.UDP_PORTS[1],
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda asker: (reolink.udp_search_message(asker.token, asker.answer_port),),
    ),
    Search(
        id="foscam",
        kind=Kind.VENDOR_DISC,
        port=foscam.PORT,
        groups=(BROADCAST,),
        answer_port=foscam.PORT,
        build=lambda _: (foscam.search_message(),),
    ),
    Search(
        id="vstarcam",
        kind=Kind.VENDOR_DISC,
        port=vstarcam.PORT,
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda _: (vstarcam.search_message(),),
    ),
    Search(
        id="pppp",
        kind=Kind.PPPP,
        port=pppp.PORT,
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda _: (pppp.search_message(),),
    ),
    Search(
        id="miio",
        kind=Kind.MIIO,
        port=miio.PORT,
        groups=(BROADCAST,),
        answer_port=None,
        build=lambda _: (miio.search_message(),),
    ),
)
