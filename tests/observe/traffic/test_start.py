"""What does a start of `camscan traffic` load? What the capture before it needs, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import decode_samples as sample
import pytest
import wire_messages as wire

ELSEWHERE = (
    "camscan.decode.http", "camscan.decode.json_text", "camscan.decode.registry", "camscan.decode.xml",
    "camscan.knowledge_build", "camscan.model.claim", "camscan.model.knowledge",
    "camscan.observe.traffic.beside", "camscan.observe.traffic.keep", "camscan.observe.traffic.remembered",
    "asyncio", "click", "cryptography", "defusedxml", "html", "importlib.resources", "json",
    "multiprocessing", "numpy.ma", "re2", "secrets", "subprocess", "tempfile", "tomllib", "xml",
)  # fmt: skip
"""Loaded by those who need them: each takes a hundredth of a start, or more."""
READ = """
import sys
from pathlib import Path
from msgspec import Struct, json
from camscan.knowledge import load_part
from camscan.model.service import ServiceSignature
from camscan.observe.traffic.take import TakeOptions, Taking

class Services(Struct):
    content_hash: str
    services: tuple[ServiceSignature, ...]

taking = Taking(load_part(Services).services, {}, TakeOptions())
taking.read(Path(sys.argv[1]))
captured, problems = taking.done()
told = (len(captured.names), len(captured.flows), len(captured.facts), len(problems), sorted(sys.modules))
print(json.encode(told).decode())
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read packets in a process of its own; names, flows, facts, problems, and what it loaded of ELSEWHERE."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*packets):
        wire.write_pcap(tmp_path / "x.pcap", packets)
        result = subprocess.run(
            [sys.executable, "-c", READ, str(tmp_path / "x.pcap")],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        *counts, modules = json.loads(result.stdout)
        return counts, set(modules).intersection(ELSEWHERE)

    return run


ASKS = wire.datagram(wire.dns_query("cam.example.com"), sport=40000, dport=53)
ANSWERS = wire.datagram(sample.SADP, sport=37020, dst="239.255.255.250", dport=37020, at=1.0)


def test_a_start_loads_what_it_needs(read):
    counts, first = read(ASKS)
    # Nothing is cached yet: the list above tells what is loaded.
    assert {"camscan.knowledge_build", "camscan.model.knowledge", "tempfile", "tomllib"} <= first
    assert counts == [1, 1, 0, 0]
    assert read(ASKS) == ([1, 1, 0, 0], set())


def test_decoders_are_loaded_with_the_first_answer_of_a_device(read):
    read(ASKS)
    counts, modules = read(ASKS, ANSWERS)
    assert counts == [1, 2, 1, 0]
    assert {"camscan.decode.registry", "camscan.decode.xml"} <= modules
