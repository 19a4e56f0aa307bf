"""What every client is asked to do, and with what."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import urllib3

from denyproxy.demo.clients import Credentials

MIB = 1 << 20
STEPS = (
    "put",
    "get",
    "head",
    "range",
    "empty body",
    "odd keys",
    "list",
    "copy",
    "tagging",
    "multipart",
    "presigned GET",
    "presigned PUT",
    "presigned POST",
    "delete objects",
    "64 MiB",
)
"""In this order; the first is to put KEY."""
KEY = "folder/key"
SIZE = 3000
ODD_KEYS = ("with space+plus/späße%2F.bin", "日本語/キー🎉", "amp&ersand=1;2,3:4@5$6!7*8'9(0)", "100% [x] {y} ^`|")
PART = 5 * MIB
BIG = 64 * MIB


def content(size: int) -> bytes:
    """Bytes that repeat with no power of two, so that a lost or doubled block shows."""
    pattern = bytes(range(251))
    return (pattern * (size // 251 + 1))[:size]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a client finds S3."""

    host: str
    """With a port, if it is not 80; the client's endpoint is http://HOST."""
    proxy: str | None
    """An HTTP proxy (HOST:PORT) for all requests."""
    names: Mapping[str, int | None]
    """Names that are loopback, as `tests.matrix.names` wants them."""
    virtual: bool
    """Virtual-hosted addressing."""
    who: Credentials
    bucket: str
    directory: Path
    """For files."""

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}"

    def file(self, data: bytes) -> Path:
        """A file with this content, and always the same time: rclone sends it."""
        path = self.directory / f"{len(data)}.bin"
        path.write_bytes(data)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        return path

    def open(self, method: str, url: str, body: bytes | None = None, fields: Mapping[str, str] | None = None) -> bytes:
        """Use a presigned URL; `fields` are those of a form whose file is `body`."""
        # A client that was given a proxy has it for names that only the proxy resolves.
        pool = urllib3.ProxyManager(f"http://{self.proxy}") if self.proxy else urllib3.PoolManager()
        with pool:
            if fields is None:
                response = pool.request(method, url, body=body, redirect=False, retries=False)
            else:
                form: dict[str, str | tuple[str, bytes]] = {**fields, "file": ("file", body or b"")}
                response = pool.request(method, url, fields=form, redirect=False, retries=False)
        assert response.status < 300, f"{method} {urlsplit(url).path}: {response.status} {response.data[:500]!r}"
        return response.data


Steps = Mapping[str, Callable[[], None]]
"""What a client can do; each raises if it failed, or got other bytes than were put."""


class Client(Protocol):
    """A client: a library, or a program."""

    def __call__(self, target: Target) -> contextlib.AbstractContextManager[Steps]:
        """Its steps, while the block runs. Raises `Missing` where it is not installed."""


class Missing(Exception):
    """A client is not installed; the message says how to get it."""
