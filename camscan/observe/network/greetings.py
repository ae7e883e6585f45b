"""What may be said to a camera SDK port before any login?

Only messages that ask and change nothing; ports without an entry are listened to in silence.
"""

from __future__ import annotations

from collections.abc import Mapping

DAHUA_REALM = bytes.fromhex("a0010000") + bytes(20) + bytes.fromhex("050201010000a1aa")
"""Dahua 37777: header a0 01, no payload: asks for the realm text that precedes a login ("DVRIP Send
Request Realm" and "REALM & RANDOM Request" in mcw0/DahuaConsole, net.py, commit 8390755). It carries
no account and no password; the login itself is another message (a0 05), which camscan does not have."""

GREETINGS: Mapping[str, bytes] = {"dahua": DAHUA_REALM}
