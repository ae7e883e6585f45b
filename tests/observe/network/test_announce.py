"""Do only search messages leave, and is every answer kept once, from wherever it comes?"""

from __future__ import annotations

import asyncio

import pytest

from camscan.model.observation import Kind
from camscan.observe.network.announce import Announcer, Way
from camscan.observe.network.announcement import Announcement
from camscan.observe.network.protocols import tuya
from camscan.observe.network.protocols.registry import ANNOUNCEMENTS, chosen, searches
from camscan.observe.wire.gate import Gate
from camscan.observe.wire.udp import Datagram
from camscan.scope import DENIED_PORTS

# What the same ports would also understand and would change a device (facts: discovery 2-6).
FORBIDDEN = (
    b"setConfig",
    b"DevInit",
    b"PasswdFind",
    b"modifyPwd",
    b"<Types>update",
    b"activate",
    b"exchangecode",
    b"resetPassword",
    b"setWifiRegion",
    b"EHomeEnable",
    b"ezvizUnbind",
    b"restoreInactive",
    b"diskLocate",
    b"SetDeviceAddrReq",
    b"SetDefault",
    b"\xfc\x05",
    b"C2D_C",
)


class _All:
    def allows(self, address: str) -> bool:
        return True


def _messages(announcement: Announcement) -> tuple[bytes, ...]:
    unicast = (announcement.unicast(),) if announcement.unicast is not None else ()
    return (*announcement.messages("10.0.0.1"), *unicast)


@pytest.mark.parametrize("announcement", ANNOUNCEMENTS, ids=lambda a: a.name)
def test_every_message_is_a_search_and_is_not_taken_for_an_answer(announcement):
    for message in _messages(announcement):
        assert 0 < len(message) <= 1400
        assert not any(word in message for word in FORBIDDEN)
        assert "password" not in message.decode("latin-1").lower()
    for port in announcement.ports:
        assert port not in DENIED_PORTS
    gate = Gate(_All(), DENIED_PORTS, "fast")
    for group in announcement.groups:
        gate.check_group(group, announcement.ports[0], "10.0.0.1")
    assert announcement.source.startswith("facts: ")


def test_names_are_unique_and_chosen_by_the_plan():
    names = [a.name for a in ANNOUNCEMENTS]
    assert len(names) == len(set(names))
    assert [a.name for a in chosen(["sadp", "wsd", "no such"])] == ["wsd", "sadp"]
    listening = {"tuya6666", "tuya6667"}
    assert {a.name for a in ANNOUNCEMENTS if a.listens} == listening
    assert all(not a.messages("10.0.0.1") for a in ANNOUNCEMENTS if a.listens)
    assert set(searches()) == set(names) - listening


def _announcer(announcement: Announcement, heard: list) -> Announcer:
    return Announcer(
        Gate(_All(), DENIED_PORTS, "fast"),
        [announcement],
        [Way("lo", 1, "127.0.0.1")],
        heard=heard.append,
        failed=lambda *_: None,
    )


def _plain(answer_port: int = 0, port: int = 39702) -> Announcement:
    return Announcement(
        name="plain",
        kind=Kind.WSD,
        groups=("239.255.255.250",),
        ports=(port,),
        messages=lambda _: (b"find",),
        accepts=lambda data: data != b"noise",
        answer_port=answer_port,
        source="facts: discovery 1",
    )


def test_the_same_answer_is_kept_once_per_device():
    heard: list = []
    announcer = _announcer(_plain(), heard)

    def take(data: bytes, address: str) -> None:
        announcer._take(
            announcer.announcements[0],
            Datagram(data=data, address=address, port=1, interface="lo"),
        )

    first = b"<a:MessageID>urn:uuid:1</a:MessageID><x>same</x>"
    second = b"<a:MessageID>urn:uuid:2</a:MessageID><x>same</x>"
    take(first, "10.0.0.1")
    take(second, "10.0.0.1")
    take(first, "10.0.0.2")
    take(b"<x>other</x>", "10.0.0.1")
    take(b"noise", "10.0.0.1")
    take(b"", "10.0.0.1")
    assert [(h.address, h.data) for h in heard] == [
        ("10.0.0.1", first),
        ("10.0.0.2", first),
        ("10.0.0.1", b"<x>other</x>"),
    ]
    for n in range(200):
        take(b"flood %d" % n, "10.0.0.3")
    assert sum(h.address == "10.0.0.3" for h in heard) == 48


_IN_A_NAMESPACE = """
import asyncio, socket, sys
from camscan.model.observation import Kind
from camscan.observe.network.announce import Announcer, Way
from camscan.observe.network.announcement import Announcement
from camscan.observe.wire.gate import Gate

class All:
    def allows(self, address): return True

class Camera(asyncio.DatagramProtocol):
    def __init__(self): self.heard = []
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, addr):
        self.heard.append(data)
        self.transport.sendto(b"here", addr)

async def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 39702))
    group, own = socket.inet_aton("239.255.255.250"), socket.inet_aton("127.0.0.1")
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + own)
    loop = asyncio.get_running_loop()
    transport, camera = await loop.create_datagram_endpoint(Camera, sock=sock)
    heard = []
    plain = Announcement(name="plain", kind=Kind.WSD, groups=("239.255.255.250",), ports=(39702,),
        messages=lambda _: (b"find",), accepts=bool, source="facts: discovery 1")
    announcer = Announcer(Gate(All(), {9100}, "fast"), [plain], [Way("lo", 1, "127.0.0.1")],
        heard=heard.append, failed=lambda *what: sys.exit(str(what)))
    await announcer.run()
    print(camera.heard, [h.data for h in heard], announcer.gate.sent.group_datagrams)

asyncio.run(main())
"""


@pytest.mark.lab
def test_a_search_in_a_network_namespace_is_answered():
    import os
    import subprocess
    import sys

    alone = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    done = subprocess.run(
        [
            *alone,
            "sh",
            "-c",
            'ip link set lo up && exec "$@"',
            "-",
            sys.executable,
            "-c",
            _IN_A_NAMESPACE,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip() == "[b'find', b'find'] [b'here'] 2", done.stderr


def test_what_devices_broadcast_by_themselves_is_heard_until_the_time_is_over(monkeypatch):
    slept: list[float] = []

    async def run() -> None:
        heard: list = []
        announcer = _announcer(tuya.ENCIPHERED, heard)
        real = asyncio.sleep

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await real(0)

        monkeypatch.setattr("camscan.observe.network.announce.asyncio.sleep", sleep)
        opened: list = []

        async def group(gate, *, port, received, **_):
            opened.append(port)
            frame = bytes.fromhex("000055aa") + bytes(40)
            received(Datagram(data=frame, address="10.0.0.9", port=40000, interface="lo"))
            received(Datagram(data=b"noise", address="10.0.0.8", port=40000, interface="lo"))
            return _Silent()

        monkeypatch.setattr("camscan.observe.network.announce.open_group", group)
        await announcer.run()
        assert opened == [6667]
        assert [(h.address, h.how, h.port) for h in heard] == [("10.0.0.9", "broadcast", 6667)]

    asyncio.run(run())
    assert 4.5 < max(slept) <= 5.2


class _Silent:
    """A socket by which nothing may leave."""

    interface, local_port = "lo", 6667

    def send(self, *_) -> None:
        raise AssertionError("nothing is sent for protocols that are only listened to")

    def close(self) -> None:
        pass


def test_a_port_that_cannot_be_bound_is_said():
    async def run() -> None:
        import socket

        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taken.bind(("", 39703))
        failed: list = []
        announcer = Announcer(
            Gate(_All(), DENIED_PORTS, "fast"),
            [_plain(answer_port=39703)],
            [Way("lo", 1, "127.0.0.1")],
            heard=lambda _: None,
            failed=lambda *what: failed.append(what),
        )
        await announcer.run()
        taken.close()
        assert [f[0] for f in failed] == ["plain"]
        assert "39703" in failed[0][2]

    asyncio.run(run())


def test_a_long_sweep_is_followed_by_one_more_search(monkeypatch):
    """Answers drown in the requests of a sweep, so the last search comes after it."""

    def times(flooded: float) -> list[float]:
        now, sent = [0.0], []
        announcer = _announcer(_plain(), [])

        async def sleep(seconds: float) -> None:
            now[0] += seconds

        async def opened(*_):
            return None, []

        async def send(_, *, first):
            sent.append(round(now[0], 2))

        monkeypatch.setattr("camscan.observe.network.announce.asyncio.sleep", sleep)
        monkeypatch.setattr(announcer, "_open", opened)
        monkeypatch.setattr(announcer, "_send", send)
        asyncio.run(announcer.run(flooded=flooded))
        return sent

    assert times(0.0) == [0.0, 0.6]
    assert times(7.0) == [0.0, 3.5, 7.0]
