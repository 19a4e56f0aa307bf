"""An explanation as it goes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from denyproxy.explain.record import Told


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is said of one denial."""

    text: str
    """To its caller: as much as the settings disclose."""
    record: str | None
    """The line of the log. None: it takes longer, and is still to be made."""


Deliver = Callable[[Told], Delivery]
