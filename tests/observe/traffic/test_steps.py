"""The compiled steps answer what their numpy forms answer, and read nothing beyond the bytes they are given."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import shutil
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import traffic_frames as f
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import ROOT

from camscan.knowledge import load
from camscan.observe.traffic import steps
from camscan.observe.traffic.alike import Alike, Asked
from camscan.observe.traffic.batch import PAD, Batch, Tally
from camscan.observe.traffic.candidates import Candidates
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.gating import NO_RANK, Gating, Looked
from camscan.observe.traffic.headers import Headers
from camscan.observe.traffic.link import ETHERNET
from camscan.observe.traffic.packet import HEAD, Gate, nothing
from camscan.observe.traffic.places import Places
from camscan.observe.traffic.records import PcapFramer
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.table import PairTable

SERVICES = load().services
compiled = pytest.mark.skipif(
    steps.compiled is None, reason="steps.c was not compiled when the project was installed"
)
GATE_SETS = {
    "all": (*GATES, *service_gates(SERVICES)),
    "few": (
        Gate(id="a", pattern=b"ab", alike="payload"),
        Gate(id="b", transport="udp", ports=(9,), pattern=b"a", mask=b"\x5f", longest=30),
        Gate(id="c", offset=3, pattern=b"abcd", mask=b"\xff\x00\xff\xff", ports=(7, 9)),
        Gate(id="d", transport="tcp", ports=(7,), shortest=3),
        Gate(id="e", offset=12, pattern=b"aaaa"),
    ),
}


def hook():
    """The build hook as a module."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numpy_form():
    return mock.patch.object(steps, "compiled", None)


def both(work):
    """What `work` answers in the compiled form and in numpy's."""
    done = work()
    with numpy_form():
        return done, work()


def test_a_library_that_cannot_be_used_is_left_aside(tmp_path, monkeypatch):
    broken = tmp_path / "_steps.so"
    assert steps.load(broken) is None
    broken.write_bytes(b"no library")
    assert steps.load(broken) is None
    monkeypatch.setenv(steps.SWITCH, "numpy")
    assert steps.load() is None


@compiled
def test_a_library_of_another_source_is_left_aside(tmp_path, monkeypatch):
    assert steps.load() is not None
    other = tmp_path / "steps.c"
    other.write_bytes(steps.SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(steps, "SOURCE", other)
    assert steps.load() is None


def test_without_a_compiler_it_is_said_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", "")
    assert hook().compiled(ROOT) == "no C compiler found"


@pytest.mark.needs("cc")
def test_a_source_that_does_not_compile_leaves_what_was_there(tmp_path):
    built = hook()
    source = tmp_path / built.SOURCE
    source.parent.mkdir(parents=True)
    source.write_text("no C")
    old = tmp_path / built.LIBRARY
    old.write_bytes(b"old")
    assert "error" in built.compiled(tmp_path)
    assert old.read_bytes() == b"old"
    assert {p.name for p in source.parent.iterdir()} == {"steps.c", "_steps.so"}


FIELD = st.integers(0, 255)


@st.composite
def frames(draw):
    """Ethernet frames that are nearly plain: some bytes of the headers are anything."""
    proto = draw(st.sampled_from((6, 17)))
    size = draw(st.integers(0, 40))
    frame = bytearray(b"\x02" * 12 + b"\x08\x00\x45\x00" + bytes(38 + size))
    total = len(frame) - 14 - draw(st.sampled_from((0, 0, 0, 6)))
    frame[16:18] = total.to_bytes(2, "big")
    frame[23] = proto
    frame[26:34] = bytes((10, 0, 0, draw(st.integers(1, 3)), 93, 184, 216, draw(st.integers(1, 3))))
    frame[34:38] = bytes((0, draw(st.sampled_from((7, 9))), 0, draw(st.sampled_from((7, 9)))))
    if proto == 6:
        frame[46] = 0x50
        begin = 54
    else:
        frame[38:40] = (len(frame) - 34).to_bytes(2, "big")
        begin = 42
    text = draw(st.text("ab", max_size=20)).encode()
    frame[begin : begin + len(text)] = text
    for at, value in draw(st.lists(st.tuples(st.integers(12, 51), FIELD), max_size=2)):
        frame[at] = value
    cut = draw(st.sampled_from((0, 0, 0, 1, 12, 30)))
    return bytes(frame[: max(len(frame) - cut, 1)]), cut


def batch_of(made):
    """One buffer that ends where it must, and the batch in it."""
    data = np.frombuffer(b"".join(frame for frame, _ in made) + bytes(PAD), np.uint8)
    captured = np.array([len(frame) for frame, _ in made])
    cut = np.array([cut for _, cut in made])
    place = np.cumsum(captured) - captured
    at = 1.7e9 + np.arange(len(made)) * 0.5
    return Batch(data, place, captured, captured + cut, at, ETHERNET, 0, 0)


@compiled
@settings(max_examples=150)
@given(st.lists(frames(), min_size=1, max_size=30))
def test_columns(made):
    batch = batch_of(made)

    def columns():
        tally = Tally()
        found = Headers(PairTable(1 << 10), tally).columns(batch)
        listed = None if found is None else {k: v.tolist() for k, v in found._asdict().items()}
        return listed, tally.unwrapped, tally.not_examined

    one, other = both(columns)
    assert one == other


@compiled
@settings(max_examples=150)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40),
        min_size=1, max_size=6,
    ),
    st.integers(1, 40),
)  # fmt: skip
def test_numbers_tell_the_same_pairs_apart(lots, most):
    def told():
        table = PairTable(most, start=2)
        found = []
        for lot in lots:
            a, b = np.array(lot, np.uint64).T
            numbers = table.numbers(a, b)
            for x, y, number in zip(a.tolist(), b.tolist(), numbers.tolist(), strict=True):
                assert number == 0 or (table.a[number], table.b[number]) == (x, y)
            found.append((numbers > 0).sum() if table.count == most else numbers.tolist())
            assert table.numbers(a, b, insert=False).tolist() == numbers.tolist()
        pairs = set(
            zip(
                table.a[1 : table.count + 1].tolist(),
                table.b[1 : table.count + 1].tolist(),
                strict=True,
            )
        )
        return table.count, pairs if table.count < most else len(pairs)

    one, other = both(told)
    assert one == other


@compiled
@pytest.mark.parametrize("gates", GATE_SETS)
@settings(max_examples=120)
@given(made=st.lists(frames(), min_size=1, max_size=30), wanted=st.booleans())
def test_picked_rows(gates, made, wanted):
    batch = batch_of(made)
    addresses = PairTable(1 << 10)
    columns = Headers(addresses, Tally()).columns(batch)
    if columns is None:
        return
    table = PairTable(1 << 10)
    numbers = table.numbers(columns.a, columns.b)

    def picked():
        chooser = Candidates(GATE_SETS[gates], nothing, Places(addresses))
        chooser.welcome(table, 0)
        found = []
        for _ in range(2):  # the second time, short payloads are echoes
            if wanted:
                chooser.renumber(table, numbers[:1])
            chooser.offer(batch, columns, numbers, [], 0)
            found.append((chooser.read.tolist(), chooser.fed))
        return found, sorted(chooser._alike._times[1:].tolist())

    one, other = both(picked)
    assert one == other


@compiled
@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=20),
    st.sampled_from(((), ("93.184.0.0/15", "10.1.0.0/16"), ("192.0.2.4/31", "192.0.2.0/24"))),
)
def test_what_leaves_the_network(ends, scope):
    edges = [int(ipaddress.ip_address(x)) for x in (
        "10.255.255.255", "10.0.0.1", "224.0.0.1", "0.0.0.1", "255.255.255.255", "192.0.2.5", "192.0.2.255",
        "93.185.255.255", "93.184.1.1", "9.9.9.9", "172.31.255.255", "192.168.1.1", "192.168.1.255", "10.1.7.255",
    )]  # fmt: skip
    ends = [*ends, *((x, y) for x in edges for y in edges)]
    a = np.array([x << 32 | y for x, y in ends], np.uint64)
    b = np.full(len(a), 17 << 32, np.uint64)
    one, other = both(lambda: Places(PairTable(8), scope).leaves(a, b).tolist())
    assert one == other


@compiled
@given(st.lists(st.tuples(st.sampled_from((6, 17, 1)), *(st.sampled_from((7, 9, 53, 80)),) * 2)))
def test_gates_of_ports(keys):
    b = np.array([proto << 32 | x << 16 | y for proto, x, y in keys], np.uint64)
    for gates in GATE_SETS.values():
        gating = Gating(gates)
        one, other = both(lambda gating=gating: gating.by_port(b).tolist())
        assert one == other


HELLOS = [
    wire.records(wire.hello(name, alpn=alpn, ech=ech))
    for name, alpn, ech in (
        ("a.example.com", (), False),
        ("b.example.com", ("h2",), False),
        ("", ("h2", "http/1.1"), True),
        ("n" * 63 + "." + "m" * 63, (), False),
        ("n" * 63 + "." + "m" * 63 + ".example", (), False),
    )
] + [wire.server_flight(None), wire.server_flight(wire.certificate("a.example.com"))]


@compiled
@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(HELLOS),
            st.lists(st.tuples(st.integers(0, 300), FIELD), max_size=2),
            st.sampled_from((0, 0, 1, 40)),
        ),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_forms_of_handshakes(made):
    payloads = []
    for message, changes, cut in made:
        data = bytearray(message)
        for at, value in changes:
            data[at % len(data)] = value
        payloads.append(bytes(data[: len(data) - cut]))
    packets = [f.ether(f.ip4("10.0.0.2", "9.9.9.9", 6, f.tcp(40000, 443, p))) for p in payloads]
    batch = batch_of([(packet, 0) for packet in packets])
    columns = Headers(PairTable(1 << 10), Tally()).columns(batch)
    gating = Gating(GATE_SETS["all"])
    rows = np.flatnonzero(columns.held > 0)
    head = np.array([list(p[:HEAD].ljust(HEAD, b"\0")) for p in payloads], np.uint8)[rows]
    looked = Looked.at(columns, rows, head)
    ranks, passed = gating.ranks(np.zeros(len(rows), np.uint32), looked)
    some = ranks != NO_RANK
    looked = Looked._make(column[some] for column in looked)
    asked = Asked(columns, rows[some], ranks[some], passed[some], looked, gating.servers)

    def told():
        numbers = Alike().numbers(batch.data, asked).tolist()
        # Forms are numbered in another order: which packets have the same one is what counts.
        return [n if n < 2 else 2 + numbers.index(n) for n in numbers]

    one, other = both(told)
    assert one == other


@compiled
@pytest.mark.parametrize("unit", [b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d"])
@given(data=st.binary(min_size=16, max_size=400))
def test_fields_of_records(unit, data):
    order = "<" if unit[0] == 0xD4 else ">"
    header = np.frombuffer(unit + bytes(20), np.uint8).tobytes()
    framer = PcapFramer(header)
    places = np.arange(0, len(data) - 15, 5)
    padded = np.frombuffer(data + bytes(PAD), np.uint8)
    chain = mock.Mock(offsets=places)
    one, other = both(lambda: framer.batch(padded, chain, 7))
    assert framer.order == order
    for name in ("frame", "captured", "wire", "at"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()


SANITIZED = """
import io, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from camscan.observe.traffic import steps
steps.compiled = steps.load(Path(sys.argv[1]))
assert steps.compiled is not None
import random
import traffic_frames as f
from test_traffic_engine import packets, timed
from camscan.knowledge import load
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.gates import GATES
from camscan.observe.traffic.services import service_gates
from camscan.observe.traffic.source import Source
gates = (*GATES, *service_gates(load().services))
rng = random.Random(7)
read = 0
for turn in range(60):
    records = timed([f.ether(p) for p in packets(turn, 60)])
    data = bytearray((f.pcap, f.pcapng)[turn % 2](records))
    for _ in range(rng.choice((0, 3, 40))):
        data[rng.randrange(24, len(data))] = rng.randrange(256)
    engine = Engine(gates=gates, feed=lambda packet: len(packet.payload) % 2 == 0, buffer=1 << 13)
    engine.read(Source("x", io.BytesIO(bytes(data[: rng.randrange(40, len(data))]))))
    read += engine.packets
    list(engine.flows())
print(read)
"""


@pytest.mark.needs("cc")
def test_nothing_is_read_beyond_the_bytes_given(tmp_path):
    """Under the address and undefined-behaviour sanitizers, on damaged captures."""
    library = tmp_path / "_steps.so"
    flags = (
        "-O1",
        "-g",
        "-std=c11",
        "-fPIC",
        "-shared",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    )
    assert hook().compiled(ROOT, flags=flags, to=library) == ""
    runtime = subprocess.run(
        [shutil.which("cc"), "-print-file-name=libasan.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-c", SANITIZED, library, ROOT / "tests", ROOT / "tests/observe/traffic", ROOT],
        env=os.environ | {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 1500
