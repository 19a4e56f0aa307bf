"""What was told of one denial, told of another that is alike, with what that has of its own in its place.

That is its id and time, S3's request id, the age of policies and signature, and the name in its key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from denyproxy.exchange import DeniedCall
from denyproxy.explain.assembly import policies_used
from denyproxy.explain.delivery import Deliver, Delivery
from denyproxy.explain.record import Told
from denyproxy.explain.shape import Shape, around, request_id
from denyproxy.s3.condition_values import age_of_signature
from denyproxy.s3.context import time_keys
from denyproxy.s3.snapshot import PolicySnapshot

_NAME, _ID, _REQUEST_ID = "\0name", "\0id", "\0request id"
_TIME = datetime(1, 1, 1, microsecond=1, tzinfo=UTC)
_AGE = -(2**53) - 1
_TIME_KEYS = {key: f"\0{key}" for key in ("aws:currenttime", "aws:epochtime", "s3:signatureage")}


class Retelling:
    """What was told of one denial."""

    def __init__(self, told: Told, shape: Shape, deliver: Deliver) -> None:
        self.name = shape.name
        self._told = told
        self._deliver = deliver
        self._blanks: tuple[_Blanks, _Blanks] | None = None
        """Of text and record, once they are asked for."""

    def _made(self) -> tuple[_Blanks, _Blanks]:
        marked = self._deliver(_marked(self._told))
        marks = [_json(mark) for mark in (_ID, _REQUEST_ID, _TIME, _AGE, *_TIME_KEYS.values())]
        return _Blanks(marked.text, [_ID], self.name), _Blanks(marked.record or "", marks, self.name)

    def of(self, call: DeniedCall, snapshot: PolicySnapshot, shape: Shape) -> Delivery | None:
        """What is told of a call of the same shape. None: it cannot be filled in."""
        credential = shape.credential
        values: dict[str, str | None] = {
            _NAME: shape.name,
            _ID: call.id,
            _json(_ID): _json(call.id),
            _json(_REQUEST_ID): _json(request_id(call, read=self._told.explanation.upstream.code is not None)),
            _json(_TIME): _json(call.received),
            _json(_AGE): _json(policies_used(call, snapshot).age_seconds),
        }
        age = age_of_signature(credential.algorithm, credential.signed_at, call.received)
        for key, value in {**time_keys(call.received), "s3:signatureage": age}.items():
            values[_json(_TIME_KEYS[key])] = _json(value[0]) if isinstance(value, tuple) else None
        self._blanks = self._blanks or self._made()
        text, record = (blanks.filled(values) for blanks in self._blanks)
        return None if text is None or record is None else Delivery(text, record)


class _Blanks:
    """A text with blanks for what differs."""

    def __init__(self, text: str, marks: Sequence[str], name: str) -> None:
        """`marks` stand where a blank is to be, and so does the name."""
        self._pieces: list[str] = []
        """By turns text and the mark of a blank."""
        pieces = re.split("(" + "|".join(map(re.escape, marks)) + ")", text)
        for index, piece in enumerate(pieces):
            if index % 2 or not name:
                self._pieces.append(piece)
                continue
            first, *rest = around(name, piece)
            self._pieces += [first, *(one for part in rest for one in (_NAME, part))]

    def filled(self, values: Mapping[str, str | None]) -> str | None:
        """The text with these in the blanks; None: one of them has no value."""
        pieces = self._pieces.copy()
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


def _json(value: Any) -> str:
    return to_json(value).decode()
