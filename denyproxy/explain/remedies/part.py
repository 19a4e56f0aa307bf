"""A part of a fix: one change by one owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from denyproxy.explain.patches import Draft

Owner = Literal["caller", "identity admin", "bucket owner", "key owner", "organization admin", "network admin"]


@dataclass(frozen=True, slots=True)
class Part:
    """What has to be done about one reason."""

    owner: Owner
    target: str
    """What is changed."""
    words: str
    """What to do: imperative, without a full stop."""
    edit: Callable[[Draft], None] | None = None
    """The change of the scenario; None: nothing that a scenario's owners control says it."""
    exact: bool = True
    """Does it let through this action on this resource by this principal alone?"""
    assumed: Mapping[str, str | None] = field(default_factory=dict)
    """Condition keys (lower case) that have another value once it is done; None: absent."""
    sends: Mapping[str, str | None] = field(default_factory=dict)
    """Fields of the request that it sets; None: leaves out."""
    open: str = ""
    """What has to be so for it to help, and nobody here knows: with it the fix is never verified."""
