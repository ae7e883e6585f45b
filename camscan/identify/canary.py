"""Who answers what nobody was asked: any path, any port? Such answers prove nothing.

A server that gives the same 200 page to any path answers a camera's private path too (DESIGN rule 3).
A server that refuses every path alike (401, 403, 404) proves nothing by its canary and loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from camscan.identify.match import Reading
from camscan.model.claim import Attribute, Evidence, Family
from camscan.model.observation import Kind, Observation

WEB = frozenset({Kind.HTTP, Kind.ISAPI, Kind.TITLE, Kind.UPNP_XML, Kind.ONVIF})
"""Kinds that are answers of one HTTP server to a path."""
ANY_PATH = "answers any path alike"
ANY_PORT = "answers on every port: honeypot or middlebox"
ONLY_LABELS = f"{ANY_PATH}, and only labels say what it is"
NOT_ASKED = (
    "whether it answers any path alike was not asked, and only words of its pages say what it is"
)
CANARY_PORT = 61_007
"""The port that the port stage asks where nearly all are open; no device serves it."""
_MANY_OPEN = 100
"""No device serves so many ports; it counts where the canary port was not asked (imports)."""
_NEARLY_ALL = 0.9
_NAMING = frozenset({Attribute.MAKER, Attribute.PLATFORM, Attribute.ROLE})
_WORDS_ONLY = frozenset({Family.LABEL, Family.MAC_BLOCK, Family.DOCUMENT})
_INTERFACES = frozenset({Kind.ISAPI, Kind.ONVIF})
"""Kinds whose proper answer is never a page for people."""
_WORD = re.compile(r"[a-z]{3,}")
_ALIKE = 0.9
"""Share of common words from which two bodies are the same page."""


def hollow(observations: Sequence[Observation], readings: Mapping[str, Reading]) -> frozenset[str]:
    """Ids of observations whose evidence counts for nothing, the canary answers themselves included.

    `readings`: by observation id. All observations are of one device. Where the canary path was not
    asked (no time, no connection left), a page given to a machine's path stands in for it.
    """
    canaries = [o for o in observations if o.canary]
    found = {o.id for o in canaries if _accepted(readings[o.id])}
    for canary in (*canaries, *_stand_ins(observations, readings, canaries)):
        answer = readings[canary.id]
        if not _accepted(answer):
            continue
        for other in observations:
            if other.canary or not _same_server(canary, other):
                continue
            if alike(answer, readings[other.id]) or _same_title(answer, other, readings):
                found.add(other.id)
    return frozenset(found)


def _same_title(answer: Reading, other: Observation, readings: Mapping[str, Reading]) -> bool:
    """Whether a title that was heard without its page is that of the canary's answer."""
    if other.kind is not Kind.TITLE or not _accepted(readings[other.id]):
        return False
    title = readings[other.id].fields.get("title")
    return bool(title) and title == answer.fields.get("title")


def _stand_ins(
    observations: Sequence[Observation],
    readings: Mapping[str, Reading],
    canaries: Sequence[Observation],
) -> Iterable[Observation]:
    """Pages that a server without a canary answer gave to a machine's path and to a browser's alike."""
    for one in observations:
        if one.canary or one.kind not in _INTERFACES or not _accepted(readings[one.id]):
            continue
        if any(_same_server(one, canary) for canary in canaries) or not _words(readings[one.id]):
            continue
        for page in observations:
            same = page.kind is Kind.HTTP and not page.canary and _same_server(one, page)
            if same and alike(readings[one.id], readings[page.id]):
                yield one


def any_port(observations: Iterable[Observation], readings: Mapping[str, Reading]) -> bool:
    """Whether nearly all ports are open, the one that no device serves among them."""
    for observation in observations:
        if observation.kind is not Kind.PORTS:
            continue
        fields = readings[observation.id].fields
        opened = int(fields.get("open-count", ("0",))[0])
        probed = int(fields.get("probed-count", ("0",))[0])
        if opened < _NEARLY_ALL * probed:
            continue
        if opened >= _MANY_OPEN or str(CANARY_PORT) in fields.get("open", ()):
            return True
    return False


def doubt(
    observations: Iterable[Observation],
    readings: Mapping[str, Reading],
    dropped: frozenset[str],
    evidence: Iterable[Evidence],
) -> str:
    """Why nothing such a device says of itself is believed; empty where there is no such reason.

    A server that answers any path alike (many a camera's start page does) takes no other service's
    evidence away, but beside it words alone are not enough: they cost a honeypot nothing. The same holds of
    pages that a scan of ours fetched without time left for the path that no device has.
    """
    observations = tuple(observations)
    if any_port(observations, readings):
        return ANY_PORT
    naming = [e for e in evidence if e.attribute in _NAMING]
    if not naming or not {e.family for e in naming} <= _WORDS_ONLY:
        return ""
    if any(o.id in dropped and not o.canary for o in observations):
        return ONLY_LABELS
    by_id = {o.id: o for o in observations}
    # A registrant is no word of a page, and says nothing of what answers there.
    words = [e for e in naming if e.family is not Family.MAC_BLOCK]
    behind = [by_id[e.observation] for e in words if e.observation in by_id]
    canaries = [o for o in observations if o.canary]
    untested = all(
        o.job
        and o.kind in WEB
        and _accepted(readings[o.id])
        and not any(_same_server(o, c) for c in canaries)
        for o in behind
    )
    return NOT_ASKED if behind and untested else ""


def page_for_interface(
    observations: Sequence[Observation], readings: Mapping[str, Reading]
) -> bool:
    """Whether a server gave one and the same page to a browser's path and to a machine's.

    A sign that any path gets it. Where the page is evidence, the canary path is asked and decides.
    """
    shown = [o for o in observations if not o.canary and _accepted(readings[o.id])]
    pages = [o for o in shown if o.kind is Kind.HTTP]
    return any(
        _same_server(one, other)
        and _words(readings[one.id])
        and alike(readings[one.id], readings[other.id])
        for one in shown
        if one.kind in _INTERFACES
        for other in pages
    )


def _accepted(reading: Reading) -> bool:
    return reading.fields.get("status", ("",))[0] == "200"


def _same_server(left: Observation, right: Observation) -> bool:
    group = {left.kind in WEB, right.kind in WEB}
    return (
        (left.address, left.port, left.tls) == (right.address, right.port, right.tls)
        and len(group) == 1
        and (left.kind in WEB or left.kind is right.kind)
    )


def alike(left: Reading, right: Reading) -> bool:
    """Same status and the same words in the body (numbers and the echoed path do not count)."""
    if left.fields.get("status") != right.fields.get("status"):
        return False
    if left.fields.get("title") != right.fields.get("title"):
        return False
    one, two = _words(left), _words(right)
    if not one and not two:
        return left.fields.get("sdp.media") == right.fields.get("sdp.media")
    return len(one & two) >= _ALIKE * len(one | two)


def _words(reading: Reading) -> frozenset[str]:
    paths = " ".join(reading.fields.get("request-path", ()))
    echoed = frozenset(_WORD.findall(paths.casefold()))
    body = " ".join(reading.fields.get("body", ()))
    return frozenset(_WORD.findall(body.casefold())) - echoed
