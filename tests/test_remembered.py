from __future__ import annotations

from denyproxy.remembered import Remembered


def test_what_was_worked_out_is_kept() -> None:
    asked: list[str] = []

    def work(key: str) -> str:
        asked.append(key)
        return key.upper()

    remembered = Remembered(work)
    assert [remembered["a"], remembered["a"], remembered["b"]] == ["A", "A", "B"]
    assert asked == ["a", "b"]


def length(key: str) -> int:
    return len(key)


def parts(key: tuple[str, ...]) -> int:
    return len(key)


def test_it_stays_within_its_bounds() -> None:
    remembered = Remembered(length, entries=2, size=3)
    assert [remembered[key] for key in ("four", "a", "bb")] == [4, 1, 2]
    assert set(remembered) == {"a", "bb"}


def test_the_oldest_makes_room() -> None:
    """What comes every day, such as a date, would else fill it for good."""
    remembered = Remembered(length, entries=2)
    assert [remembered[key] for key in ("a", "bb", "ccc", "four")] == [1, 2, 3, 4]
    assert set(remembered) == {"ccc", "four"}


def test_the_parts_of_a_key_count_together() -> None:
    remembered = Remembered(parts, size=3)
    assert [remembered["ab", "c"], remembered["ab", "cd"]] == [2, 2]
    assert set(remembered) == {("ab", "c")}


def nested(key: tuple[tuple[str, ...], str]) -> int:
    return len(key[0])


def test_parts_of_parts_count_too() -> None:
    remembered = Remembered(nested, size=4)
    assert [remembered[("ab", "c"), "d"], remembered[("ab", "c"), "de"]] == [2, 2]
    assert set(remembered) == {(("ab", "c"), "d")}
