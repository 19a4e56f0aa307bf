"""Enforcing S3 servers and denyproxy in front of them, for the tests that send real requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from denyproxy.demo import backend, clients
from denyproxy.demo.clients import Credentials
from denyproxy.demo.world import PARTNER, STUDIO

ACCOUNT = STUDIO
OTHER_ACCOUNT = PARTNER


@dataclass(frozen=True, slots=True)
class MiniStack:
    """A running MiniStack. Its root keys are not verified: send what is to be verified as a user."""

    endpoint: str
    root_secret: str
    boto: boto3.Session

    def client(self, service: str, credentials: Credentials, endpoint: str | None = None, **config: Any) -> Any:
        """A boto3 client, of the server itself or of another endpoint in front of it."""
        return clients.client(self.boto, service, endpoint or self.endpoint, credentials, **config)

    def root(self, account: str = ACCOUNT) -> Credentials:
        """The root user of an account; accounts need not be made."""
        return Credentials(account, self.root_secret, f"arn:aws:iam::{account}:root")


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """One MiniStack for the whole test run: use names of your own."""
    try:
        with backend.running(tmp_path_factory.mktemp("ministack")) as running:
            yield MiniStack(running.endpoint, running.root_secret, clients.session())
    except backend.BackendMissing as missing:
        pytest.skip(str(missing))
