"""How a signed request is spelled: decoding of targets, dates, and the fields that are secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from denyproxy.exchange import RequestHead

SECRET_FIELDS = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "signature",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-s3session-token",
        "x-amz-security-token",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-signature",
    }
)
"""Header fields and query parameters (lower case) whose values are never shown or kept."""

SIGNING_PARAMETERS = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)
"""Query parameters (lower case) of a presigned URL that stand for no header of the operation."""

_SECRET_IN_URL = re.compile(rf"([?&](?:{'|'.join(sorted(SECRET_FIELDS))})=)[^&#]*", re.IGNORECASE)
_LONGEST_DATE = 128
_BASIC_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_EXTENDED_DATE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z", re.ASCII)
_ABSOLUTE_FORM = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)(.*)", re.DOTALL)


def percent_decode(text: str) -> str:
    """Percent-decoding alone (`+` stays); bytes that are not UTF-8 become surrogates."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def split_target(head: RequestHead) -> tuple[str, str, str]:
    """Host (as sent, port included; of an absolute-form target, its own), raw path and raw query."""
    target, host = head.target, head.header("host") or ""
    absolute = None if target.startswith("/") else _ABSOLUTE_FORM.fullmatch(target)
    if absolute is not None:
        host, target = absolute[1], absolute[2]
    path, _, query = target.partition("?")
    return host, path or "/", query


def parse_query(query: str) -> tuple[tuple[str, str], ...]:
    """Decoded parameters in order; `+` is a space here. A name without `=` has an empty value."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.replace("+", " ").partition("=")
            pairs.append((percent_decode(name), percent_decode(value)))
    return tuple(pairs)


def first_parameter(parameters: Sequence[tuple[str, str]], name: str) -> str | None:
    """The first value of a parameter (name in any case), or None."""
    wanted = name.lower()
    return next((value for parameter, value in parameters if parameter.lower() == wanted), None)


def without_secrets(url: str) -> str:
    """A URL whose signature and tokens are empty: a page that was opened presigned is such a Referer."""
    return _SECRET_IN_URL.sub(r"\1", url)


def parse_date(text: str | None) -> datetime | None:
    """Aware UTC from `20260102T030405Z`, `2026-01-02T03:04:05Z` or an HTTP date; None: not a date."""
    return None if text is None or len(text) > _LONGEST_DATE else _read_date(text)


@lru_cache(maxsize=64)
def _read_date(text: str) -> datetime | None:
    """Many requests share a second."""
    basic = _BASIC_DATE.fullmatch(text.strip())
    try:
        if basic is not None:
            return datetime(*(int(part) for part in basic.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
        extended = _EXTENDED_DATE.fullmatch(text.strip())
        date = parsedate_to_datetime(text) if extended is None else datetime.fromisoformat(f"{extended[1]}+00:00")
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def utc_text(time: datetime) -> str:
    """`2026-01-02T03:04:05Z`."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
