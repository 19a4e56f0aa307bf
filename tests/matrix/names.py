"""Names that resolve to loopback in one process, as RFC 6761 wants of *.localhost and an /etc/hosts could for others.

    python names.py PROGRAM ARGUMENT...     runs a Python program so; NAMES is JSON: suffix of a name -> port, or null

It imports nothing but the standard library: programs of other environments are run by it.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any

LOCAL = {"localhost": None}


@contextlib.contextmanager
def resolving(names: Mapping[str, int | None]) -> Iterator[None]:
    """Names with these suffixes are 127.0.0.1, on another port if one is given, while the block runs."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        for suffix, other in names.items():
            if name == suffix or name.endswith(f".{suffix}"):
                return original("127.0.0.1", other or port, *arguments, **named)
        return original(host, port, *arguments, **named)

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = original


def main() -> None:
    sys.argv = sys.argv[1:]
    with resolving(json.loads(os.environ["NAMES"])):
        if sys.argv[0] == "denyproxy":
            sys.modules["uvloop"] = None  # type: ignore[assignment]  # its resolver is not Python's
            runpy.run_module("denyproxy", run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
