"""One exchange with S3 as values: heads as they were on the wire, and the call that was denied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Headers = tuple[tuple[str, str], ...]
"""Header fields in wire order and wire case; bytes decoded as UTF-8 with surrogateescape, so nothing is lost."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
    }
)
"""Header fields (lower case) of one connection. Transfer-Encoding is none here: a chunked body is chunked again."""


def find_header(headers: Headers, name: str) -> str | None:
    """The first value of a header field (name in any case), or None."""
    wanted, length = name.lower(), len(name)
    for field_name, value in headers:
        if len(field_name) == length and field_name.lower() == wanted:
            return value
    return None


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Request line and header fields. `target` is origin-form (`/bucket/key?query`), never decoded or normalised."""

    method: str
    target: str
    headers: Headers = ()

    @property
    def path(self) -> str:
        """Raw path, percent-encoding as sent."""
        return self.target.partition("?")[0]

    @property
    def query_string(self) -> str:
        """Raw query without the question mark; empty if there is none."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first value of a header field (name in any case), or None."""
        return find_header(self.headers, name)


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """Status line and header fields of a response."""

    status: int
    reason: str = ""
    headers: Headers = ()

    def header(self, name: str) -> str | None:
        """The first value of a header field (name in any case), or None."""
        return find_header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Declared:
    """What is stated outright rather than read off the wire: by a scenario, or by an operator in the settings.

    Each member that is None is not declared. Declared facts override derived ones.
    """

    principal: str | None = None
    """ARN of user, role session, role, federated user or root; a service principal name; or 'anonymous'."""
    principal_role: str | None = None
    """ARN with path of the role behind a session, or of the user behind a federated session."""
    principal_account: str | None = None
    resource_account: str | None = None
    operation: str | None = None
    action: str | None = None
    """With `resource`: one authorization request given directly, of any service."""
    resource: str | None = None
    bucket: str | None = None
    """Bucket name, or the ARN of an access point."""
    key: str | None = None
    """Decoded."""
    region: str | None = None
    context: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """Condition key -> values; None: the key is known to be absent."""
    unknown: frozenset[str] = frozenset()
    """Condition keys (lower case) that are not known, whatever would be derived."""
    kms_context: Mapping[str, str] = field(default_factory=dict)
    """Condition keys of the derived kms authorization request."""
    closed: bool = False
    """Closed world (a scenario): a key that is neither derived nor declared is absent. Otherwise it is unknown."""


@dataclass(frozen=True, slots=True)
class Resigned:
    """The call was signed again with credentials that are not the client's own."""

    signer: str | None = None
    """ARN of whom S3 saw, if known."""
    client: str | None = None
    """ARN of whom the client's access key stands for, if known."""
    client_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class OwnRefusal:
    """denyproxy refused the call itself, in S3's words: S3 never saw it."""

    element: str | None = None
    """What is wrong where that is established: `header:NAME`, `query:NAME`, `path`, `method` or `payload`."""


@dataclass(frozen=True, slots=True)
class DeniedCall:
    """One denied (or asked about) S3 call with everything that an explanation may use. Made by proxy or scenario."""

    id: str
    request: RequestHead
    """As the client sent it."""
    upstream_request: RequestHead
    """As S3 saw it: the same but in modes that sign again."""
    response: ResponseHead | None
    """None: a question (would this be allowed?)."""
    received: datetime
    """Aware UTC: when the response arrived (the server's clock where it is known)."""
    body: bytes | None = None
    """Request body; None: not kept. Only the few small ones that authorization depends on are kept."""
    response_body: bytes | None = None
    """Error document; None: not kept (too large), b'' for HEAD."""
    secure: bool | None = None
    """Was the connection that reached S3 TLS? None: not known."""
    client_address: str | None = None
    mode: str = "passthrough"
    resigned: Resigned | None = None
    """None: S3 saw the client's own credentials."""
    refusal: OwnRefusal | None = None
    """None: the response is S3's."""
    upstream_kind: str = "aws"
    """aws, minio, ceph or other: whose dialect the upstream speaks."""
    sent: datetime | None = None
    """Aware UTC: the client's clock when it signed, where the wire does not say (scenarios)."""
    declared: Declared = field(default_factory=Declared)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is changed in a denied response on its way to the client."""

    headers: Headers = ()
    """Header fields to add; one bounded ASCII line each."""
    body: bytes | None = None
    """The new error document; None: leave it as it is."""
