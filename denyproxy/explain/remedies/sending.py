"""Fields of the request changed in a scenario: header fields, query parameters, and what a presigned URL carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from denyproxy.explain.patches import Draft
from denyproxy.s3.request import S3Request
from denyproxy.sigv4.wire import parse_query

SSE = "x-amz-server-side-encryption"
SSE_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
SSE_C = "x-amz-server-side-encryption-customer-algorithm"
OF_SSE_C = (
    SSE_C,
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
)
"""Only together do they make sense."""
_SIGNED_BY = frozenset({"x-amz-algorithm", "x-amz-signature", "signature"})

Sent = Mapping[str, str | None]
"""Header field or query parameter -> its value; None: left out."""


def is_presigned(request: S3Request) -> bool:
    """Is the signature in the URL, so that what is to be added has to be signed in the URL too?"""
    return any(name.lower() in _SIGNED_BY for name, _ in request.query)


def sending(fields: Sent, request: S3Request, *, query: frozenset[str] = frozenset()) -> Callable[[Draft], None]:
    """Set fields, or take them out. `query`: those that are query parameters."""
    presigned = is_presigned(request)

    def edit(draft: Draft) -> None:
        for name, value in fields.items():
            carried = presigned and name.startswith("x-amz-") and name not in request.sent_headers
            set_field(draft, name, value, query=name in query or carried)

    return edit


def set_field(draft: Draft, name: str, value: str | None, *, query: bool = False) -> None:
    """Set a header field or a query parameter of the request, or take it out (None)."""
    names = OF_SSE_C if value is None and name == SSE_C else (name,)
    if draft.get("request", "raw") is not None:
        for each in names:
            _set_raw(draft, each, value, query=query)
        return
    member = "query" if query else "headers"
    existing = draft.get("request", member) or {}
    written = next((known for known in existing if known.lower() == name.lower()), None)
    if value is not None:
        draft.put(value, "request", member, written or name)
        return
    for known in existing:
        if known == written or known.lower() in names:
            draft.remove("request", member, known)


def _set_raw(draft: Draft, name: str, value: str | None, *, query: bool) -> None:
    if query:
        target = draft.get("request", "raw", "target")
        path, _, old = target.partition("?")
        parameters = [(known, text) for known, text in parse_query(old) if known != name]
        parameters += [] if value is None else [(name, value)]
        text = urlencode(parameters, quote_via=quote)
        draft.put(f"{path}?{text}" if text else path, "request", "raw", "target")
        return
    headers = draft.get("request", "raw", "headers")
    index = next((index for index, pair in enumerate(headers) if pair[0].lower() == name.lower()), None)
    if index is not None:
        draft.remove("request", "raw", "headers", index)
    if value is not None:
        draft.append([name, value], "request", "raw", "headers")
