"""Which denials are alike: those that differ in what no explanation depends on, or in the name of the key alone.

Only what is plain is alike: a 403 for a request that is signed in a header or not at all, where no time is to blame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import blake2b
from typing import NamedTuple

from denyproxy.exchange import DeniedCall
from denyproxy.s3.form import is_form
from denyproxy.sigv4.credential import Credential, CredentialKind, parse_credential
from denyproxy.sigv4.wire import SECRET_FIELDS, percent_decode

_VOLATILE = SECRET_FIELDS | {"amz-sdk-invocation-id", "amz-sdk-request", "date", "traceparent", "x-amz-date"}
"""Header fields of which only the presence matters; signature and times are looked at by themselves."""
_OF_ONE_RESPONSE = frozenset({"date", "x-amz-id-2", "x-amz-request-id"})
_SKEW = timedelta(minutes=10)
"""Within this no clock is to blame."""
_IDS = re.compile(rb"<(RequestId|HostId)>[A-Za-z0-9+/=_.-]*</\1>")
_REQUEST_ID = re.compile(rb"<RequestId>([^<]*)</RequestId>")

_WORD = re.compile(r"%(?P<escape>[0-9A-Fa-f]{2})|(?P<word>[A-Za-z0-9_-]+)")
_WORD_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_DIGITS = frozenset("0123456789")
_NOT_ASCII = re.compile(r"%[89A-Fa-f]|[^\x00-\x7f]")
_PREFIX = re.compile(r"(?:^|&)prefix=([^&]*)")


class Shape(NamedTuple):
    """What denials have in common that are alike."""

    digest: bytes
    """Of all that an explanation depends on but for the name, the snapshot, declared facts, and times."""
    name: str
    """A word (letters, digits, `_` and `-`) in the key or prefix that is asked for, as long in all that are alike.
    Empty: no word of it can be told from the rest of the request."""
    credential: Credential
    request_id: str | None
    """S3's, of this one denial."""


def shape_of(call: DeniedCall) -> Shape | None:
    """The shape of a denial. None: time matters, or more than is looked at here."""
    response, head, declared = call.response, call.upstream_request, call.declared
    if response is None or response.status != 403 or call.refusal is not None:
        return None
    if call.sent is not None or declared.closed:
        return None
    credential = parse_credential(head)
    if credential.kind not in (CredentialKind.HEADER, CredentialKind.ANONYMOUS):
        return None
    signed, target = credential.signed_at, head.target
    if signed is not None and abs(call.received - signed) > _SKEW:
        return None
    decoded = percent_decode(target).lower()
    if "expires" in decoded or "retention" in decoded:
        return None
    ids = {response.header("x-amz-request-id"), *_request_ids(call.response_body)} - {None}
    if len(ids) > 1:
        return None
    name, start = _name(target)
    parts = [call.request.method, head.method, target[:start], str(len(name)), target[start + len(name) :]]
    parts.append(str(len(head.headers)))
    for field, value in head.headers:
        lower = field.lower()
        if lower == "x-amz-copy-source" or lower.startswith("x-amz-object-lock-"):
            return None
        if lower == "content-type" and is_form(value):
            return None
        parts += (lower,) if lower in _VOLATILE else (lower, value)
    parts += (
        credential.access_key_id or "",
        credential.algorithm or "",
        credential.region or "",
        repr(credential.signed_headers),
        f"{signed is None} {credential.has_session_token} {call.secure} {call.client_address}",
        call.mode,
        str(response.header("x-amz-request-id") is None),
        repr(call.resigned),
        call.upstream_kind,
    )
    for field, value in response.headers:
        lower = field.lower()
        if lower not in _OF_ONE_RESPONSE:
            parts += (lower, value)
    digest = blake2b(digest_size=16)
    digest.update("".join([f"{len(part)}:{part}" for part in parts]).encode("utf-8", "surrogatepass"))
    for body in (call.body, call.response_body):
        plain = _IDS.sub(b"", body or b"").decode("latin-1")
        pieces = around(name, plain) if name and body is call.response_body else [plain]
        digest.update(b"-" if body is None else f"{len(pieces)}:{len(plain)}:".encode())
        digest.update("\0".join(pieces).encode("latin-1"))
    return Shape(digest.digest(), name, credential, ids.pop() if ids else None)


def around(name: str, text: str) -> list[str]:
    """What of a text stands before, between and after a name, where that stands as a word."""
    pieces: list[str] = []
    start, at = 0, text.find(name)
    while at >= 0:
        end = at + len(name)
        if text[at - 1 : at] not in _WORD_CHARACTERS and text[end : end + 1] not in _WORD_CHARACTERS:
            pieces.append(text[start:at])
            start = end
        at = text.find(name, end)
    pieces.append(text[start:])
    return pieces


def _request_ids(body: bytes | None) -> Iterator[str]:
    return (found[1].decode("utf-8", "replace") for found in _REQUEST_ID.finditer(body or b""))


def _name(target: str) -> tuple[str, int]:
    """The longest word with a digit in the last segment of a key, or in a prefix; and where in the target it begins."""
    path, _, query = target.partition("?")
    if _NOT_ASCII.search(target) is not None or ":" in percent_decode(path):
        return "", 0  # letters that change with their case into others; an ARN, which names no key
    prefix = _PREFIX.search(query)
    if prefix is not None:
        start = len(path) + 1 + prefix.start(1)
        end = start + len(prefix[1])
    elif path.find("/", 1) > 1:
        start, end = path.rfind("/") + 1, len(path)
    else:
        return "", 0  # it may be the name of a bucket
    name, at = "", 0
    for found in _WORD.finditer(target, start, end):
        word, escape = found["word"], found["escape"]
        if escape is not None and chr(int(escape, 16)) in _WORD_CHARACTERS:
            return "", 0  # words that are not as they are spelled
        if word is not None and len(word) > len(name) and not _DIGITS.isdisjoint(word):
            name, at = word, found.start()
    return name, at
