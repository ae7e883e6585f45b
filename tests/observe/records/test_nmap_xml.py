"""Is nmap's XML read for what it saw, and refused where it is hostile or torn?"""

from __future__ import annotations

import pytest

from camscan.decode import ports
from camscan.errors import InputError, ObserveError
from camscan.model.observation import Kind
from camscan.observe.records import nmap_adapter, nmap_xml

WHOLE = """<?xml version="1.0"?>
<!DOCTYPE nmaprun>
<nmaprun scanner="nmap" start="1700000000">
<host starttime="1700000001"><status state="up"/>
<address addr="10.1.2.3" addrtype="ipv4"/><address addr="C0:56:E3:00:00:01" addrtype="mac"/>
<ports>
<port protocol="tcp" portid="80"><state state="open"/><service name="http" product="guess"/></port>
<port protocol="tcp" portid="443"><state state="open"/>
<script id="ssl-cert"><elem key="pem">-----BEGIN CERTIFICATE-----&#10;AA==</elem></script></port>
<port protocol="tcp" portid="22"><state state="closed"/></port>
<port protocol="tcp" portid="23"><state state="filtered"/></port>
<port protocol="udp" portid="161"><state state="open"/></port>
<port protocol="tcp" portid="99999"><state state="open"/></port>
</ports></host>
<host><status state="down"/><address addr="10.1.2.4" addrtype="ipv4"/></host>
</nmaprun>"""


def _write(tmp_path, text: str):
    path = tmp_path / "nmap.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_hosts_become_neighbour_ports_and_certificate(tmp_path):
    records = list(nmap_xml.read(_write(tmp_path, WHOLE)))
    assert [r.kind for r in records] == [Kind.NEIGHBOUR, Kind.PORTS, Kind.HTTPS_CERT]
    assert {r.address for r in records} == {"10.1.2.3"}
    assert records[0].mac == "c0:56:e3:00:00:01"
    states = ports.parse(records[1].response)
    assert (states.open, states.closed, states.silent) == ((80, 443), (22,), (23,))
    assert records[2].port == 443
    assert records[2].response.startswith(b"-----BEGIN CERTIFICATE-----")
    assert records[1].at == "2023-11-14T22:13:21.000Z"
    assert b"guess" not in b"".join(r.response for r in records)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE[:-40], "not whole XML"),
        ("<other/>", "no <nmaprun>"),
        (
            '<!DOCTYPE nmaprun [<!ENTITY a "aaaa">]><nmaprun><host>&a;</host></nmaprun>',
            "Entities",
        ),
        (
            '<!DOCTYPE nmaprun [<!ENTITY a SYSTEM "file:///etc/passwd">]><nmaprun>&a;</nmaprun>',
            "refused",
        ),
    ],
)
def test_hostile_and_torn_files_are_one_clear_line(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        list(nmap_xml.read(_write(tmp_path, text)))


def test_nmap_is_called_without_discovery_scripts_or_denied_ports():
    got = nmap_adapter.arguments(
        [80, 9100, 554, 502], denied={9100, 502}, rate=2000, excluded=["10.0.0.9"]
    )
    assert got[got.index("-p") + 1] == "80,554"
    assert got[got.index("--max-rate") + 1] == "2000"
    assert got[got.index("--max-parallelism") + 1] == "1"
    assert got[got.index("--exclude") + 1] == "10.0.0.9"
    assert {"-n", "-Pn", "-sT"} <= set(got)
    assert not {"-sV", "-sC", "-A", "-O"} & set(got)
    assert not any(a.startswith("--script") for a in got)


def test_nothing_is_scanned_where_only_denied_ports_are_left():
    with pytest.raises(ObserveError):
        nmap_adapter.arguments([9100], denied={9100}, rate=10)
