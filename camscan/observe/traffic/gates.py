"""Which packets carry a name or a greeting, whatever camera service they belong to?

Patterns are the fixed first bytes their standards demand; ports stand alone only where a standard has
no fixed bytes (DNS, DHCP, NTP). Camera services come from signatures and are added by the caller.
"""

from __future__ import annotations

from camscan.observe.traffic.packet import Gate

_HTTP_WORDS = (
    b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"CONN", b"PATC", b"HTTP", b"TRAC", b"PROP", b"MKCO",
    b"COPY", b"MOVE", b"LOCK", b"UNLO", b"REPO", b"SEAR", b"UNSU", b"SOUR", b"RPC_",
)  # fmt: skip
_RTSP_WORDS = (b"DESC", b"SETU", b"PLAY", b"ANNO", b"REDI", b"RECO", b"RTSP")
_SIP_WORDS = (b"REGI", b"INVI", b"SIP/", b"SUBS", b"MESS", b"NOTI")

GATES: tuple[Gate, ...] = (
    # RFC 1035, 6762 (mDNS), 4795 (LLMNR); NBNS is RFC 1002.
    Gate(id="dns", ports=(53, 5353, 5355), shortest=12, alike="question"),
    # Two bytes of length often come in a segment of their own (RFC 7766 section 8).
    Gate(id="dns-tcp", transport="tcp", ports=(53,)),
    Gate(id="nbns", transport="udp", ports=(137,), shortest=12, alike="question"),
    Gate(id="dhcp", transport="udp", ports=(67, 68), shortest=240),
    Gate(id="dhcp6", transport="udp", ports=(546, 547), shortest=4),
    Gate(id="ntp", transport="udp", ports=(123,), shortest=48, alike="ends"),
    Gate(id="ssdp", transport="udp", ports=(1900,), shortest=12, alike="payload"),
    Gate(id="ws-discovery", transport="udp", ports=(3702,), shortest=12),
    # RFC 8446 section 5.1: handshake record, version 3.x; byte 5 is ClientHello, ServerHello or Certificate.
    Gate(
        id="tls-client-hello",
        transport="tcp",
        pattern=b"\x16\x03\x00\x00\x00\x01",
        mask=b"\xff\xff\xf8\x00\x00\xff",
        shortest=6,
        alike="hello",
    ),
    Gate(
        id="tls-server-hello",
        transport="tcp",
        pattern=b"\x16\x03\x00\x00\x00\x02",
        mask=b"\xff\xff\xf8\x00\x00\xff",
        shortest=6,
        alike="sealed",
    ),
    # The head of the first record, or less, in a segment of its own.
    Gate(id="tls-begins", transport="tcp", pattern=b"\x16", shortest=1, longest=5),
    # RFC 6347 section 4.1: handshake record, version 254.x; byte 13 is ClientHello.
    Gate(
        id="dtls-client-hello",
        transport="udp",
        pattern=b"\x16\xfe" + bytes(11) + b"\x01",
        mask=b"\xff\xff" + bytes(11) + b"\xff",
        shortest=60,
    ),
    # RFC 9000 section 17.2: long header; the version follows (v1, v2, drafts 0xff0000xx). RFC 9287: the second bit
    # may be anything.
    Gate(
        id="quic-v1",
        transport="udp",
        pattern=b"\x80\x00\x00\x00\x01",
        mask=b"\xb0\xff\xff\xff\xff",
        shortest=1200,
    ),
    Gate(
        id="quic-v2",
        transport="udp",
        pattern=b"\x90\x6b\x33\x43\xcf",
        mask=b"\xb0\xff\xff\xff\xff",
        shortest=1200,
    ),
    Gate(
        id="quic-draft",
        transport="udp",
        pattern=b"\x80\xff\x00\x00",
        mask=b"\xb0\xff\xff\xff",
        shortest=1200,
    ),
    # Small clients send a request word by word, each in a segment of its own.
    *(Gate(id="http", transport="tcp", pattern=word, shortest=4) for word in _HTTP_WORDS),
    *(Gate(id="rtsp", transport="tcp", pattern=word, shortest=8) for word in _RTSP_WORDS),
    *(Gate(id="sip", pattern=word, shortest=8) for word in _SIP_WORDS),
    # RFC 8489 section 5: magic cookie at 4.
    Gate(id="stun", offset=4, pattern=b"\x21\x12\xa4\x42", shortest=20),
    # MQTT 3.1 and later: CONNECT, remaining length, protocol name.
    Gate(
        id="mqtt",
        transport="tcp",
        offset=2,
        pattern=b"\x00\x04MQTT",
        shortest=12,
    ),
    Gate(id="mqtt", transport="tcp", offset=3, pattern=b"\x00\x04MQTT", shortest=12),
    Gate(id="mqtt-31", transport="tcp", offset=2, pattern=b"\x00\x06MQIsdp", shortest=12),
    Gate(id="mqtt-31", transport="tcp", offset=3, pattern=b"\x00\x06MQIsdp", shortest=12),
)
