"""Which addresses does a host name have, that a person typed as target? (DESIGN rule 12)"""

from __future__ import annotations

import socket


def resolve_host(name: str) -> tuple[str, ...]:
    """Addresses in the order of the system's resolver, IPv4 first; OSError where it has none.

    The one look-up a scan makes; its answer is pinned in the scope.
    """
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    texts = dict.fromkeys(str(entry[4][0]).split("%", 1)[0] for entry in found)
    return tuple(sorted(texts, key=lambda text: ":" in text))
