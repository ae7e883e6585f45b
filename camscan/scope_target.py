"""Which addresses does a written target mean?

CIDR, range (`10.0.0.5-10.0.0.20`, `10.0.0.5-20`), host, host name (resolved once), `@FILE`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from camscan.errors import ScopeError

_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*\.?")
_MAX_LINES = 200_000


class Span(Struct, frozen=True, order=True):
    """First and last address as numbers, both included."""

    first: int
    last: int

    def text(self, version: int) -> str:
        first = _address(version, self.first)
        return first if self.first == self.last else f"{first}-{_address(version, self.last)}"


class Spans(Struct, frozen=True):
    """Sorted, disjoint, not touching spans per IP version."""

    four: tuple[Span, ...] = ()
    six: tuple[Span, ...] = ()

    def of(self, version: int) -> tuple[Span, ...]:
        return self.four if version == 4 else self.six

    def each(self) -> Iterator[tuple[int, Span]]:
        for span in self.four:
            yield 4, span
        for span in self.six:
            yield 6, span

    def __bool__(self) -> bool:
        return bool(self.four or self.six)

    @property
    def size(self) -> int:
        return sum(span.last - span.first + 1 for _, span in self.each())

    def first_text(self) -> str:
        version, span = next(self.each())
        return span.text(version)

    def plus(self, other: Spans) -> Spans:
        return Spans(_merged((*self.four, *other.four)), _merged((*self.six, *other.six)))

    def minus(self, other: Spans) -> Spans:
        return Spans(_minus(self.four, other.four), _minus(self.six, other.six))

    def common(self, other: Spans) -> Spans:
        return self.minus(self.minus(other))

    def cidrs(self) -> tuple[str, ...]:
        """The same addresses as the fewest CIDR ranges."""
        out: list[str] = []
        for version, span in self.each():
            first, last = _object(version, span.first), _object(version, span.last)
            out += map(str, ipaddress.summarize_address_range(first, last))
        return tuple(out)


class Targets(Struct, frozen=True):
    spans: Spans
    pinned: tuple[tuple[str, str], ...] = ()
    """(name, address) of the host names among the targets."""
    edges: Spans = Spans()
    """Network and broadcast address of every IPv4 CIDR target: a packet to them reaches no device, or all."""


class _Piece(Struct, frozen=True):
    text: str
    where: str
    version: int
    span: Span


def spans_of(cidrs: Iterable[str], *, what: str = "range") -> Spans:
    """Spans of CIDR texts, merged; ScopeError names the first that is none."""
    pieces = [_literal(text, what) for text in cidrs]
    return Spans(
        _merged(p.span for p in pieces if p.version == 4),
        _merged(p.span for p in pieces if p.version == 6),
    )


def parse_targets(
    texts: Iterable[str],
    *,
    resolve: Callable[[str], Sequence[str]] | None,
    what: str,
    overlap: bool = False,
) -> Targets:
    """Spans of targets as a person writes them; ScopeError says what, where, what to do.

    `overlap` permits ranges that share addresses (exclusions); a target written twice counts once.
    """
    pieces: list[_Piece] = []
    pinned: dict[str, str] = {}
    for text, where in _lines(texts, what):
        literal = _maybe_literal(text, where)
        if literal is not None:
            pieces.append(literal)
            continue
        for address in _resolved(text, where, resolve):
            pinned[text] = address
            pieces.append(_literal(address, where))
    if not overlap:
        _refuse_overlap(pieces)
    return Targets(
        Spans(
            _merged(p.span for p in pieces if p.version == 4),
            _merged(p.span for p in pieces if p.version == 6),
        ),
        tuple(sorted(pinned.items())),
        edges_of(p.text for p in pieces),
    )


def edges_of(cidrs: Iterable[str]) -> Spans:
    """Network and broadcast addresses of the IPv4 CIDR texts shorter than /31, loopback aside."""
    found = []
    for text in cidrs:
        if "/" not in text or ":" in text:
            continue
        network = ipaddress.IPv4Network(text, strict=False)
        if network.prefixlen <= 30 and not network.is_loopback:
            ends = (int(network.network_address), int(network.broadcast_address))
            found += [Span(end, end) for end in ends]
    return Spans(_merged(found), ())


def _lines(texts: Iterable[str], what: str) -> Iterator[tuple[str, str]]:
    for text in texts:
        text = text.strip()
        if not text.startswith("@"):
            yield text, what
            continue
        path = Path(text[1:])
        try:
            content = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ScopeError(
                f"{what} {text}: cannot read {path} ({reason}); "
                "give a text file with one target per line"
            ) from error
        for number, line in enumerate(content.splitlines(), 1):
            entry = line.split("#", 1)[0].strip()
            if number > _MAX_LINES:
                raise ScopeError(f"{path}: more than {_MAX_LINES:,} lines; name ranges instead")
            if entry.startswith("@"):
                raise ScopeError(f"{path} line {number}: a list cannot name another list; paste it")
            if entry:
                yield entry, f"{path} line {number}:"


def _maybe_literal(text: str, where: str) -> _Piece | None:
    """The piece a CIDR, range or address means; None where it looks like a host name."""
    if not text:
        raise ScopeError(f"{where} is empty; name a CIDR, a range, a host or @FILE")
    if "/" in text or ":" in text:
        return _literal(text, where)
    if "-" in text and re.fullmatch(r"[0-9.\s-]+", text):
        return _literal(text, where)
    if re.fullmatch(r"[0-9.]+", text):
        return _literal(text, where)
    return None


def _literal(text: str, where: str) -> _Piece:
    if "/" in text:
        return _cidr(text, where)
    if "-" in text:
        return _range(text, where)
    place = _parse(text, text, where)
    return _Piece(text, where, place.version, Span(int(place), int(place)))


def _cidr(text: str, where: str) -> _Piece:
    try:
        network = ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        try:
            loose = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ScopeError(
                f"{where} {text}: not a network ({error}); write it like 10.20.0.0/24"
            ) from error
        raise ScopeError(
            f"{where} {text}: has bits set below the prefix; write {loose} for the network "
            f"or {text.split('/', maxsplit=1)[0]} for the host"
        ) from error
    span = Span(int(network.network_address), int(network.broadcast_address))
    return _Piece(text, where, network.version, span)


def _range(text: str, where: str) -> _Piece:
    left, _, right = (part.strip() for part in text.partition("-"))
    first = _parse(left, text, where)
    if re.fullmatch(r"[0-9]{1,3}", right) and first.version == 4:
        right = f"{left.rpartition('.')[0]}.{int(right)}"
    last = _parse(right, text, where)
    if first.version != last.version:
        raise ScopeError(f"{where} {text}: joins IPv4 and IPv6; write two ranges")
    if int(last) < int(first):
        raise ScopeError(f"{where} {text}: ends before it begins; write {last}-{first}")
    return _Piece(text, where, first.version, Span(int(first), int(last)))


def _parse(text: str, whole: str, where: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if "%" in text:
        raise ScopeError(f"{where} {whole}: has a zone; leave out the part from % on")
    try:
        place = ipaddress.ip_address(text)
    except ValueError as error:
        raise ScopeError(
            f"{where} {whole}: {text!r} is not an address; "
            "write a CIDR, a range like 10.0.0.5-20, a host or @FILE"
        ) from error
    if isinstance(place, ipaddress.IPv6Address) and place.ipv4_mapped is not None:
        return place.ipv4_mapped
    return place


def _resolved(
    name: str, where: str, resolve: Callable[[str], Sequence[str]] | None
) -> tuple[str, ...]:
    if not _NAME.fullmatch(name):
        raise ScopeError(
            f"{where} {name!r}: neither an address nor a host name; "
            "write a CIDR, a range like 10.0.0.5-20, a host or @FILE"
        )
    if resolve is None:
        raise ScopeError(f"{where} {name}: host names are not resolved here; write the address")
    try:
        found = tuple(resolve(name))
    except OSError as error:
        raise ScopeError(
            f"{where} {name}: cannot be resolved ({error.strerror or error}); write the address"
        ) from error
    if not found:
        raise ScopeError(f"{where} {name}: has no address; write the address")
    # One name is one device: the first answer is pinned, further ones are other addresses.
    return found[:1]


def _refuse_overlap(pieces: list[_Piece]) -> None:
    for version in (4, 6):
        ordered = sorted((p for p in pieces if p.version == version), key=lambda p: p.span)
        reach: _Piece | None = None
        for piece in ordered:
            if reach and piece.span != reach.span and piece.span.first <= reach.span.last:
                raise ScopeError(
                    f"{piece.where} {piece.text}: overlaps {reach.text}; name each address once"
                )
            reach = piece


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    out: list[Span] = []
    for span in sorted(spans):
        if out and span.first <= out[-1].last + 1:
            out[-1] = Span(out[-1].first, max(out[-1].last, span.last))
        else:
            out.append(span)
    return tuple(out)


def _minus(spans: tuple[Span, ...], holes: tuple[Span, ...]) -> tuple[Span, ...]:
    """Both sorted and disjoint; one pass over each."""
    out: list[Span] = []
    at = 0
    for span in spans:
        first = span.first
        while at < len(holes) and holes[at].last < first:
            at += 1
        index = at
        while index < len(holes) and holes[index].first <= span.last:
            hole = holes[index]
            if hole.first > first:
                out.append(Span(first, hole.first - 1))
            first = max(first, hole.last + 1)
            index += 1
        if first <= span.last:
            out.append(Span(first, span.last))
    return tuple(out)


def _object(version: int, number: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number)


def _address(version: int, number: int) -> str:
    return str(_object(version, number))
