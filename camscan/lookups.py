"""Which databases on this machine say where an address is registered, stands, or is announced?

Registration: iptocc, always there. Place and AS: databases the user names (MMDB), for the place else the
text files of Debian's tor-geoipdb where that is installed. Nothing is asked over a network. What a database
says is a statement of its maker with a date, never a finding of camscan.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import itertools
import sys
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from camscan.decode.text import clean
from camscan.errors import InputError
from camscan.model.lookups import AutonomousSystem, Country, Lookups

if TYPE_CHECKING:
    import maxminddb

TOR_GEOIP = Path("/usr/share/tor")
"""Where Debian's tor-geoipdb puts `geoip` and `geoip6`."""
NONE = "none"
"""The word of an option that switches a look-up off."""
_COUNTRY_KEYS = (("country", "iso_code"), ("registered_country", "iso_code"), ("country_code",))
_AS_KEYS = (("autonomous_system_number",), ("asn",))
_AS_NAMES = (("autonomous_system_organization",), ("as_name",), ("name",))
_UNKNOWN = frozenset({"", "??", "ZZ", "XX", "A1", "A2", "T1"})


def lookups(
    located: Path | None = None, asn: Path | None = None, *, fallback: Path | None = TOR_GEOIP
) -> Lookups:
    """The look-ups of this machine. InputError where a file that was named cannot be read.

    `located`: the user's MMDB of countries; the path `none` asks for no place at all. `asn`: the user's MMDB
    of autonomous systems. `fallback`: folder of `geoip` and `geoip6`.
    """
    inputs: list[tuple[str, str]] = []
    place: Country | None = None
    if located is not None and str(located) != NONE:
        place = _mmdb_country(located)
        inputs.append((located.name, _digest(located)))
    elif located is None and fallback is not None and (fallback / "geoip").is_file():
        place = _tor(fallback)
        names = [f for f in ("geoip", "geoip6") if (fallback / f).is_file()]
        inputs += [(name, _digest(fallback / name)) for name in names]
    system: AutonomousSystem | None = None
    if asn is not None:
        system = _mmdb_as(asn)
        inputs.append((asn.name, _digest(asn)))
    return Lookups(registry=_registry(), located=place, asn=system, inputs=tuple(inputs))


def _registry() -> Country:
    import iptocc

    def of(address: str) -> str | None:
        code: str | None = iptocc.country_code(address)
        return code

    return Country(
        of, f"iptocc {_version('iptocc', iptocc.__file__)}, registers as of that release"
    )


def _version(name: str, file: str | None) -> str:
    """Of an installed package, of which `file` is a part."""
    # The folder beside it is named so (PEP 427); importlib.metadata would load all that reads mail.
    beside = Path(file or "").parent.parent.glob(f"{name}-*.dist-info")
    found = [path.name.removeprefix(f"{name}-").removesuffix(".dist-info") for path in beside]
    if len(found) == 1:
        return found[0]
    from importlib import metadata

    return metadata.version(name)


def _mmdb(path: Path) -> tuple[maxminddb.Reader, str]:
    """The database and how it names itself with its date."""
    import maxminddb  # only where the user names a database

    try:
        reader = maxminddb.open_database(path)
        if isinstance(reader, int):  # the C reader's placeholder type
            raise InputError(f"{path}: not an MMDB")
        head = reader.metadata()
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise InputError(f"{path}: not a database in MMDB form ({error})") from error
    built = datetime.fromtimestamp(head.build_epoch, UTC).date().isoformat()
    return reader, f"{path.name} ({clean(head.database_type)}, built {built})"


def _mmdb_country(path: Path) -> Country:
    reader, source = _mmdb(path)

    def of(address: str) -> str | None:
        word = _first(_get(reader, address), _COUNTRY_KEYS)
        return _code(word) if isinstance(word, str) else None

    return Country(of, source)


def _mmdb_as(path: Path) -> AutonomousSystem:
    reader, source = _mmdb(path)

    def of(address: str) -> tuple[int, str] | None:
        record = _get(reader, address)
        number = _first(record, _AS_KEYS)
        name = _first(record, _AS_NAMES)
        if isinstance(number, str):  # `AS13335`, as one maker of such files writes it
            number = int(number[2:]) if number[:2] == "AS" and number[2:].isdigit() else None
        if not isinstance(number, int):
            return None
        return number, clean(name) if isinstance(name, str) else ""

    return AutonomousSystem(of, source)


def _get(reader: maxminddb.Reader, address: str) -> object:
    """Its record; None for what the database cannot hold (an IPv6 address in one of IPv4)."""
    import maxminddb

    with contextlib.suppress(ValueError, maxminddb.InvalidDatabaseError):
        return reader.get(address)
    return None


def _first(record: object, ways: tuple[tuple[str, ...], ...]) -> object:
    for way in ways:
        value = record
        for key in way:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (str, int)):
            return value
    return None


def _code(word: str) -> str | None:
    word = word.upper()
    return word if len(word) == 2 and word not in _UNKNOWN else None


class _Ranges:
    """Sorted ranges of one text file: `first,last,CC`, numbers (IPv4) or addresses (IPv6)."""

    def __init__(self, path: Path, read: Callable[[str], int]) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.codes: list[str] = []
        with path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                parts = line.strip().split(",")
                if len(parts) != 3 or len(parts[2]) != 2:
                    continue  # comment lines
                with contextlib.suppress(ValueError):
                    first, last = read(parts[0]), read(parts[1])
                    if not self.starts or first > self.ends[-1]:
                        self.starts.append(first)
                        self.ends.append(last)
                        self.codes.append(sys.intern(parts[2]))

    def find(self, number: int) -> str | None:
        place = bisect_right(self.starts, number) - 1
        if place < 0 or number > self.ends[place]:
            return None
        return _code(self.codes[place])


def _tor(folder: Path) -> Country:
    """Debian's tor-geoipdb; the files are read when the first address is asked for."""
    loaded: dict[int, _Ranges] = {}

    def of(address: str) -> str | None:
        try:
            place = ipaddress.ip_address(address)
        except ValueError:
            return None
        if place.version not in loaded:
            name, read = ("geoip", int) if place.version == 4 else ("geoip6", _v6)
            path = folder / name
            if not path.is_file():
                return None
            loaded[place.version] = _Ranges(path, read)
        return loaded[place.version].find(int(place))

    return Country(of, f"tor-geoipdb of this machine ({_generated(folder / 'geoip')})")


def _generated(path: Path) -> str:
    """`generated Thu, 25 Jun 2026 04:33:59 GMT`, as the head of the file says it."""
    with path.open(encoding="ascii", errors="replace") as file:
        for line in itertools.takewhile(lambda text: text.startswith("#"), file):
            word, _, when = line.lstrip("# ").strip().partition(": ")
            if word == "Generated":
                return f"generated {clean(when)}"
    return "no date in the file"


def _v6(text: str) -> int:
    return int(ipaddress.IPv6Address(text))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
