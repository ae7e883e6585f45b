"""Who stands behind the flows of a capture, and whose are the public resolvers?

A short way for captures that are printed and not judged: it needs a small part of what `audit` knows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from msgspec.structs import replace

from camscan.assess_options import AssessOptions
from camscan.attribute.endpoints import attribute_endpoints
from camscan.identify.name_flows import with_names
from camscan.model.claim import Device, Endpoint
from camscan.model.knowledge import Attributing
from camscan.model.traffic import Captured, Flow


def attributed_flows(
    captured: Captured, knowledge: Attributing, options: AssessOptions
) -> Iterator[tuple[Flow, Endpoint]]:
    """Every flow with its names and service, and the endpoint with the columns of DESIGN rule 6."""
    spoken = {(s.client, s.remote, s.port, s.transport): s.service for s in captured.services}
    flows = []
    for flow, named in with_names(captured.flows, captured.names):
        service = spoken.get((flow.client, flow.remote, flow.port, flow.transport), flow.service)
        flows.append(replace(flow, names=named.names if named.by_device else (), service=service))
    ends = {(f.names[0] if f.names else None, f.remote): None for f in flows}
    table = [
        Endpoint(device_id="", name=name, address=remote, port=None, marks=())
        for name, remote in ends
    ]
    _, known = attribute_endpoints(
        (Device(device_id="", endpoints=tuple(table)),),
        knowledge,
        owner=options.networks,
        lookups=options.lookups,
    )
    columns = {(e.name, e.address): e for e in known}
    for flow in flows:
        yield flow, columns[flow.names[0] if flow.names else None, flow.remote]


def resolvers(knowledge: Attributing) -> dict[str, str]:
    """Names and single addresses of public resolvers -> whose they are."""
    found = {
        str(ipaddress.ip_network(prefix).network_address): network.name
        for network in knowledge.networks
        if network.kind == "resolver"
        for prefix in network.prefixes
        if ipaddress.ip_network(prefix).num_addresses == 1
    }
    for endpoint in knowledge.endpoints:
        if endpoint.proto == "encrypted DNS" and not endpoint.match.startswith("*"):
            party = knowledge.parties.get(endpoint.operator)
            found[endpoint.match] = party.name if party is not None else endpoint.operator
    return found
