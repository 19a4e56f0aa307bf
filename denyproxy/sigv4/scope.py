"""What a signature is for: the credential scope, and the header fields that it covers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from denyproxy.remembered import Remembered
from denyproxy.sigv4.credential import SIGV4

_DAY = re.compile(r"[0-9]{8}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A region or a service: names of hosts are made of them."""
_END = re.compile(r"[,\s]")
_PART = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]*)")


@dataclass(frozen=True, slots=True)
class Scope:
    """A credential, `KEY_ID/date/region/service/aws4_request`."""

    key_id: str
    date: str
    """YYYYMMDD."""
    region: str
    service: str
    text: str
    """As in the string to sign: all but the key."""

    @classmethod
    def parse(cls, credential: str) -> Scope | None:
        """None: malformed."""
        parts = credential.rsplit("/", 4)
        if len(parts) != 5 or not parts[0] or parts[4] != "aws4_request" or not _DAY.fullmatch(parts[1]):
            return None
        if not _NAME.fullmatch(parts[2]) or not _NAME.fullmatch(parts[3]):
            return None
        key_id, date, region, service, _ = parts
        return cls(key_id, date, region, service, "/".join(parts[1:]))


def read_authorization(value: str) -> tuple[Scope | None, tuple[str, ...], str]:
    """Scope, sorted names of the signed fields, and signature of a SigV4 Authorization; None or empty: malformed."""
    start, mark, given = value.rpartition("Signature=")
    if not mark or start[-1:] not in (" ", ",") or not (given.isalnum() or _END.search(given) is None):
        return *_scope_and_names(value), dict(_PART.findall(value.partition(SIGV4)[2])).get("Signature", "")
    return *_beginnings[start], given


def sorted_names(listed: str) -> tuple[str, ...]:
    """The fields of SignedHeaders, in lower case."""
    return tuple(sorted(listed.lower().split(";"))) if listed else ()


def _scope_and_names(text: str) -> tuple[Scope | None, tuple[str, ...]]:
    if text.count(SIGV4) != 1:  # two Authorization fields are joined
        return None, ()
    parts = dict(_PART.findall(text.partition(SIGV4)[2]))
    return Scope.parse(parts.get("Credential", "")), sorted_names(parts.get("SignedHeaders", ""))


_beginnings = Remembered(_scope_and_names, size=512)
"""Of what comes before a signature: it repeats from request to request."""
