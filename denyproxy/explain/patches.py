"""JSON Patch (RFC 6902) as far as fixes use it: `add`, `replace` and `remove`, applied to a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Operation = dict[str, Any]
"""{"op": "add" | "replace" | "remove", "path": JSON Pointer, "value": ...}."""


class PatchError(ValueError):
    """An operation whose path does not fit the document."""


def pointer(*parts: str | int) -> str:
    """A JSON Pointer (RFC 6901) from member names and indices."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def parts_of(path: str) -> list[str]:
    """The member names and indices of a JSON Pointer."""
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def apply_patch(document: Any, patch: tuple[Operation, ...]) -> Any:
    """The patched document. What a patch leaves alone is shared with the original. Raises PatchError."""
    for operation in patch:
        document = _apply(document, parts_of(operation["path"]), operation)
    return document


def _apply(value: Any, parts: list[str], operation: Operation) -> Any:
    if not parts:
        return operation.get("value")
    if isinstance(value, dict):
        return _in_object(value, parts[0], parts[1:], operation)
    if isinstance(value, list):
        return _in_list(value, parts[0], parts[1:], operation)
    raise PatchError(f"{operation['path']}: there is nothing below a {type(value).__name__}")


def _in_object(value: dict[str, Any], name: str, rest: list[str], operation: Operation) -> dict[str, Any]:
    changed = dict(value)
    if name not in changed and (rest or operation["op"] != "add"):
        raise PatchError(f"{operation['path']}: there is no {name}")
    if rest:
        changed[name] = _apply(changed[name], rest, operation)
    elif operation["op"] == "remove":
        del changed[name]
    else:
        changed[name] = operation["value"]
    return changed


def _in_list(value: list[Any], name: str, rest: list[str], operation: Operation) -> list[Any]:
    changed = list(value)
    adds = operation["op"] == "add" and not rest
    index = len(changed) if name == "-" else int(name) if name.isdecimal() else -1
    if not 0 <= index < len(changed) + adds:
        raise PatchError(f"{operation['path']}: there is no {name}")
    if rest:
        changed[index] = _apply(changed[index], rest, operation)
    elif adds:
        changed.insert(index, operation["value"])
    elif operation["op"] == "remove":
        del changed[index]
    else:
        changed[index] = operation["value"]
    return changed


def _found(value: Any, parts: tuple[str | int, ...]) -> Any:
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


class Draft:
    """A document being changed, and the patch that leads from the original to it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._original = document
        self.patch: tuple[Operation, ...] = ()
        self._put_off: list[tuple[tuple[str | int, ...], Callable[[Draft], None]]] = []

    def get(self, *parts: str | int) -> Any:
        """The value at a place; None: there is none, or it is null."""
        return _found(self.document, parts)

    def original(self, *parts: str | int) -> Any:
        """The same, before any change."""
        return _found(self._original, parts)

    def put(self, value: Any, *parts: str | int) -> None:
        """Set a member of an object, with the objects around it where they are not there, or replace a list's item."""
        depth = len(parts) - 1
        while depth > 0 and self.get(*parts[:depth]) is None:
            value, depth = {str(parts[depth]): value}, depth - 1
        parts = parts[: depth + 1]
        around = self.get(*parts[:-1])
        there = isinstance(around, list) or (isinstance(around, dict) and parts[-1] in around)
        if there and self.get(*parts) == value:
            return
        self._do({"op": "replace" if there else "add", "path": pointer(*parts), "value": value})

    def append(self, value: Any, *parts: str | int) -> None:
        """Add to the end of a list; where there is none, make it."""
        if self.get(*parts) is None:
            self.put([value], *parts)
        else:
            self._do({"op": "add", "path": pointer(*parts, "-"), "value": value})

    def remove(self, *parts: str | int) -> None:
        """Take a member or an item out."""
        self._do({"op": "remove", "path": pointer(*parts)})

    def in_the_end(self, change: Callable[[Draft], None], *parts: str | int) -> None:
        """Put off a change of this place that may take it out of a list: until then nothing moves."""
        self._put_off.append((parts, change))

    def finish(self) -> None:
        """Make the changes that were put off, the last of a list first."""
        for _, change in sorted(self._put_off, key=lambda item: _order(item[0]), reverse=True):
            change(self)
        self._put_off.clear()

    def _do(self, operation: Operation) -> None:
        self.document = apply_patch(self.document, (operation,))
        self.patch += (operation,)


def _order(parts: tuple[str | int, ...]) -> list[tuple[str, int]]:
    """Sort key: items of a list by index."""
    return [("", part) if isinstance(part, int) else (part, 0) for part in parts]
