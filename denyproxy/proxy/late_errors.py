"""Errors after the head of a success: S3 answers 200, keeps the connection alive with white space, and then fails.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

from denyproxy.proxy.heads import name_of
from denyproxy.proxy.http1 import ReceivedRequest
from denyproxy.proxy.upstream import ResponseBody, UpstreamLost

_LEAD = re.compile(rb"(?:[ \t\r\n]+|\xef\xbb\xbf|<\?xml[^<>]*\?>)*")
_ERROR = re.compile(rb"<Error[ \t\r\n/>]")
_BEGINNINGS = (b"<Error", b"<?xml", b"\xef\xbb\xbf")
_DECLARATION_BYTES = 256


def may_end_in_error(request: ReceivedRequest, status: int) -> bool:
    """Is it a 200 of CopyObject, UploadPartCopy or CompleteMultipartUpload?"""
    if status != 200:
        return False
    if request.method == "PUT":
        return any(name_of(line) == b"x-amz-copy-source" for line in request.fields)
    if request.method == "POST":
        query = request.target.partition("?")[2]
        return any(parameter.partition("=")[0] == "uploadId" for parameter in query.split("&"))
    return False


def begins_error(data: bytes) -> bool:
    """Has an Error document begun, perhaps after white space?"""
    lead = _LEAD.match(data)
    return lead is not None and _ERROR.match(data, lead.end()) is not None


class Watch:
    """Lets a body through but for an Error document behind its white space, of which at most `limit` bytes are held."""

    __slots__ = ("_held", "_limit", "_passing", "begun")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._passing = False
        self.begun = False
        """Is what is held the start of an Error document?"""

    def feed(self, data: bytes) -> bytes:
        """What goes out of what has come: white space and an XML declaration do at once."""
        if self._passing:
            return data
        self._held += data
        out = b""
        if not self.begun:
            lead = _LEAD.match(self._held)
            out = bytes(self._held[: lead.end()]) if lead is not None else b""
            del self._held[: len(out)]
            self.begun = _ERROR.match(self._held) is not None
            if not (self.begun or self._may_begin()):
                return out + self.rest()
        return out + self.rest() if len(self._held) > self._limit else out

    def _may_begin(self) -> bool:
        held = bytes(self._held[: _DECLARATION_BYTES + 1])
        declaration = held.startswith(b"<?xml") and len(held) <= _DECLARATION_BYTES and b">" not in held
        return declaration or any(beginning.startswith(held) for beginning in _BEGINNINGS)

    @property
    def held(self) -> bool:
        """Is there anything that has not gone out?"""
        return bool(self._held)

    def rest(self) -> bytes:
        """What is held; nothing is any more from here on."""
        rest = bytes(self._held)
        self._held.clear()
        self._passing, self.begun = True, False
        return rest


class WatchedBody(ResponseBody):
    """A body whose late Error document is given to `explain`, and goes out as that makes it."""

    def __init__(self, body: ResponseBody, limit: int, explain: Callable[[bytes], bytes]) -> None:
        self._body = body
        self._watch = Watch(limit)
        self._explain = explain

    @property
    def ended(self) -> bool:
        """Has all of it been read?"""
        return self._body.ended and not self._watch.held

    def feed(self, data: bytes) -> bytes:
        """What goes out of what has been read of the body already."""
        return self._watch.feed(data)

    def ready(self) -> bytes:
        """What is here already and may go out; may be empty."""
        return self._watch.feed(self._body.ready())

    async def read(self) -> bytes:
        """The next bytes as they come; empty at the end. Raises UpstreamLost after what came before it."""
        while True:
            try:
                data = await self._body.read()
            except UpstreamLost:
                if not self._watch.held:
                    raise
                return self._watch.rest()
            if not data:
                begun = self._watch.begun
                rest = self._watch.rest()
                return self._explain(rest) if begun else rest
            if out := self._watch.feed(data):
                return out
