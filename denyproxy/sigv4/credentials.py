"""A key pair that signs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, and the session token that belongs to it if it is temporary. Shown without its secrets.

    Raises ValueError where the id or the token has a control character: a line break would forge a header field."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for what, value in (("access key id", self.access_key_id), ("session token", self.session_token)):
            if value is not None and _CONTROL.search(value):
                raise ValueError(f"the {what} has a line break or another control character in it")
