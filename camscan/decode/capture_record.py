"""What stands in a record of a capture (kinds name, flow, service, capture)?

The bytes of such an observation are a record of `camscan.model.traffic` as JSON. A run from elsewhere may
hold anything in their place: what is no such record is refused.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from camscan.decode.collect import Collector
from camscan.errors import DecodeError
from camscan.model.observation import Fields, Kind, Observation
from camscan.model.traffic import CaptureSummary, Flow, NameSeen, ServiceSeen

_T = TypeVar("_T")


def name(data: bytes) -> NameSeen:
    return _record(data, NameSeen)


def flow(data: bytes) -> Flow:
    return _record(data, Flow)


def service(data: bytes) -> ServiceSeen:
    return _record(data, ServiceSeen)


def summary(data: bytes) -> CaptureSummary:
    return _record(data, CaptureSummary)


def fields(observation: Observation) -> Fields:
    """Fields of `FIELDS` of the four kinds; raises DecodeError where the bytes are no such record."""
    match observation.kind:
        case Kind.NAME:
            return _of_name(name(observation.response))
        case Kind.FLOW:
            return _of_flow(flow(observation.response))
        case Kind.SERVICE:
            return _of_service(service(observation.response))
        case _:
            return _of_summary(summary(observation.response))


def _record(data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"no record of a capture: {error}") from error


def _of_name(seen: NameSeen) -> Fields:
    out = Collector()
    out.add("proto", seen.proto)
    out.add("name", seen.name)
    out.add("remote", seen.remote)
    out.add("port", seen.port)
    out.add("answer", *seen.answers)
    out.add("alias", *seen.aliases)
    out.add("alpn", *seen.alpn)
    out.add("ech", "true" if seen.ech else None)
    out.add("odd", "true" if seen.odd else None)
    return out.done()


def _of_flow(seen: Flow) -> Fields:
    out = Collector()
    out.add("remote", seen.remote)
    out.add("port", seen.port)
    out.add("transport", seen.transport)
    out.add("bytes-up", seen.bytes_up)
    out.add("bytes-down", seen.bytes_down)
    out.add("name", *seen.names)
    out.add("service", seen.service)
    return out.done()


def _of_service(seen: ServiceSeen) -> Fields:
    out = Collector()
    out.add("service", seen.service)
    out.add("remote", seen.remote)
    out.add("port", seen.port)
    out.add("transport", seen.transport)
    out.add("announced", seen.announced)
    out.add("packets", seen.packets)
    out.add("detail", seen.detail)
    return out.done()


def _of_summary(seen: CaptureSummary) -> Fields:
    out = Collector()
    out.add("vantage", seen.vantage)
    out.add("packets", seen.packets)
    out.add("bytes", seen.bytes)
    out.add("lost", seen.lost)
    out.add("clients", seen.clients)
    out.add("dns-visible", "true" if seen.dns_visible else "false")
    out.add("phase", *(name for name, _, _ in seen.phases))
    return out.done()
