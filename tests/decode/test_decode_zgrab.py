"""Lines of zgrab2 as observations: layouts of its schemas, values invented."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camscan.decode import registry, zgrab
from camscan.decode.exchange import Skipped
from camscan.model.observation import Kind, Observation


def line(module, ip="192.0.2.7", **more):
    return json.dumps({"ip": ip, "data": module, **more}).encode()


def response(**more):
    return {
        "status_line": "401 Unauthorized",
        "status_code": 401,
        "protocol": {"name": "HTTP/1.1", "major": 1, "minor": 1},
        "headers": {
            "server": ["App-webs/"],
            "www_authenticate": ['Digest realm="DS-2CD"', "Basic realm=x"],
            "transfer_encoding": ["chunked"],
            "unknown": [{"key": "x_made_by", "value": ["aquila\r\nServer: forged"]}],
        },
        "body": "<title>Wachposten \u0416</title>",
        "request": {"method": "GET", "url": {"path": "/doc/page"}},
        **more,
    }


def module(protocol, result, **more):
    return {"status": "success", "protocol": protocol, "port": 8080, "timestamp": "2026-11-02T10:00:00Z", "result": result, **more}  # fmt: skip


def only(data, number=3):
    (found,) = zgrab.parse(line(data), number)
    assert isinstance(found, Observation)
    return found


def test_an_http_answer_is_put_together():
    seen = only({"http": module("http", {"response": response()})})
    assert (seen.id, seen.device_id, seen.kind) == ("3-http", "192.0.2.7", Kind.HTTP)
    assert (seen.port, seen.request, seen.tls) == (8080, "GET /doc/page", False)
    assert (seen.flags, seen.at) == (("fragment",), "2026-11-02T10:00:00Z")
    fields = registry.decode(seen)
    assert (fields["status"], fields["reason"]) == (("401",), ("Unauthorized",))
    assert fields["server"] == ("App-webs/",), "a header value adds no second header"
    assert fields["realm"] == ("DS-2CD", "x")
    assert fields["title"] == ("Wachposten Ж",)
    assert "x-made-by: aquila Server: forged" in fields["header"]


def test_over_tls_the_certificate_comes_too():
    log = {
        "handshake_log": {
            "server_certificates": {"certificate": {"raw": base64.b64encode(b"DER").decode()}}
        }
    }
    request = {"method": "GET", "url": {"path": "/"}, "tls_log": log}
    both = zgrab.parse(line({"https": module("http", {"response": response(request=request)})}), 1)
    assert [(o.id, o.kind, o.tls) for o in both] == [
        ("1-https", Kind.HTTP, True),
        ("1-https-2", Kind.HTTPS_CERT, True),
    ]
    assert both[1].response == b"DER"
    assert only({"tls": module("tls", log)}).response == b"DER"


@pytest.mark.parametrize(
    ("protocol", "result", "kind", "response"),
    [
        ("ssh", {"server_id": {"raw": "SSH-2.0-dropbear"}}, Kind.SSH, b"SSH-2.0-dropbear"),
        ("ftp", {"banner": "220 ready\r\n"}, Kind.FTP, b"220 ready\r\n"),
        ("telnet", {"banner": "cam login: ", "will": []}, Kind.TELNET, b"cam login: "),
        ("banner", {"banner": "hello"}, Kind.GREETING, b"hello"),
    ],
)
def test_modules_and_their_kinds(protocol, result, kind, response):
    """Under a name of the user's own the protocol tells."""
    seen = only({"mine": module(protocol, result)})
    assert (seen.kind, seen.response) == (kind, response)


def test_what_gave_no_answer_is_counted_by_reason():
    data = {
        "http": {"status": "connection-timeout", "protocol": "http", "error": "x"},
        "smtp": module("smtp", {"banner": "220"}),
        "ssh": module("ssh", {"server_id": {}}),
        "tls": module("tls", {"handshake_log": {"server_certificates": {"certificate": {"raw": "%"}}}}),
    }  # fmt: skip
    found = zgrab.parse(line(data), 4)
    assert [f.reason for f in found] == [
        "module http: connection-timeout",
        "module smtp is not read",
        "module ssh: success",
        "module tls: success",
    ]
    assert {f.device_id for f in found} == {"192.0.2.7"}


@pytest.mark.parametrize("text", [b"{", b"[" * 9000, b"\xff", b'{"data": 7}', b"{}", b"[]"])
def test_what_is_no_line_is_skipped(text):
    (found,) = zgrab.parse(text, 9)
    assert isinstance(found, Skipped)
    assert (found.line, found.device_id) == (9, "")


def test_a_first_line_tells_the_form():
    assert zgrab.looks_like(line({}))
    assert zgrab.looks_like(b'{"domain": "cam.example", "data": {}}')
    assert not zgrab.looks_like(b'{"device_id": "d", "kind": "http", "data": 1, "ip": "x"}')
    assert not zgrab.looks_like(b"nonsense")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["response", "headers", "unknown", "key", "value", "banner", "tls", "server_id",
                         "raw", "handshake_log", "protocol", "major", "request", "url", "server"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from(["http", "tls", "ssh", "ftp", "telnet", "banner"]), values)
def test_any_result_gives_records_and_no_error(protocol, result):
    for found in zgrab.parse(line({"m": {"protocol": protocol, "result": result}}), 1):
        assert isinstance(found, Observation | Skipped)
