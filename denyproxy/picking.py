"""Items of a sequence at given places, taken all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

Pick = Callable[[Sequence[Any]], tuple[Any, ...]]


def picker(places: Sequence[int]) -> Pick:
    """What gives the items at these places, in this order."""
    if len(places) > 1:  # of fewer, an itemgetter makes no tuple
        return itemgetter(*places)
    return lambda items: tuple([items[place] for place in places])
