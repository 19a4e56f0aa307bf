"""A request that was verified, and what each way to sign one is verified with."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from denyproxy.sigv4.credential import SIGV2
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.refusals import Refusal, unknown_key
from denyproxy.sigv4.signing import SigningKey

MAX_SKEW = timedelta(minutes=15)

Lookup = Callable[[str], Credentials | None]
"""From access key id."""


@dataclass(slots=True, repr=False)  # one is made for every request, and a frozen one costs more
class Verified:
    """Who signed a request, and what the signatures of its chunks go on from."""

    credentials: Credentials
    payload: str
    """A hex hash, UNSIGNED-PAYLOAD, or a STREAMING- sentinel."""
    key: SigningKey | None = None
    """None: Signature Version 2."""
    signature: str = ""
    timestamp: str = ""
    start: str = ""
    """The start of its canonical request: `request_start`."""
    path_as_sent: bool = False
    """The path was signed as it was sent, which is not S3's canonical form: `%2f`, or `%2F` in a key."""

    def __repr__(self) -> str:
        return f"Verified({self.credentials!r}, {self.key.scope if self.key is not None else SIGV2!r})"


def token_refusal(credentials: Credentials, token: str | None) -> Refusal | None:
    """Is the session token that of the key? Long-term keys have none."""
    if token is None:
        return None if credentials.session_token is None else unknown_key(credentials.access_key_id)
    if credentials.session_token is None or not equal(token, credentials.session_token):
        return Refusal(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    return None


def equal(one: str, other: str) -> bool:
    """Are two secrets the same? In constant time."""
    try:
        return hmac.compare_digest(one, other)
    except TypeError:  # not ASCII
        return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))
