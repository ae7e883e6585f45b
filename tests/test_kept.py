"""Kept packets: written as asked, sealed, expired, deleted, and verify knows why they are gone."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from programs import ROOT

sys.path.insert(0, str(ROOT / "tests" / "observe" / "traffic"))

import traffic_frames as f
from traffic_frames import Record

from camscan import kept
from camscan.cli.main import run as camscan
from camscan.clock import FixedClock
from camscan.errors import RunError
from camscan.model.run import IntakeInfo
from camscan.observe.traffic.engine import Engine
from camscan.observe.traffic.keep import Keeper
from camscan.observe.traffic.source import Source
from camscan.run import Run

SECRET = b"password=hunter2" * 4
FRAMES = [
    f.ether(f.ip4("10.0.0.2", "93.184.216.1", 6, f.tcp(40000, 8123, SECRET, options=3))),
    f.ether(f.ip4("10.0.0.2", "93.184.216.1", 6, f.tcp(40001, 80, b"GET / HTTP/1.1\r\n\r\n"))),
    f.ether(f.ip6("fd00::2", "2606:2800::1", 17, f.udp(40000, 9, SECRET))),
    f.ether(b"\x00\x01" + SECRET, kind=0x0806),
]
RECORDS = [Record(1_700_000_000 + i * 0.25, frame) for i, frame in enumerate(FRAMES)]


def keep(folder: Path, mode: str, *, limit: int = 1 << 20) -> Keeper:
    engine = Engine(buffer=1 << 16)
    with Keeper(folder, mode, limit=limit) as keeper:
        engine.keeper = keeper
        engine.read(Source("x", io.BytesIO(f.pcap(RECORDS))))
    return keeper


def again(folder: Path) -> tuple[Engine, bytes]:
    """What was kept, read back."""
    engine = Engine(buffer=1 << 16)
    data = b""
    for path in sorted(folder.glob("*.pcapng")):
        data += path.read_bytes()
        engine.read(Source(path.name, io.BytesIO(path.read_bytes())))
    return engine, data


def test_all_keeps_every_packet_as_it_was(tmp_path):
    keeper = keep(tmp_path, "all")
    engine, data = again(tmp_path)
    assert (keeper.packets, engine.packets, keeper.ended_early) == (4, 4, "")
    assert data.count(SECRET) == 3
    assert (engine.first, engine.last) == (1_700_000_000.0, 1_700_000_000.75)
    plain = Engine(buffer=1 << 16)
    plain.read(Source("x", io.BytesIO(f.pcap(RECORDS))))
    assert list(engine.flows()) == list(plain.flows())


def test_headers_keep_no_byte_of_a_payload_and_every_flow(tmp_path):
    keep(tmp_path, "headers")
    engine, data = again(tmp_path)
    assert b"hunter2" not in data
    assert b"GET /" not in data
    plain = Engine(buffer=1 << 16)
    plain.read(Source("x", io.BytesIO(f.pcap(RECORDS))))
    assert list(engine.flows()) == list(plain.flows())


def test_handshakes_keep_what_was_read_for_names(tmp_path):
    keeper = keep(tmp_path, "handshakes")
    _, data = again(tmp_path)
    assert keeper.packets == 1
    assert b"GET / HTTP/1.1" in data
    assert b"hunter2" not in data


def test_the_limit_holds_and_is_said(tmp_path):
    keeper = keep(tmp_path, "all", limit=300)
    assert 0 < keeper.packets < 4
    assert keeper.ended_early == "the limit of 300 bytes was reached"
    assert again(tmp_path)[0].packets == keeper.packets


def a_run(folder: Path, *, retention: float | None) -> Run:
    clock = FixedClock(1_700_000_000.0)
    run = Run.create(folder, owner="Town", authority=None, clock=clock)
    info = IntakeInfo(
        id="", kind="traffic", started="2023-11-14T22:13:20.000Z", tool_version="0",
        knowledge_hash="", vantage="file",
    )  # fmt: skip
    writer = run.new_intake(info)
    place = kept.folder_of(folder, writer.info.id)
    keeper = keep(place, "headers")
    kept.write_info(
        place,
        kept.KeptInfo(
            schema=kept.SCHEMA, intake=writer.info.id, mode="headers",
            since="2023-11-14T22:13:20.000Z", until=kept.expiry(clock.now(), retention),
            packets=keeper.packets,
        ),
    )  # fmt: skip
    writer.seal(complete=True)
    return run


def test_kept_packets_are_sealed(tmp_path):
    run = a_run(tmp_path / "run", retention=30)
    assert run.verify() == ()
    path = tmp_path / "run" / "kept" / "0001-traffic" / "packets-0001.pcapng"
    path.write_bytes(path.read_bytes() + b"x")
    (path.parent / "packets-0002.pcapng").write_bytes(b"new")
    assert [(p.where.rsplit("/", 1)[1], p.what) for p in run.verify()] == [
        ("packets-0001.pcapng", "changed after it was sealed"),
        ("packets-0002.pcapng", "added after the intake was sealed"),
    ]
    path.unlink()
    assert "missing" in {p.what for p in run.verify()}


def test_purge_deletes_what_expired_and_verify_understands(tmp_path, capsys):
    run = a_run(tmp_path / "run", retention=30)
    path = tmp_path / "run" / "kept" / "0001-traffic" / "packets-0001.pcapng"
    assert list(kept.due(run.path, 1_700_000_000.0 + 29 * 86_400)) == []
    assert camscan(["purge", str(run.path), "--dry-run"]) == 0
    assert "would be deleted" in capsys.readouterr().out
    assert path.exists()
    assert camscan(["purge", str(run.path)]) == 0
    assert "1 file deleted (expired 2023-12-14" in capsys.readouterr().out
    assert not path.exists()
    assert run.verify() == ()
    assert camscan(["verify", str(run.path)]) == 0
    assert camscan(["purge", str(run.path)]) == 0
    assert "nothing to delete" in capsys.readouterr().out


def test_without_retention_only_purge_all_deletes(tmp_path, capsys):
    run = a_run(tmp_path / "run", retention=None)
    assert camscan(["purge", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert "nothing" in out
    assert "no retention was named: only --all deletes" in out
    assert camscan(["purge", str(run.path), "--all", "--json"]) == 0
    assert '"deleted":true' in capsys.readouterr().out
    assert run.verify() == ()


def test_a_forged_note_excuses_nothing(tmp_path):
    run = a_run(tmp_path / "run", retention=30)
    folder = tmp_path / "run" / "kept" / "0001-traffic"
    (what,) = kept.due(run.path, 2e9)
    kept.purge(run.path, what, 2e9)
    note = folder / "purged.json"
    note.write_bytes(note.read_bytes().replace(b'"sha256": "', b'"sha256": "0'))
    assert [p.what for p in run.verify()] == ["missing"]
    note.write_bytes(b"{")
    assert any("cannot be read" in p.what for p in run.verify())
    with pytest.raises(RunError):
        kept.purged_of(run.path, "0001-traffic")
