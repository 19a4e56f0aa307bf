"""What asyncio's transports do not do themselves."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

if sys.platform != "win32":
    import fcntl
    import termios

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, no time: closing sends RST, so that no client takes the end of the connection for the end of a body."""


def write_at_once(transport: asyncio.WriteTransport, most: int) -> None:
    """Have what is written go out at once, not at the end of the loop's turn as with uvloop.

    Then `pause_writing` tells that a part of it is left, however little. Over TLS that cannot be: there, `most`."""
    transport.set_write_buffer_limits(high=most if speaks_tls(transport) else 0)


def speaks_tls(transport: asyncio.BaseTransport) -> bool:
    """Is what is written encrypted first?"""
    return transport.get_extra_info("ssl_object") is not None


def unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes that wait in the kernel for the peer, where it tells (TIOCOUTQ); else 0."""
    if sys.platform == "win32":
        return 0
    sock = transport.get_extra_info("socket")
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


def settle(waiting: asyncio.Future[None] | None, error: Exception | None) -> None:
    """Let whoever waits go on, or know why not."""
    if waiting is None or waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once with RST."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
