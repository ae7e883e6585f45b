"""Literals are found in the printable runs where they stand in the file, and nowhere else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.firmware import ppcs, printable
from camscan.observe.firmware.printable import Text

LITERALS = (b"GOKE", b"Boa/0.9", b"AAAA", b"x")
PARTS = st.one_of(
    st.binary(max_size=9),
    st.sampled_from([*LITERALS, b"GO", b"KE", b"Boa", b"/0.9", b"A" * 17, b"A\0A", bytes(7), b" " * 9]),
)  # fmt: skip
BYTES = st.lists(PARTS, max_size=40).map(b"".join)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(printable, "SMALL", 0)
    monkeypatch.setattr(printable, "STEP", 32)


@given(BYTES)
@settings(max_examples=500, deadline=None)
def test_a_literal_is_found_where_it_stands(data):
    text = Text(data)
    for literal in LITERALS:
        assert list(text.find(literal)) == [m.start() for m in re.finditer(literal, data)]


@given(BYTES)
@settings(max_examples=500, deadline=None)
def test_every_printable_run_is_in_one_piece_and_led_back(data):
    text = Text(data)
    for run in re.finditer(rb"[\x20-\x7e]{4,}", data):
        assert run[0] in text
    assert all(data[text.place(i)] == byte for i, byte in enumerate(text.joined))


@given(BYTES)
@settings(max_examples=500, deadline=None)
def test_runs_of_letters_are_those_of_the_file(data):
    found = list(ppcs._runs(Text(data)))
    assert found == [(m.start(), m[0]) for m in re.finditer(rb"[A-P]{16,4096}", data)]


def test_what_is_no_text_is_left_out():
    noise = bytes(range(128, 256)) * 400
    text = Text(noise + b"Boa/0.94.13" + noise)
    assert list(text.find(b"Boa/0.94")) == [len(noise)]
    # Of every piece its first word may stay.
    assert len(text.joined) < len(text.data) // 2


def test_a_text_stays_as_it_is():
    assert Text(b"only text here " * 50).joined == b"only text here " * 50
