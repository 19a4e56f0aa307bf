"""What was told of one denial, told of another that is alike, with what that has of its own in its place.

That is its id and time, S3's request id, the age of policies and signature, and the name in its key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from denyproxy.exchange import DeniedCall
from denyproxy.explain.assembly import policies_used
from denyproxy.explain.delivery import Deliver, Delivery
from denyproxy.explain.record import Told
from denyproxy.explain.shape import Shape, around
from denyproxy.s3.condition_values import age_of_signature
from denyproxy.s3.context import time_keys
from denyproxy.s3.snapshot import PolicySnapshot

_CUT = re.compile(r"([A-Za-z0-9_-]+)\.\.\.")
"""A word beside the mark of what prose leaves out; see `short`."""
_MOST_PIECES = 500


def _json(value: Any) -> str | None:
    """As in a record. None: it has bytes that are not UTF-8."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return None


_NAME, _ID, _REQUEST_ID = "\0name", "\0id", "\0request id"
_TIME = datetime(1, 1, 1, microsecond=1, tzinfo=UTC)
_AGE = -(2**53) - 1
_TIME_KEYS = {key: f"\0{key}" for key in ("aws:currenttime", "aws:epochtime", "s3:signatureage")}
_WRITTEN = {mark: to_json(mark).decode() for mark in (_ID, _REQUEST_ID, _TIME, _AGE, *_TIME_KEYS.values())}
"""The marks as in a record."""


class Retelling:
    """What was told of one denial."""

    def __init__(self, told: Told, shape: Shape, deliver: Deliver) -> None:
        self.name = shape.name
        self._told = told
        self._deliver = deliver

    @cached_property
    def cuts_name(self) -> bool:
        """Is the name cut somewhere, so that what is left of it would be told of other names too?"""
        plain = self._plain
        words = _CUT.findall(f"{plain.text} {plain.record}")
        return any(word != self.name and self.name.startswith(word) for word in words)

    def of(self, call: DeniedCall, snapshot: PolicySnapshot, shape: Shape) -> Delivery | None:
        """What is told of a call of the same shape. None: it cannot be filled in."""
        if self._blanks is None:
            return None
        credential = shape.credential
        values = {
            _NAME: shape.name,
            _ID: call.id,
            _WRITTEN[_ID]: _json(call.id),
            _WRITTEN[_REQUEST_ID]: _json(shape.request_id),
            _WRITTEN[_TIME]: _json(call.received),
            _WRITTEN[_AGE]: _json(policies_used(call, snapshot).age_seconds),
        }
        age = age_of_signature(credential.algorithm, credential.signed_at, call.received)
        for key, value in {**time_keys(call.received), "s3:signatureage": age}.items():
            values[_WRITTEN[_TIME_KEYS[key]]] = _json(value[0]) if isinstance(value, tuple) else None
        text, record = (_filled(blanks, values) for blanks in self._blanks)
        return None if text is None or record is None else Delivery(text, record)

    @cached_property
    def _plain(self) -> Delivery:
        return self._deliver(self._told)

    @cached_property
    def _blanks(self) -> tuple[Sequence[str], Sequence[str]] | None:
        """Text and record, by turns what is the same for all and the mark of a blank. None: they have too many, or a
        client has sent a mark."""
        plain, marked = self._plain, self._deliver(_marked(self._told))
        marks = list(_WRITTEN.values())
        if plain.record is None or marked.record is None:
            return None
        if _ID in plain.text or any(mark in plain.record for mark in marks):
            return None
        made = _split(marked.text, [_ID], self.name), _split(marked.record, marks, self.name)
        return made if max(map(len, made)) <= _MOST_PIECES else None


def _split(text: str, marks: Sequence[str], name: str) -> Sequence[str]:
    """A text, with a mark for the name, by turns with its marks."""
    pieces: list[str] = []
    for index, piece in enumerate(re.split("(" + "|".join(map(re.escape, marks)) + ")", text)):
        if index % 2 or not name:
            pieces.append(piece)
            continue
        first, *rest = around(name, piece)
        pieces += [first, *(one for part in rest for one in (_NAME, part))]
    return pieces


def _filled(blanks: Sequence[str], values: Mapping[str, str | None]) -> str | None:
    """The text with values for marks; None: one has none."""
    pieces = list(blanks)
    for index in range(1, len(pieces), 2):
        value = values[pieces[index]]
        if value is None:
            return None
        pieces[index] = value
    return "".join(pieces)


def _marked(told: Told) -> Told:
    """The same with marks where each call has something of its own."""
    explanation, facts = told.explanation, told.call
    policies = explanation.policies
    if policies.age_seconds is not None:
        policies = policies.model_copy(update={"age_seconds": _AGE})
    upstream = explanation.upstream.model_copy(update={"request_id": _REQUEST_ID})
    own = {"id": _ID, "time": _TIME, "upstream": upstream, "policies": policies}
    times = {key: (mark,) for key, mark in _TIME_KEYS.items() if key in facts.context}
    return Told(
        explanation.model_copy(update=own),
        facts.model_copy(update={"context": {**facts.context, **times}}),
        told.own_account,
    )
