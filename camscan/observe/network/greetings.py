"""What may be said to a camera SDK port before any login?

Only messages that ask and change nothing; ports without an entry are listened to in silence.
"""

from __future__ import annotations

from collections.abc import Mapping

DAHUA_REALM = bytes.fromhex("a0010000") + bytes(20) + bytes.fromhex("050201010000a1aa")
"""Dahua 37777: asks for the realm text that precedes a login; carries no account
(facts: fingerprints, ports seen; frame as in mcw0/DahuaConsole)."""

GREETINGS: Mapping[str, bytes] = {"dahua": DAHUA_REALM}
