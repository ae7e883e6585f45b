"""Which lists tell one name from another: what signatures/ know, and the words of vocab/firmware.toml?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from camscan.model.knowledge import EndpointName

_PURPOSES: tuple[tuple[str, str], ...] = (
    ("ntp", "ntp"), ("dns", "dns"), ("ddns", "ddns"), ("rendezvous", "p2p"), ("relay", "relay"), ("push", "push"),
    ("storage", "storage"), ("update", "update"), ("signalling", "p2p"), ("registration", "cloud_api"),
    ("account", "cloud_api"), ("telemetry", "telemetry"), ("portal", "cloud_api"),
)  # fmt: skip
"""First that a record names wins: (purpose of endpoints/, class)."""


class Words:
    """Looked up for every name; made once per process."""

    def __init__(
        self, vocabulary: Mapping[str, tuple[str, ...]], names: Iterable[EndpointName]
    ) -> None:
        self._lists = {
            key.removeprefix("firmware."): frozenset(words)
            for key, words in vocabulary.items()
            if key.startswith("firmware.")
        }
        self._exact: dict[str, EndpointName] = {}
        self._suffix: dict[str, EndpointName] = {}
        self._glob: dict[str, list[tuple[re.Pattern[str], EndpointName]]] = {}
        self.known = lru_cache(maxsize=1 << 16)(self._known)
        """Whether signatures/ name a host or a name above it, or it tells the time."""
        for record in names:
            if not record.matchable:
                continue
            pattern = record.match.lower().rstrip(".")
            first, _, rest = pattern.partition(".")
            if first == "*" and "*" not in rest:
                self._suffix.setdefault(rest, record)
            elif "*" in first and "*" not in rest:
                label = "".join("[^.]*" if c == "*" else re.escape(c) for c in first)
                self._glob.setdefault(rest, []).append((re.compile(label), record))
            elif "*" not in pattern:
                self._exact.setdefault(pattern, record)

    def within(self, host: str, key: str) -> bool:
        """Whether the host, or a name above it, stands in a list."""
        words = self._lists.get(key, frozenset())
        if host in words:
            return True
        dot = host.find(".")
        while dot >= 0:
            if host[dot + 1 :] in words:
                return True
            dot = host.find(".", dot + 1)
        return False

    def listed(self, host: str, key: str) -> bool:
        """Whether exactly this host stands in a list."""
        return host in self._lists.get(key, frozenset())

    def record(self, host: str) -> EndpointName | None:
        """What signatures/ know of the name: exact, by pattern, or by the longest suffix."""
        host = host.lstrip("*.")
        if host in self._exact:
            return self._exact[host]
        first, _, rest = host.partition(".")
        for pattern, record in self._glob.get(rest, ()):
            if pattern.fullmatch(first):
                return record
        tail = host
        while tail:
            if tail in self._suffix:
                return self._suffix[tail]
            if tail.count(".") == 1 and tail in self._exact:
                return self._exact[tail]
            tail = tail.partition(".")[2]
        return None

    def _known(self, host: str) -> bool:
        return self.record(host) is not None or self.within(host, "time")

    def purpose(self, host: str) -> str:
        """The class its purposes in endpoints/ give, empty if it is not known there."""
        record = self.record(host)
        if record is None:
            return ""
        return next((kind for word, kind in _PURPOSES if word in record.purpose), "cloud_api")

    def single(self, host: str) -> bool:
        """Whether endpoints/ name one purpose alone."""
        record = self.record(host)
        return record is not None and len(record.purpose) == 1
