"""What nmap's http scripts quote is taken as the part of an answer it was; nmap's guesses are not."""

from __future__ import annotations

from camscan.decode import registry
from camscan.model.observation import Kind, Observation
from camscan.observe.records import nmap_xml

XML = """<?xml version="1.0"?><!DOCTYPE nmaprun>
<nmaprun scanner="nmap" version="7.93"><host starttime="1795000000"><status state="up"/>
<address addr="127.0.0.20" addrtype="ipv4"/><ports><port protocol="tcp" portid="80"><state state="open"/>
<service name="http" product="Hikvision Network Video Recorder http admin"/>
<script id="http-server-header" output="App-webs/"><elem>App-webs/</elem></script>
<script id="http-title" output="WEB &lt;b&gt;"><elem key="title">WEB &lt;b&gt;</elem></script>
<script id="http-auth" output="&#xa;HTTP/1.1 401 Unauthorized&#xa;&#xa;  Digest realm=IPCam qop=auth&#xa;"/>
<script id="http-vuln-x" output="VULNERABLE"/></port></ports></host></nmaprun>"""


def fields(tmp_path):
    path = tmp_path / "n.xml"
    path.write_text(XML)
    found = {}
    for record in nmap_xml.read(path):
        seen = Observation(
            id="1",
            device_id=record.address,
            kind=record.kind,
            response=record.response,
            port=record.port,
        )
        found[record.kind] = (registry.decode(seen), record)
    return found


def test_headers_titles_and_challenges_are_taken(tmp_path):
    found = fields(tmp_path)
    assert found[Kind.SERVER_HEADER][0]["server"] == ("App-webs/",)
    assert found[Kind.TITLE][0]["title"] == ("WEB <b>",)
    assert found[Kind.WWWAUTH][0]["auth-scheme"] == ("Digest",)
    assert all("derived" in r.flags for _, r in found.values())


def test_what_nmap_concluded_is_not_taken(tmp_path):
    text = b"".join(r.response for _, r in fields(tmp_path).values())
    assert b"Hikvision" not in text
    assert b"VULNERABLE" not in text
