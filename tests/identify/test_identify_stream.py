"""The exchange format, the identify command and the measure."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from invented_market import build

from camscan.decode.exchange import Skipped, parse, read
from camscan.identify.devices import Identifier
from camscan.identify.stream import devices
from camscan.model.identity import identity
from camscan.model.observation import Kind, Observation

IDENTIFIER = Identifier(build())
AQUILA = "HTTP/1.1 200 OK\r\nServer: Aquila-Web/2 model=AQ-77\r\n\r\n"
FULL = "HTTP/1.1 200 OK\r\nX-Aq: 1\r\nServer: q\r\nContent-Length: 0\r\n\r\n"
PRINTER = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Paper Printer</title>"


def record(device="d", response=AQUILA, **more):
    base = {"device_id": device, "kind": "http", "port": 80, "request": None, "response": response}
    return json.dumps(base | more).encode()


def test_a_record_becomes_an_observation():
    seen = parse(record(id="r9", fragment=True, unknown_key=[1]), 3)
    assert isinstance(seen, Observation)
    assert (seen.id, seen.device_id, seen.kind, seen.port) == ("r9", "d", Kind.HTTP, 80)
    assert seen.flags == ("fragment",)
    assert seen.response == AQUILA.encode()


def test_without_an_id_the_line_number_counts():
    assert [o.id for o in read([record(), b"\n", record()])] == ["1", "3"]


def test_base64_wins_over_text():
    assert parse(record(response_b64="AAE="), 1).response == b"\x00\x01"


BAD = [
    (b"{", "not an observation"),
    (b"\xff\xfe", "not an observation"),
    (b"[" * 5000, "not an observation"),
    (b'{"kind": "http"}', "device_id"),
    (record(kind="gopher"), "unknown kind"),
    (record(port="x"), "port"),
    (record(response_b64="%%"), "base64"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_a_line_that_is_no_observation_is_skipped_and_said(text, words):
    found = parse(text, 7)
    assert isinstance(found, Skipped)
    assert found.line == 7
    assert words in found.reason


def test_devices_keep_the_given_ids_and_their_order():
    lines = [record("b"), record("a", PRINTER), record("b", FULL)]
    found = list(devices(read(lines), IDENTIFIER))
    assert [(d.device_id, len(d.observations)) for d in found] == [("b", 2), ("a", 1)]


def test_the_printed_line_has_the_keys_of_the_design():
    import msgspec

    (device,) = devices(read([record(), record("d", FULL)]), IDENTIFIER)
    made = json.loads(msgspec.json.encode(identity(device)))
    assert list(made) == ["device_id", "is_camera", "role", "maker", "brand", "platform", "model", "firmware", "confidence", "conflicts", "evidence"]  # fmt: skip
    assert made["is_camera"] is True
    assert made["maker"] == "aquila"
    assert made["confidence"] == "high"
    assert {frozenset(e) for e in made["evidence"]} == {
        frozenset({"signature", "family", "level", "observation"})
    }
    assert [(e["signature"], e["observation"]) for e in made["evidence"]] == [
        ("aquila.http.order", "2"),
        ("aquila.http.server", "1"),
    ], "one line however many values a signature supports"
    assert {e["signature"] for e in made["evidence"]} == {"aquila.http.server", "aquila.http.order"}


def test_conflicts_are_printed():
    corvus = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Corvus Q1</title>"
    (device,) = devices(read([record(), record("d", corvus)]), IDENTIFIER)
    assert "maker: aquila | corvus" in identity(device).conflicts


def test_the_command(tmp_path, monkeypatch):
    from camscan import knowledge
    from camscan.cli.identify_cmd import identify_command

    monkeypatch.setattr(knowledge, "load", lambda **_: build())
    file = tmp_path / "o.ndjson"
    file.write_bytes(b"\n".join([record("cam"), record("prn", PRINTER), b"nonsense"]))
    result = CliRunner().invoke(identify_command, [str(file), "--json"], standalone_mode=False)
    assert result.return_value == 2, "a line that was not read is said by the exit code"
    assert "line 3: not read" in result.stderr
    made = [json.loads(text) for text in result.stdout.splitlines()]
    assert [(m["device_id"], m["is_camera"]) for m in made] == [("cam", True), ("prn", False)]
    result = CliRunner().invoke(
        identify_command, ["-"], input=record("cam").decode(), standalone_mode=False
    )
    assert result.return_value == 0
    assert result.stdout.startswith("cam  camera system")


def test_terminal_escapes_of_a_device_do_not_reach_the_terminal():
    hostile = "HTTP/1.1 200 OK\r\nServer: Aquila-Web/2 \x1b[2J\u202emodel=AQ-77\r\n\r\n"
    (device,) = devices(read([record(response=hostile)]), IDENTIFIER)
    for claim in device.claims:
        for piece in claim.evidence:
            assert "\x1b" not in piece.excerpt + piece.value
            assert "\u202e" not in piece.excerpt + piece.value
