"""Which addresses may be touched, and on whose authority?

A `Scope` is frozen and checked wherever a packet leaves; the packet helper checks it again in
its own process. Addresses are held as sorted ranges of integers: `allows` is a bisection.
"""

from __future__ import annotations

import hashlib
import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.errors import ScopeError
from camscan.scope_file import ScopeFile, load_scope_file
from camscan.scope_target import Span, Spans, edges_of, parse_targets, spans_of
from camscan.special_ranges import AS_OF, forbidden, needs_file

MAX_ADDRESSES = 65_536
"""Without a scope file that says otherwise (a /16)."""
MAX_ADDRESSES_EVER = 16_777_216
"""More than a /8 cannot be enumerated in any useful time."""

DENIED_PORTS: frozenset[int] = frozenset(
    # Printers print what is written to them, industrial controllers act on it
    # (DESIGN rule 10; facts: scanning 3, fragile mode).
    {*range(9100, 9108), 515, 102, 502, 20000, 2404, 44818, 47808}
)

Resolve = Callable[[str], Sequence[str]]
"""A host name -> its addresses; empty or OSError where it has none."""


class Scope(Struct, frozen=True, kw_only=True, dict=True):
    """The addresses of one scan. `ranges` minus `excluded`; both CIDR."""

    owner: str
    authority: str
    document: str
    ranges: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    max_addresses: int = MAX_ADDRESSES
    pinned: tuple[tuple[str, str], ...] = ()
    """(host name, address): resolved once, when the scope was built."""

    @cached_property
    def spans(self) -> Spans:
        """Allowed addresses as sorted, disjoint (first, last) per IP version."""
        return spans_of(self.ranges).minus(spans_of(self.excluded))

    @cached_property
    def _starts(self) -> dict[int, list[int]]:
        return {4: [s.first for s in self.spans.four], 6: [s.first for s in self.spans.six]}

    def allows(self, address: str) -> bool:
        """Whether a packet may go to `address`; False for anything that is no address.

        An IPv4-mapped IPv6 address counts as the IPv4 address it reaches; a zone is ignored.
        """
        try:
            place = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(place, ipaddress.IPv6Address) and place.ipv4_mapped is not None:
            place = place.ipv4_mapped
        return self.allows_number(place.version, int(place))

    def allows_number(self, version: int, number: int) -> bool:
        """`allows` for an address already read as a number."""
        spans = self.spans.of(version)
        index = bisect_right(self._starts[version], number) - 1
        return index >= 0 and number <= spans[index].last

    def addresses(self) -> Iterator[str]:
        """Every allowed address in ascending order, IPv4 first."""
        for span in self.spans.four:
            for number in range(span.first, span.last + 1):
                yield str(ipaddress.IPv4Address(number))
        for span in self.spans.six:
            for number in range(span.first, span.last + 1):
                yield str(ipaddress.IPv6Address(number))

    @cached_property
    def size(self) -> int:
        """How many addresses are allowed."""
        return self.spans.size

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: the same scope, the same digest."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """One line; the same scope gives the same text."""
        return msgspec.json.encode(self, order="deterministic").decode()

    @classmethod
    def from_json(cls, data: bytes | str) -> Scope:
        """Read and check again: what may never be touched is refused whoever wrote it."""
        try:
            scope = msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as error:
            raise ScopeError(f"scope: not a scope document ({error}); build it again") from error
        _check(scope)
        return scope


def build_scope(
    targets: Iterable[str],
    *,
    exclude: Iterable[str] = (),
    authority: str | None = None,
    scope_file: Path | None = None,
    resolve: Resolve | None = None,
    owner: str = "",
) -> Scope:
    """Read targets (CIDR, range, host, name, `@FILE`) into a Scope, or raise ScopeError.

    Without a scope file all targets must be private, link-local or loopback and `authority`
    must say on whose word. With one, targets must lie inside its ranges; no targets = all of it.
    Network and broadcast address of a CIDR target are among the exclusions.
    """
    file = load_scope_file(scope_file) if scope_file is not None else None
    given = tuple(targets)
    wanted = parse_targets(given, resolve=resolve, what="target")
    without = parse_targets(exclude, resolve=resolve, what="exclusion", overlap=True)
    spans = wanted.spans
    excluded = without.spans
    edges = wanted.edges
    if file is not None:
        permitted = spans_of(file.ranges, what=f"{scope_file}: ranges")
        outside = spans.minus(permitted)
        if outside:
            raise ScopeError(
                f"target {outside.first_text()}: not in the ranges of {scope_file}; "
                "scan only what the document covers, or correct `ranges`"
            )
        spans = spans if given else permitted
        edges = edges if given else edges_of(file.ranges)
        excluded = excluded.plus(spans_of(file.excluded, what=f"{scope_file}: excluded"))
    elif not given:
        raise ScopeError("no target: name a CIDR, a range, a host or @FILE, or use --scope FILE")
    said = (authority or (file.authority if file else "")).strip()
    if not said:
        raise ScopeError(
            "no authority: say on whose order this network is scanned, "
            'e.g. --authority "Municipal council, decision 12 of 3 March"'
        )
    scope = Scope(
        owner=file.owner if file else owner,
        authority=said,
        document=file.document if file else "",
        ranges=spans.cidrs(),
        excluded=excluded.plus(edges.common(spans)).cidrs(),
        max_addresses=_limit(file),
        pinned=wanted.pinned,
    )
    _check(scope)
    return scope


def _limit(file: ScopeFile | None) -> int:
    return MAX_ADDRESSES if file is None or file.max_addresses is None else file.max_addresses


def _check_private(spans: Spans) -> None:
    for version, span in spans.each():
        if reason := needs_file(version, span.first, span.last):
            raise ScopeError(
                f"target {span.text(version)}: {reason} (IANA table of {AS_OF}), not a private "
                "network; write a scope file that names owner, document and ranges "
                "(camscan scope init) and give it with --scope FILE"
            )


def _check(scope: Scope) -> None:
    for version, span in spans_of(scope.ranges).each():
        if row := forbidden(version, span.first, span.last):
            raise ScopeError(
                f"target {span.text(version)}: {row.cidr} is {row.name} and is never scanned; "
                "leave it out"
            )
    if not scope.document:
        _check_private(spans_of(scope.ranges))
    if scope.max_addresses > MAX_ADDRESSES_EVER or scope.max_addresses < 1:
        raise ScopeError(
            f"max_addresses = {scope.max_addresses}: must be 1 to {MAX_ADDRESSES_EVER:,}; "
            "split the network into several scans"
        )
    if scope.size == 0:
        raise ScopeError("the scope is empty: the exclusions remove every target; check --exclude")
    if scope.size > scope.max_addresses:
        raise ScopeError(
            f"the scope holds {scope.size:,} addresses, the limit is {scope.max_addresses:,}; "
            "name smaller ranges (IPv6: single hosts), or set max_addresses in a scope file"
        )


def permutation(count: int, seed: int) -> Iterator[int]:
    """0..count-1, each once, in an order that depends on `seed` alone; constant memory.

    A linear congruential generator of full period (Hull-Dobell: odd increment, multiplier
    1 mod 4) over the next power of two, its output mixed by a bijection; values >= count are
    left out. It spreads load and makes runs repeatable; it hides nothing.
    """
    if count <= 0:
        return
    bits = max(4, (count - 1).bit_length())
    mask = (1 << bits) - 1
    half = bits // 2
    salt = int.from_bytes(hashlib.sha256(f"camscan:{seed}".encode()).digest()[:24], "big")
    step = (salt & mask) | 1
    factor = ((salt >> 64) & mask & ~3) | 5 & mask
    odd = ((salt >> 128) & mask) | 1
    state = salt >> 32 & mask
    for _ in range(mask + 1):
        state = (state * factor + step) & mask
        mixed = state ^ (state >> half)
        mixed = (mixed * odd) & mask
        mixed ^= mixed >> half
        if mixed < count:
            yield mixed


__all__ = [
    "DENIED_PORTS",
    "MAX_ADDRESSES",
    "Resolve",
    "Scope",
    "Span",
    "build_scope",
    "permutation",
]
