"""Browser-based uploads (POST) signed again: the form's fields stand before the file, the signature among them.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from denyproxy.exchange import RequestHead
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.errors import CannotRelay, Refused
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.post_policy import SIGNING_FIELDS, resign_policy, verify_policy
from denyproxy.sigv4.refusals import Refusal


class UnreadableForm(CannotRelay):
    """A form whose fields cannot be told from its file."""

    code = "MalformedPOSTRequest"


_LONGEST_FIELDS = 64 * 1024
"""Bytes of a form before its file; S3 takes 20 KB."""
_MOST_PARTS = 1000

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary="?([^";,]{1,70})"?', re.IGNORECASE | re.DOTALL)
_NAME = re.compile(rb'\bname="([^"\r\n]*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SignedForm:
    """A form whose signature has been verified."""

    credentials: Credentials
    """The client's."""
    _head: RequestHead
    _body: RequestBody
    _delimiter: bytes
    _parts: tuple[tuple[str, bytes], ...]
    """Field name (lower case) and raw part of what stands before the file."""
    _fields: dict[str, str]
    _file_at: int
    """Where in the body the file's part begins, with its delimiter."""

    def resign(
        self, head: RequestHead, credentials: Credentials, *, region: str, service: str, now: datetime
    ) -> RequestHead:
        """The head for the form as other credentials sign it; its body is rewritten as it is read."""
        signing = resign_policy(self._fields, credentials, region=region, service=service, now=now)
        made = [
            b'\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b' % (name.encode(), value.encode())
            for name, value in signing.items()
        ]
        parts = [*made, *(part for name, part in self._parts if name not in SIGNING_FIELDS)]
        start = b"".join(self._delimiter + part for part in parts)[2:]
        self._body.rewrite(_Replaced(self._file_at, start))
        change = len(start) - self._file_at
        return replace(head, headers=tuple(_longer(name, value, change) for name, value in head.headers))


async def signed_form(
    head: RequestHead, body: RequestBody | None, lookup: Callable[[str], Credentials | None], now: datetime
) -> SignedForm | None:
    """The form of a request; None: it is no form, or not signed. Raises ProxyError where S3 would refuse it."""
    boundary = _BOUNDARY.match(head.header("Content-Type") or "")
    if head.method != "POST" or boundary is None or body is None:
        return None
    delimiter = b"\r\n--" + boundary[1].encode("utf-8", "surrogateescape")
    search = _FileSearch(delimiter)
    start = await body.ahead(search, _LONGEST_FIELDS)
    file_at = search.found
    if file_at is None or file_at > _LONGEST_FIELDS:
        raise UnreadableForm("The form has no file, or too much before it.")
    parts, fields = _split(start[:file_at], delimiter)
    if "policy" not in fields:
        return None
    found = verify_policy(fields, lookup, now)
    if isinstance(found, Refusal):
        raise Refused(found.message, status=found.status, code=found.code, fields=found.fields)
    return SignedForm(found, head, body, delimiter, parts, fields, file_at)


class _FileSearch:
    """Where in a body the part of the file begins: asked again with more of it, it goes on from where it was."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._part: int | None = None
        """Where the part begins whose head is not there as a whole."""
        self._seen = 0
        """Up to where there is nothing to be found."""
        self._parts = 0
        self.found: int | None = None

    def __call__(self, data: bytes) -> bool:
        """Is its whole head in the start of the body, or are there too many parts before it?"""
        if not self._seen and data.startswith(self._delimiter[2:]):
            self._part = 0
        while self._parts < _MOST_PARTS:
            if self._part is None:
                at = data.find(self._delimiter, self._seen)
                if at < 0:
                    self._seen = max(self._seen, len(data) - len(self._delimiter) + 1)
                    return False
                self._part = self._seen = at
            end = data.find(b"\r\n\r\n", max(self._seen, self._part + 2))
            if end < 0:
                self._seen = max(self._seen, len(data) - 3)
                return False
            name = _NAME.search(data, self._part, end)
            if name is not None and name[1].lower() == b"file":
                self.found = self._part
                return True
            self._part, self._seen, self._parts = None, end, self._parts + 1
        return True


def _split(data: bytes, delimiter: bytes) -> tuple[tuple[tuple[str, bytes], ...], dict[str, str]]:
    """Raw parts under their field names, and the fields; of a repeated one the first counts."""
    parts: list[tuple[str, bytes]] = []
    fields: dict[str, str] = {}
    for part in (b"\r\n" + data).split(delimiter)[1:]:
        head, found, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not found or name is None:
            raise UnreadableForm("The form has a part without a name.")
        field = name[1].decode("utf-8", "surrogateescape").lower()
        parts.append((field, part))
        fields.setdefault(field, value.decode("utf-8", "surrogateescape"))
    return tuple(parts), fields


class _Replaced:
    """A body with another start."""

    def __init__(self, size: int, start: bytes) -> None:
        self._skip = size
        self._start = start

    def feed(self, data: bytes) -> bytes:
        """See `Rewriting`."""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        if self._skip:
            return b""
        start, self._start = self._start, b""
        return start + data[skipped:]

    def finish(self) -> bytes:
        """See `Rewriting`."""
        return b""


def _longer(name: str, value: str, change: int) -> tuple[str, str]:
    if name.lower() == "content-length" and value.isdecimal():
        return name, str(int(value) + change)
    return name, value
