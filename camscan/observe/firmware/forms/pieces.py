"""How are parts given out that lie in an update file as they are, end to end or by a table?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from camscan.observe.firmware.form import Bytes, Member
from camscan.observe.firmware.watch import EncryptedError, PartialError, Watch


class Piece(NamedTuple):
    """A part by its place in the container."""

    name: str
    at: int
    size: int
    encrypted: bool = False
    """The container says so of it."""


def given_out(view: memoryview, pieces: tuple[Piece, ...], watch: Watch) -> Iterator[Member]:
    """The parts in their order, of those cut off what is left."""
    for piece in pieces:
        watch.tick()
        data = view[piece.at : piece.at + piece.size]
        yield Member(piece.name, "file", partial(_whole, data, piece), piece.size)


def _whole(data: memoryview, piece: Piece) -> Bytes:
    if piece.encrypted:
        raise EncryptedError(f"{piece.name}: encrypted, as its container says")
    if len(data) < piece.size:
        raise PartialError("cut off", bytes(data))
    return data
