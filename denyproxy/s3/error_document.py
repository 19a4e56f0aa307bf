"""What S3 answered: the error document in all its forms, and the denials inside successful answers.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from denyproxy.exchange import ResponseHead
from denyproxy.s3.xml import children, local_name, parse_xml

_MAX_HTML = 64 * 1024
_LISTED = re.compile(r"<li>\s*(Code|Message|RequestId|HostId):([^<]*)</li>", re.IGNORECASE)
_NEVER_KEPT = re.compile(r"token|signature|stringtosign|canonicalrequest", re.IGNORECASE)
_NAMED = ("Code", "Message", "RequestId", "HostId")


@dataclass(frozen=True, slots=True)
class S3Error:
    """An error of S3. Members are None where the answer does not say."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    host_id: str | None = None
    elements: Mapping[str, str] = field(default_factory=dict)
    """Further elements by name, without signatures and what was signed."""
    canonical_request: str | None = field(default=None, repr=False)
    """With SignatureDoesNotMatch: what S3 computed. May hold secrets: compare it, never keep or show it."""
    key: str | None = None
    """In a DeleteObjects answer: the object concerned,"""
    version_id: str | None = None
    """and its version."""


def parse_error(response: ResponseHead, body: bytes | None, method: str = "GET") -> S3Error:
    """The error of a response: XML, a website endpoint's HTML, or (HEAD) the status alone. Never raises."""
    request_id, host_id = response.header("x-amz-request-id"), response.header("x-amz-id-2")
    head = S3Error(response.status, request_id=request_id, host_id=host_id)
    if method == "HEAD" or not body:
        return head
    root = parse_xml(body)
    if root is not None and local_name(root) == "Error":
        return _of_element(root, head)
    if b"<li>" in body[:_MAX_HTML].lower():
        return _of_html(body[:_MAX_HTML].decode("utf-8", "replace"), head)
    return head


def errors_in_success(operation: str | None, body: bytes | None) -> tuple[S3Error, ...]:
    """The errors in the body of a 200: per key of DeleteObjects, or the whole answer of a copy or completion."""
    root = parse_xml(body)
    if root is None:
        return ()
    if operation == "DeleteObjects":
        return tuple(_of_element(error, S3Error()) for error in children(root, "Error"))
    return (_of_element(root, S3Error()),) if local_name(root) == "Error" else ()


def _of_element(error: Element, head: S3Error) -> S3Error:
    elements = {local_name(child): child.text or "" for child in error if len(child) == 0}
    return S3Error(
        status=head.status,
        code=elements.get("Code"),
        message=elements.get("Message"),
        request_id=elements.get("RequestId") or head.request_id,
        host_id=elements.get("HostId") or head.host_id,
        elements={name: text for name, text in elements.items() if name not in _NAMED and not _NEVER_KEPT.search(name)},
        canonical_request=elements.get("CanonicalRequest"),
        key=elements.get("Key"),
        version_id=elements.get("VersionId"),
    )


def _of_html(page: str, head: S3Error) -> S3Error:
    listed: dict[str, str] = {}
    for name, text in _list_items(page):
        listed.setdefault(name.lower(), text)
    return S3Error(
        status=head.status,
        code=listed.get("code"),
        message=listed.get("message"),
        request_id=listed.get("requestid") or head.request_id,
        host_id=listed.get("hostid") or head.host_id,
    )


def _list_items(page: str) -> Iterator[tuple[str, str]]:
    for found in _LISTED.finditer(page):
        yield found[1], html.unescape(found[2]).strip()
