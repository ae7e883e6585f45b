"""How do the bytes of a capture arrive: plain, gzip or zstd, from a file, a pipe or several files?

Nothing is read whole: a source fills a buffer it is given, or, where it is a plain file, shows a window of
it. What ends early keeps what it gave.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from camscan.errors import InputError
from camscan.observe.traffic.mapped import Window, window
from camscan.observe.traffic.messages import Going

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_RATIO = 500
_RATIO_FROM = 256 * 1024 * 1024
"""Bytes after which a stream that grew more than _RATIO-fold is no capture but a bomb.

Real captures shrink 2- to 20-fold; the emptiest packets there are (ARP padding, all alike) about 100-fold.
"""
_PIPE = 1 << 20
"""Bytes between the packet helper and us: what an unprivileged process may ask for."""
_WINDOW = 128 * 1024 * 1024
"""Largest zstd window: what `zstd --long=27` writes, the most the standard asks readers to support."""


class Stream(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Source:
    """One input. `readinto` fills as much as comes; 0 = the end. `problem` says why it ended early."""

    def __init__(
        self, name: str, raw: BinaryIO, *, size: int = 0, base: int = 0, number: int | None = None
    ) -> None:
        self.name = name
        self.base = base
        """Added to offsets: where a part of a file begins, less the header that stands before it."""
        self.number = number
        """Of the input, where it is a part of one; else the engine counts."""
        self.size = size
        """Bytes on disk; 0 where it is not known."""
        self.windows = 0
        """End of the part of a plain file that `window` can show, in its offsets; 0 = none."""
        self.stated = 0
        """Bytes of a plain file when it was opened; 0 where it is none."""
        self.start: Going | None = None
        """Where to go on, by a reading that another one began."""
        self.problem = ""
        self.given = 0
        self._raw = raw
        self._counted = _Counted(raw)
        head = self._counted.peek4()
        self.compression = ""
        self._stream: Stream = self._counted
        if head[:2] == _GZIP:
            self.compression = "gzip"
            self._stream = _Gunzip(self._counted)
        elif head == _ZSTD:
            import zstandard

            self.compression = "zstd"
            maker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
            self._stream = maker.stream_reader(
                cast("BinaryIO", self._counted), read_across_frames=True
            )

    def readinto(self, buffer: memoryview) -> int:
        """Fill until the buffer is full or the input ends."""
        filled = 0
        while filled < len(buffer) and not self.problem:
            got = self._read(buffer[filled:])
            if not got:
                break
            filled += got
        return filled

    def read_some(self, buffer: memoryview) -> int:
        """What is there now, at least one byte; 0 = the end. For live streams."""
        return 0 if self.problem else self._read(buffer)

    def window(self, at: int, size: int) -> Window | None:
        """`size` bytes of the file from offset `at` on; None where they cannot be shown."""
        return window(self._raw.fileno(), at, size)

    def seek(self, at: int, scratch: memoryview) -> None:
        """Go on reading at this offset; what is compressed is read up to there, into `scratch`."""
        if not self.compression:
            self._raw.seek(at)
            return
        while self.given < at and self._read(scratch[: at - self.given]):
            pass

    def stamp(self) -> tuple[int, int]:
        """Bytes on the disk and when they were changed last, in nanoseconds."""
        status = os.fstat(self._raw.fileno())
        return status.st_size, status.st_mtime_ns

    def _read(self, buffer: memoryview) -> int:
        try:
            got = self._stream.readinto(buffer) or 0
        except (OSError, EOFError, zlib.error) as error:
            self.problem = f"ends early: {_words(error)}"
            return 0
        except Exception as error:
            # zstandard is loaded only where a file needs it, so its error class has no name here.
            if type(error).__module__.partition(".")[0] != "zstandard":
                raise
            self.problem = f"ends early: {_words(error)}"
            return 0
        self.given += got
        if (
            self.compression
            and self.given > _RATIO_FROM
            and self.given > _RATIO * self._counted.taken
        ):
            self.problem = (
                f"stopped: {self.given} bytes from {self._counted.taken} compressed, "
                "a decompression bomb"
            )
            return 0
        return got

    def close(self) -> None:
        self._raw.close()


class _Counted(io.RawIOBase):
    """The bytes on disk, counted, with a look at the first four."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._head = b""
        self.taken = 0

    def peek4(self) -> bytes:
        while len(self._head) < 4 and (more := self._raw.read(4 - len(self._head))):
            self._head += more
        return self._head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        if self._head:
            got = min(len(buffer), len(self._head))
            buffer[:got] = self._head[:got]
            self._head = self._head[got:]
        else:
            got = cast("io.RawIOBase", self._raw).readinto(buffer) or 0
        self.taken += got
        return got


class _Gunzip:
    """RFC 1952, members one after another. Gives what there is before it complains of the end."""

    def __init__(self, raw: _Counted) -> None:
        self._raw = raw
        self._member = zlib.decompressobj(31)
        self._input = b""
        self._ended = False
        self._begun = False

    def readinto(self, buffer: memoryview) -> int:
        while True:
            if not self._input and not self._ended:
                self._input = self._raw.read(1 << 18) or b""
                self._ended = not self._input
            if self._member.eof:
                # Zeros behind a member are padding.
                self._input = (self._member.unused_data + self._input).lstrip(b"\0")
                self._member = zlib.decompressobj(31)
                self._begun = False
                if not self._input:
                    if self._ended:
                        return 0
                    continue
            if self._ended and not self._input:
                if not self._begun:
                    return 0  # asked once more behind the last member
                raise EOFError("the compressed data is cut")
            self._begun = True
            out = self._member.decompress(self._input, len(buffer))
            self._input = self._member.unconsumed_tail
            if out:
                buffer[: len(out)] = out
                return len(out)


def open_source(path: str | Path, *, mapped: bool = True) -> Source:
    """A file, or standard input for `-`; InputError where it cannot be opened. `mapped`: it may be looked at in place."""
    if str(path) == "-":
        return Source(
            "-", cast("BinaryIO", os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0))
        )
    try:
        raw = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed by the reader
        status = os.fstat(raw.fileno())
        source = Source(str(path), cast("BinaryIO", raw), size=status.st_size)
        if stat.S_ISREG(status.st_mode) and not source.compression:
            source.stated = status.st_size
            source.windows = status.st_size if mapped else 0
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return source


def open_descriptor(fd: int, name: str) -> Source:
    """A pipe somebody writes a capture to."""
    widen(fd)
    return Source(name, cast("BinaryIO", os.fdopen(fd, "rb", buffering=0)))


def widen(fd: int) -> None:
    """Let a pipe hold more, so that neither end waits for the other at every step."""
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import fcntl

        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE)


def _words(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return " ".join(text.split())[:120]
