"""Signature Version 4: put on a request head in the place of what it was signed with.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from denyproxy.exchange import HOP_BY_HOP, Headers, RequestHead
from denyproxy.picking import Pick, picker
from denyproxy.remembered import Remembered
from denyproxy.sigv4.canonical import request_start
from denyproxy.sigv4.credential import SIGV4
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.fields import Covered, Fields, Names, fields_of
from denyproxy.sigv4.wire import SIGNING_PARAMETERS, percent_decode

_REPLACED = frozenset({"authorization", "date", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"})
_LEFT = _REPLACED | HOP_BY_HOP
_NOT_SIGNED = frozenset(
    {
        "accept",
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "content-length",
        "expect",
        "transfer-encoding",
        "user-agent",
        "x-amzn-trace-id",
    }
)
"""Header fields that a server or a load balancer on the way may read differently, or change."""
_FIELD = re.compile(r"(?i:x-amz-)[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VERSION_2 = re.compile(r"(?:^|&)AWSAccessKeyId=")
_SIGV2_PARAMETERS = frozenset({"AWSAccessKeyId", "Expires", "Signature"})


class SigningKey:
    """The key of a secret for a day, a region and a service, and its scope. Raises ValueError where a line break in it
    would forge a header field."""

    __slots__ = ("_inside", "_outside", "derived", "region", "scope", "service")

    def __init__(self, derived: bytes, date: str, region: str, service: str) -> None:
        self.derived = derived
        self.region = region
        self.service = service
        self.scope = f"{date}/{region}/{service}/aws4_request"
        if not self.scope.isprintable():
            raise ValueError("a line break or another control character in a region or a service")
        # The two hashes of an HMAC once they have taken the key, which is half of their work.
        # https://www.rfc-editor.org/rfc/rfc2104
        block = derived.ljust(64, b"\0")
        self._inside = hashlib.sha256(bytes([byte ^ 0x36 for byte in block]))
        self._outside = hashlib.sha256(bytes([byte ^ 0x5C for byte in block]))

    def string_to_sign(self, timestamp: str, canonical: str) -> str:
        """What is signed, from the canonical request."""
        digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{SIGV4}\n{timestamp}\n{self.scope}\n{digest}"

    def signature(self, text: str) -> str:
        """HMAC-SHA256 in lower-case hex."""
        inside, outside = self._inside.copy(), self._outside.copy()
        inside.update(text.encode("utf-8", "surrogateescape"))
        outside.update(inside.digest())
        return outside.hexdigest()


@lru_cache(maxsize=1024)
def _derived(secret: str, date: str, region: str, service: str) -> SigningKey:
    key = ("AWS4" + secret).encode("utf-8", "surrogateescape")
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("utf-8", "surrogateescape"), "sha256")
    return SigningKey(key, date, region, service)


def signing_key(credentials: Credentials, date: str, region: str, service: str) -> SigningKey:
    """The key for a day (YYYYMMDD), a region and a service. It is kept: each is derived once."""
    return _derived(credentials.secret_access_key, date, region, service)


class SignedHead(NamedTuple):
    """A signed head, and what the signatures of its chunks go on from."""

    head: RequestHead
    signature: str
    timestamp: str
    key: SigningKey

    def __repr__(self) -> str:
        return f"SignedHead({self.key.scope!r})"


@dataclass(slots=True, repr=False)  # one is made for every request, and a frozen one costs more
class SignedFields:
    """What signing makes of header fields, and what the signatures of chunks go on from."""

    plan: Plan
    layout: Layout
    values: Sequence[str]
    """As laid out."""
    signature: str
    timestamp: str
    key: SigningKey

    def __repr__(self) -> str:
        return f"SignedFields({self.key.scope!r})"

    @property
    def added(self) -> Headers:
        """The fields that are added."""
        names = self.layout.added
        return tuple(zip(names, self.values[-len(names) :], strict=True))

    def whole(self) -> str | None:
        """All fields as lines; None: a name is there more than once, and values do not tell its lines apart."""
        layout = self.layout
        return None if layout.form is None else layout.form % layout.pick(self.values)


def sign_fields(
    start: str,
    fields: Fields,
    credentials: Credentials,
    region: str,
    service: str,
    now: datetime,
    payload: str,
    host: str | None = None,
) -> SignedFields:
    """Sign header fields, without the old signature and the fields of one connection.

    `start`: `request_start`. `now`: aware UTC. `payload`: the value of x-amz-content-sha256. `host`: the upstream's,
    if it is another."""
    timestamp = written(now)
    plan = _plans[fields.names.written]
    values = [*fields.values, timestamp, payload]
    if host is not None and plan.host is not None:
        values[plan.host] = host
    token, layout = credentials.session_token, plan.layout
    if token is not None:
        values.append(token)
        layout = plan.layout_with_token
    key = signing_key(credentials, timestamp[:8], region, service)
    covered = layout.covered
    seed = key.signature(key.string_to_sign(timestamp, f"{start}{covered.lines(values)}{payload}"))
    values.append(
        f"{SIGV4} Credential={credentials.access_key_id}/{key.scope}, SignedHeaders={covered.listed}, Signature={seed}"
    )
    return SignedFields(plan, layout, values, seed, timestamp, key)


def sign(
    head: RequestHead,
    credentials: Credentials,
    *,
    region: str,
    service: str,
    now: datetime,
    payload: str,
    path_as_sent: bool = False,
    target: str | None = None,
    host: str | None = None,
) -> SignedHead:
    """The head with a new signature, and without the old one, in header or query; else as `sign_fields`.

    `path_as_sent`: see `request_start`. `target`: the upstream's, if it is another. All else of the head stays."""
    path, _, query = (target or head.target).partition("?")
    given = head.headers
    if query:
        query, moved = without_signature(query)
        if moved:
            given += _not_sent(moved, given)
    sent = f"{path}?{query}" if query else path
    start = request_start(head.method, sent, path_as_sent=path_as_sent)
    signed = sign_fields(start, fields_of(given), credentials, region, service, now, payload, host)
    plan = signed.plan
    fields = list(plan.kept(given))
    if host is not None:
        for place in plan.hosts:
            fields[place] = fields[place][0], host
    made = RequestHead(head.method, sent, (*fields, *signed.added))
    return SignedHead(made, signed.signature, signed.timestamp, signed.key)


class Layout(NamedTuple):
    """How the values of signed fields are laid out: of each name that was there, then of those that are added."""

    added: Sequence[str]
    """Names, Authorization last."""
    covered: Covered
    """By the signature."""
    form: str | None
    """Lines of all fields, with %s in the place of their values; None: a name is there more than once."""
    pick: Pick
    """The values that these lines show."""


class Plan(NamedTuple):
    """What becomes of header fields with certain names."""

    kept: Pick
    """Those that stay; those that are added come after them."""
    hosts: Sequence[int]
    """The places of Host among those."""
    host: int | None
    """The place of its value."""
    layout: Layout
    layout_with_token: Layout


_ADDED = ("X-Amz-Date", "X-Amz-Content-SHA256", "Authorization")
_ADDED_WITH_TOKEN = ("X-Amz-Date", "X-Amz-Content-SHA256", "X-Amz-Security-Token", "Authorization")


def _plan(written: tuple[str, ...]) -> Plan:
    places = Names(written).places
    kept = [place for place, name in enumerate(written) if name.lower() not in _LEFT]
    sent = [written[place] for place in kept]
    hosts = [place for place, name in enumerate(sent) if name.lower() == "host"]
    layouts = (_layout(sent, places, added) for added in (_ADDED, _ADDED_WITH_TOKEN))
    return Plan(picker(kept), hosts, places.get("host"), *layouts)


def _layout(kept: Sequence[str], places: Mapping[str, int], added: Sequence[str]) -> Layout:
    """`kept`: names that stay. `places`: of the values of those that were there."""
    places = {**places, **{name.lower(): len(places) + number for number, name in enumerate(added)}}
    lower = [name.lower() for name in (*kept, *added)]
    covered = Covered(sorted({*lower[:-1]}.difference(_NOT_SIGNED)), places)
    lines = "\r\n".join([f"{name.replace('%', '%%')}: %s" for name in (*kept, *added)])
    once = len(set(lower)) == len(lower)
    return Layout(added, covered, lines if once else None, picker([places[name] for name in lower]))


_plans = Remembered(_plan, size=1024)


@lru_cache(maxsize=16)
def written(moment: datetime) -> str:
    """As in X-Amz-Date. `moment`: aware UTC."""
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _not_sent(moved: Headers, headers: Headers) -> Headers:
    """Those that no header field says already: clients may send a URL's parameters as fields too."""
    sent = fields_of(headers)
    return tuple((name, value) for name, value in fields_of(moved).by_name().items() if sent.get(name) != value)


def without_signature(query: str) -> tuple[str, Headers]:
    """A raw query without the signature of a URL, all else as it is; and the header fields that S3 reads off such a
    URL's other x-amz- parameters, which are none where the signature stands in a header."""
    version2 = _VERSION_2.search(query) is not None
    if not version2 and "x-amz-signature=" not in query.lower():
        return query, ()
    kept, moved = [], []
    for part in query.split("&"):
        name, _, value = part.replace("+", " ").partition("=")
        name, value = percent_decode(name), percent_decode(value)
        if name.lower() in SIGNING_PARAMETERS or (version2 and name in _SIGV2_PARAMETERS):
            continue
        if _FIELD.fullmatch(name) and not _CONTROL.search(value):
            moved.append((name.lower(), value))
        else:
            kept.append(part)
    return "&".join(kept), tuple(moved)
