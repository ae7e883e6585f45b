"""camscan traffic --carve: firmware of a capture in a folder of its own, and what may not be overwritten."""

from __future__ import annotations

import hashlib
import json
import random
import struct

import pytest
import wire_messages as wire

from camscan import workers
from camscan.cli.main import run as camscan

CLIENT, SERVER = "10.20.0.7", "203.0.113.9"
PROGRAM = b"\x7fELF" + bytes(60) + b"api.cam-vendor.com\0" + random.Random(3).randbytes(30_000)


def uimage(data):
    head = struct.pack(
        ">7I4B32s", 0x27051956, 0, 1_600_000_000, len(data), 0, 0, 0, 5, 2, 2, 0, b"cam"
    )
    return head + data


IMAGE = uimage(PROGRAM)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(IMAGE)
    + IMAGE
)  # fmt: skip
GET = b"GET /fw/v2.bin?token=s3cr3t HTTP/1.1\r\nHost: update.cam.example\r\nUser-Agent: cam\r\n\r\n"


def frames(cport=40000, *, lost=(), at=1_700_000_000.0):
    (ask,) = wire.segments(GET, at=at, seq=1, src=CLIENT, sport=cport, dst=SERVER, dport=80)
    yield ask
    for n, begin in enumerate(range(0, len(ANSWER), 1400)):
        if n not in lost:
            part = ANSWER[begin : begin + 1400]
            yield wire.back(ask, part, 0.01 * (n + 1))._replace(seq=1 + begin)


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "cap.pcap"
    wire.write_pcap(path, [*frames(), *frames(40001, lost={9}, at=1_700_000_100.0)])
    return path


def carve(captures, folder, tmp_path, *more):
    command = ["traffic", *map(str, captures), "-o", str(tmp_path / "run"), "--carve", str(folder)]
    return camscan([*command, "--quiet", *more])


def index(folder):
    return json.loads((folder / "carve.json").read_text("utf-8"))


def test_a_download_is_carved_and_can_be_examined(tmp_path, capture, capsys):
    folder = tmp_path / "carved"
    assert carve([capture], folder, tmp_path) == 0
    assert "2 bodies that look like firmware, 1 complete" in capsys.readouterr().err
    found = index(folder)
    assert found["schema"] == "camscan-carve/1"
    assert found["captures"] == [
        {"name": "cap.pcap", "sha256": hashlib.sha256(capture.read_bytes()).hexdigest()}
    ]
    whole, broken = found["bodies"]
    digest = hashlib.sha256(IMAGE).hexdigest()
    assert (whole["file"], whole["sha256"]) == (f"0001-{digest[:12]}.bin", digest)
    assert (folder / whole["file"]).read_bytes() == IMAGE
    assert (whole["client"], whole["server"], whole["port"]) == (CLIENT, SERVER, 80)
    assert (whole["host"], whole["path"]) == ("update.cam.example", "/fw/v2.bin")
    assert whole["begun"].startswith("2023-11-14T22:13:20")
    assert (whole["complete"], whole["why"], whole["holes"]) == (True, "", [])
    assert broken["complete"] is False
    assert broken["file"].endswith(".incomplete.bin")
    assert [high - low for low, high in broken["holes"]] == [1400]
    assert "s3cr3t" not in (folder / "carve.json").read_text("utf-8")
    assert {p.name for p in folder.iterdir()} == {"carve.json", whole["file"], broken["file"]}
    run = tmp_path / "run"
    assert not any(IMAGE[100:200] in p.read_bytes() for p in run.rglob("*") if p.is_file())
    command = ["firmware", str(folder / whole["file"]), "--json", "-o", str(tmp_path / "fw")]
    assert camscan(command) in {0, 2}
    said = json.loads(capsys.readouterr().out)
    assert "api.cam-vendor.com" in {e["host"] for e in said["endpoints"]}


def test_the_same_image_of_two_clients_is_one_file(tmp_path):
    path = tmp_path / "cap.pcap"
    wire.write_pcap(path, [*frames(), *frames(40001)])
    folder = tmp_path / "carved"
    assert carve([path], folder, tmp_path) == 0
    one, two = index(folder)["bodies"]
    assert one["file"] == two["file"]
    assert len(list(folder.iterdir())) == 2


def test_a_download_goes_on_in_the_next_capture(tmp_path):
    every = list(frames())
    paths = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    wire.write_pcap(paths[0], every[:8])
    wire.write_pcap(paths[1], every[8:])
    folder = tmp_path / "carved"
    assert carve(paths, folder, tmp_path) == 0
    (body,) = index(folder)["bodies"]
    assert body["complete"] is True
    assert body["capture"] == "a.pcap"


def test_a_child_that_dies_leaves_what_it_told_of(tmp_path, capture, monkeypatch):
    """Killed with the second of three captures in its hands: the first is there, the others were read again."""
    other = tmp_path / "other.pcap"
    wire.write_pcap(other, frames(41000, at=1_700_000_200.0))
    killed: list[int] = []
    do = workers._Child.do

    def dying(self, job):
        answer = do(self, job)
        if b"other.pcap" in job and not killed:
            killed.append(self.pid)
            self.kill()
            return None  # as if it had died before it answered
        return answer

    monkeypatch.setattr(workers._Child, "do", dying)
    folder = tmp_path / "carved"
    assert carve([capture, other], folder, tmp_path) == 0
    assert len(killed) == 1
    bodies = index(folder)["bodies"]
    assert [b["complete"] for b in bodies] == [True, False, True]
    assert {p.name for p in folder.iterdir()} == {"carve.json", *(b["file"] for b in bodies)}


def test_what_cannot_be_read_is_said(tmp_path, capture):
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(capture.read_bytes()[:-700] + b"\xff" * 200)
    folder = tmp_path / "carved"
    assert carve([bad], folder, tmp_path) == 2
    assert index(folder)["not_read"]
    assert index(folder)["bodies"][0]["complete"] is True


def test_a_folder_that_holds_something_is_refused(tmp_path, capture, capsys):
    folder = tmp_path / "carved"
    folder.mkdir()
    (folder / "mine").write_text("x")
    assert carve([capture], folder, tmp_path) == 3
    assert "is not empty" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert carve([capture], tmp_path / "empty", tmp_path) == 0
    assert carve([capture], tmp_path / "run" / "in", tmp_path) == 3
    assert "lies in a run" in capsys.readouterr().err
    assert [p.name for p in folder.iterdir()] == ["mine"]


def test_a_live_capture_is_not_carved(tmp_path, capsys):
    command = ["traffic", "--interface", "lo", "--carve", str(tmp_path / "c")]
    assert camscan(command) == 3
    assert "--keep all" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_a_capture_that_cannot_be_read_stands_beside_what_the_others_gave(tmp_path, capture):
    text = tmp_path / "notes.txt"
    text.write_text("not a capture" * 10)
    circle = tmp_path / "circle.pcap"
    circle.symlink_to(circle)
    folder = tmp_path / "out"
    assert carve([capture, text, circle], folder, tmp_path) == 2
    found = index(folder)
    assert len(found["bodies"]) == 2
    assert [(c["name"], c["sha256"] is None) for c in found["captures"]] == [
        ("cap.pcap", False), ("notes.txt", False), ("circle.pcap", True),
    ]  # fmt: skip
    assert [line.count(str(tmp_path)) for line in found["not_read"]] == [1, 1]
    assert "Too many levels of symbolic links" in found["not_read"][1]
