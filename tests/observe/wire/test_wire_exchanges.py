"""Do exchanges come to an end, within their budget, with whatever a server does?"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
import struct
import warnings
from typing import Self

import pytest

from camscan.decode import favicon, ports
from camscan.errors import ObserveError
from camscan.model.observation import Kind, Reason
from camscan.model.probe import Exchange, Job
from camscan.observe.network.greetings import GREETINGS
from camscan.observe.network.means import describe_icon
from camscan.observe.wire import exchanges
from camscan.observe.wire.answer import Means, Search
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.pace import Budget
from camscan.observe.wire.talk import Talk

HOME = "127.0.0.1"
QUICK = Budget(
    connect=0.5,
    first_byte=0.3,
    least_first_byte=0.3,
    total=0.8,
    slow_first_byte=0.9,
    slow_total=1.2,
    drip_after=0.4,
    idle=0.1,
    datagram=0.4,
)


class _Loopback:
    def allows(self, address: str) -> bool:
        return address == HOME


class _Server:
    """Counts connections and how many were open at once."""

    def __init__(self, handle, context=None) -> None:
        self.handle = handle
        self.context = context
        self.connections = self.now = self.most = 0
        self.requests: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._run, HOME, 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.02)

    async def _run(self, reader, writer) -> None:
        self.connections += 1
        self.writers.append(writer)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.handle(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.now -= 1
            writer.close()

    async def head(self, reader) -> bytes:
        data = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(data)
        return data


def _talk(*, listed=(), measured=True, budget=QUICK, connections=12) -> Talk:
    gate = Gate(_Loopback(), {9100}, "fast", connections=connections)
    talk = Talk(
        Means(
            gate=gate,
            budget=budget,
            listed=frozenset(listed),
            searches={"echo": Search(message=b"find", request="echo search")},
            greetings=GREETINGS,
            snmp_engine=Search(message=b"\x30\x00", request="SNMPv3 engine id discovery"),
            describe_favicon=describe_icon,
        ),
        HOME,
    )
    if measured:
        talk.measured(0.01)
        talk.answered = False
    return talk


def _job(port, exchange=Exchange.HTTP_GET, kind=Kind.HTTP, **more) -> Job:
    return Job(probe="p", kind=kind, exchange=exchange, port=port, **more)


def _serve(handle, use, context=None):
    async def run():
        async with _Server(handle, context) as server:
            return await asyncio.wait_for(use(server), 10)

    return asyncio.run(run())


def _always(answer: bytes, *, close: bool = True):
    async def handle(server, reader, writer):
        while True:
            await server.head(reader)
            writer.write(answer)
            await writer.drain()
            if close:
                return

    return handle


async def _one(server, **more):
    talk = _talk()
    outcome = await exchanges.ask(talk, _job(server.port, **more))
    await talk.close()
    return outcome.answers[0]


async def _failure(server, **more) -> tuple[ObserveError, float]:
    loop = asyncio.get_running_loop()
    talk = _talk()
    started = loop.time()
    with pytest.raises(ObserveError) as caught:
        await exchanges.ask(talk, _job(server.port, **more))
    return caught.value, loop.time() - started


def test_keep_alive_serves_the_next_question():
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nabc"

    async def use(server):
        talk = _talk()
        for path in ("/", "/a", "/b"):
            outcome = await exchanges.ask(talk, _job(server.port, path=path))
            assert outcome.answers[0].response == answer
            assert not outcome.answers[0].truncated
        await talk.close()
        assert server.connections == 1
        assert [r.split()[1] for r in server.requests] == [b"/", b"/a", b"/b"]
        assert all(b"Authorization" not in r for r in server.requests)
        assert talk.means.gate.sent.handshakes == 1

    _serve(_always(answer, close=False), use)


def test_a_kept_connection_that_died_is_opened_once_more():
    async def handle(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await asyncio.sleep(0.05)  # then closes, though it offered to go on

    async def use(server):
        talk = _talk()
        for _ in range(3):
            outcome = await exchanges.ask(talk, _job(server.port))
            assert outcome.answers[0].response.endswith(b"ok")
            await asyncio.sleep(0.1)
        await talk.close()
        assert server.connections == 3
        assert server.most == 1

    _serve(handle, use)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200\nServer: x\n: nameless\nB\xe4d: 1\nContent-Length: -1\nContent-Length: 4\n\nbody",
        b"HTTP/1.0 200 OK\r\n\r\nbody",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"<html>no head at all</html>",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size",
    ],
)
def test_broken_http_is_kept_as_it_came(answer):
    got = _serve(_always(answer), _one)
    assert got.response == answer


def test_a_page_without_length_on_an_open_connection_ends_with_the_page():
    answer = b"HTTP/1.1 200 OK\r\nServer: thttpd\r\n\r\n<html><body>hello</body></html>\r\n"

    async def use(server):
        loop = asyncio.get_running_loop()
        started = loop.time()
        got = await _one(server)
        assert got.response == answer
        assert loop.time() - started < QUICK.total

    _serve(_always(answer, close=False), use)


def test_an_endless_body_stops_at_the_cap():
    async def handle(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    got = _serve(handle, _one)
    assert len(got.response) == QUICK.cap
    assert got.truncated


def test_an_endless_header_stops_at_the_cap():
    async def handle(server, reader, writer):
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000)
        await writer.drain()
        await asyncio.sleep(5)

    got = _serve(handle, _one)
    assert len(got.response) == QUICK.cap
    assert got.truncated


def test_a_compressed_bomb_is_neither_unpacked_nor_read_past_the_cap():
    body = gzip.compress(b"\0" * 50_000_000)[:60_000]
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )
    got = _serve(_always(answer), _one)
    assert got.response == answer


async def _drip(server, reader, writer):
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.05)


def test_a_dripping_server_is_a_tarpit_and_is_not_asked_again():
    async def use(server):
        loop = asyncio.get_running_loop()
        talk = _talk()
        started = loop.time()
        with pytest.raises(ObserveError, match="tarpit") as caught:
            await exchanges.ask(talk, _job(server.port))
        assert caught.value.reason == Reason.TIMEOUT
        assert loop.time() - started < QUICK.total
        with pytest.raises(ObserveError, match="not asked again"):
            await exchanges.ask(talk, _job(server.port, path="/b"))
        assert server.connections == 1

    _serve(_drip, use)


def test_bytes_of_another_protocol_end_with_silence_and_are_an_answer():
    async def handle(server, reader, writer):
        await server.head(reader)
        writer.write(bytes.fromhex("0000001000000000"))
        await writer.drain()
        await reader.read()

    async def use(server):
        loop = asyncio.get_running_loop()
        talk = _talk()
        started = loop.time()
        outcome = await exchanges.ask(talk, _job(server.port))
        assert loop.time() - started < QUICK.total
        (answer,) = outcome.answers
        assert answer.kind is Kind.GREETING
        assert answer.response == bytes.fromhex("0000001000000000")
        with pytest.raises(ObserveError, match="does not speak HTTP") as caught:
            await exchanges.ask(talk, _job(server.port, path="/b"))
        assert caught.value.reason == Reason.NOT_REQUESTED
        assert server.connections == 1

    _serve(handle, use)


async def _silent(server, reader, writer):
    await reader.read()


def test_a_silent_server_costs_the_first_byte_budget():
    async def use(server):
        problem, seconds = await _failure(server)
        assert problem.reason == Reason.TIMEOUT
        assert 0.25 < seconds < 0.6

    _serve(_silent, use)


def test_a_device_never_heard_gets_the_slow_budget_once():
    async def handle(server, reader, writer):
        await server.head(reader)
        await asyncio.sleep(0.6)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async def use(server):
        talk = _talk(measured=False)
        outcome = await exchanges.ask(talk, _job(server.port))
        assert outcome.answers[0].response.endswith(b"ok")
        assert server.connections == 1
        assert talk.slow is False
        assert 0.5 < talk.slowest < 0.75
        await talk.close()
        problem, _ = await _failure(server)
        assert problem.reason == Reason.TIMEOUT
        talk = _talk()
        outcome = await exchanges.ask(talk, _job(server.port, slow=True))
        await talk.close()
        assert outcome.answers[0].response.endswith(b"ok")

    _serve(handle, use)


def test_a_reset_is_an_error():
    async def handle(server, reader, writer):
        await server.head(reader)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(
            __import__("socket").SOL_SOCKET,
            __import__("socket").SO_LINGER,
            struct.pack("ii", 1, 0),
        )
        writer.transport.abort()

    async def use(server):
        problem, _ = await _failure(server)
        assert problem.reason == Reason.ERROR

    _serve(handle, use)


def test_a_closed_port_is_an_error():
    async def use(server):
        server.server.close()
        problem, _ = await _failure(server)
        assert problem.reason == Reason.ERROR
        assert "refused" in problem.detail

    _serve(_silent, use)


def _moved(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://198.51.100.7/", "another host"),
        ("//198.51.100.7/", "another host"),
        ("http://127.0.0.2/listed", "another host"),
        ("/cgi-bin/reboot", "not listed"),
        ("ftp://127.0.0.1/listed", "scheme"),
        ("http://[::1/", "malformed"),
    ],
)
def test_redirects_lead_nowhere_else(location, said):
    async def use(server):
        talk = _talk(listed=["/", "/listed"])
        outcome = await exchanges.ask(talk, _job(server.port))
        await talk.close()
        assert len(outcome.answers) == 1
        assert len(server.requests) == 1
        assert [r.reason for r in outcome.refusals] == [Reason.OUT_OF_SCOPE]
        assert said in outcome.refusals[0].detail

    _serve(_always(_moved(location), close=False), use)


def test_a_redirect_to_a_printer_port_of_the_same_device_is_not_followed():
    async def use(server):
        talk = _talk(listed=["/", "/listed"])
        outcome = await exchanges.ask(talk, _job(server.port))
        await talk.close()
        assert len(outcome.answers) == 1
        assert len(server.requests) == 1
        assert talk.means.gate.sent.connections == 1

    _serve(_always(_moved(f"http://{HOME}:9100/listed"), close=False), use)


def test_a_redirect_to_a_listed_path_is_followed_without_the_devices_own_text():
    async def handle(server, reader, writer):
        while True:
            head = await server.head(reader)
            writer.write(
                _moved("/listed?x=1%0d%0aEvil")
                if b"GET / " in head
                else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            )
            await writer.drain()

    async def use(server):
        talk = _talk(listed=["/", "/listed"])
        outcome = await exchanges.ask(talk, _job(server.port))
        await talk.close()
        assert [a.request for a in outcome.answers] == ["GET /", "GET /listed"]
        assert b"GET /listed HTTP/1.1" in server.requests[1]
        assert b"Evil" not in server.requests[1]

    _serve(handle, use)


@pytest.mark.parametrize("path", ["no-slash", "/a b", "/a\r\nX: y", "/\x00"])
def test_a_path_that_is_no_path_is_never_sent(path):
    async def use(server):
        problem, _ = await _failure(server, path=path)
        assert problem.reason == Reason.REFUSED_BY_POLICY
        assert server.connections == 0

    _serve(_silent, use)


def test_denied_port_is_never_connected():
    async def run():
        talk = _talk()
        with pytest.raises(ObserveError) as caught:
            await exchanges.ask(talk, _job(9100))
        assert caught.value.reason == Reason.REFUSED_BY_POLICY
        assert talk.means.gate.sent.connections == 0

    asyncio.run(run())


def test_onvif_is_the_only_post_and_asks_for_the_time():
    async def use(server):
        await _one(server, exchange=Exchange.HTTP_POST, kind=Kind.ONVIF)
        assert server.requests[0].startswith(b"POST /onvif/device_service HTTP/1.1")
        assert b"GetSystemDateAndTime" in server.requests[0]

    _serve(_always(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), use)


def test_rtsp_asks_both_questions_on_one_connection():
    async def handle(server, reader, writer):
        while True:
            head = await server.head(reader)
            name = b"OPTIONS" if head.startswith(b"OPTIONS") else b"DESCRIBE"
            writer.write(b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nX: " + name + b"\r\n\r\n")
            await writer.drain()

    async def use(server):
        talk = _talk()
        outcome = await exchanges.ask(
            talk, _job(server.port, Exchange.RTSP, Kind.RTSP, path="/stream")
        )
        assert [a.request.split()[0] for a in outcome.answers] == ["OPTIONS", "DESCRIBE"]
        assert b"DESCRIBE" in outcome.answers[1].response
        assert server.connections == 1
        assert f"rtsp://{HOME}:{server.port}/stream".encode() in server.requests[1]

    _serve(handle, use)


def test_rtsp_server_that_closes_after_options_keeps_what_it_said():
    async def handle(server, reader, writer):
        await server.head(reader)
        if server.connections == 1:
            writer.write(b"RTSP/1.0 505 Not Supported\r\nServer: ALi feng\r\n\r\n")
            await writer.drain()

    async def use(server):
        talk = _talk()
        outcome = await exchanges.ask(talk, _job(server.port, Exchange.RTSP, Kind.RTSP))
        assert len(outcome.answers) == 1
        assert b"ALi feng" in outcome.answers[0].response
        assert server.connections <= 2
        assert server.most == 1

    _serve(handle, use)


def test_banner_is_read_without_a_word():
    async def handle(server, reader, writer):
        writer.write(b"SSH-2.0-dropbear_2014.63\r\n")
        await writer.drain()
        server.requests.append(await reader.read())

    async def use(server):
        got = await _one(server, exchange=Exchange.BANNER, kind=Kind.SSH)
        assert got.response == b"SSH-2.0-dropbear_2014.63\r\n"
        await asyncio.sleep(0.1)
        assert server.requests == [b""]

    _serve(handle, use)


def test_favicon_becomes_its_hashes():
    icon = b"\x00\x00\x01\x00" + bytes(300)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(icon) + icon

    async def use(server):
        got = await _one(server, exchange=Exchange.FAVICON, kind=Kind.FAVICON)
        assert got.kind is Kind.FAVICON
        assert favicon.parse(got.response).size == str(len(icon))
        assert icon not in got.response

    _serve(_always(answer), use)


def test_an_error_page_is_no_favicon_but_an_answer():
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>no</html>"

    async def use(server):
        job = _job(server.port, exchange=Exchange.FAVICON, kind=Kind.FAVICON)
        talk = _talk()
        (answer,) = (await exchanges.ask(talk, job)).answers
        await talk.close()
        assert answer.kind is Kind.HTTP
        assert answer.response == page
        assert answer.request == "GET /favicon.ico"

    _serve(_always(page), use)


def test_the_budget_of_a_device_ends_the_asking():
    async def use(server):
        talk = _talk(connections=2)
        for _ in range(2):
            await exchanges.ask(talk, _job(server.port))
        with pytest.raises(ObserveError) as caught:
            await exchanges.ask(talk, _job(server.port))
        assert caught.value.reason == Reason.BUDGET
        assert server.connections == 2

    _serve(_always(b"HTTP/1.0 200 OK\r\n\r\nx"), use)


def test_connections_never_overlap():
    async def use(server):
        talk = _talk()
        for turn in range(10):
            with contextlib.suppress(ObserveError):
                await exchanges.ask(talk, _job(server.port, path=f"/{turn}"))
        assert server.connections == 10
        assert server.most == 1

    _serve(_always(b"HTTP/1.0 200 OK\r\n\r\nx"), use)


def test_udp_search_is_answered_and_silence_is_a_timeout():
    class _Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            if data == b"find":
                self.transport.sendto(b"here", addr)

    async def run():
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(_Echo, local_addr=(HOME, 0))
        port = transport.get_extra_info("sockname")[1]
        talk = _talk()
        job = _job(port, Exchange.UDP_SEARCH, Kind.WSD, transport="udp", path="echo")
        outcome = await exchanges.ask(talk, job)
        assert outcome.answers[0].response == b"here"
        assert outcome.answers[0].transport == "udp"
        with pytest.raises(ObserveError) as caught:
            await exchanges.ask(talk, _job(port, Exchange.SNMP_ENGINE, Kind.SNMP, transport="udp"))
        assert caught.value.reason == Reason.TIMEOUT
        with pytest.raises(ObserveError) as caught:
            await exchanges.ask(
                talk, _job(port, Exchange.UDP_SEARCH, Kind.WSD, transport="udp", path="other")
            )
        assert caught.value.reason == Reason.REFUSED_BY_POLICY
        transport.close()
        await asyncio.sleep(0)
        (answer,) = (await exchanges.ask(talk, job)).answers
        assert answer.kind is Kind.PORTS
        assert ports.parse(answer.response).udp_closed == (port,)

    asyncio.run(run())


def _server_context(tmp_path, *, old: bool) -> ssl.SSLContext:
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024 if old else 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "IPC")])
    start = dt.datetime(2016, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(pem)
    if old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1
    return context


@pytest.mark.parametrize("old", [False, True])
def test_one_handshake_serves_certificate_version_and_requests(tmp_path, old):
    context = _server_context(tmp_path, old=old)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async def use(server):
        talk = _talk()
        shown = await exchanges.ask(
            talk, _job(server.port, Exchange.TLS, Kind.HTTPS_CERT, tls=True)
        )
        kinds = {a.kind: a.response for a in shown.answers}
        assert kinds[Kind.HTTPS_CERT][:1] == b"\x30"
        expected = b"version=TLSv1 " if old else b"version=TLSv1.3 "
        assert kinds[Kind.TLS].startswith(expected)
        page = await exchanges.ask(talk, _job(server.port, tls=True))
        assert [a.response for a in page.answers] == [answer]
        again = await exchanges.ask(
            talk, _job(server.port, Exchange.TLS, Kind.HTTPS_CERT, tls=True)
        )
        assert again == shown
        await talk.close()
        assert server.connections == 1

    _serve(_always(answer, close=False), use, context)


def test_a_request_brings_certificate_and_version_along(tmp_path):
    async def use(server):
        talk = _talk()
        outcome = await exchanges.ask(talk, _job(server.port, tls=True))
        assert {a.kind for a in outcome.answers} == {Kind.TLS, Kind.HTTPS_CERT, Kind.HTTP}
        await talk.close()

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    _serve(_always(answer), use, _server_context(tmp_path, old=False))


def test_a_server_openssl_cannot_speak_with_still_shows_its_certificate(tmp_path):
    """SSL 3.0: ServerHello and Certificate in clear, then nothing our library could finish."""
    certificate = ssl.PEM_cert_to_DER_cert(
        (_server_context(tmp_path, old=True), (tmp_path / "server.pem").read_text())[1]
        .split("-----END RSA PRIVATE KEY-----")[1]
        .strip()
    )

    def handshake(kind: int, body: bytes) -> bytes:
        return bytes((kind,)) + len(body).to_bytes(3, "big") + body

    hello = b"\x03\x00" + bytes(32) + b"\x00" + b"\x00\x0a" + b"\x00"
    listed = len(certificate).to_bytes(3, "big") + certificate
    flight = handshake(2, hello) + handshake(11, len(listed).to_bytes(3, "big") + listed)
    record = b"\x16\x03\x00" + len(flight).to_bytes(2, "big") + flight

    async def handle(server, reader, writer):
        await reader.read(1024)
        writer.write(record)
        await writer.drain()
        await reader.read()

    async def use(server):
        talk = _talk()
        outcome = await exchanges.ask(
            talk, _job(server.port, Exchange.TLS, Kind.HTTPS_CERT, tls=True)
        )
        kinds = {a.kind: a.response for a in outcome.answers}
        assert kinds[Kind.HTTPS_CERT] == certificate
        assert b"version=SSLv3" in kinds[Kind.TLS]
        assert b"fallback=" in kinds[Kind.TLS]

    _serve(handle, use)


def test_a_server_that_is_no_tls_server_has_answered_all_the_same():
    async def use(server):
        job = _job(server.port, exchange=Exchange.TLS, kind=Kind.HTTPS_CERT, tls=True)
        (answer,) = (await exchanges.ask(_talk(), job)).answers
        assert answer.kind is Kind.GREETING
        assert answer.response.startswith(b"HTTP/1.1 400")

    async def handle(server, reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    _serve(handle, use)
