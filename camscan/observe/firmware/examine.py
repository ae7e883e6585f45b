"""What does one image hold: endpoints, components, keys, facts, and what of it was not opened?

Runs in a child process. Bytes are read once, entry by entry; an archive whose files come out one by
one is not searched as bytes as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from camscan.decode.text import clean
from camscan.model.firmware import (
    ImageComponent,
    ImageFact,
    ImageKey,
    ImageReport,
    Opened,
    Unopened,
)
from camscan.model.imprint import FirmwareKnowledge
from camscan.model.knowledge import EndpointName
from camscan.observe.firmware import accounts, keys, stated, suffixes
from camscan.observe.firmware.anchors import Finder
from camscan.observe.firmware.entry import Budget, Entry
from camscan.observe.firmware.gather import MOST_OF_A_CLASS, Gatherer
from camscan.observe.firmware.opening import open_image
from camscan.observe.firmware.prints import Prints
from camscan.observe.firmware.roles import PROGRAM, role_of
from camscan.observe.firmware.words import Words

MOST_KEYS = 2000
MOST_FACTS = 400
MOST_PARTS = 10_000
"""Containers listed, and closed parts listed."""
_PLAIN_FORMS = (
    (0, b"070701"),
    (0, b"070702"),
    (257, b"ustar"),
    (0, b"-rom1fs-"),
    (1080, b"\x53\xef"),
    (0, b"PK\x03\x04"),
    (0, b"DH\x03\x04"),
)
"""Forms whose files lie uncompressed in them: searched as files, not once more as bytes."""


class Tables(Struct, frozen=True, kw_only=True):
    """What an image is searched with: frozen values of the knowledge."""

    digest: str
    """Of the knowledge they come from."""
    vocabulary: Mapping[str, tuple[str, ...]]
    names: tuple[EndpointName, ...]
    firmware: FirmwareKnowledge


class ImageJob(Struct, frozen=True, kw_only=True):
    """One image for one child."""

    path: str
    name: str
    tables: Tables
    budget: Budget = Budget()


class Opens(Protocol):
    """What `open_image` gives."""

    opened: list[Opened]
    unopened: list[Unopened]

    def entries(self) -> Iterator[Entry]: ...

    def sha256(self) -> str: ...


class Searcher:
    """The compiled tables, made once per process."""

    def __init__(self, tables: Tables) -> None:
        self.digest = tables.digest
        self.words = Words(tables.vocabulary, tables.names)
        self.prints = Prints(tables.firmware)
        self.suffixes = suffixes.load()
        self.anchors = Finder(self.suffixes.endings)


_searchers: dict[str, Searcher] = {}


def run(job: ImageJob) -> ImageReport:
    """The job of a child: open and search one image. Raises OSError where it cannot be read."""
    searcher = _searchers.get(job.tables.digest)
    if searcher is None:
        _searchers.clear()
        searcher = _searchers[job.tables.digest] = Searcher(job.tables)
    return examine(open_image(Path(job.path), budget=job.budget), job.name, searcher)


def examine(opening: Opens, name: str, searcher: Searcher) -> ImageReport:
    """Everything that can be read from the entries of one image."""
    gatherer = Gatherer(searcher.suffixes, searcher.words)
    components: dict[tuple[str, str | None], ImageComponent] = {}
    facts: dict[tuple[str, str], ImageFact] = {}
    found: list[ImageKey] = []
    cut: list[Unopened] = []
    digest, tree = "", hashlib.sha256()
    size = files = examined = total = 0
    whole = False
    for entry in opening.entries():
        if entry.kind == "image":
            digest = opening.sha256()
            size, whole = len(entry.data), True
            continue
        if entry.kind not in {"file", "gap"}:
            continue
        if entry.kind == "file":
            files += 1
            if not whole:
                total += len(entry.data)
                tree.update(
                    f"{entry.path}\0{hashlib.sha256(entry.data).hexdigest()}\n".encode(
                        "utf-8", "surrogateescape"
                    )
                )
        if unpacked(entry.data):
            continue
        data = bytes(entry.data)
        role = role_of(entry.path, data)
        examined += len(entry.data)
        anchors = searcher.anchors.find(data)
        if not gatherer.take(entry.path, data, role, anchors):
            cut.append(
                Unopened(
                    path=clean(entry.path),
                    offset=0,
                    size=len(entry.data),
                    reason="budget",
                    detail="more dots and numbers than one file is searched for",
                )
            )
        named, told = searcher.prints.read(entry.path, anchors.text, program=role in PROGRAM)
        for component in named:
            components.setdefault((component.component, component.version), component)
        for fact in told:
            if len(facts) < MOST_FACTS:
                facts.setdefault((fact.attribute, fact.value), fact)
        if len(found) < MOST_KEYS:
            found += [*keys.find(entry.path, data, anchors), *accounts.find(entry.path, data)]
    endpoints = gatherer.done()
    every = tuple(facts.values()) + tuple(stated.facts(opening.opened))
    return ImageReport(
        image=clean(name),
        size=size if whole else total,
        sha256=digest if whole else tree.hexdigest(),
        opened=tuple(opening.opened[:MOST_PARTS]),
        not_examined=_bounded((*opening.unopened, *cut)),
        files=files,
        bytes_examined=examined,
        facts=tuple(sorted(every, key=lambda f: (f.attribute, f.value, f.path, f.offset))),
        endpoints=endpoints,
        keys=tuple(_stores(_once(found[:MOST_KEYS]))),
        components=tuple(sorted(_versioned(components.values()), key=lambda c: (c.component, c.version or "", c.path))),
        limits=tuple(_limits(gatherer.dropped, len(found), len(opening.opened))),
    )  # fmt: skip


def unpacked(data: bytes | memoryview) -> bool:
    """Whether these bytes are a form whose files lie in it as they are."""
    return any(bytes(data[at : at + len(mark)]) == mark for at, mark in _PLAIN_FORMS)


def _versioned(components: Iterable[ImageComponent]) -> Iterator[ImageComponent]:
    every = list(components)
    named = {c.component for c in every if c.version is not None}
    yield from (c for c in every if c.version is not None or c.component not in named)


def _once(found: Iterable[ImageKey]) -> Iterator[ImageKey]:
    """The same key at several places of an image is one entry for each place, each place once."""
    seen: set[tuple[str, str, int, str]] = set()
    for key in found:
        mark = (key.what, key.path, key.offset, key.type)
        if mark not in seen:
            seen.add(mark)
            yield key


def _stores(found: Iterable[ImageKey]) -> Iterator[ImageKey]:
    """A folder of many certificates is a store of authorities: one entry."""
    every = list(found)
    folders: dict[str, list[ImageKey]] = {}
    for key in every:
        if key.what == "certificate" and key.type != "bundle":
            folders.setdefault(key.path.rpartition("/")[0], []).append(key)
    large = {folder: group for folder, group in folders.items() if len(group) > keys.BUNDLE}
    for key in every:
        folder = key.path.rpartition("/")[0]
        if key.what != "certificate" or key.type == "bundle" or folder not in large:
            yield key
            continue
        group = large[folder]
        if key is group[0]:
            ends = sorted(k.expires for k in group)
            yield ImageKey(
                what="certificate", path=folder or key.path, offset=0, type="bundle", expires=ends[-1],
                note=f"{len(group)} certificates in one folder; they expire between {ends[0][:10]} and {ends[-1][:10]}",
            )  # fmt: skip


def _bounded(parts: tuple[Unopened, ...]) -> tuple[Unopened, ...]:
    """All of them, or the first ones and one that stands for the rest."""
    if len(parts) <= MOST_PARTS:
        return parts
    rest = parts[MOST_PARTS:]
    more = Unopened(
        path="",
        offset=0,
        size=sum(p.size for p in rest),
        reason="budget",
        detail=f"{len(rest)} more parts, not listed one by one",
    )
    return (*parts[:MOST_PARTS], more)


def _limits(dropped: int, keys_found: int, opened: int) -> Iterator[str]:
    if opened > MOST_PARTS:
        yield f"{opened - MOST_PARTS} containers were opened and searched, not listed"
    if dropped:
        yield f"{dropped} entries above the limits of the lists ({MOST_OF_A_CLASS} informational ones of a class) were counted, not listed"
    if keys_found > MOST_KEYS:
        yield f"{keys_found - MOST_KEYS} keys, certificates and accounts were counted, not listed"
