"""Capture files: in order of their time, through an interruption, beside a hostile one, from a pipe."""

from __future__ import annotations

import faulthandler
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import wire_messages as wire

from camscan import assessments, limited
from camscan.cli.main import run as camscan
from camscan.observe.traffic import checkpoint, child, filling, sets, source, take
from camscan.observe.traffic.sizes import Sizes

T = 1_793_000_000.0
SLOW = Path(__file__).with_name("interrupted_files.py")


def hour(number: int, *, begin: float, names: tuple[str, ...] = (), seconds: float = 100.0):
    """Packets of one file: a question for each name, then one datagram a second to a port of its own."""
    for n, name in enumerate(names):
        yield wire.datagram(wire.dns_query(name), at=begin + n / 10, dst=wire.RESOLVER, dport=53)
    for second in range(1, int(seconds)):
        yield wire.datagram(bytes(50), at=begin + second, dst="198.41.0.4", dport=7000 + number)


@pytest.fixture
def files(tmp_path):
    """Three files that follow each other; their names are in another order than their times."""
    folder = tmp_path / "captures"
    folder.mkdir()
    for number, name in enumerate(("m.pcap", "z.pcap", "a.pcap")):
        packets = hour(
            number, begin=T + 100 * number, names=(f"cloud{number}.example.net", "all.example.net")
        )
        wire.write_pcap(folder / name, packets)
    return folder


def lines(capsys):
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err


def flows(records):
    return {r["port"]: r["packets"] for r in records if r["type"] == "flow"}


def names(records):
    return {r["name"]: r["count"] for r in records if r["type"] == "name"}


def summary_of(run: Path) -> dict:
    for line in next(run.glob("intakes/*/observations.ndjson")).read_text().splitlines():
        record = json.loads(line)
        if record["kind"] == "capture":
            sha256 = record["sha256"]
            return json.loads((run / "raw" / sha256[:2] / sha256).read_text())
    raise AssertionError


def test_files_in_any_order_are_one_capture(files, tmp_path, capsys):
    one = tmp_path / "one.pcap"
    order = [files / name for name in ("m.pcap", "z.pcap", "a.pcap")]
    one.write_bytes(b"".join(p.read_bytes()[24 if n else 0 :] for n, p in enumerate(order)))
    assert camscan(["traffic", str(one), "--json"]) == 0
    whole, _ = lines(capsys)
    assert len(whole) > 6
    for given in (sorted(map(str, order)), [str(files)], [str(files / "*.pcap")]):
        assert camscan(["traffic", *given, "--json"]) == 0
        again, err = lines(capsys)
        assert again == whole
        assert err == ""


def test_printed_lines_leave_nothing_on_the_disk(files, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert camscan(["traffic", str(files), "--json"]) == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert len(lines(capsys)[0]) == 8


def test_the_files_of_a_folder_are_those_that_are_captures(files, capsys):
    (files / "notes.txt").write_text("what was done when")
    (files / "b.pcap.gz").write_bytes(gzip.compress((files / "a.pcap").read_bytes()))
    (files / "again.pcap").write_bytes((files / "m.pcap").read_bytes())
    assert camscan(["traffic", str(files), "--json"]) == 0
    records, err = lines(capsys)
    assert flows(records)[7000] == 99
    assert flows(records)[7002] == 198  # b.pcap.gz is a.pcap in other bytes: counted, and said
    assert "left out, no captures: 1 of " in err
    assert "the same bytes as" in err


def test_time_between_files_is_not_examined_and_overlaps_are_said(files, tmp_path, capsys):
    wire.write_pcap(files / "late.pcap", hour(5, begin=T + 4000))
    wire.write_pcap(files / "beside.pcap", hour(6, begin=T + 4050))
    run = tmp_path / "run"
    assert camscan(["traffic", str(files), "-o", str(run), "--phase", "login"]) == 0
    ((begin, end, why),) = summary_of(run)["gaps"]
    assert (begin, end) == (pytest.approx(T + 299), pytest.approx(T + 4001))
    assert why == "no file covers it"
    coverage = "\n".join(assessments.read(run).coverage.not_examined)
    assert "no file covers it" in coverage
    assert "late.pcap and beside.pcap both cover" in coverage
    assert "counted twice" in coverage
    (device,) = [t for t in assessments.read(run).traffic if t.device_id == wire.CAMERA]
    assert device.watch.seconds == pytest.approx(299 + 149, abs=2)
    assert "7.5 minutes of capture" in capsys.readouterr().out or device.watch.gaps


def test_whole_days_are_counted_without_the_gaps(tmp_path):
    day = 86_400.0
    folder = tmp_path / "days"
    folder.mkdir()
    for number in range(3):
        begin = T + number * 1.5 * day
        packets = [
            wire.datagram(bytes(50), at=begin + s * day / 10, dst="198.41.0.4", dport=7000)
            for s in range(11)
        ]
        wire.write_pcap(folder / f"{number}.pcap", packets)
    assert camscan(["traffic", str(folder), "-o", str(tmp_path / "run")]) == 0
    (device,) = [
        t for t in assessments.read(tmp_path / "run").traffic if t.device_id == wire.CAMERA
    ]
    assert device.watch.days == 3  # of 4 from the first packet to the last
    assert len(device.watch.gaps) == 2


# One file that takes its reader along


LITTLE = """
import sys
from msgspec.structs import replace
from camscan.cli import traffic_files
from camscan.cli.main import run
from camscan.observe.traffic import collected
collected.LIMITS = traffic_files.LIMITS = replace(collected.LIMITS, memory=260 << 20)
sys.exit(run(sys.argv[1:]))
"""


def scattered(path: Path, count: int, at: float) -> None:
    """One client, `count` remote addresses: all tables of a reader grow."""
    wire.write_pcap(path, [wire.datagram(bytes(20), at=at, dst="60.0.0.0", dport=6000)])
    one = path.read_bytes()
    rows = np.tile(np.frombuffer(one[24:], np.uint8), (count, 1))
    place = 16 + 14 + 16  # the target address
    rows[:, place : place + 4] = (
        (np.arange(count) + (60 << 24)).astype(">u4").view(np.uint8).reshape(-1, 4)
    )
    path.write_bytes(one[:24] + rows.tobytes())


def test_a_file_that_needs_too_much_memory_is_named_and_the_others_are_kept(files, tmp_path):
    scattered(files / "z.pcap", 600_000, T + 150)
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", LITTLE, "traffic", str(files), "-o", str(run), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2
    assert flows(records) == {53: 4, 7000: 99, 7002: 99}
    assert names(records) == {
        "cloud0.example.net": 1, "cloud2.example.net": 1, "all.example.net": 2,
    }  # fmt: skip
    words = "z.pcap: not examined: needed more memory than its limit of 260 MB"
    assert words in done.stderr
    assert assessments.read(run).coverage.incomplete
    assert camscan(["verify", str(run)]) == 0


def dying(monkeypatch, how):
    """Reading z.pcap ends in `how`; the patch is inherited by the fork."""
    read = take.Taking.read

    def reads(self, source, **options):
        if source.name.endswith("z.pcap"):
            how()
        return read(self, source, **options)

    monkeypatch.setattr(take.Taking, "read", reads)


def spin():
    while True:
        pass


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended by signal 9"),
        ([].pop, "its reader failed (IndexError"),
        (spin, "more processor time"),
    ],
)
def test_a_file_that_breaks_its_reader_is_named_and_the_others_are_kept(
    files, tmp_path, capsys, monkeypatch, how, words
):
    monkeypatch.setattr(child, "_CPU", 1)
    monkeypatch.setattr(child, "_CPU_PER_MB", 0)
    dying(monkeypatch, how)
    run = tmp_path / "run"
    assert camscan(["traffic", str(files), "-o", str(run), "--json"]) == 2
    records, err = lines(capsys)
    assert flows(records) == {53: 4, 7000: 99, 7002: 99}
    assert f"z.pcap: not examined: {words}" in err or (words in err and "z.pcap" in err)
    assert len(json.loads(next(run.glob("intakes/*/intake.json")).read_text())["inputs"]) == 3


def test_a_single_file_that_breaks_its_reader_leaves_a_run_that_says_so(
    files, tmp_path, capsys, monkeypatch
):
    dying(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGKILL))
    run = tmp_path / "run"
    assert camscan(["traffic", str(files / "z.pcap"), "-o", str(run)]) == 2
    assert "not examined" in capsys.readouterr().err
    assert summary_of(run)["vantage"] == "file"
    assert camscan(["verify", str(run)]) == 0


# Interruptions


def broken_off(files: Path, run: Path, how: int, where: str = "a.pcap") -> tuple[int, str]:
    """Read m.pcap and z.pcap, be killed in a.pcap; with `@`, once a checkpoint holds a part of that file."""
    name, _, within = where.partition("@")
    number = sorted(p.name for p in files.iterdir()).index(name)
    command = [sys.executable, str(SLOW), where, "traffic", str(files), "-o", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for _ in range(1500):
        states = list(run.glob("intakes/*/capture.state"))
        saved = checkpoint.load(states[0].parent) if states else None
        halfway = saved.halfway if saved is not None else None
        if saved is not None and (
            not within or (halfway is not None and halfway.read.number == number)
        ):
            break
        time.sleep(0.02)
    else:
        raise AssertionError("no checkpoint")
    if not within:
        time.sleep(0.3)  # until the second file is in it as well
    task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    readers = task.read_text().split() if task.exists() else []
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    for _ in range(500):
        left = [p for p in readers if _lives(p)]
        if not left:
            break
        time.sleep(0.02)
    assert [p for p in readers if _lives(p)] == []  # busy as it was, it ended with its parent
    return process.returncode, err


def _lives(pid: str) -> bool:
    """A zombie has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_was_read_before_an_interruption_is_not_read_again(files, tmp_path, capsys, how):
    assert camscan(["traffic", str(files), "--json"]) == 0
    whole, _ = lines(capsys)
    run = tmp_path / "run"
    code, err = broken_off(files, run, how)
    assert code == (-9 if how == signal.SIGKILL else 2)
    assert how == signal.SIGKILL or f"camscan traffic --resume -o {run}" in err
    (files / "m.pcap").unlink()  # it is in the checkpoint
    assert camscan(["traffic", "--resume", "-o", str(run), "--json"]) == 0
    again, _ = lines(capsys)
    assert again == whole
    (intake,) = [json.loads(p.read_text()) for p in run.glob("intakes/*/intake.json")]
    assert sorted(i["name"] for i in intake["inputs"]) == ["a.pcap", "m.pcap", "z.pcap"]
    assert all(len(i["sha256"]) == 64 for i in intake["inputs"])
    assert not list(run.glob("intakes/*/capture.*"))
    assert camscan(["verify", str(run)]) == 0
    assert camscan(["traffic", "--resume", "-o", str(run)]) == 3


def test_a_file_that_changed_meanwhile_is_not_examined(files, tmp_path, capsys):
    run = tmp_path / "run"
    broken_off(files, run, signal.SIGKILL)
    data = (files / "a.pcap").read_bytes()
    (files / "a.pcap").write_bytes(data[:-100])
    assert camscan(["traffic", "--resume", "-o", str(run), "--json"]) == 2
    records, err = lines(capsys)
    assert flows(records) == {53: 4, 7000: 99, 7001: 99}
    assert f"had {len(data)} bytes when it was begun, has {len(data) - 100} now" in err


def test_a_file_of_the_same_size_and_other_bytes_is_found_by_its_hash(files, tmp_path, capsys):
    run = tmp_path / "run"
    broken_off(files, run, signal.SIGKILL)
    data = bytearray((files / "a.pcap").read_bytes())
    data[-1] ^= 1
    (files / "a.pcap").write_bytes(data)
    code = camscan(["traffic", "--resume", "-o", str(run), "--json"])
    _, err = lines(capsys)
    (intake,) = [json.loads(p.read_text()) for p in run.glob("intakes/*/intake.json")]
    (sha256,) = [i["sha256"] for i in intake["inputs"] if i["name"] == "a.pcap"]
    assert sha256 == hashlib.sha256(data).hexdigest()
    # The file was hashed before the interruption, unless that process was the slower one.
    assert code == (2 if "changed since the capture was begun" in err else 0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("where", ["a.pcap@1", "a.pcap@2", "m.pcap@2"])
def test_a_file_that_was_begun_is_gone_on_with_where_it_was_left(
    files, tmp_path, capsys, how, where
):
    assert camscan(["traffic", str(files), "--json"]) == 0
    whole, _ = lines(capsys)
    run = tmp_path / "run"
    broken_off(files, run, how, where)
    (folder,) = run.glob("intakes/*")
    saved = checkpoint.load(folder)
    order = ("m.pcap", "z.pcap", "a.pcap")
    assert len(saved.read) == order.index(where[:6])
    assert 0 < saved.halfway.going.at < (files / where[:6]).stat().st_size
    assert 0 < saved.halfway.read.packets < 101
    assert saved.packets == sum(r.packets for r in (*saved.read, saved.halfway.read))
    first = (files / where[:6]).open("r+b")
    with first:  # what is in the checkpoint is not read again
        first.seek(saved.halfway.going.at - 50)
        status = (files / where[:6]).stat()
        first.write(bytes(50))
    os.utime(files / where[:6], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert camscan(["traffic", "--resume", "-o", str(run), "--json"]) == 0
    assert lines(capsys)[0] == whole
    (intake,) = [json.loads(p.read_text()) for p in run.glob("intakes/*/intake.json")]
    assert sorted(i["name"] for i in intake["inputs"]) == ["a.pcap", "m.pcap", "z.pcap"]
    assert summary_of(run)["packets"] == 3 * 101
    assert "gaps" not in summary_of(run)


def test_a_begun_file_that_changed_keeps_what_was_read_of_it(files, tmp_path, capsys):
    run = tmp_path / "run"
    broken_off(files, run, signal.SIGKILL, "a.pcap@2")
    (folder,) = run.glob("intakes/*")
    halfway = checkpoint.load(folder).halfway
    data = (files / "a.pcap").read_bytes()
    (files / "a.pcap").write_bytes(data[:-100])
    assert camscan(["traffic", "--resume", "-o", str(run), "--json"]) == 2
    records, err = lines(capsys)
    assert sum(flows(records).values()) == 2 * 101 + halfway.read.packets
    words = f"changed since it was begun; its first {halfway.going.at} bytes were examined"
    assert f"a.pcap: {words}" in err
    assert words in " ".join(assessments.read(run).coverage.incomplete)


def small_buffers(monkeypatch):
    """A state after each; the reading process inherits it."""
    monkeypatch.setattr(child, "_WITHIN", 0)
    monkeypatch.setattr(child, "_SHARE", 0)
    monkeypatch.setattr(filling, "_FIRST", 1 << 12)
    monkeypatch.setattr(filling, "_FEW", 0)


def test_what_a_reader_found_before_it_died_inside_a_file_is_kept(
    files, tmp_path, capsys, monkeypatch
):
    small_buffers(monkeypatch)
    going = filling.Filling.going

    def dies(self):
        if self._source.name.endswith("z.pcap") and self._next > 6000:
            os._exit(7)
        return going(self)

    monkeypatch.setattr(filling.Filling, "going", dies)
    run = tmp_path / "run"
    assert camscan(["traffic", str(files), "-o", str(run), "--json"]) == 2
    records, err = lines(capsys)
    found = flows(records)
    assert (found[7000], found[7002]) == (99, 99)
    assert 0 < found[7001] < 99
    assert "z.pcap: not examined behind its first " in err
    assert "ended with code 7" in err
    assert err.count("z.pcap") == 1
    assert names(records)["cloud1.example.net"] == 1
    (begin, end, _), *more = summary_of(run)["gaps"]
    assert more == []
    assert end == pytest.approx(T + 200)
    assert T + 100 < begin < T + 199


@pytest.mark.skipif(sys.platform != "linux", reason="only there files are looked at in place")
@pytest.mark.parametrize("saving", [False, True])
@pytest.mark.parametrize("worth", [0, Sizes().worth])
def test_a_file_that_is_cut_while_it_is_looked_at_is_read_as_far_as_it_goes(
    files, tmp_path, capsys, monkeypatch, saving, worth
):
    """A page that a file lost under a window ends the reading process by a signal: a real one, here."""
    # With 0, another process reads a part of it.
    monkeypatch.setattr(take, "Sizes", lambda: Sizes(worth=worth, every=1 << 12))
    if saving:
        small_buffers(monkeypatch)
    monkeypatch.setattr(filling, "_FIRST", 1 << 12)
    path, size = files / "z.pcap", (files / "z.pcap").stat().st_size
    left = size - 70 * (16 + 14 + 28 + 50)  # between two records, in the first page
    assert left < 4096
    window = source.window

    def and_is_cut(file, at, size):
        shown = window(file, at, size)
        if Path(f"/proc/self/fd/{file}").readlink() == path and at > 24:
            faulthandler.disable()  # the tests' own; it tells of the signal at length
            os.truncate(path, left)
        return shown

    endings = []
    ending = limited.Limited.ending

    def noted(self):
        endings.append(ending(self))
        return endings[-1]

    monkeypatch.setattr(source, "window", and_is_cut)
    monkeypatch.setattr(limited.Limited, "ending", noted)
    run = tmp_path / "run"
    assert camscan(["traffic", str(files), "-o", str(run), "--json"]) == 2
    records, err = lines(capsys)
    found = flows(records)
    assert (found[7000], found[7002]) == (99, 99)
    assert endings[0].endswith(f"ended by signal {signal.SIGBUS:d}")
    assert set(endings[1:]) == {""}
    # With a state, what was seen of it before it was cut counts too.
    assert found[7001] == 29 if not saving else 29 < found[7001] < 40
    assert f"z.pcap: was cut to {left} bytes while it was read, it had {size}" in err
    assert names(records)["cloud1.example.net"] == 1
    assert camscan(["verify", str(run)]) == 0


@pytest.mark.parametrize(
    "more", [["x.pcap"], ["--phase", "login"], ["--local", "10.0.0.0/8"], ["--interface", "lo"]]
)
def test_resume_takes_everything_from_the_run(tmp_path, more):
    assert camscan(["traffic", "--resume", "-o", str(tmp_path), *more]) == 3
    assert camscan(["traffic", "--resume"]) == 3


def test_a_new_capture_waits_until_the_unfinished_one_is_finished(files, tmp_path, capsys):
    run = tmp_path / "run"
    broken_off(files, run, signal.SIGKILL)
    assert camscan(["traffic", str(files), "-o", str(run)]) == 3
    assert "--resume" in capsys.readouterr().err
    assert camscan(["traffic", "--phase", "login", "-o", str(run)]) == 3  # it is not live


# A pipe


@pytest.mark.parametrize("out", [False, True])
def test_a_capture_through_standard_input(files, tmp_path, capsys, out):
    path = files / "m.pcap"
    assert camscan(["traffic", str(path), "--json"]) == 0
    whole = capsys.readouterr().out
    run = tmp_path / "run"
    more = ["-o", str(run)] if out else []
    done = subprocess.run(
        [sys.executable, "-m", "camscan", "traffic", "-", "--json", *more],
        input=path.read_bytes(), capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.decode()) == (0, whole)
    if out:
        (intake,) = [json.loads(p.read_text()) for p in run.glob("intakes/*/intake.json")]
        assert intake["inputs"] == [
            {
                "name": "-",
                "size": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        ]


def test_what_comes_through_standard_input_is_read_alone(files):
    assert camscan(["traffic", "-", str(files / "m.pcap")]) == 3


def test_a_name_that_leads_nowhere_is_an_error_before_anything_is_made(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for name in ("none.pcap", "none*.pcap", "empty"):
        assert camscan(["traffic", str(tmp_path / name), "-o", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_files_that_are_empty_or_nothing_are_named_and_the_rest_is_kept(files, tmp_path, capsys):
    (files / "empty.pcap").write_bytes(b"")
    (files / "head.pcap").write_bytes((files / "m.pcap").read_bytes()[:10])
    given = [str(p) for p in sorted(files.iterdir())]
    assert camscan(["traffic", *given, "--json"]) == 2
    records, err = lines(capsys)
    assert flows(records) == {53: 6, 7000: 99, 7001: 99, 7002: 99}
    assert "empty.pcap" in err
    assert "head.pcap" in err


# Files that are there and cannot be read


def circle(path: Path) -> str:
    """A link to itself: there, and nobody can open it, whoever they are."""
    path.unlink()
    path.symlink_to(path)
    return "cannot be read (Too many levels of symbolic links)"


def no_capture(path: Path) -> str:
    path.write_bytes(b"not a capture" * 20)
    return "no pcap or pcapng (first bytes 6e6f742061206361)"


def bad_gzip(path: Path) -> str:
    path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(range(200)))
    return "ends early: "


def bad_zstd(path: Path) -> str:
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(range(200)))
    return "ends early: "


@pytest.mark.parametrize("spoil", [circle, no_capture, bad_gzip, bad_zstd])
def test_one_file_that_cannot_be_read_leaves_the_others_theirs(files, tmp_path, capsys, spoil):
    why = spoil(files / "z.pcap")
    run = tmp_path / "run"
    given = [str(files / name) for name in ("m.pcap", "z.pcap", "a.pcap")]
    assert camscan(["traffic", *given, "-o", str(run), "--json"]) == 2
    records, err = lines(capsys)
    assert flows(records) == {53: 4, 7000: 99, 7002: 99}
    assert names(records) == {
        "cloud0.example.net": 1, "cloud2.example.net": 1, "all.example.net": 2,
    }  # fmt: skip
    (line,) = [w for w in err.splitlines() if "z.pcap" in w and "the others are read" not in w]
    assert why in line
    (incomplete,) = assessments.read(run).coverage.incomplete
    assert incomplete.startswith(f"traffic {files / 'z.pcap'}: {why}")
    ((begin, end, _),) = summary_of(run)["gaps"]
    assert (begin, end) == (pytest.approx(T + 99), pytest.approx(T + 200))
    (intake,) = [json.loads(p.read_text()) for p in run.glob("intakes/*/intake.json")]
    assert {"a.pcap", "m.pcap"} <= {i["name"] for i in intake["inputs"]}
    assert camscan(["verify", str(run)]) == 0
    assert camscan(["report", str(run), "-f", "html"]) == 0
    assert "z.pcap" in capsys.readouterr().out


def test_a_file_that_may_not_be_opened_is_named_at_once_and_in_the_end(
    files, tmp_path, capsys, monkeypatch
):
    opened = Path.open

    def refuses(self, *args, **options):
        if self.name == "z.pcap":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **options)

    monkeypatch.setattr(Path, "open", refuses)  # the reading process inherits it
    for given in ([str(files)], [str(files / "?.pcap")]):
        assert camscan(["traffic", *given, "--json"]) == 2
        records, err = lines(capsys)
        assert flows(records) == {53: 4, 7000: 99, 7002: 99}
        path = files / "z.pcap"
        assert err.splitlines() == [
            f"camscan: {path}: cannot be read (Permission denied); the others are read",
            f"camscan: {path}: cannot be read (Permission denied)",
        ]
    run = tmp_path / "run"
    assert camscan(["traffic", str(files / "z.pcap"), "-o", str(run)]) == 2
    assert not run.exists()
    assert "z.pcap: cannot be read (Permission denied)" in capsys.readouterr().err


def test_a_file_that_goes_while_the_others_are_read_is_named(files, capsys, monkeypatch):
    gathered = sets.gathered

    def and_one_goes(given):
        found = gathered(given)
        (files / "z.pcap").unlink()
        return found

    monkeypatch.setattr(sets, "gathered", and_one_goes)
    assert camscan(["traffic", str(files), "--json"]) == 2
    records, err = lines(capsys)
    assert flows(records) == {53: 4, 7000: 99, 7002: 99}
    assert err == f"camscan: {files / 'z.pcap'}: cannot be read (No such file or directory)\n"


def test_a_file_of_a_folder_that_goes_while_it_is_listed_is_named(files, capsys, monkeypatch):
    is_capture = sets._is_capture

    def and_one_goes(path):
        if path.name == "z.pcap":
            path.unlink()
        return is_capture(path)

    monkeypatch.setattr(sets, "_is_capture", and_one_goes)
    assert camscan(["traffic", str(files), "--json"]) == 2
    records, err = lines(capsys)
    assert flows(records) == {53: 4, 7000: 99, 7002: 99}
    assert "z.pcap: cannot be read (No such file or directory); the others are read" in err


def test_every_name_that_leads_nowhere_is_told_before_anything_is_read(files, tmp_path, capsys):
    run = tmp_path / "run"
    given = [str(files / name) for name in ("m.pcap", "n.pcap", "a.pcap", "o.pcap")]
    assert camscan(["traffic", *given, "-o", str(run)]) == 2
    assert not run.exists()
    (line,) = capsys.readouterr().err.splitlines()
    assert "n.pcap: cannot be read (No such file or directory)" in line
    assert "o.pcap: cannot be read (No such file or directory)" in line


def test_a_pipe_by_its_name_is_not_waited_for(files, capsys):
    os.mkfifo(files / "pipe")
    assert camscan(["traffic", str(files / "m.pcap"), str(files / "pipe")]) == 2
    assert "pipe: no regular file" in capsys.readouterr().err
    assert camscan(["traffic", str(files / "*"), "--json"]) == 0
    assert flows(lines(capsys)[0])[7001] == 99


def test_a_file_that_could_not_be_opened_is_tried_again_by_a_resume(files, tmp_path, capsys):
    assert camscan(["traffic", str(files), "--json"]) == 0
    whole, _ = lines(capsys)
    run = tmp_path / "run"
    data = (files / "z.pcap").read_bytes()
    circle(files / "z.pcap")
    broken_off(files, run, signal.SIGKILL)
    (files / "z.pcap").unlink()
    (files / "z.pcap").write_bytes(data)
    assert camscan(["traffic", "--resume", "-o", str(run), "--json"]) == 0
    assert lines(capsys)[0] == whole


# Who may be a party


SPECIAL = {
    7001: "100.64.3.4", 7002: "198.18.0.1", 7003: "203.0.113.9", 7004: "192.0.2.1", 7005: "240.0.0.1",
    7006: "239.255.255.250", 7007: "255.255.255.255", 7008: "10.20.0.255", 7009: "192.168.7.7", 7010: "0.0.0.5",
}  # fmt: skip
ORDINARY = {7020: "60.12.3.255", 7021: "198.41.0.4"}


def test_special_purpose_ranges_are_parties_nowhere(tmp_path, capsys):
    capture, run = tmp_path / "c.pcap", tmp_path / "run"
    packets = []
    for number, (port, dst) in enumerate({**SPECIAL, **ORDINARY}.items()):
        there = wire.datagram(bytes(50), at=T + number, dst=dst, dport=port)
        packets += [there, wire.back(there, bytes(20))]
    wire.write_pcap(capture, packets)
    assert camscan(["traffic", str(capture), "-o", str(run), "--json"]) == 0
    records, _ = lines(capsys)
    shown = {r["port"]: r for r in records if r["type"] == "flow"}
    for port, dst in {**SPECIAL, **ORDINARY}.items():
        flow = next(r for r in records if dst in (r.get("remote"), r.get("client")))
        assert bool(flow["special"] or dst == flow["client"]) is (port in SPECIAL), dst
        for column in (
            "registry_country",
            "network_operator",
            "service_operator",
            "located_country",
        ):
            assert port in ORDINARY or flow[column] is None
    assert len(shown) >= len(ORDINARY)
    assessment = assessments.read(run)
    assert {e.address for e in assessment.endpoints} == set(ORDINARY.values())
    (device,) = [t for t in assessment.traffic if t.device_id == wire.CAMERA]
    assert sum(flows for _, flows, _, _ in device.watch.special) == 6
    for form in ("html", "markdown", "table", "csv", "json"):
        assert camscan(["report", str(run), "-f", form]) == 0
        text = capsys.readouterr().out
        if form == "html":
            assert "a special-purpose range" in text
            assert "60.12.3.255" in text
        # As an address of a path; what a stored record says of itself is not a report's statement.
        for dst in SPECIAL.values():
            assert f">{dst}<" not in text or dst.startswith("10.")
    rows = next(run.glob("assessments/*/paths.csv")).read_text()
    assert not [dst for dst in SPECIAL.values() if dst in rows]


def test_the_owners_table_makes_parties_of_them(tmp_path):
    capture, run, table = tmp_path / "c.pcap", tmp_path / "run", tmp_path / "networks.toml"
    wire.write_pcap(
        capture,
        [
            wire.datagram(bytes(50), at=T + n, dst=dst, dport=7003)
            for n, dst in enumerate(("203.0.113.9", "198.18.0.1"))
        ],
    )
    table.write_text(
        '[[network]]\nid = "own"\nname = "Emulated hosting"\nprefixes = ["203.0.113.0/24"]\n'
        'registry_country = "CN"\nlocated_country = "CN"\nparent = "Emulated group"\nparent_country = "CN"\n'
        'owner_supplied = true\nsource = "declared by the owner"\nas_of = "2026-11-01"\n'
    )
    assert camscan(["traffic", str(capture), "-o", str(run), "--networks", str(table)]) == 0
    assert {e.address for e in assessments.read(run).endpoints} == {"203.0.113.9"}
