"""Errors that denyproxy itself answers with, as S3-style XML so that SDKs show them.

None of them is a denial by S3, and each says so by its code and message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from xml.sax.saxutils import escape

from denyproxy.exchange import ResponseHead


class ProxyError(Exception):
    """Something that denyproxy has to answer itself: an HTTP status, an S3-style code and a sentence."""

    status = 400
    code = "InvalidRequest"

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status or self.status
        self.code = code or self.code
        self.reason = reason


class CannotRelay(ProxyError):
    """A request that cannot be passed on as it is; nothing is dropped or mended silently."""


class HostNotAllowed(ProxyError):
    """A host that the forward mode may not talk to."""

    status = 403
    code = "DenyproxyHostNotAllowed"


class Refused(ProxyError):
    """A request that denyproxy will not sign again, in S3's own words. With status 403 it is explained as a denial."""

    status = 403
    code = "AccessDenied"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        fields: Sequence[tuple[str, str]] = (),
        element: str | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.fields = fields
        """Further elements of the error document."""
        self.element = element
        """What is wrong where that is established: `header:NAME`, `query:NAME`, `path`, `method` or `payload`."""
        self.body = body
        """What was kept of the request body."""


class TryAgain(ProxyError):
    """What the same request, sent again, will not meet; SDKs do so by themselves."""

    status = 503
    code = "ServiceUnavailable"


class NoCredentials(TryAgain):
    """denyproxy has none, or none that are valid, for the upstream."""


class UpstreamUnreachable(ProxyError):
    """No connection, or one that ended before a response head."""

    status = 502
    code = "BadGateway"


class UpstreamTimeout(ProxyError):
    """The upstream was silent for too long."""

    status = 504
    code = "GatewayTimeout"


class ClientStalled(ProxyError):
    """The client stopped sending its body. S3 answers the same way."""

    status = 400
    code = "RequestTimeout"


class InternalError(ProxyError):
    """A fault of denyproxy's own."""

    status = 500
    code = "InternalError"


class Busy(ProxyError):
    """Too many connections; SDKs wait and try again."""

    status = 503
    code = "SlowDown"


def error_response(
    error: ProxyError, *, request_id: str, resource: str, clock: Callable[[], str] = lambda: formatdate(usegmt=True)
) -> tuple[ResponseHead, bytes]:
    """Head and XML body of an error. `resource` is the request's path; `clock` gives the Date header."""
    fields = error.fields if isinstance(error, Refused) else ()
    extra = "".join(f"<{name}>{_text(value)}</{name}>" for name, value in fields)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{_text(error.message)}</Message>"
        f"{extra}<Resource>{_text(resource)}</Resource><RequestId>{request_id}</RequestId></Error>"
    ).encode()
    headers = (
        ("Date", clock()),
        ("Content-Type", "application/xml"),
        ("Content-Length", str(len(body))),
        ("x-amz-request-id", request_id),
    )
    return ResponseHead(error.status, error.reason or HTTPStatus(error.status).phrase, headers), body


def _text(text: str) -> str:
    """Character data: what XML 1.0 cannot carry is written as a question mark."""
    printable = "".join(c if c in "\t\n" or " " <= c < "\ud800" or "\ue000" <= c <= "\ufffd" else "?" for c in text)
    return escape(printable)
