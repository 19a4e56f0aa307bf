"""The canonical request of Signature Version 4 as S3 builds it, and where two of them differ.

S3 neither normalises the path nor encodes it twice.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from urllib.parse import quote

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.credential import Credential, CredentialKind
from denyproxy.sigv4.wire import SECRET_FIELDS, first_parameter, parse_query, percent_decode, split_target

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_PAYLOAD = hashlib.sha256().hexdigest()
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_HIDDEN = "(not shown)"


def canonical_request(head: RequestHead, credential: Credential) -> str:
    """The canonical request of a head, under the SignedHeaders of its credential.

    Where the payload's hash is not on the wire the last line is empty."""
    host, path, query = split_target(head)
    parameters = parse_query(query)
    signed = sorted(credential.signed_headers or ())
    values: dict[str, list[str]] = {"host": [host.strip()]}
    for name, value in head.headers:
        if (lower := name.lower()) != "host":
            values.setdefault(lower, []).append(collapsed(value))
    lines = [
        head.method,
        canonical_path(path),
        canonical_parameters(parameters),
        *(f"{name}:{','.join(values.get(name, ()))}" for name in signed),
        "",
        ";".join(signed),
        _payload(head, credential, parameters),
    ]
    return "\n".join(lines)


def _encode(text: str, safe: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=safe + "~")


_PLAIN = re.compile(r"[A-Za-z0-9/._~-]*")


def canonical_path(path: str) -> str:
    """A raw path, decoded and encoded as S3 does."""
    return path if _PLAIN.fullmatch(path) else _encode(percent_decode(path), safe="/")


def canonical_query(query: str) -> str:
    """A raw query, decoded, encoded and sorted."""
    return canonical_parameters(parse_query(query)) if query else ""


def request_start(method: str, target: str, *, path_as_sent: bool = False) -> str:
    """The first three lines of the canonical request, from a raw target.

    `path_as_sent`: the path as it is spelled, not in S3's canonical form."""
    path, _, query = target.partition("?")
    return f"{method}\n{path if path_as_sent else canonical_path(path)}\n{canonical_query(query)}\n"


def collapsed(value: str) -> str:
    """A header value with single spaces inside and none around."""
    return " ".join(value.split()) if " " in value or "\t" in value else value


def canonical_parameters(parameters: Sequence[tuple[str, str]]) -> str:
    """The same of a query's decoded parameters."""
    pairs = ((_encode(name, ""), _encode(value, "")) for name, value in parameters if name != "X-Amz-Signature")
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _payload(head: RequestHead, credential: Credential, parameters: tuple[tuple[str, str], ...]) -> str:
    stated = head.header("x-amz-content-sha256") or first_parameter(parameters, "X-Amz-Content-Sha256")
    if stated is not None:
        return stated
    if credential.kind is CredentialKind.QUERY:
        return UNSIGNED_PAYLOAD
    return EMPTY_PAYLOAD if head.method in _WITHOUT_BODY else ""


def first_difference(ours: str, theirs: str) -> tuple[str, str, str] | None:
    """The first line in which two canonical requests differ, with both sides; None: they are equal.

    Lines are `method`, `path`, `query:NAME`, `header:NAME`, `signed-headers` and `payload`; what one side lacks is
    empty, and secrets are not shown. A payload hash that is not known here is no difference."""
    left, right = _lines(ours), _lines(theirs)
    for name in (*left, *(name for name in right if name not in left)):
        mine, yours = left.get(name, ""), right.get(name, "")
        if mine == yours or (name == "payload" and not mine):
            continue
        if name.partition(":")[2].lower() in SECRET_FIELDS:
            return name, _HIDDEN if mine else "", _HIDDEN if yours else ""
        return name, mine, yours
    return None


def _lines(text: str) -> dict[str, str]:
    """Line name -> value, in the order of the canonical request."""
    lines = text.replace("\r\n", "\n").split("\n")
    method, path, query, *rest = (*lines, "", "", "")
    named: dict[str, list[str]] = {"method": [method], "path": [path]}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            named.setdefault(f"query:{percent_decode(name)}", []).append(percent_decode(value))
    headers = rest[: rest.index("")] if "" in rest else rest
    for line in headers:
        name, _, value = line.partition(":")
        named.setdefault(f"header:{name}", []).append(value)
    tail = rest[len(headers) + 1 :]
    named["signed-headers"] = [tail[0] if tail else ""]
    named["payload"] = [tail[1] if len(tail) > 1 else ""]
    return {name: ",".join(values) for name, values in named.items()}
