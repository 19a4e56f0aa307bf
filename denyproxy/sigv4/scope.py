"""What a signature is for: the credential scope, and the header fields that it covers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from denyproxy.sigv4.credential import SIGV4

_DAY = re.compile(r"[0-9]{8}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A region or a service: names of hosts are made of them."""
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


def before_signature(authorization: str) -> tuple[str, str]:
    """What an Authorization of Version 4 says before its signature, and that; empty: it has none.

    All of it where something comes after the signature."""
    start, mark, given = authorization.rpartition("Signature=")
    if mark and start[-1:] in (" ", ",") and "," not in given and given.split() == [given]:
        return start, given
    return authorization, dict(_PART.findall(authorization.partition(SIGV4)[2])).get("Signature", "")


def scope_and_names(text: str) -> tuple[Scope | None, tuple[str, ...]]:
    """Scope and sorted names of the signed fields, from what `before_signature` found; None or empty: malformed."""
    if text.count(SIGV4) != 1:  # two Authorization fields are joined
        return None, ()
    parts = dict(_PART.findall(text.partition(SIGV4)[2]))
    return Scope.parse(parts.get("Credential", "")), sorted_names(parts.get("SignedHeaders", ""))


def sorted_names(listed: str) -> tuple[str, ...]:
    """The fields of SignedHeaders, in lower case."""
    return tuple(sorted(listed.lower().split(";"))) if listed else ()
