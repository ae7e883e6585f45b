"""Is padding told from data, and what looks encrypted from what does not?"""

from __future__ import annotations

import pytest
from firmware_images import noise, text

from camscan.observe.firmware.blank import (
    _ZEROS,
    CELL,
    HIGH,
    WINDOW,
    entropy,
    filled,
    high,
    looks_encrypted,
)
from camscan.observe.firmware.source import Source


@pytest.mark.parametrize(
    ("data", "value"), [(b"", 0.0), (bytes(99), 0.0), (b"ab" * 50, 1.0), (bytes(range(256)), 8.0)]
)
def test_entropy_in_bits_per_byte(data, value):
    assert entropy(data) == pytest.approx(value)


def test_the_parts_between_padding():
    data = b"x" * 10 + bytes(CELL * 3) + b"y" * CELL + b"\xff" * (CELL * 2) + b"z" * 5
    parts = list(filled(Source(memoryview(data)), 0, len(data)))
    # Cells are counted from the start: the first holds ten bytes and the beginning of the zeros.
    assert parts == [(0, CELL), (3 * CELL, 5 * CELL), (6 * CELL, len(data))]
    assert list(filled(Source(memoryview(bytes(CELL * 9))), 0, CELL * 9)) == []
    assert list(filled(Source(memoryview(b"\xff" * 77)), 0, 77)) == []
    assert list(filled(Source(memoryview(b"")), 0, 0)) == []


def test_holes_of_a_sparse_file_are_padding():
    data = bytearray(CELL * 8)
    data[CELL * 2 : CELL * 3] = b"a" * CELL
    data[CELL * 6 : CELL * 7] = b"b" * CELL
    source = Source(memoryview(data), ((CELL * 2, CELL * 3), (CELL * 6, CELL * 7)))
    expected = [(CELL * 2, CELL * 3), (CELL * 6, CELL * 7)]
    assert list(filled(source, 0, len(data))) == expected
    assert list(source.parts(CELL * 2 + 5, CELL * 6 + 5)) == [
        (CELL * 2 + 5, CELL * 3),
        (CELL * 6, CELL * 6 + 5),
    ]


def test_runs_of_high_entropy():
    data = text(1 << 17) + noise(1 << 17) + text(1 << 16)
    ((start, end, value),) = high(memoryview(data), 0, len(data))
    assert (start, end) == (1 << 17, 1 << 18)
    assert value > 7.99


def test_a_run_goes_on_over_a_window_that_is_a_little_less_dense():
    less = bytes(b for b in noise(1 << 17) if b >= 24)[: 1 << 16]  # 7.86 bits
    data = noise(1 << 17) + less + noise(1 << 17, 3) + text(1 << 16)
    ((start, end, _),) = high(memoryview(data), 0, len(data))
    assert (start, end) == (0, 5 << 16)
    assert list(high(memoryview(less * 2), 0, 1 << 17)) == []


def test_a_file_looks_encrypted_only_if_all_of_it_does():
    assert (looks_encrypted(noise(200_000)) or 0) > 7.99
    assert looks_encrypted(noise(100_000) + text(200_000)) is None
    assert looks_encrypted(text(200_000)) is None
    assert looks_encrypted(noise(1000)) is None


def test_a_window_with_many_zeros_is_no_high_one_even_at_its_best():
    zeros = int(_ZEROS * WINDOW) + 1
    others = bytes(1 + i % 255 for i in range(WINDOW - zeros))
    assert entropy(bytes(zeros) + others) < HIGH
    assert looks_encrypted(bytes(zeros) + others) is None
