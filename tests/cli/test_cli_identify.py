"""camscan identify at size: forms, compression, parts, processes that die, taking up again."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
import zstandard
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_answers import HOSTILE, LOGIN, PRINTER, SADP, record

from camscan import knowledge
from camscan.cli import identify_cmd, identify_deal, identify_parts
from camscan.cli.identify_cmd import identify_command
from camscan.cli.identify_input import lines
from camscan.cli.main import run as run_command
from camscan.decode import exchange
from camscan.decode.exchange import read
from camscan.errors import InputError, UsageError
from camscan.identify import stream
from camscan.identify.devices import Identifier
from camscan.identify.stream import devices
from camscan.model.identity import identity
from camscan.workers import Ended, Failure, Outcome, Workers

ANSWERS = (("sadp", SADP), ("http", LOGIN), ("http", PRINTER), ("http", HOSTILE))


def many(count, seed=7):
    """Records of devices that do not stand together."""
    rng = random.Random(seed)
    out = []
    for n in range(count):
        kind, response = ANSWERS[rng.randrange(4)]
        response = response.replace("6f1d", f"{n:04x}")
        out.append(record(f"10.9.{rng.randrange(3)}.{rng.randrange(40)}", kind, response, port=80))
    return "".join(out).encode()


def wanted(data):
    """What the plain way prints."""
    identifier = Identifier(knowledge.load())
    found = devices(read(data.splitlines(keepends=True)), identifier)
    return b"".join(msgspec.json.encode(identity(d)) + b"\n" for d in found)


DATA = many(600)
WANTED = wanted(DATA)


@pytest.fixture
def small_memory(monkeypatch):
    """As if the input were large."""
    monkeypatch.setattr(identify_cmd, "HELD", 20_000)


def call(*arguments, **options):
    return CliRunner().invoke(
        identify_command, list(map(str, arguments)), standalone_mode=False, **options
    )


def printed(result):
    assert result.exception is None, result.exception
    assert result.return_value == 0, result.stderr
    return result.stdout_bytes


PACKED = (("plain", bytes), ("gz", gzip.compress), ("zst", zstandard.ZstdCompressor().compress))


@pytest.mark.parametrize(("name", "pack"), PACKED)
def test_compressed_or_not_from_a_file_or_standard_input(tmp_path, name, pack):
    file = tmp_path / f"answers-{name}"
    file.write_bytes(pack(DATA))
    assert printed(call(file, "--json")) == WANTED
    assert printed(call("-", "--json", input=pack(DATA))) == WANTED


def test_in_parts_the_output_is_the_same(tmp_path, small_memory):
    file = tmp_path / "a.ndjson"
    file.write_bytes(DATA)
    assert printed(call(file, "--json", "--workers", 1)) == WANTED
    text = printed(call(file, "--workers", 1)).decode().splitlines()
    assert len(text) == WANTED.count(b"\n")
    assert text[0].startswith(json.loads(WANTED.splitlines()[0])["device_id"])


def test_large_parts_are_dealt_again_and_many_results_merged(tmp_path, small_memory, monkeypatch):
    monkeypatch.setattr(identify_deal, "PART_BYTES", 2000)
    monkeypatch.setattr(identify_parts, "_OPEN", 5)
    file = tmp_path / "a.ndjson"
    file.write_bytes(DATA)
    assert printed(call(file, "--json", "--workers", 1)) == WANTED


def test_several_files_and_forms_in_one_call(tmp_path):
    zgrab = {"ip": "10.9.0.5", "data": {"ssh": {"protocol": "ssh", "result": {"server_id": {"raw": "SSH-2.0-x"}}},
             "smtp": {"protocol": "smtp", "result": {}}}}  # fmt: skip
    nmap = (
        '<?xml version="1.0"?><nmaprun><host><address addr="10.9.0.6" addrtype="ipv4"/>'
        '<ports><port protocol="tcp" portid="80"><state state="open"/></port></ports></host></nmaprun>'
    )
    names = []
    for name, text in (("z", json.dumps(zgrab)), ("x", nmap), ("n", record("cam", "http", LOGIN))):
        (tmp_path / name).write_text(text)
        names.append(tmp_path / name)
    result = call(*names, "--json")
    found = [json.loads(x)["device_id"] for x in printed(result).splitlines()]
    assert found == ["10.9.0.5", "10.9.0.6", "cam"]
    assert "no answer to read: module smtp is not read: 1" in result.stderr


def test_lines_that_are_not_read_are_counted_in_parts_too(tmp_path, small_memory):
    file = tmp_path / "a.ndjson"
    file.write_bytes(DATA + b"nonsense\n" * 30)
    result = call(file, "--json", "--workers", 1)
    assert (result.return_value, result.stdout_bytes) == (2, WANTED)
    assert "line 601: not read" in result.stderr
    assert "10 more lines were not read" in result.stderr


def test_one_device_above_the_limit_is_cut_and_said(monkeypatch):
    monkeypatch.setattr(stream, "MAX_RECORDS", 2)
    result = call("-", "--json", input=record("d", "http", LOGIN) * 5)
    assert result.return_value == 2
    assert "3 more records of one device" in result.stderr
    assert len(result.stdout.splitlines()) == 1


@pytest.fixture
def small_ranges(monkeypatch):
    """As if ranges of a file were worth a process of their own."""
    monkeypatch.setattr(identify_deal, "RANGE_BYTES", 9_000)


def test_ranges_dealt_by_several_processes(tmp_path, small_memory, small_ranges):
    half = len(DATA) // 2
    half += DATA[half:].index(b"\n") + 1
    (tmp_path / "a").write_bytes(b"\n" + DATA[:half] + b"nonsense\n")
    (tmp_path / "b").write_bytes(DATA[half:])
    one, two = (
        call(tmp_path / "a", tmp_path / "b", "--json", "--workers", n, "-o", tmp_path / "out")
        and (tmp_path / "out").read_bytes()
        for n in (1, 2)
    )
    assert one == two
    result = call(tmp_path / "a", tmp_path / "b", "--json", "--workers", 2)
    assert (result.return_value, result.stdout_bytes) == (2, one)
    assert one.count(b"\n") == WANTED.count(b"\n")
    number = DATA[:half].count(b"\n") + 2
    assert f"{tmp_path / 'a'}: line {number}: not read" in result.stderr


def test_what_is_packed_is_not_dealt_in_ranges(tmp_path, small_ranges):
    for name, pack in PACKED:
        (tmp_path / name).write_bytes(pack(DATA))
    (tmp_path / "xml").write_bytes(b"\n<nmaprun></nmaprun>" + b" " * 40_000)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("gz", "zst", "xml", "plain"):
        whole = [str(tmp_path / "plain"), str(tmp_path / name)]
        found = identify_deal._jobs(whole, folder, 2)
        assert bool(found) == (name == "plain")
    assert not identify_deal._jobs([str(tmp_path / "plain"), "-"], folder, 2)
    assert not identify_deal._jobs([str(tmp_path / "plain")], folder, 1)


def test_a_range_that_no_child_could_deal_is_dealt_here(
    tmp_path, small_memory, small_ranges, monkeypatch
):
    class Dying(Workers):
        def run(self, jobs, *, ordered=True):
            for number, _ in enumerate(jobs):
                yield Outcome(number=number, failure=Failure(reason=Ended.KILLED))

    monkeypatch.setattr(identify_deal, "Workers", Dying)
    file = tmp_path / "a.ndjson"
    file.write_bytes(DATA)
    assert printed(call(file, "--json", "--workers", 2)) == WANTED


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([b"", b"a", b"bc", b"x" * 7, b"y" * 9, b"z" * 30]), max_size=8),
    st.booleans(),
    st.lists(st.integers(0, 90), max_size=4),
)
def test_ranges_together_hold_every_line_once(texts, ended, cuts):
    data = b"\n".join(texts) + (b"\n" if ended else b"")
    borders = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "_MAX_LINE", 8)
        found = [
            line
            for start, end in itertools.pairwise(borders)
            for line in exchange.within(io.BytesIO(data), start, end)
        ]
        assert found == list(exchange.bounded(io.BytesIO(data)))


@pytest.mark.slow
def test_a_killed_process_loses_nothing(tmp_path, small_memory, small_ranges):
    """kill -9 of children while they deal and name: the output is the same to the byte."""
    file = tmp_path / "a.ndjson"
    data = many(4000, seed=3)
    file.write_bytes(data)
    killed = []
    over = threading.Event()

    def hunt() -> None:
        while not over.is_set() and len(killed) < 2:
            for pid in _children():
                if pid not in killed:
                    time.sleep(0.05)
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    break
            time.sleep(0.05)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    result = call(file, "--json", "--workers", 2)
    over.set()
    hunter.join()
    assert printed(result) == wanted(data)
    assert killed


def _children():
    path = Path(f"/proc/{os.getpid()}/task")
    found = []
    for task in path.iterdir():
        found += [int(p) for p in (task / "children").read_text().split()]
    return [p for p in found if b"camscan.worker" in Path(f"/proc/{p}/cmdline").read_bytes()]


def test_an_output_file_appears_whole(tmp_path, small_memory):
    file, out = tmp_path / "a.ndjson", tmp_path / "out.json"
    file.write_bytes(DATA)
    assert printed(call(file, "--json", "-o", out, "--workers", 1)) == b""
    assert out.read_bytes() == WANTED
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ndjson", "out.json"]


def interrupted(tmp_path, monkeypatch):
    """A call that ends after three parts."""
    file, out = tmp_path / "a.ndjson", tmp_path / "out.json"
    file.write_bytes(DATA)
    before = identify_parts.name_part
    named = []

    def stop(job):
        if len(named) == 3:
            raise KeyboardInterrupt
        named.append(job.part)
        return before(job)

    monkeypatch.setattr(identify_parts, "name_part", stop)
    result = call(file, "--json", "-o", out, "--workers", 1)
    assert result.exception is not None
    assert not out.exists()
    named.clear()

    def count(job):
        named.append(job.part)
        return before(job)

    monkeypatch.setattr(identify_parts, "name_part", count)
    return file, out, named


def test_an_interrupted_call_goes_on_where_it_was(tmp_path, small_memory, monkeypatch):
    file, out, named = interrupted(tmp_path, monkeypatch)
    with pytest.raises(UsageError, match="--resume"):
        call(file, "--json", "-o", out, catch_exceptions=False)
    result = call(file, "--json", "-o", out, "--resume", "--workers", 1)
    assert printed(result) == b""
    assert out.read_bytes() == WANTED
    parts = len(named) + 3
    assert len(named) < parts
    assert not out.with_name("out.json.unfinished").exists()


def test_ranges_are_resumed_too(tmp_path, small_memory, small_ranges, monkeypatch):
    dealt = []

    def by_two(files, folder, *, count, progress):
        dealt.append(identify_deal.deal_ranges(files, folder, count=count + 1, progress=progress))
        return dealt[-1]

    monkeypatch.setattr(identify_cmd, "deal_ranges", by_two)
    file, out, named = interrupted(tmp_path, monkeypatch)
    assert len(dealt[0][0].pieces) > 1
    assert printed(call(file, "--json", "-o", out, "--resume", "--workers", 1)) == b""
    assert out.read_bytes() == WANTED
    assert len(named) == len(dealt[0]) - 3
    assert len(dealt) == 1


def test_what_changed_is_not_resumed(tmp_path, small_memory, monkeypatch):
    file, out, _ = interrupted(tmp_path, monkeypatch)
    before = file.stat().st_mtime_ns
    file.write_bytes(DATA + b"\n")
    with pytest.raises(UsageError, match="other inputs"):
        call(file, "--json", "-o", out, "--resume", catch_exceptions=False)
    file.write_bytes(DATA)
    os.utime(file, ns=(before, before))
    with pytest.raises(UsageError, match="other as_json"):
        call(file, "-o", out, "--resume", catch_exceptions=False)


def test_resume_without_an_output_is_wrong_use():
    assert run_command(["identify", "/dev/null", "--resume"]) == 3


BROKEN = (
    gzip.compress(DATA)[:-200],
    b"\x1f\x8bnonsense",
    b"\x28\xb5\x2f\xfdnonsense",
    b"<nmaprun><host>",
)


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_file_is_named(tmp_path, data):
    file = tmp_path / "broken"
    file.write_bytes(data)
    with pytest.raises(InputError, match="broken"):
        list(lines([str(file)]))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch, pack):
    from camscan.cli import identify_input

    monkeypatch.setattr(identify_input, "_FREE", 100_000)
    monkeypatch.setattr(identify_input, "MAX_UNPACKED", 10)
    file = tmp_path / "bomb"
    file.write_bytes(pack(b"\n" * 10_000_000))
    with pytest.raises(InputError, match="unpacks to more than 10 times"):
        list(lines([str(file)]))


def test_help_does_not_read_the_signatures():
    code = (
        "import sys; from camscan.cli.main import run; run(['--help']);"
        "print([m for m in sys.modules if m in ('camscan.knowledge', 're2', 'cryptography', 'numpy')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
