"""What do DNS messages hold (RFC 1035), for mDNS and for names seen on the wire?"""

from __future__ import annotations

import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rdtypes.IN.SRV
from msgspec import Struct

from camscan.decode.dns_seen import read_name
from camscan.decode.text import decode_text
from camscan.errors import DecodeError

MAX_BYTES = 65_535
MAX_RECORDS = 512
_HEADER = 12


class Record(Struct, frozen=True):
    """A resource record; `name` without the last dot, `data` by type.

    PTR: (name); SRV: (port, host); TXT: strings; A and AAAA: (address); other types: ().
    """

    name: str
    kind: str
    data: tuple[str, ...]


class DnsMessage(Struct, frozen=True):
    """Questions as `(name, type)` and the records of all sections in order."""

    is_response: bool
    questions: tuple[tuple[str, str], ...]
    records: tuple[Record, ...]


def parse(data: bytes) -> DnsMessage:
    """Read a message; raises DecodeError when not even its header and names can be read."""
    try:
        message = dns.message.from_wire(
            _without_flush(data[:MAX_BYTES]),
            ignore_trailing=True,
            one_rr_per_rrset=True,
            continue_on_error=True,
            raise_on_truncation=False,
        )
    # dnspython raises its own tree and, on odd option data, plain ValueError and its kin.
    except (dns.exception.DNSException, ValueError, IndexError, KeyError, TypeError) as error:
        raise DecodeError(f"not a DNS message: {type(error).__name__}") from error
    records: list[Record] = []
    for section in (message.answer, message.authority, message.additional):
        for rrset in section:
            for rdata in rrset:
                if len(records) < MAX_RECORDS:
                    kind = dns.rdatatype.to_text(rrset.rdtype)
                    records.append(Record(name_text(rrset.name), kind, _data(rdata)))
    return DnsMessage(
        is_response=bool(message.flags & dns.flags.QR),
        questions=tuple(
            (name_text(rrset.name), dns.rdatatype.to_text(rrset.rdtype))
            for rrset in message.question[:MAX_RECORDS]
        ),
        records=tuple(records),
    )


def _without_flush(data: bytes) -> bytes:
    """The message with the upper bit of every class cleared: in mDNS it is no part of it (RFC 6762 section 10.2).

    What cannot be walked is left as it is.
    """
    if len(data) < _HEADER:
        return data
    whole = bytearray(data)
    questions, *sections = struct.unpack_from(">HHHH", data, 4)
    at = _HEADER
    try:
        for number in range(min(questions + sum(sections), MAX_RECORDS)):
            _, at = read_name(data, at)
            kind, group = struct.unpack_from(">HH", data, at)
            if kind != dns.rdatatype.OPT:  # there the field is a size
                struct.pack_into(">H", whole, at + 2, group & 0x7FFF)
            at += 4
            if number >= questions:
                at += 6 + int.from_bytes(data[at + 4 : at + 6], "big")
    except (DecodeError, struct.error):
        pass
    return bytes(whole)


def name_text(name: dns.name.Name) -> str:
    """Labels joined by dots as they are (mDNS instance names have spaces and UTF-8)."""
    return ".".join(decode_text(label) for label in name.labels if label)


def _data(rdata: object) -> tuple[str, ...]:
    if isinstance(rdata, dns.rdtypes.ANY.PTR.PTR):
        return (name_text(rdata.target),)
    if isinstance(rdata, dns.rdtypes.IN.SRV.SRV):
        return (str(rdata.port), name_text(rdata.target))
    if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT):
        return tuple(decode_text(text) for text in rdata.strings[:256])
    if isinstance(rdata, dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA):
        return (str(rdata.address),)
    return ()
