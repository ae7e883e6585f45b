"""How are the gates of a reading laid out for the compiled step that picks packets (`steps.c`)?"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic import steps


class Lot(NamedTuple):
    """Gates that differ in their patterns or ports alone."""

    proto: int
    """0 = any."""
    shortest: int
    longest: int
    end: int
    """Payload bytes that must have been captured."""
    rank: int
    weight: int
    mask: tuple[int, int] = (0, 0)
    values: NDArray[np.uint64] | None = None
    """Two numbers each; None = the table of words has told."""
    named: NDArray[np.bool_] | None = None
    """By port: whether it is named; None = any."""


class _Group(ctypes.Structure):
    _fields_ = (
        ("proto", ctypes.c_int64),
        ("shortest", ctypes.c_int64),
        ("longest", ctypes.c_int64),
        ("end", ctypes.c_int64),
        ("rank", ctypes.c_int64),
        ("weight", ctypes.c_uint64),
        ("mask", ctypes.c_uint64 * 2),
        ("ports", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("count", ctypes.c_int64),
    )


class _Words(ctypes.Structure):
    _fields_ = (
        ("offset", ctypes.c_int64),
        ("some", ctypes.c_void_p),
        ("bits", ctypes.c_void_p),
    )


class _Gates(ctypes.Structure):
    _fields_ = (
        ("by_port", ctypes.POINTER(_Group)),
        ("ports", ctypes.c_int64),
        ("words", ctypes.POINTER(_Words)),
        ("offsets", ctypes.c_int64),
        ("by_bytes", ctypes.POINTER(_Group)),
        ("groups", ctypes.c_int64),
    )


class CompiledGates:
    """Holds all that the structures point to."""

    def __init__(
        self,
        by_port: Sequence[Lot],
        by_bytes: Sequence[Lot],
        words: Sequence[tuple[int, NDArray[np.uint64]]],
    ) -> None:
        """`words`: offset, and per little-endian 16-bit word there the bits of the lots it may begin."""
        self._kept: list[NDArray[Any]] = []
        self._ports = (_Group * len(by_port))(*map(self._group, by_port))
        self._bytes = (_Group * len(by_bytes))(*map(self._group, by_bytes))
        # One bit for each word: all of these tables fit into the fastest cache.
        self._words = (_Words * len(words))(
            *(
                _Words(
                    offset, self._keep(np.packbits(bits != 0, bitorder="little")), self._keep(bits)
                )
                for offset, bits in words
            )
        )
        self._gates = _Gates(
            self._ports, len(by_port), self._words, len(words), self._bytes, len(by_bytes)
        )
        self.place = ctypes.addressof(self._gates)
        """What the compiled step is given."""

    def _keep(self, column: NDArray[Any]) -> int:
        column = np.ascontiguousarray(column)
        self._kept.append(column)
        return steps.at(column)

    def _group(self, lot: Lot) -> _Group:
        return _Group(
            lot.proto,
            lot.shortest,
            lot.longest,
            lot.end,
            lot.rank,
            lot.weight,
            (ctypes.c_uint64 * 2)(*lot.mask),
            None if lot.named is None else self._keep(lot.named),
            None if lot.values is None else self._keep(lot.values),
            0 if lot.values is None else len(lot.values),
        )
