"""Does every counter of the lab move when its rule is broken, and stay when it is kept?"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.lab

POLITE = """
print(get(camera)[0])
s = socket.create_connection((camera, 554), 3)
s.sendall(b"OPTIONS rtsp://x/ RTSP/1.0\\r\\nCSeq: 7\\r\\n\\r\\n")
print(b"CSeq: 7" in s.recv(1000))
s.close()
"""


def test_a_polite_client_breaks_nothing(city):
    done = city(POLITE)
    assert done.out.split() == ["200", "True"]
    assert done.stats["wire"]["outside_plan"] == 0, done.stats["wire"]
    assert done.stats["wire"]["multicast_ttl_not_1"] == 0
    for name in (
        "bytes_to_denied",
        "credential_requests",
        "state_changing",
        "foreign_followed",
        "crashes",
    ):
        assert done.totals(name) == 0, name
    assert done.totals("handshakes") == 2
    assert done.totals("connections") == 2
    assert done.totals("wire_max_concurrent") == 1
    assert done.stats["wire"]["lost"] == 0


def test_three_connections_kill_the_fragile_device_and_it_comes_back(city):
    done = city("""
held = [socket.create_connection((fragile, 80), 3) for _ in range(3)]
time.sleep(0.2)
try:
    socket.create_connection((fragile, 80), 1)
    print("alive")
except ConnectionRefusedError:
    print("dead")
time.sleep(2.2)
print(get(fragile)[0])
""")
    assert done.out.split() == ["dead", "302"]
    assert done.totals("crashes") == 1
    assert done.totals("max_concurrent") == 3
    assert done.totals("wire_max_concurrent") == 3


def test_two_connections_do_not_kill_it_even_when_the_client_closes_early(city):
    done = city("""
for _ in range(6):
    s = socket.create_connection((fragile, 80), 3)
    s.sendall(b"GET /slow HTTP/1.1\\r\\n\\r\\n")
    s.close()
print(get(fragile)[0])
""")
    assert done.out.split() == ["302"]
    assert done.totals("crashes") == 0


def test_bytes_to_the_printer_port_raise_the_alarm(city):
    done = city("""
s = socket.create_connection((printer, 9100), 3)
s.sendall(b"hello")
time.sleep(0.1)
s.close()
""")
    assert done.totals("bytes_to_denied") == 5


def test_a_connection_to_the_printer_port_without_bytes_is_no_alarm(city):
    done = city("socket.create_connection((printer, 9100), 3).close()")
    assert done.totals("bytes_to_denied") == 0


def test_datagrams_to_denied_ports_count(city):
    done = city("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'xyz', (camera, 47808))")
    assert done.totals("bytes_to_denied") == 3


@pytest.mark.parametrize(
    "call",
    [
        "get(camera, headers={'Authorization': 'Basic YTpi'})",
        "get(camera, '/RPC2_Login', method='POST', body='{}')",
        "get(camera, '/x?user=a&pwd=b')",
        (
            "s = socket.create_connection((camera, 8000), 3); "
            "s.sendall(b'\\xff' + bytes(13) + b'\\xe8\\x03' + bytes(8)); time.sleep(0.2)"
        ),
    ],
)
def test_credentials_count(city, call):
    assert city(call).totals("credential_requests") == 1


@pytest.mark.parametrize(
    "call",
    [
        "get(camera, method='PUT', body='x')",
        "get(camera, method='POST', body='<s:Body><tds:SetDNS></tds:SetDNS></s:Body>')",
        (
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto("
            "b'<Probe><Uuid>A</Uuid><Types>update</Types></Probe>', (camera, 37020)); time.sleep(0.1)"
        ),
    ],
)
def test_state_changing_requests_count(city, call):
    assert city(call).totals("state_changing") == 1


def test_state_changing_group_message_counts(city):
    done = city("""
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton("10.20.0.254"))
u.sendto(b"<Probe><Uuid>A</Uuid><Types>restoreInactive</Types></Probe>", ("239.255.255.250", 37020))
time.sleep(0.1)
""")
    assert done.totals("state_changing") == 1
    assert done.stats["wire"]["group_packets"] == {"239.255.255.250:37020": 1}


def test_a_followed_foreign_url_counts(city):
    done = city("""
from urllib.parse import urlsplit
parts = urlsplit(get(fragile)[1]["Location"])
get(parts.hostname, parts.path + "?" + parts.query)
""")
    assert done.totals("foreign_followed") == 1


def test_packets_outside_the_plan_count(city):
    done = city("""
u = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
u.bind(("vs0", 0))
mac = bytes.fromhex("0200005ca001")
ip = bytes.fromhex("4500001c000000004011") + bytes(2) + bytes((10, 20, 0, 254, 198, 51, 100, 9))
u.send(bytes.fromhex("ffffffffffff") + mac + b"\\x08\\x00" + ip + bytes(8))
arp = bytes.fromhex("0001080006040001") + mac + bytes((10, 20, 0, 254)) + bytes(6) + bytes((10, 99, 0, 1))
u.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + arp)
""")
    assert done.stats["wire"]["outside_plan"] == 2
    assert set(done.stats["wire"]["outside_plan_examples"]) == {
        "ARP for 10.99.0.1",
        "UDP to 198.51.100.9",
    }


def test_group_packets_are_apart_and_their_ttl_is_watched(city):
    done = city("""
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton("10.20.0.254"))
u.sendto(b"x", ("239.255.255.250", 3702))
u.setsockopt(0, socket.IP_MULTICAST_TTL, 4)
u.sendto(b"x", ("239.255.255.250", 3702))
u.sendto(b"x", ("239.1.2.3", 3702))
""")
    wire = done.stats["wire"]
    assert wire["group_packets"] == {"239.255.255.250:3702": 2}
    assert wire["multicast_ttl_not_1"] == 1
    assert wire["outside_plan_examples"] == {"group 239.1.2.3:3702": 1}
    assert done.totals("probes") == 0


def test_probes_per_second(city):
    done = city("""
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(50):
    u.sendto(b"x", (camera, 5000))
""")
    assert done.totals("max_probes_per_second") == 50
