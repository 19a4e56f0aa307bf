"""What asyncio's transports do not do with a socket themselves."""

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


def unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes that wait in the kernel for the peer, where it tells (TIOCOUTQ); else 0."""
    if sys.platform == "win32":
        return 0
    sock = transport.get_extra_info("socket")
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once with RST."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
