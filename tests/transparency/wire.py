"""Records what S3 answered to a client, as it came off the socket."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import urllib3

VOLATILE_HEADERS = {
    "date",
    "last-modified",
    "x-amz-request-id",
    "x-amzn-requestid",
    "x-amz-id-2",
    "x-amz-version-id",
    "x-amz-copy-source-version-id",
    "seaweed-x-amz-noncurrent-since-ns",
    "seaweed-x-amz-version-id",
}
"""Differ between two equal requests to one server."""

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
"""Of one connection, not of the response (RFC 9110, section 7.6.1)."""

VOLATILE_ELEMENTS = re.compile(
    rb"<(LastModified|CreationDate|Initiated|RequestId|HostId|UploadId|VersionId|VersionIdMarker|NextVersionIdMarker"
    rb"|DeleteMarkerVersionId|NextContinuationToken|ContinuationToken)>[^<]*</\1>"
)
VOLATILE_PARAMETERS = re.compile(
    r"(uploadId|versionId|continuation-token|X-Amz-Date|X-Amz-Credential|X-Amz-Signature|AWSAccessKeyId|Expires|Signature)"
    r"=[^&]*"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. Header names in wire case and order; volatile values are blanked."""

    request: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | str
    """Itself up to 64 KiB; of more, size and SHA-256."""


@dataclass(slots=True)
class Recorder:
    """Stands in for the HTTP session of a botocore client and keeps what comes back."""

    session: Any
    answers: list[Answer] = field(default_factory=list)

    @classmethod
    def of(cls, client: Any) -> Recorder:
        """Record all that a client receives from now on. Streamed bodies are read here: do not read them again."""
        recorder = cls(client._endpoint.http_session)
        client._endpoint.http_session = recorder
        return recorder

    def send(self, request: Any) -> Any:
        """Send as the real session does."""
        response = self.session.send(request)
        self._keep(request.method, request.url, response.raw, response.content)
        return response

    def open(
        self,
        method: str,
        url: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send a request that is signed in its URL, or not at all."""
        with urllib3.PoolManager() as pool:
            raw = pool.urlopen(
                method, url, body=body, headers=headers, decode_content=False, redirect=False, retries=False
            )
            self._keep(method, url, raw, raw.data)

    def close(self) -> None:
        """Close the real session."""
        self.session.close()

    def _keep(self, method: str, url: str, raw: Any, body: bytes) -> None:
        self.answers.append(answer(method, url, raw.status, raw.reason, raw.headers.items(), body))


def answer(method: str, url: str, status: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    """An Answer, with volatile values blanked."""
    parts = urlsplit(url)
    query = VOLATILE_PARAMETERS.sub(r"\1=", parts.query)
    text = _body(body, parts.netloc)
    is_changed = isinstance(text, bytes) and text != body
    volatile = VOLATILE_HEADERS | {"content-length"} if is_changed else VOLATILE_HEADERS
    kept = tuple(
        (name, "" if name.lower() in volatile else value) for name, value in headers if name.lower() not in HOP_BY_HOP
    )
    return Answer(f"{method} {parts.path}?{query}", status, reason, kept, text)


def _body(body: bytes, netloc: str) -> bytes | str:
    if len(body) > 64 * 1024:
        return f"{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}"
    # S3 names itself as the client addressed it.
    return VOLATILE_ELEMENTS.sub(rb"<\1/>", body).replace(netloc.encode(), b"HOST")
