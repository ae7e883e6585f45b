"""In which order do devices stand in a table: by address as a number, then by name?"""

from __future__ import annotations

import ipaddress


def device_key(name: str) -> tuple[int, int, str]:
    """Sort key of a device id: `10.0.0.2` before `10.0.0.10`, `10.0.0.2#82` behind `10.0.0.2`, names last."""
    try:
        address = ipaddress.ip_address(name.partition("#")[0])
    except ValueError:
        return 9, 0, name
    return address.version, int(address), name
