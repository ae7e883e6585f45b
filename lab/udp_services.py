"""Which UDP discovery services can a persona have, on which ports and groups?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lab.persona import Udp

BROADCAST = "255.255.255.255"


class Service(NamedTuple):
    """Where a search arrives and where its answer goes (facts: discovery 1)."""

    port: int
    groups: tuple[str, ...]
    answer_port: int | None = None
    destination: str = "sender"
    needs: str = "reply"
    """reply | fields | record | none"""
    fields: tuple[str, ...] = ()


SERVICES: dict[str, Service] = {
    "wsd": Service(3702, ("239.255.255.250",)),
    "uniview": Service(3702, ("239.255.255.250",)),
    "sadp": Service(37020, ("239.255.255.250",), 37020, "group"),
    "dhip": Service(37810, ("239.255.255.251", BROADCAST)),
    "dahua5050": Service(
        5050,
        (BROADCAST,),
        needs="fields",
        fields=("model", "version", "name", "device", "ipv6", "dns"),
    ),
    "xm": Service(34569, (BROADCAST,), 34569),
    "ssdp": Service(1900, ("239.255.255.250",)),
    "mdns": Service(5353, ("224.0.0.251",), 5353, "group", needs="record"),
    "tplink20002": Service(20002, (BROADCAST,)),
    "tplink9999": Service(9999, (BROADCAST,)),
    "hanwha": Service(7701, (BROADCAST,), 7711, "port", "fields", ("model", "url")),
    "bosch": Service(1757, (BROADCAST,), 1758, "port", "none"),
    "vivotek": Service(10000, (BROADCAST,), needs="fields", fields=("name", "model")),
    "panasonic": Service(
        10670,
        (BROADCAST,),
        10669,
        "port",
        "fields",
        ("name", "short_name", "firmware", "http_port", "dns1", "dns2"),
    ),
    "sony": Service(2380, (BROADCAST,), needs="fields"),
    "ubiquiti": Service(
        10001,
        ("233.89.188.1", BROADCAST),
        needs="fields",
        fields=("hostname", "model", "firmware", "version"),
    ),
    "reolink2000": Service(2000, (BROADCAST,), 3000, "port", "fields", ("name", "uid", "tcp_port")),
    "bcudp": Service(2015, (BROADCAST,)),
    "foscam": Service(
        10000,
        (BROADCAST,),
        needs="fields",
        fields=("serial", "name", "firmware", "web", "web_port", "dns", "type"),
    ),
    "vstarcam": Service(
        8600,
        (BROADCAST,),
        needs="fields",
        fields=("serial", "name", "firmware", "http_port", "dns1", "dns2"),
    ),
    "pppp": Service(32108, (BROADCAST,), needs="fields", fields=("prefix", "number", "check")),
    "miio": Service(54321, (BROADCAST,), needs="fields", fields=("device_id",)),
    "snmp": Service(161, (), needs="fields", fields=("engine_id",)),
    "raw": Service(0, (BROADCAST,)),
}


def port_of(udp: Udp) -> int:
    """The port a service is asked at."""
    return udp.port if udp.port is not None else SERVICES[udp.service].port


def groups_of(udp: Udp) -> tuple[str, ...]:
    """Group addresses a service listens on."""
    if not udp.group:
        return ()
    return SERVICES[udp.service].groups if udp.groups is None else udp.groups


def udp_problems(udp: Udp) -> Iterator[str]:
    """What is wrong with one [[udp]] table beyond types."""
    where = f"udp {udp.service}"
    service = SERVICES.get(udp.service)
    if service is None:
        yield f"{where}: unknown service; known: {', '.join(SERVICES)}"
        return
    if not 0 < port_of(udp) < 65536:
        yield f"{where}: port {port_of(udp)} is not 1 to 65535"
    for name, text in (("reply_hex", udp.reply_hex), ("match_hex", udp.match_hex)):
        try:
            bytes.fromhex(text or "")
        except ValueError:
            yield f"{where}: {name} is not hexadecimal"
    if udp.service == "raw" and udp.match_hex is None:
        yield f"{where}: raw needs match_hex"
    has_reply = udp.reply is not None or bool(udp.replies) or udp.reply_hex is not None
    if service.needs == "reply" and not has_reply:
        yield f"{where}: give reply, replies or reply_hex"
    if service.needs == "fields" and not udp.fields and udp.reply_hex is None:
        yield f"{where}: give [udp.fields] with {', '.join(service.fields)}"
    if service.needs == "record" and not udp.record:
        yield f"{where}: give at least one [[udp.record]]"
    if service.fields:
        for name in udp.fields:
            if name not in service.fields:
                yield f"{where}: unknown field {name!r}; known: {', '.join(service.fields)}"
