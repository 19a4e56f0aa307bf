"""aws-chunked bodies, without I/O: every chunk's signature is verified, and the chunk signed again in the same width.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Protocol

from denyproxy.sigv4.signing import SigningKey

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"

LONGEST_CHUNK = 16 * 1024 * 1024
"""Bytes of a signed chunk: its signature stands before its data, so that one chunk has to be held."""

_EMPTY = hashlib.sha256().hexdigest()
_LONGEST_LINE = 256
_LONGEST_TRAILER = 16 * 1024
_SIGNED_LINE = re.compile(rb"([0-9A-Fa-f]{1,15});chunk-signature=([0-9a-f]{64})")
_UNSIGNED_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})")
_SIGNATURE_TRAILER = b"x-amz-trailer-signature"


class ChunkError(Exception):
    """A body that S3 would refuse: its error code and its words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Chain(Protocol):
    """What the signatures of chunks follow from: those of the head."""

    @property
    def timestamp(self) -> str:
        """`YYYYMMDDTHHMMSSZ`."""

    @property
    def signature(self) -> str:
        """Of the head: the seed, 64 hex digits."""

    @property
    def key(self) -> SigningKey | None:
        """The signing key; None: there is none to sign chunks with."""


class Received(Chain, Protocol):
    """A verified head whose body comes in chunks."""

    @property
    def payload(self) -> str:
        """One of the three STREAMING sentinels."""


class _Signatures:
    """The signatures of one body, each made from the one before it."""

    def __init__(self, chain: Chain) -> None:
        if chain.key is None:
            raise ValueError("chunks are signed with Version 4 alone")
        self._key = chain.key
        self._when = f"{chain.timestamp}\n{chain.key.scope}"
        self._last = chain.signature

    def chunk(self, digest: str) -> bytes:
        return self._next(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._when}\n{self._last}\n{_EMPTY}\n{digest}")

    def trailer(self, digest: str) -> bytes:
        return self._next(f"AWS4-HMAC-SHA256-TRAILER\n{self._when}\n{self._last}\n{digest}")

    def _next(self, string_to_sign: str) -> bytes:
        self._last = self._key.signature(string_to_sign)
        return self._last.encode()


class Rechunker:
    """A body in chunks that a client signed, as one that the upstream takes: `feed` it all, then `finish`.

    The bytes that come out are as many as those that went in. A signed chunk comes out once it is verified."""

    def __init__(self, received: Received, signed: Chain) -> None:
        if received.payload not in (UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER):
            raise ValueError(f"{received.payload} is no body in chunks")
        self._theirs = None if received.payload == UNSIGNED_TRAILER else _Signatures(received)
        self._ours = _Signatures(signed)
        self._trailers = received.payload != SIGNED
        self._held = b""
        """What is not processed yet: less than a line, or less than a signed chunk."""
        self._at = 0
        """Up to where it is, while there is more to do."""
        self._pieces: list[bytes] = []
        self._step = self._size_line
        self._size = b""
        self._signature = b""
        self._left = 0
        self._trailer = b""
        self._out: list[bytes] = []
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """What goes out for what has come; may be empty. Raises ChunkError."""
        self._held, self._at = self._held + data if self._held else data, 0
        while self._at < len(self._held) and self._step():
            pass
        self._held = self._held[self._at :]
        out, self._out = b"".join(self._out), []
        return out

    def finish(self) -> bytes:
        """The end of the body; nothing is left to send. Raises ChunkError if it came too soon."""
        if not self._ended:
            raise ChunkError(
                "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"
            )
        return b""

    # Each step takes from what is held, and says whether it could.

    def _size_line(self) -> bool:
        line = self._line(_LONGEST_LINE)
        if line is None:
            return False
        match = (_UNSIGNED_LINE if self._theirs is None else _SIGNED_LINE).fullmatch(line)
        if match is None:
            raise ChunkError("InvalidRequest", "The body is not in the chunks that x-amz-content-sha256 announces.")
        self._size = match[1]
        self._left = int(match[1], 16)
        if self._theirs is None:
            self._out.append(line + b"\r\n")
            self._step = self._data if self._left else self._trailer_line
            return True
        if self._left > LONGEST_CHUNK:
            raise ChunkError("EntityTooLarge", f"denyproxy signs chunks of at most {LONGEST_CHUNK} bytes again.")
        self._signature = match[2]
        if self._left:
            self._step = self._signed_data
        else:
            self._sign_chunk(())
            self._step = self._trailer_line
        return True

    def _taken(self) -> bytes:
        """What is there of a chunk's data."""
        data = self._held[self._at : self._at + self._left]
        self._at += len(data)
        self._left -= len(data)
        return data

    def _data(self) -> bool:
        """Unsigned data, as it comes."""
        self._out.append(self._taken())
        if not self._left:
            self._step = self._end_of_data
        return True

    def _signed_data(self) -> bool:
        """Signed data, once it is there as a whole."""
        self._pieces.append(self._taken())
        if not self._left:
            pieces, self._pieces = self._pieces, []
            self._sign_chunk(pieces)
            self._step = self._end_of_data
        return True

    def _sign_chunk(self, pieces: list[bytes] | tuple[()]) -> None:
        assert self._theirs is not None
        sha256 = hashlib.sha256()
        for piece in pieces:
            sha256.update(piece)
        digest = sha256.hexdigest()
        self._check(self._theirs.chunk(digest), self._signature)
        self._out += [self._size, b";chunk-signature=", self._ours.chunk(digest), b"\r\n", *pieces]

    def _end_of_data(self) -> bool:
        if len(self._held) < self._at + 2:
            return False
        if not self._held.startswith(b"\r\n", self._at):
            raise ChunkError("InvalidRequest", "A chunk of the body does not end where its size says.")
        self._at += 2
        self._out.append(b"\r\n")
        self._step = self._size_line
        return True

    def _trailer_line(self) -> bool:
        """A trailing header, the signature over all of them, or the empty line at the end."""
        end = self._held.find(b"\n", self._at) + 1
        if not end:
            if len(self._held) - self._at + len(self._trailer) > _LONGEST_TRAILER:
                raise _malformed_trailer()
            return False
        raw, self._at = self._held[self._at : end], end
        line = raw.strip()
        name, colon, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if not line:
            return self._empty_line(raw)
        if not (colon and name and self._trailers) or len(self._trailer) + len(line) > _LONGEST_TRAILER:
            raise _malformed_trailer()
        if self._theirs is not None and name == _SIGNATURE_TRAILER:
            digest = hashlib.sha256(self._trailer).hexdigest()
            self._check(self._theirs.trailer(digest), value)
            self._out.append(raw.replace(value, self._ours.trailer(digest)))
            self._step = self._last_line
            return True
        self._trailer += name + b":" + value + b"\n"
        self._out.append(raw)
        return True

    def _empty_line(self, raw: bytes) -> bool:
        self._out.append(raw)
        if self._theirs is None or not self._trailers:
            self._step, self._ended = self._nothing, True
        elif not self._trailer:
            raise _malformed_trailer()
        return True  # some write an empty line before the trailer's signature

    def _last_line(self) -> bool:
        line = self._line(2)
        if line is None:
            return False
        if line:
            raise _malformed_trailer()
        self._out.append(b"\r\n")
        self._step, self._ended = self._nothing, True
        return True

    def _nothing(self) -> bool:
        raise ChunkError("InvalidRequest", "The body goes on after its last chunk.")

    def _line(self, longest: int) -> bytes | None:
        """The next line without its end, or None."""
        end = self._held.find(b"\r\n", self._at, self._at + longest + 2)
        if end < 0:
            if len(self._held) - self._at > longest:
                raise ChunkError("InvalidRequest", "The body is not in the chunks that x-amz-content-sha256 announces.")
            return None
        line, self._at = self._held[self._at : end], end + 2
        return line

    @staticmethod
    def _check(ours: bytes, theirs: bytes) -> None:
        if not hmac.compare_digest(ours, theirs):
            raise ChunkError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
            )


def _malformed_trailer() -> ChunkError:
    return ChunkError(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
