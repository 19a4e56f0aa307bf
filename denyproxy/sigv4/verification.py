"""Is a request signed by someone whose secret is known? S3's checks, in its order and its words.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from denyproxy.exchange import RequestHead
from denyproxy.remembered import Remembered
from denyproxy.sigv4.canonical import (
    EMPTY_PAYLOAD,
    UNSIGNED_PAYLOAD,
    canonical_parameters,
    canonical_path,
    canonical_query,
)
from denyproxy.sigv4.credential import SIGV2, SIGV4, SIGV4A, CredentialKind, parse_credential
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.fields import Covered, Fields, Names, fields_of
from denyproxy.sigv4.refusals import (
    AMBIGUOUS,
    EXPRESS,
    MALFORMED,
    NO_PAYLOAD,
    OTHER_DATE,
    TOO_LONG,
    TWO_SIGNATURES,
    Refusal,
    bad_query,
    expired,
    mismatch,
    not_signed_again,
    skewed,
    unknown_key,
)
from denyproxy.sigv4.scope import Scope, before_signature, scope_and_names, sorted_names
from denyproxy.sigv4.signing import signing_key, written
from denyproxy.sigv4.verified import MAX_SKEW, Lookup, Verified, equal, token_refusal
from denyproxy.sigv4.version2 import verify_version2
from denyproxy.sigv4.wire import first_parameter, parse_date, parse_query

MAX_LIFETIME = timedelta(days=7)

_PAYLOAD = re.compile(
    r"[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-UNSIGNED-PAYLOAD-TRAILER|STREAMING-AWS4-HMAC-SHA256-PAYLOAD(?:-TRAILER)?"
)

_SIGV4 = SIGV4 + " "
_EXPRESS_TOKEN = "x-amz-s3session-token"
_OTHER_MECHANISMS = frozenset({"awsaccesskeyid", "signature", "x-amz-algorithm", "x-amz-signature"})
"""Query parameters that do not go with an Authorization header."""
_SIGNED_QUERY = re.compile(r"(?:^|&)(?:AWSAccessKeyId|(?i:X-Amz-Signature))=")
"""Spelled like this `sign` takes them out, and what S3 reads off them becomes header fields."""


def verify(head: RequestHead, lookup: Lookup, now: datetime, bucket_in_host: str | None = None) -> Verified | Refusal:
    """Verify a signed request. `now`: aware UTC. `bucket_in_host`: the bucket, if the Host names it.

    The body is not looked at: its hash, or the mode of its chunks, is in `Verified.payload`."""
    fields = fields_of(head.headers)
    found = verify_header(head.method, head.target, fields, lookup, now)
    if found is not None:
        return found
    parameters = parse_query(head.query_string)
    credential = parse_credential(head)
    if credential.kind is CredentialKind.QUERY and _SIGNED_QUERY.search(head.query_string) is None:
        return Refusal(400, "InvalidArgument", AMBIGUOUS)
    if credential.algorithm == SIGV4A:
        return not_signed_again("Signature Version 4A (Multi-Region Access Points)")
    if credential.algorithm == SIGV2:
        return verify_version2(head, parameters, lookup, now, bucket_in_host)
    if credential.kind is CredentialKind.QUERY:
        return _from_query(head, fields, parameters, lookup, now)
    if credential.kind is CredentialKind.ANONYMOUS:
        return Refusal(403, "AccessDenied", "Access Denied")
    return Refusal(400, "InvalidArgument", "Unsupported Authorization Type")


def verify_header(method: str, target: str, fields: Fields, lookup: Lookup, now: datetime) -> Verified | Refusal | None:
    """The same of a request whose Authorization header is of Version 4. None: it has none such, and may be signed in
    another way."""
    _, authorization, date, other_date, payload, token = fields.said
    path, _, query = target.partition("?")
    parameters = parse_query(query) if query else ()
    if parameters:
        names = {name.lower() for name, _ in parameters}
        if authorization is not None and not _OTHER_MECHANISMS.isdisjoint(names):
            return Refusal(400, "InvalidArgument", TWO_SIGNATURES)
        if _EXPRESS_TOKEN in names:
            return not_signed_again(EXPRESS)
    if _EXPRESS_TOKEN in fields.names.places:
        return not_signed_again(EXPRESS)
    if authorization is None or not authorization.lstrip().startswith(_SIGV4):
        return None
    start, given = before_signature(authorization)
    said = fields.names.written, start
    claim = _claims[said] if start is not authorization else _claim(said)  # no signature is kept
    scope = claim.scope
    if scope is None or not given:
        return Refusal(400, "AuthorizationHeaderMalformed", MALFORMED)
    moment = _read(date or other_date or "")
    if moment is None:
        return Refusal(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    if scope.service == "s3express":
        return not_signed_again(EXPRESS)
    credentials = lookup(scope.key_id)
    if credentials is None:
        return unknown_key(scope.key_id)
    signed_at, timestamp = moment
    if abs(now - signed_at) > MAX_SKEW:
        return skewed(signed_at, now)
    if payload is None:
        if method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
            return Refusal(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        payload = EMPTY_PAYLOAD
    line = (method, path, query, parameters)
    return _compare(line, fields, credentials, scope, timestamp, claim.unsigned, claim.covered, given, payload, token)


_Line = tuple[str, str, str, Sequence[tuple[str, str]]]
"""What a signature covers of a request line: method, and path, query and its parameters as sent, but for a signature
in it."""


class _Claim(NamedTuple):
    """What stands before the signature in an Authorization, of a head with certain names of fields."""

    scope: Scope | None
    """None: malformed."""
    unsigned: Sequence[str]
    covered: Covered


def _claim(key: tuple[tuple[str, ...], str]) -> _Claim:
    written, text = key
    scope, signed = scope_and_names(text)
    return _Claim(scope if signed else None, *_coverage(Names(written), signed))


_claims = Remembered(_claim, size=2048)


def _from_query(
    head: RequestHead, fields: Fields, parameters: Sequence[tuple[str, str]], lookup: Lookup, now: datetime
) -> Verified | Refusal:
    values = {name: first_parameter(parameters, f"X-Amz-{name}") or "" for name in _QUERY_PARAMETERS}
    scope = Scope.parse(values["Credential"])
    missing = next((name for name in _QUERY_PARAMETERS if not values[name]), None)
    if missing is not None or scope is None:
        return bad_query(f"X-Amz-{missing or 'Credential'} is missing or malformed")
    if values["Algorithm"] != SIGV4:
        return bad_query('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
    signed_at = parse_date(values["Date"])
    if signed_at is None or not re.fullmatch(r"[0-9]{1,9}", values["Expires"]):
        return bad_query("X-Amz-Date must be in the ISO8601 Long Format, and X-Amz-Expires a number")
    lifetime = timedelta(seconds=int(values["Expires"]))
    if lifetime > MAX_LIFETIME:
        return bad_query(TOO_LONG)
    credentials = lookup(scope.key_id)
    if credentials is None:
        return unknown_key(scope.key_id)
    if signed_at - now > MAX_SKEW:
        return Refusal(403, "AccessDenied", "Request is not yet valid")
    if now > signed_at + lifetime:
        return expired(signed_at + lifetime, now, (("X-Amz-Expires", values["Expires"]),))
    payload = first_parameter(parameters, "X-Amz-Content-Sha256") or fields.get("x-amz-content-sha256")
    query = "&".join(part for part in head.query_string.split("&") if not part.lower().startswith("x-amz-signature="))
    return _compare(
        (head.method, head.path, query, parse_query(query)),
        fields,
        credentials,
        scope,
        written(signed_at),
        *_coverage(fields.names, sorted_names(values["SignedHeaders"])),
        values["Signature"],
        payload or UNSIGNED_PAYLOAD,
        fields.get("x-amz-security-token"),
    )


_QUERY_PARAMETERS = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")


def _compare(
    line: _Line,
    fields: Fields,
    credentials: Credentials,
    scope: Scope,
    timestamp: str,
    unsigned: Sequence[str],
    covered: Covered,
    given: str,
    payload: str,
    token: str | None,
) -> Verified | Refusal:
    method, path, query, parameters = line
    if unsigned:
        return Refusal(
            403,
            "AccessDenied",
            "There were headers present in the request which were not signed",
            (("HeadersNotSigned", ", ".join(unsigned)),),
        )
    if scope.date != timestamp[:8]:
        return Refusal(400, "AuthorizationHeaderMalformed", OTHER_DATE.format(scope.date, timestamp[:8]))
    if payload != EMPTY_PAYLOAD and not _PAYLOAD.fullmatch(payload):
        return Refusal(400, "InvalidArgument", NO_PAYLOAD)
    if token is None and parameters:
        token = first_parameter(parameters, "X-Amz-Security-Token")
    refusal = token_refusal(credentials, token)
    if refusal is not None:
        return refusal
    tail = f"{covered.lines(fields.values)}{payload}"
    key = signing_key(credentials, scope.date, scope.region, scope.service)
    own_query = canonical_parameters(parameters) if parameters else ""
    start = f"{method}\n{canonical_path(path)}\n{own_query}\n"
    canonical = start + tail
    text = key.string_to_sign(timestamp, canonical)
    ours, as_sent = key.signature(text), False
    if not equal(given, ours):
        for spelled, path_as_sent in _other_spellings(path, query):
            ours = key.signature(key.string_to_sign(timestamp, f"{method}\n{spelled}\n{tail}"))
            if equal(given, ours):
                as_sent = path_as_sent
                start = f"{method}\n{path}\n{own_query}\n" if as_sent else start
                break
        else:
            return mismatch(credentials, given, text, canonical)
    return Verified(credentials, payload, key, ours, timestamp, start, as_sent)


def _other_spellings(path: str, query: str) -> Iterator[tuple[str, bool]]:
    """Path and query as a client may have signed them, if not in S3's own form, and whether its path is as sent."""
    own_path, own_query = canonical_path(path), canonical_query(query)
    for other_path in dict.fromkeys((own_path, path)):
        for other_query in dict.fromkeys((own_query, _sorted(query))):
            if (other_path, other_query) != (own_path, own_query):
                yield f"{other_path}\n{other_query}", other_path != own_path


def _sorted(query: str) -> str:
    parts = (part if "=" in part else part + "=" for part in query.split("&") if part)
    return "&".join(sorted(parts))


def _coverage(names: Names, signed: Sequence[str]) -> tuple[Sequence[str], Covered]:
    """Of header fields, and the names that are signed: which S3 demands to be signed besides, `host` first, and what
    the signature covers."""
    demanded = {"host", *(name for name in names.places if name.startswith("x-amz-") or name == "content-md5")}
    unsigned = sorted(demanded.difference(signed), key=lambda name: (name != "host", name))
    return unsigned, Covered(signed, names.places)


@lru_cache(maxsize=64)
def _read(date: str) -> tuple[datetime, str] | None:
    """A moment, and how the string to sign writes it. Many requests share a second."""
    moment = parse_date(date)
    return None if moment is None else (moment, written(moment))
