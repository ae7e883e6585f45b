"""Which endpoints are two halves of one: domestic and overseas, production and staging?

A pair says how data is routed by region, or that a test system is compiled in (facts: firmware 3). Halves
differ in words of a region or stage alone, or stand under two such keys side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from msgspec.structs import replace

from camscan.model.firmware import ImageEndpoint
from camscan.observe.firmware.suffixes import Suffixes

_REGION = frozenset(
    str.split(
        "cn us eu sg ap de uk hk in jp kr ru br au asia na sa global gl intl international overseas oversea abroad foreign domestic china usa europe america "
        "useast uswest east west eue usw weu eus sgp fra lax sh bj gz hz sz tw en zh row"
    )
)
_STAGE = frozenset(
    str.split(
        "stg stage staging beta test tst testing pre preprod uat sandbox qa alpha daily debug prod online release"
    )
)
_DOMESTIC = re.compile(
    r"domestic|china|mainland|inland|\bcn\b|_cn\b|\bcn_|\bzh\b|chn", re.IGNORECASE
)
_OVERSEAS = re.compile(
    r"oversea|abroad|foreign|global|intl|international|\b(?:us|eu|en|sg)\b|_(?:us|eu|en|sg)\b|\b(?:us|eu|en|sg)_|america|europe",
    re.IGNORECASE,
)
_NEAR = 400
_PARTS = re.compile(r"[.-]")


def paired(endpoints: Iterable[ImageEndpoint], suffixes: Suffixes) -> list[ImageEndpoint]:
    """The same endpoints, halves of a pair naming each other."""
    every = list(endpoints)
    halves: dict[tuple[str, ...], list[ImageEndpoint]] = {}
    for endpoint in every:
        if endpoint.live and endpoint.kind != "ntp" and not endpoint.host[-1].isdigit():
            halves.setdefault(_bare(endpoint.host, suffixes), []).append(endpoint)
    other: dict[str, str] = {}
    for group in halves.values():
        hosts = sorted({e.host for e in group})
        if 2 <= len(hosts) <= 8:
            for host in hosts:
                other[host] = _opposite(host, hosts)
    _by_key(every, other)
    return [replace(e, paired=other[e.host]) if e.live and e.host in other else e for e in every]


def _bare(host: str, suffixes: Suffixes) -> tuple[str, ...]:
    """The name without its public suffix and without words of region and stage."""
    plain = host.lstrip("*.")
    suffix = suffixes.suffix(plain) or ""
    words = [re.sub(r"\d+$", "", w) for w in _PARTS.split(plain.removesuffix(suffix)) if w]
    kept = tuple(w for w in words if w not in _REGION and w not in _STAGE)
    # What is left must be more than a service word: `api` of two companies is no pair.
    return kept if len(kept) > 1 or (kept and len(kept[0]) > 3) else (host,)


def _opposite(host: str, hosts: list[str]) -> str:
    others = [h for h in hosts if h != host]
    mine = set(_PARTS.split(host))
    staged = bool(mine & _STAGE)
    return next((h for h in others if bool(set(_PARTS.split(h)) & _STAGE) != staged), others[0])


def _by_key(every: list[ImageEndpoint], other: dict[str, str]) -> None:
    """Names under keys such as `domestic` and `overseas`, side by side in one file."""
    files: dict[str, list[ImageEndpoint]] = {}
    for endpoint in every:
        if endpoint.live and endpoint.basis == "plain" and endpoint.context:
            files.setdefault(endpoint.path, []).append(endpoint)
    for group in files.values():
        group.sort(key=lambda e: e.offset)
        for first, second in pairwise(group):
            if (
                second.offset - first.offset > _NEAR
                or {first.host, second.host} & other.keys()
                or first.host == second.host
            ):
                continue
            keys = _key(first), _key(second)
            for a, b in (keys, keys[::-1]):
                if _DOMESTIC.search(a) and _OVERSEAS.search(b) and not _OVERSEAS.search(a):
                    other[first.host], other[second.host] = second.host, first.host


def _key(endpoint: ImageEndpoint) -> str:
    """The words right before the name."""
    before = endpoint.context.partition(endpoint.host)[0].lower()
    return before[-40:]
