from __future__ import annotations

import pytest

from denyproxy.picking import picker


@pytest.mark.parametrize(
    ("places", "expected"), [((), ()), ((1,), ("b",)), ((2, 0), ("c", "a")), ((1, -1, 1), ("b", "c", "b"))]
)
def test_the_items_come_in_the_order_of_the_places(places: tuple[int, ...], expected: tuple[str, ...]) -> None:
    assert picker(places)(["a", "b", "c"]) == expected
