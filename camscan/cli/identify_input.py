"""Which lines are in these files: observation NDJSON, zgrab2's, nmap's XML, plain or compressed?

The form is told by the content. Memory stays constant, and so do files that unpack without end: more
than MAX_UNPACKED times what was read is refused.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import zstandard

from camscan.decode import exchange, zgrab
from camscan.errors import InputError
from camscan.identify.stream import EXCHANGE, ZGRAB, Line
from camscan.observe.records import nmap_xml

STDIN = "-"
MAX_UNPACKED = 1000
_FREE = 64 << 20
"""Bytes that may be unpacked from however little."""
_WINDOW = 128 << 20
"""Largest zstd window: `zstd --long=27`."""
_HEAD = 65_536
_READ = 1 << 18
_BLANK = b"\xef\xbb\xbf \t\r\n"
"""What may stand in front: a mark of UTF-8, empty lines."""


def lines(files: Sequence[str]) -> Iterator[Line]:
    """Every line of every file, in order; InputError names the file that cannot be read."""
    for place, name in enumerate(files):
        try:
            yield from _of(place, name)
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{name}: cannot be read: {why}") from error


def size(files: Sequence[str]) -> int | None:
    """Bytes on disk, None where one of them is standard input or a pipe."""
    total = 0
    for name in files:
        if name == STDIN or not Path(name).is_file():
            return None
        total += Path(name).stat().st_size
    return total


def plain_form(name: str) -> str | None:
    """Form of the lines of a file that can be read from any place in it; None for all else."""
    if name == STDIN or not Path(name).is_file():
        return None
    with Path(name).open("rb") as file:
        if _packed(file.peek(4)[:4]) or _peek(file).lstrip(_BLANK).startswith(b"<"):
            return None
        return _form(file)


def _packed(magic: bytes) -> str:
    if magic[:2] == b"\x1f\x8b":
        return "gzip"
    return "zstd" if magic == b"\x28\xb5\x2f\xfd" else ""


def _form(file: io.BufferedReader) -> str:
    return ZGRAB if zgrab.looks_like(_first_line(file)) else EXCHANGE


def _of(place: int, name: str) -> Iterator[Line]:
    with contextlib.ExitStack() as stack:
        raw = (
            sys.stdin.buffer
            if name == STDIN
            else stack.enter_context(Path(name).open("rb", buffering=_READ))
        )
        file = stack.enter_context(unpacked(raw, name))
        if _peek(file).lstrip(_BLANK).startswith(b"<"):
            yield from _nmap(place, file, name)
            return
        form = _form(file)
        for number, data in enumerate(exchange.bounded(file), 1):
            if not data.isspace():
                yield Line(place, number, form, data)


def _peek(file: io.BufferedReader) -> bytes:
    return file.peek(_HEAD)[:_HEAD]


def _first_line(file: io.BufferedReader) -> bytes:
    """The first line that holds something, as far as it can be seen without reading it away."""
    return _peek(file).lstrip().partition(b"\n")[0]


def _nmap(place: int, file: io.BufferedReader, name: str) -> Iterator[Line]:
    """Results of nmap as lines of the exchange format."""
    for number, record in enumerate(nmap_xml.read_stream(file, name), 1):
        fields = {
            "device_id": record.address,
            "kind": record.kind,
            "port": record.port,
            "request": record.request,
            "response_b64": record.response,
            "transport": record.transport,
            "tls": record.tls,
            "address": record.address,
            "mac": record.mac,
            "at": record.at,
            "flags": record.flags,
        }
        yield Line(place, number, EXCHANGE, msgspec.json.encode(fields))


@contextlib.contextmanager
def unpacked(raw: BinaryIO, name: str) -> Iterator[io.BufferedReader]:
    """The file itself, or what gzip or zstd made of it; InputError where that is beyond all measure."""
    reader = (
        raw
        if isinstance(raw, io.BufferedReader)
        else io.BufferedReader(cast("io.RawIOBase", raw), _HEAD)
    )
    packing = _packed(reader.peek(4)[:4])
    if packing == "gzip":
        counted = _Counted(reader)
        packed: BinaryIO = cast(
            "BinaryIO", gzip.GzipFile(fileobj=cast("BinaryIO", counted), mode="rb")
        )
    elif packing == "zstd":
        counted = _Counted(reader)
        unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        packed = unpacker.stream_reader(cast("BinaryIO", counted), read_across_frames=True)
    else:
        yield reader
        return
    with packed:
        yield io.BufferedReader(_Budget(packed, counted, name), 1 << 18)


class _Counted:
    """A file that knows how much of it was read."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.used = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.used += len(data)
        return data


class _Budget(io.RawIOBase):
    """What a compressed file unpacks to, as long as it keeps to the limit."""

    def __init__(self, packed: BinaryIO, counted: _Counted, name: str) -> None:
        self._packed = packed
        self._counted = counted
        self._name = name
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._packed.read(len(buffer))
        buffer[: len(data)] = data
        self._given += len(data)
        if self._given > _FREE + MAX_UNPACKED * self._counted.used:
            raise InputError(
                f"{self._name}: unpacks to more than {MAX_UNPACKED} times its size: not read on"
            )
        return len(data)
