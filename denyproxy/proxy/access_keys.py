"""Which access key a request is signed with, as far as a glance at its head tells."""

from __future__ import annotations

import re

from denyproxy.proxy.http1 import ReceivedRequest
from denyproxy.sigv4.credential import CredentialKind, parse_credential

_IN_HEADER = re.compile(rb"[ \t]*(?:AWS4-[^,\s]{1,64}\s+Credential=([^/,\s]+)/|AWS\s+([^:\s]+):)")
_IN_QUERY = re.compile(r"[?&](?:X-Amz-Credential|AWSAccessKeyId)=([^&/%]+)")
_AUTHORIZATION = (b"Authorization:", b"authorization:")


def access_key_id(request: ReceivedRequest) -> str | None:
    """The access key id of an Authorization field, or else of a URL; None: there is none."""
    for line in request.relayed:
        if line.startswith(_AUTHORIZATION) or line[:14].lower() == b"authorization:":
            found = _IN_HEADER.match(line, 14)
            return str(found[1] or found[2], "utf-8", "surrogateescape") if found is not None else None
    if "?" in request.target and (named := _IN_QUERY.search(request.target)) is not None:
        return named[1]
    return None


def is_signed(request: ReceivedRequest) -> bool:
    """Is the head signed, in whatever way? A form may be signed in its body instead."""
    head = request.head
    if head.header("authorization") is not None or access_key_id(request) is not None:
        return True
    return parse_credential(head).kind is not CredentialKind.ANONYMOUS


def may_be_signed_form(request: ReceivedRequest) -> bool:
    """Is it a browser-based upload, whose access key stands in its body?"""
    if request.method != "POST":
        return False
    kind = request.head.header("content-type") or ""
    return kind.lstrip()[:19].lower() == "multipart/form-data" and not is_signed(request)
