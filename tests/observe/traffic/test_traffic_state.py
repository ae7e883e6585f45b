"""What was counted can be written down, taken up again, and counted in parts, with the same result."""

from __future__ import annotations

import io

import msgspec
import pytest
import traffic_frames as f
from hypothesis import given, settings
from hypothesis import strategies as st
from test_traffic_engine import engine_of, packets, timed

from camscan.errors import InputError, RunError
from camscan.observe.traffic import checkpoint, messages
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.hashing import Hashed
from camscan.observe.traffic.source import Source
from camscan.observe.traffic.state import absorb, decoded, encoded, state_of

RECORDS = timed([f.ether(p) for p in packets(41, 4000)], step=0.08)


def halves(*, settle: bool) -> Engine:
    """The first half counted by one engine, written down, and taken up by another that counts the second."""
    half = len(RECORDS) // 2
    first, second = engine_of(f.pcap(RECORDS[:half])), Engine(buffer=1 << 18)
    if settle:
        first.settle()
    absorb(second, decoded(encoded(state_of(first))))
    second.read(Source("x", io.BytesIO(f.pcap(RECORDS[half:]))))
    return second


@pytest.mark.parametrize("settle", [False, True])
def test_counting_on_from_a_state_is_like_counting_at_once(settle):
    engine, plain = halves(settle=settle), engine_of(f.pcap(RECORDS))
    assert list(engine.flows()) == list(plain.flows())
    assert engine.summary() == plain.summary()
    assert len(next(iter(engine.flows())).minutes) > 1


def test_taking_a_state_changes_nothing():
    engine = Engine(buffer=1 << 16)
    engine.on_batch = lambda batch: state_of(engine)
    engine.read(Source("x", io.BytesIO(f.pcap(RECORDS))))
    assert list(engine.flows()) == list(engine_of(f.pcap(RECORDS)).flows())


def test_a_checkpoint_survives_and_its_absence_is_no_error(tmp_path):
    written = checkpoint.Checkpoint(
        schema=checkpoint.SCHEMA,
        until=5.0,
        state=b"state" * 300,
        packets=7,
        gaps=(messages.Gap(1.0, 2.0, "interrupted"),),
        read=(messages.FileRead(number=0, packets=7, first=1.0, last=5.0),),
        hashed=(Hashed(number=0, size=9, sha256="ab"),),
    )
    assert checkpoint.load(tmp_path) is None
    assert checkpoint.save(tmp_path, written) > 1000
    assert checkpoint.load(tmp_path) == written
    (tmp_path / checkpoint.NAME).write_bytes(b"\x93torn")
    with pytest.raises(RunError):
        checkpoint.load(tmp_path)
    checkpoint.save(tmp_path, msgspec.structs.replace(written, schema="camscan-checkpoint/9"))
    with pytest.raises(RunError):
        checkpoint.load(tmp_path)
    checkpoint.finish(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RunError):
        checkpoint.save(tmp_path / "gone", written)
    assert checkpoint.room(tmp_path) > 0
    assert checkpoint.needed(10, 1) < checkpoint.needed(10, 1000) < checkpoint.needed(1 << 30, 1000)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_pass_for_a_state_by_chance(data):
    with pytest.raises(InputError):
        decoded(data)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_changed_state_is_refused_or_counted(draw):
    state = state_of(engine_of(f.pcap(RECORDS[:50])))
    name = draw.draw(st.sampled_from(("tuples", "lots", "entries", "minutes", "addresses")))
    inner = name in ("tuples", "lots")
    columns = list(getattr(state.segment if inner else state, name))
    at = draw.draw(st.integers(0, len(columns) - 1))
    raw = bytearray(columns[at])
    cut = draw.draw(st.integers(0, len(raw)))
    columns[at] = bytes(raw[:cut])
    change = {name: tuple(columns)}
    if inner:
        change = {"segment": msgspec.structs.replace(state.segment, **change)}
    changed = msgspec.structs.replace(state, **change)
    try:
        absorb(engine := Engine(buffer=1 << 16), changed)
        list(engine.flows())
    except InputError:
        pass
