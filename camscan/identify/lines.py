"""Which product line does a text belong to in which a device prints its own name?

Makers designate their models by a scheme of their own (`DCS-935L`, `SNC-CS3`, `TV-IP110W`) and print the
designation wherever a protocol has room for a name: title, realm, greeting, description, scope. One
record of signatures/devices (`[[line]]`) serves all of them. Only short texts are looked at: a page that
lists products is no name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import re2

from camscan.decode.recent import Recent
from camscan.decode.text import clean
from camscan.errors import KnowledgeError
from camscan.identify.values import normal
from camscan.model.claim import Attribute, Evidence, Family
from camscan.model.observation import Fields, Kind
from camscan.model.product import ProductLine

LONGEST = 160
"""Characters of a text that can be a device's name."""
_EXCERPT = 200
_ROOM = 4 << 20
"""Bytes of texts whose lines are remembered."""
_WEB = ("title", "realm", "server")

PRINTED: Mapping[Kind, tuple[str, ...]] = {
    Kind.HTTP: _WEB,
    Kind.TITLE: _WEB,
    Kind.SERVER_HEADER: _WEB,
    Kind.WWWAUTH: _WEB,
    Kind.RTSP: ("server", "realm", "sdp.session", "sdp.info"),
    Kind.FTP: ("banner",),
    Kind.TELNET: ("banner",),
    Kind.SNMP: ("sysdescr",),
    Kind.SSDP: ("server",),
    Kind.UPNP_XML: ("model-number", "model-name", "friendly-name", "model-description"),
    Kind.WSD: ("scope.hardware", "scope.model", "scope.name"),
    Kind.ONVIF: ("model", "hardware-id"),
    Kind.DHCP: ("vendor-class", "hostname"),
    Kind.MDNS: ("instance", "txt", "host"),
    Kind.HTTPS_CERT: ("subject.cn", "subject.ou"),
    Kind.VENDOR_DISC: ("model", "name"),
    Kind.SADP: ("device-description",),
    Kind.DHDISCOVER: ("device-type",),
}
"""Kind -> fields in which a device prints its name."""


class Lines:
    """The compiled patterns of all product lines; one pass per text, linear in its length."""

    def __init__(self, lines: Sequence[ProductLine], options: re2.Options) -> None:
        self._lines = tuple(lines)
        self._patterns = []
        self._set = re2.Set.SearchSet(options)
        for line in self._lines:
            try:
                self._patterns.append(re2.compile(line.pattern, options))
            except re2.error as error:
                raise KnowledgeError(f"{line.id}: {line.pattern!r} is not RE2") from error
            self._set.Add(line.pattern)
        self._joined = False
        self._recent: Recent[str, tuple[tuple[ProductLine, str], ...]] = Recent(_ROOM)

    def matching(self, text: str) -> tuple[tuple[ProductLine, str], ...]:
        """(line, designation) for every line that the text names."""
        if not self._lines or len(text) > LONGEST:
            return ()
        known = self._recent.get(text)
        if known is None:
            known = tuple(self._matching(text))
            self._recent.put(text, known, len(text) + 150 * (1 + len(known)))
        return known

    def _matching(self, text: str) -> Iterator[tuple[ProductLine, str]]:
        if not self._joined:
            self._set.Compile()
            self._joined = True
        for number in sorted(self._set.Match(text) or ()):
            found = self._patterns[number].search(text)
            if found is not None and found.group(1):
                yield self._lines[number], clean(found.group(1))

    def named(self, kind: Kind, fields: Fields) -> tuple[tuple[str, str], ...]:
        """(id of the line, designation) of all that the fields of one observation name."""
        return tuple(
            (line.id, model)
            for field in PRINTED.get(kind, ())
            for text in fields.get(field, ())
            for line, model in self.matching(text)
        )

    def evidence(self, kind: Kind, fields: Fields, observation: str) -> Iterator[Evidence]:
        """What the names printed in one observation say, in the order of its fields."""
        said: set[tuple[str, Attribute, str]] = set()
        for field in PRINTED.get(kind, ()):
            for text in fields.get(field, ()):
                for line, model in self.matching(text):
                    for attribute, value in _values(line, model):
                        if (line.id, attribute, value) in said:
                            continue
                        said.add((line.id, attribute, value))
                        yield Evidence(
                            signature=line.id,
                            version=line.version,
                            family=Family.LABEL,
                            level=line.level,
                            observation=observation,
                            attribute=attribute,
                            value=value,
                            excerpt=clean(f"{field}: {text}")[:_EXCERPT],
                            note=line.not_proof_of,
                            local=line.local,
                        )


def _values(line: ProductLine, model: str) -> Iterator[tuple[Attribute, str]]:
    yield Attribute.MODEL, normal(Attribute.MODEL, model)
    for attribute, value in (
        (Attribute.MAKER, line.maker),
        (Attribute.BRAND, line.brand),
        (Attribute.PLATFORM, line.platform),
        (Attribute.ROLE, line.role),
    ):
        if value:
            yield attribute, value
