"""How are packets kept, where the user asked for it: headers, handshakes or all, as pcapng?

Never by default. `headers` ends every frame where its payload begins; `handshakes` keeps the packets that were
read for names; `all` keeps what was captured. What is kept is bounded in bytes.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from camscan.errors import RunError
from camscan.observe.traffic.batch import Batch, Columns, Ints

MODES = ("headers", "handshakes", "all")
_FILE = 1 << 30
"""Bytes of one file; then the next one begins."""
_ETHERNET_ONLY = 14
"""Of a frame that is no IP, `headers` keeps this much."""
_LONGEST_HEADERS = 256
SPARE = 256 << 20
"""Bytes of the disk that are left for the run itself and for others."""
_LOOK_EVERY = 4 << 20
"""Bytes written between two looks at how much the disk has left."""


class Keeper:
    """Writes packets-0001.pcapng and so on into a folder; behind what an interrupted capture left there."""

    def __init__(self, folder: Path, mode: str, *, limit: int, packets: int = 0) -> None:
        """`limit`: bytes in all; what comes after is not kept, and `ended_early` says so.

        `packets`: kept before, by a capture that this one goes on from.
        """
        if mode not in MODES:
            raise ValueError(mode)
        self.mode = mode
        self.packets = packets
        self.bytes = 0
        self.ended_early = ""
        self._folder = folder
        self._limit = limit
        self._number = 0
        self._links: dict[int, int] = {}
        self._size = 0
        self._looked = -_LOOK_EVERY
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("packets-*.pcapng")):
            self._number = int(path.stem.rpartition("-")[2])
            self.bytes += whole(path)
        self._out = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self.close()

    def close(self) -> None:
        self._out.close()

    def add(self, batch: Batch, columns: Columns | None, read: Ints) -> None:
        """Packets of one batch. `read`: rows of the batch that were handed to the feed."""
        if self.ended_early or not self._room():
            return
        if self.mode == "all":
            rows, sizes = np.arange(len(batch.frame)), batch.captured
        elif self.mode == "handshakes":
            rows = np.unique(read)
            sizes = batch.captured[rows]
        else:
            rows = np.arange(len(batch.frame))
            sizes = np.minimum(batch.captured, _ETHERNET_ONLY)
            if columns is not None:
                # A frame may hold several packets (never seen); the longest headers count.
                np.maximum.at(
                    sizes,
                    columns.row,
                    np.minimum(columns.payload - batch.frame[columns.row], _LONGEST_HEADERS),
                )
            sizes = np.minimum(sizes, batch.captured)
        self._write(batch, rows, sizes)

    def _room(self) -> bool:
        if self.bytes - self._looked < _LOOK_EVERY:
            return True
        self._looked = self.bytes
        free = os.statvfs(self._folder)
        left = free.f_bavail * free.f_frsize
        if left < SPARE:
            self.ended_early = f"the disk is nearly full: {left >> 20} MB left"
        return not self.ended_early

    def _write(self, batch: Batch, rows: Ints, sizes: Ints) -> None:
        view = memoryview(batch.data.data)
        out: list[bytes | memoryview] = []
        number = self._interface(batch.link, out)
        begins = batch.frame[rows]
        at = batch.at[rows]
        ticks = np.floor(at).astype(np.int64) * 10**9
        ticks += np.round((at % 1.0) * 1e9).astype(np.int64)
        for begin, size, wire, stamp in zip(
            begins.tolist(),
            sizes.tolist(),
            batch.wire[rows].tolist(),
            ticks.tolist(),
            strict=True,
        ):
            padded = size + 3 & ~3
            length = 32 + padded
            if self.bytes + length > self._limit:
                self.ended_early = f"the limit of {self._limit} bytes was reached"
                break
            out.extend(
                (
                    struct.pack(
                        "<IIIIIII", 6, length, number, stamp >> 32, stamp & 0xFFFFFFFF, size, wire
                    ),
                    view[begin : begin + size],
                    bytes(padded - size) + struct.pack("<I", length),
                )
            )
            self.bytes += length
            self._size += length
            self.packets += 1
        try:
            self._out.write(b"".join(out))
            if self._size >= _FILE:
                self._out.close()
                self._out = self._open()
        except OSError as error:
            self.ended_early = f"the disk refused: {error.strerror}"

    def _open(self) -> BinaryIO:
        self._number += 1
        self._links.clear()
        self._size = 0
        path = self._folder / f"packets-{self._number:04d}.pcapng"
        try:
            out = path.open("xb")
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror})") from error
        out.write(_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
        return out

    def _interface(self, link: int, out: list[bytes | memoryview]) -> int:
        number = self._links.get(link)
        if number is None:
            number = self._links[link] = len(self._links)
            # if_tsresol: nanoseconds.
            options = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
            out.append(_block(1, struct.pack("<HHI", link, 0, 0) + options))
        return number


def whole(path: Path) -> int:
    """Cut off the block that a kill left half written; the bytes that stay."""
    try:
        with path.open("r+b", buffering=0) as file:
            end = file.seek(0, 2)
            at = 0
            while at + 12 <= end:
                file.seek(at + 4)
                length = int.from_bytes(file.read(4), "little")
                if length < 12 or at + length > end:
                    break
                at += length
            if at < end:
                file.truncate(at)
    except OSError as error:
        raise RunError(f"{path}: cannot be mended ({error.strerror})") from error
    return at


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size
