"""denyproxy in each of its modes in front of a server, and where the clients find it."""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from denyproxy.demo import front
from denyproxy.demo.clients import REGION, Credentials
from denyproxy.demo.leash import free_port, leashed
from tests.backends import Server
from tests.matrix.programs import NAMES
from tests.matrix.steps import Target
from tests.matrix.tap import Loop, Tap

AWS_HOST = f"s3.{REGION}.amazonaws.com"
IGNORES_PROXIES = {"js", "s3cmd"}
"""Clients that are not told of a proxy: in forward mode they send origin-form requests for AWS's names."""
LOCAL = Credentials("AKIALOCALONLYEXAMPLE", "c2VjcmV0IG9mIGRlbnlwcm94eSBhbG9uZSwgbm8gbW9y", "")
"""A key pair that the servers do not know."""
RESOLVES_ITSELF = {"rclone"}
"""Clients with a resolver that knows no *.localhost; they take the tap as a proxy that only resolves names."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode of denyproxy."""

    running: Callable[[Path, Server, Credentials, Loop], contextlib.AbstractContextManager[int]]
    """Runs denyproxy for a user of the server; gives its port."""
    of_aws: bool
    """Clients address AWS's own names, and not denyproxy."""
    local: Credentials | None = None
    """With what clients sign; None: as the user."""


@contextlib.contextmanager
def _passthrough(directory: Path, server: Server, user: Credentials, loop: Loop) -> Iterator[int]:
    with front.running(directory, server.endpoint, None) as running:
        yield _port(running.endpoint)


@contextlib.contextmanager
def _resign(directory: Path, server: Server, user: Credentials, loop: Loop) -> Iterator[int]:
    settings = (
        f'resign.upstream = "{server.endpoint}"',
        'resign.kind = "aws"',
        f'resign.key = {{access_key_id = "{user.access_key_id}", secret = "{user.secret_access_key}"}}',
        f'resign.credentials.{LOCAL.access_key_id} = {{secret = "{LOCAL.secret_access_key}"}}',
    )
    with front.running(directory, None, None, *settings) as running:
        yield _port(running.endpoint)


@contextlib.contextmanager
def _forward(directory: Path, server: Server, user: Credentials, loop: Loop) -> Iterator[int]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(AWS_HOST, f"*.{AWS_HOST}").configure_cert(context)
    trusted, port = directory / "ca.pem", free_port()
    authority.cert_pem.write_to_path(str(trusted))
    with loop.tls(context, _port(server.endpoint)) as tls:
        env = {name: value for name, value in os.environ.items() if not name.startswith("DENYPROXY_")}
        env["NAMES"] = f'{{"amazonaws.com": {tls}}}'
        options = ["--forward", f"--ca-file={trusted}", f"--listen=127.0.0.1:{port}", f"--log={directory / 'denials'}"]
        command = [sys.executable, NAMES, "denyproxy", "serve", *options]
        log = directory / "denyproxy.log"
        with leashed("denyproxy", command, env=env, log=log, ready_url=f"http://127.0.0.1:{port}/"):
            yield port


MODES: Mapping[str, Mode] = {
    "passthrough": Mode(_passthrough, of_aws=False),
    "resign": Mode(_resign, of_aws=False, local=LOCAL),
    "forward": Mode(_forward, of_aws=True),
}


def _port(endpoint: str) -> int:
    port = urlsplit(endpoint).port
    assert port is not None
    return port


def target(client: str, mode: Mode, addressing: str, tap: Tap, who: Credentials, bucket: str, place: Path) -> Target:
    """Where a client is sent."""
    virtual = addressing == "virtual-hosted"
    if mode.of_aws:
        by_name = client in IGNORES_PROXIES
        names = {"amazonaws.com": tap.port if by_name else None}
        return Target(AWS_HOST, None if by_name else tap.address, names, virtual, who, bucket, place)
    host = f"{'localhost' if virtual else '127.0.0.1'}:{tap.port}"
    proxy = tap.address if virtual and client in RESOLVES_ITSELF else None
    return Target(host, proxy, {"localhost": None}, virtual, who, bucket, place)
