"""How do the devices behave that never come to an end?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.tcp import Connection

_SECOND = 1.0
_BLOCK = b"<!-- endless -->" * 256
_LAST_S = 600
_HEAD = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\n"


async def shaped(connection: Connection, shape: str, head: bytes, body: bytes) -> None:
    """Give a whole answer in a hostile way: slowloris, drip, endless, silent."""
    if shape == "slowloris":
        for value in head + body:
            await connection.send(bytes((value,)))
            await asyncio.sleep(_SECOND)
    elif shape == "drip":
        await connection.send(head.removesuffix(b"\r\n"))
        for number in range(int(_LAST_S / 0.5)):
            await connection.send(f"X-Pad-{number}: {number}\r\n".encode())
            await asyncio.sleep(0.5)
    elif shape == "endless":
        await connection.send(head + body)
        for _ in range(int(_LAST_S / 0.01)):
            await connection.send(_BLOCK)
            await asyncio.sleep(0.01)
    else:
        while await connection.recv():
            pass


async def hold(connection: Connection, kind: str) -> None:
    """A tarpit service."""
    if kind == "banner":
        # a line that never is the SSH identification (RFC 4253 section 4.2 allows lines before it)
        for number in range(int(_LAST_S / 2)):
            await connection.send(f"{(number * 2654435761) & 0xFFFFFFFF:x}\r\n".encode())
            await asyncio.sleep(2)
        return
    if kind != "silent":
        await connection.recv()
    await shaped(connection, kind, _HEAD + b"\r\n", b"")
