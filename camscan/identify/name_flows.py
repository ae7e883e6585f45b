"""Which names led a client to a flow?

In this order: the name inside the flow itself (SNI, Host, QUIC), the DNS answer the same client had before,
and last the certificate the server showed, which is the server's word and not the client's
(facts: traffic 3). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from camscan.model.traffic import Flow, NameSeen

INSIDE = ("tls", "quic", "http", "http-connect", "rtsp", "sip", "mqtt", "dtls")
"""Protocols in which a client names the server of the very flow."""
_EARLY_S = 5.0
"""Clocks of several capture points differ; an answer may seem to come a little late."""


class Named(Struct, frozen=True):
    """The names of one flow, best first, and how each was given."""

    names: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    by_device: bool = False
    """Whether the client itself gave the first name."""


class NameIndex:
    """All names of a run's captures, by what they are joined with."""

    def __init__(self, names: Iterable[NameSeen], *, of_one: bool = False) -> None:
        """`of_one`: all are of one device, which may ask by IPv4 for what it contacts by IPv6."""
        self._of_one = of_one
        self._inside: dict[tuple[str, str, int], dict[str, str]] = {}
        self._asked: dict[tuple[str, str], list[NameSeen]] = {}
        self._shown: dict[tuple[str, str, int], dict[str, str]] = {}
        for seen in names:
            if seen.proto == "dns" and not seen.odd:
                for address in seen.answers:
                    client = "" if of_one else seen.client
                    self._asked.setdefault((client, address), []).append(seen)
            elif seen.remote is not None and seen.port is not None:
                table = self._shown if seen.proto == "tls-cert" else self._inside
                table.setdefault((seen.client, seen.remote, seen.port), {})[seen.name] = seen.proto

    def of(self, flow: Flow) -> Named:
        """The names of a flow; those a log brought with it come first."""
        place = (flow.client, flow.remote, flow.port)
        found: dict[str, str] = dict.fromkeys(flow.names, "log")
        found |= self._inside.get(place, {})
        client = "" if self._of_one else flow.client
        asked = [
            n for n in self._asked.get((client, flow.remote), ()) if n.first - _EARLY_S <= flow.last
        ]
        # The last question before the flow began is the likeliest.
        asked.sort(key=lambda n: (n.first > flow.first, -n.first, n.name))
        for seen in asked:
            found.setdefault(seen.name, "dns")
        by_device = bool(found)
        if not found:
            shown = sorted(self._shown.get(place, {}), key=lambda n: ("*" in n, n))
            found = dict.fromkeys(shown, "certificate")
        ways = dict.fromkeys(found.values())
        if by_device and any(n.name in found for n in asked):
            ways.setdefault("dns")
        return Named(tuple(found), tuple(ways), by_device)


def with_names(flows: Iterable[Flow], names: Iterable[NameSeen]) -> tuple[tuple[Flow, Named], ...]:
    """Every flow with its names."""
    index = NameIndex(names)
    return tuple((flow, index.of(flow)) for flow in flows)


def unmet(names: Iterable[NameSeen], met: Mapping[str, object]) -> tuple[NameSeen, ...]:
    """Names that were asked for and led to no flow: neither they nor an alias of theirs."""
    return tuple(
        n
        for n in names
        if n.proto in {"dns", *INSIDE} and n.name not in met and not set(n.aliases) & set(met)
    )
