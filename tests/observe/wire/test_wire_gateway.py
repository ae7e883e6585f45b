"""A gateway's port table is read entry by entry, with the reading action alone, and the reading ends."""

from __future__ import annotations

import asyncio

from test_wire_exchanges import _job, _Server, _talk

from camscan.decode import igd
from camscan.model.observation import Kind
from camscan.model.probe import Exchange
from camscan.observe.wire import exchanges

DESCRIPTION = (
    b"<root><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1"
    b"</serviceType><controlURL>/ctl/IPConn</controlURL></service></serviceList></device></root>"
)
ENTRY = (
    b"<e><NewInternalClient>127.0.0.9</NewInternalClient><NewInternalPort>554</NewInternalPort></e>"
)
END = b"<e><UPnPError><errorCode>713</errorCode></UPnPError></e>"


def page(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def asked(entries: int, description: bytes = DESCRIPTION):
    """(answers, heads of the requests, bodies of the POSTs)"""
    bodies: list[bytes] = []

    async def handle(server, reader, writer):
        while True:
            head = await server.head(reader)
            if head.startswith(b"GET "):
                writer.write(page(description))
                continue
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            bodies.append(await reader.readexactly(length))
            more = len(bodies) <= entries
            writer.write(page(ENTRY) if more else page(END, b"500 Internal Server Error"))

    async def main():
        async with _Server(handle) as server:
            talk = _talk()
            job = _job(server.port, Exchange.IGD_MAPPINGS, Kind.UPNP_XML, path="/rootDesc.xml")
            outcome = await exchanges.ask(talk, job)
            await talk.close()
            return outcome.answers, server.requests

    answers, heads = asyncio.run(main())
    return answers, heads, bodies


def test_entries_are_read_until_the_table_ends():
    answers, heads, bodies = asked(2)
    assert [a.kind for a in answers] == [Kind.UPNP_XML] * 4
    assert heads[0].startswith(b"GET /rootDesc.xml ")
    assert all(h.startswith(b"POST /ctl/IPConn ") for h in heads[1:])
    assert all(b"#GetGenericPortMappingEntry" in h for h in heads[1:])
    assert [b"<NewPortMappingIndex>%d<" % n in b for n, b in enumerate(bodies)] == [True] * 3
    assert not any(b"AddPortMapping" in b or b"Delete" in b for b in bodies)


def test_an_endless_table_ends_at_the_limit():
    _, _, bodies = asked(10_000)
    assert len(bodies) == igd.MAX_MAPPINGS


def test_a_description_that_points_elsewhere_is_all_that_is_asked():
    answers, heads, bodies = asked(2, DESCRIPTION.replace(b"/ctl/", b"http://127.0.0.7/ctl/"))
    assert len(answers) == len(heads) == 1
    assert bodies == []
