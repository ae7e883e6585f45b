"""How is one compressed block or stream expanded without ever exceeding a limit?

zlib, deflate, lzma, xz and bzip2 come from the standard library, zstd from `zstandard`, lz4 and lzo from the
extra `firmware` (`lz4`, `lzallright`). rtime is the run-length form of jffs2 (Linux fs/jffs2/compr_rtime.c).
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import zstandard

from camscan.errors import DecodeError
from camscan.observe.firmware.form import Bytes
from camscan.observe.firmware.watch import BudgetError, NoLibraryError

_MEMORY = 192 << 20
"""For an LZMA dictionary; cameras have less."""
_PART = 4 << 20
"""Bytes that are expanded at once: what comes out lies in memory once, and not twice."""
_WINDOW = 1 << 27
"""Largest zstd window, as `zstd` itself has it without --long."""


def block(kind: str, data: Bytes, limit: int) -> bytes:
    """One block whose expanded size is at most `limit`; more is an error."""
    out = _BLOCKS[kind](data, limit)
    if len(out) > limit:
        raise DecodeError(f"{kind}: block is longer than {limit} bytes")
    return out


def _zlib(data: Bytes, limit: int, wbits: int = 15) -> bytes:
    machine = zlib.decompressobj(wbits)
    out = machine.decompress(data, limit + 1)
    if not machine.eof and len(out) <= limit:
        raise DecodeError("zlib: block ends early")
    return out


def _deflate(data: Bytes, limit: int) -> bytes:
    return _zlib(data, limit, -15)


def _lzma(data: Bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY).decompress(data, limit + 1)


def _xz(data: Bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY).decompress(data, limit + 1)


def _bzip2(data: Bytes, limit: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, limit + 1)


def _zstd(data: Bytes, limit: int) -> bytes:
    try:
        stated = zstandard.frame_content_size(bytes(data[:18]))
        if stated > limit:
            raise DecodeError(f"zstd: block states {stated} bytes")
        machine = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        return machine.stream_reader(data).read(limit + 1)
    except zstandard.ZstdError as error:
        raise DecodeError(f"zstd: {error}") from None


def _lz4(data: Bytes, limit: int) -> bytes:
    library = _library("lz4.block")
    try:
        out: bytes = library.decompress(bytes(data), uncompressed_size=limit)
    except library.LZ4BlockError as error:
        raise DecodeError(f"lz4: {error}") from None
    return out


def _lzo(data: Bytes, limit: int) -> bytes:
    library = _library("lzallright")
    try:
        out: bytes = library.LZOCompressor.decompress(bytes(data), output_size_hint=limit)
    except (library.LZOError, library.InputNotConsumed) as error:
        raise DecodeError(f"lzo: {error}") from None
    return out


def _rtime(data: Bytes, limit: int) -> bytes:
    """Pairs of (byte, repeat): the repeat counts bytes after the last place of the same byte."""
    places = [0] * 256
    out = bytearray()
    for i in range(0, len(data) - 1, 2):
        value, repeat = data[i], data[i + 1]
        if len(out) >= limit:
            break
        out.append(value)
        back = places[value]
        places[value] = len(out)
        if repeat:
            if back + repeat >= len(out):
                for _ in range(repeat):
                    out.append(out[back])
                    back += 1
            else:
                out += out[back : back + repeat]
    return bytes(out[:limit])


def raw_lzma(data: Bytes, limit: int, *, lc: int, lp: int, pb: int, dictionary: int) -> bytes:
    """An LZMA stream without a header."""
    chain = [{"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain).decompress(data, limit)


def _lzma_short(data: Bytes, limit: int) -> bytes:
    """LZMA with its five bytes of properties and no size, as the SDKs of several chip makers write it."""
    if len(data) < 6 or data[0] >= 225:
        raise DecodeError("lzma: no properties")
    rest, lc = divmod(data[0], 9)
    pb, lp = divmod(rest, 5)
    dictionary = int.from_bytes(data[1:5], "little")
    if not 4096 <= dictionary <= 1 << 27:
        raise DecodeError("lzma: no dictionary size")
    return raw_lzma(data[5:], limit, lc=lc, lp=lp, pb=pb, dictionary=dictionary)


def _lzma_bare(data: Bytes, limit: int) -> bytes:
    """LZMA without any header, in the settings the SDK of LZMA has by default."""
    return raw_lzma(data, limit, lc=3, lp=0, pb=2, dictionary=1 << 20)


def _lzma_odd(data: Bytes, limit: int, *, skip: int, lc: int, lp: int, pb: int) -> bytes:
    """LZMA behind a header of which only the length is known."""
    return raw_lzma(data[skip:], limit, lc=lc, lp=lp, pb=pb, dictionary=1 << 20)


_ODD = {
    f"lzma-odd-{skip}-{lc}{lp}{pb}": partial(_lzma_odd, skip=skip, lc=lc, lp=lp, pb=pb)
    for skip in (0, 1, 4, 5, 8, 9, 12, 13)
    for lc, lp, pb in ((3, 0, 2), (0, 0, 0), (0, 2, 2), (1, 2, 2), (0, 0, 2), (3, 0, 0), (4, 0, 2))
}
LZMA_GUESSES = tuple(_ODD)
"""Layouts of LZMA whose header says nothing: what proves one is what comes out."""


def _none(data: Bytes, limit: int) -> bytes:
    return bytes(data[: limit + 1])


_BLOCKS: dict[str, Callable[[Bytes, int], bytes]] = {
    "none": _none,
    "zlib": _zlib,
    "deflate": _deflate,
    "lzma": _lzma,
    "lzma-short": _lzma_short,
    "lzma-bare": _lzma_bare,
    "xz": _xz,
    "bzip2": _bzip2,
    "zstd": _zstd,
    "lz4": _lz4,
    "lzo": _lzo,
    "rtime": _rtime,
    **_ODD,
}


def _library(name: str) -> Any:
    """An optional package; what is missing is said, not skipped."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise NoLibraryError(
            f"{name.partition('.')[0]} is not installed: pip install camscan[firmware]"
        ) from None


class _Inflate:
    """zlib in the shape of the other decompressors: it keeps what it did not take."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)
        self._left: Bytes = b""

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail and not self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: Bytes, max_length: int) -> bytes:
        if self._zlib.unconsumed_tail:
            data = self._zlib.unconsumed_tail + bytes(data)
        return self._zlib.decompress(data, max_length)


class _Zstd:
    """zstd takes no limit on one call, so it is fed in pieces that cannot become large."""

    needs_input = True

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()

    @property
    def eof(self) -> bool:
        return self._zstd.eof

    @property
    def unused_data(self) -> bytes:
        return self._zstd.unused_data

    def decompress(self, data: Bytes, max_length: int) -> bytes:
        del max_length
        try:
            return self._zstd.decompress(data)
        except zstandard.ZstdError as error:
            raise DecodeError(f"zstd: {error}") from None


def _machine(kind: str) -> Any:
    if kind == "gzip":
        return _Inflate(31)
    if kind == "deflate":
        return _Inflate(-15)
    if kind == "zlib":
        return _Inflate(15)
    if kind == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    if kind == "lzma":
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    if kind == "zstd":
        return _Zstd()
    if kind == "lz4":
        return _library("lz4.frame").LZ4FrameDecompressor()
    raise DecodeError(f"no stream form {kind}")


class Stream:
    """What came out of one stream: `data`, how many bytes it took, and what was wrong with it."""

    __slots__ = ("damage", "data", "ended", "taken")

    def __init__(self, data: Bytes, taken: int, *, ended: bool, damage: str = "") -> None:
        self.data = data
        self.taken = taken
        self.ended = ended
        self.damage = damage


def _refused(kind: str, text: str) -> None:
    """A stream that is sound but cannot be read here must not look like no stream at all."""
    if kind == "lzma":
        return  # without a checksum of its header every second accident asks for too much
    if "emory" in text:  # liblzma: "Memory usage limit exceeded", zstd: "requires too much memory"
        raise BudgetError(f"{kind}: needs a larger dictionary than is allowed", final=False)
    if "unsupported options" in text:
        raise NoLibraryError(f"{kind}: made with options not known here")


def stream(kind: str, data: memoryview, limit: int, tick: Callable[[], None]) -> Stream:
    """A stream of unknown length at the beginning of `data`; more than `limit` bytes is a BudgetError.

    Never raises on damaged bytes: it gives what came out until then. `tick` is called for every few megabytes.
    """
    machine = _machine(kind)
    feeds = 1 << 10 if kind == "zstd" else 1 << 18
    first = b""
    out = bytearray()
    total = at = 0
    damage = ""
    try:
        while not machine.eof:
            feed: Bytes = b""
            if machine.needs_input:
                feed = data[at : at + feeds]
                if not len(feed):
                    break
                at += len(feed)
            part = machine.decompress(feed, min(limit - total + 1, _PART))
            total += len(part)
            if total > limit:
                raise BudgetError(f"{kind} stream of more than {limit} bytes", final=False)
            if not first:
                first = part
            else:
                out += part if out else first + part
                tick()
    except (zlib.error, lzma.LZMAError, OSError, ValueError, RuntimeError, EOFError) as error:
        _refused(kind, str(error))
        damage = f"{kind}: {error}"
    except DecodeError as error:
        if isinstance(error, BudgetError):
            raise
        _refused(kind, str(error))
        damage = str(error)
    ended = bool(machine.eof) and not damage
    taken = at - len(machine.unused_data or b"") if ended else at
    if not ended and not damage:
        damage = f"{kind}: the stream ends early"
    whole: Bytes = memoryview(out).toreadonly() if out else first
    return Stream(whole, taken, ended=ended, damage=damage)
