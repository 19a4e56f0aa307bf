"""Who may use the resign mode, and whose credentials sign for the upstream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from denyproxy.sigv4.credentials import Credentials


@dataclass(frozen=True, slots=True)
class ClientKey:
    """An access key of the table."""

    credentials: Credentials
    principal: str | None = None
    """ARN of whom it stands for."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose credentials sign for the upstream."""

    credentials: Credentials
    principal: str | None = None
    """ARN, if known."""


class Signers(Protocol):
    """Credentials for the upstream."""

    def start(self) -> None:
        """Begin to keep them fresh."""

    def stop(self) -> None:
        """End it."""

    def signer(self, client: ClientKey) -> Signer:
        """Those that sign a client's requests. Raises NoCredentials."""


class _Fixed:
    def start(self) -> None:
        """Nothing is to be kept fresh."""

    def stop(self) -> None:
        """Nothing is."""


class SameKeys(_Fixed):
    """Upstream and client know the same secret."""

    def signer(self, client: ClientKey) -> Signer:
        """The client's own."""
        return Signer(client.credentials, client.principal)


class OnePair(_Fixed):
    """One pair of credentials for all clients."""

    def __init__(self, own: Signer) -> None:
        self._own = own

    def signer(self, client: ClientKey) -> Signer:
        """The pair."""
        return self._own
