"""Denials that are alike: explained once, told for each of them.

Denials that differ in the name of the key alone are alike where no policy can tell the names apart; and then only once
what is told of a second name has been compared with what explaining afresh says.
"""

from __future__ import annotations

from typing import TypeVar

from denyproxy.exchange import Declared, DeniedCall
from denyproxy.explain.case import Case
from denyproxy.explain.delivery import Deliver, Delivery
from denyproxy.explain.explainer import Explained, Explainer
from denyproxy.explain.names import Compared, compared
from denyproxy.explain.record import Told
from denyproxy.explain.retelling import Retelling
from denyproxy.explain.shape import Shape, shape_of
from denyproxy.s3.snapshot import PolicySnapshot

_OF_TIME = frozenset({"aws:currenttime", "aws:epochtime", "s3:signatureage", "s3:object-lock-remaining-retention-days"})
_LONGEST_RECORD = 16 * 1024
"""Characters of what is kept."""

K = TypeVar("K")
V = TypeVar("V")


class Memo:
    """Explains, and remembers, for one snapshot at a time. Bounded: of more, the oldest are forgotten."""

    def __init__(self, explain: Explainer, deliver: Deliver, size: int) -> None:
        """`size`: how many explanations are kept; 0: none."""
        self._explain = explain
        self._deliver = deliver
        self._size = size
        self._of: tuple[PolicySnapshot, Declared] | None = None
        self._same: dict[tuple[bytes, str], Retelling] = {}
        """By shape and name."""
        self._alike: dict[bytes, _Alike] = {}
        """By shape alone."""
        self.hits = 0

    def __call__(self, call: DeniedCall, snapshot: PolicySnapshot, *, most_keys: int) -> Delivery | None:
        """What is said of a denial; None: nothing in it was denied. `most_keys`: see Explainer."""
        if not self._knows(call, snapshot):
            self._of = (snapshot, call.declared)
            self._same.clear()
            self._alike.clear()
        shape = self._shape(call)
        told = self._remembered(call, snapshot, shape)
        if told is not None:
            return told
        explained = self._explain(call, snapshot, most_keys=most_keys)
        if explained is None:
            return None
        delivery = self._deliver(explained)
        small = delivery.record is not None and len(delivery.record) <= _LONGEST_RECORD
        if shape is not None and small and is_lasting(explained, shape):
            self._keep(explained, delivery, shape)
        return delivery

    def recall(self, call: DeniedCall, snapshot: PolicySnapshot) -> Delivery | None:
        """What is said of a denial, if one before was like it."""
        return self._remembered(call, snapshot, self._shape(call)) if self._knows(call, snapshot) else None

    def _knows(self, call: DeniedCall, snapshot: PolicySnapshot) -> bool:
        return self._of is not None and self._of[0] is snapshot and self._of[1] is call.declared

    def _shape(self, call: DeniedCall) -> Shape | None:
        return shape_of(call) if self._size else None

    def _remembered(self, call: DeniedCall, snapshot: PolicySnapshot, shape: Shape | None) -> Delivery | None:
        if shape is None:
            return None
        alike = self._alike.get(shape.digest)
        if alike is not None and alike.may_serve(shape.name):
            known: Retelling | None = alike.retelling
        else:
            known = self._same.get((shape.digest, shape.name))
        told = known.of(call, snapshot, shape) if known is not None else None
        self.hits += told is not None
        return told

    def _keep(self, explained: Explained, delivery: Delivery, shape: Shape) -> None:
        told = Told(explained.explanation, explained.call, explained.own_account)
        retelling = Retelling(told, shape, self._deliver)
        _put(self._same, (shape.digest, shape.name), retelling, self._size)
        alike = self._alike.get(shape.digest)
        if alike is None:
            _put(self._alike, shape.digest, _Alike(retelling), self._size)
        elif not alike.settled and shape.name != alike.retelling.name:
            alike.settle(explained.case, delivery, shape)


class _Alike:
    """What may be told of other names than its own."""

    def __init__(self, retelling: Retelling) -> None:
        self.retelling = retelling
        self.settled = False
        """Is it known whether it may?"""
        self._compared: Compared | None = None

    def may_serve(self, name: str) -> bool:
        """Has it been right of another name, and can no policy tell this one from its own?"""
        return self._compared is not None and not self._compared.occur_in(name)

    def settle(self, case: Case, delivery: Delivery, shape: Shape) -> None:
        """See whether it is right of another name, that of this case, of which `delivery` is told."""
        words = compared(case, shape.name)
        if words is not None and words.occur_in(shape.name):
            return  # the next name may tell
        self.settled = True
        if words is None or words.occur_in(self.retelling.name) or self.retelling.cuts_name:
            return
        if self.retelling.of(case.call, case.snapshot, shape) == delivery:
            self._compared = words


def _put(kept: dict[K, V], key: K, value: V, size: int) -> None:
    if len(kept) >= size and key not in kept:
        del kept[next(iter(kept))]
    kept[key] = value


def is_lasting(explained: Explained, shape: Shape) -> bool:
    """Is it the same at any other time?"""
    case, upstream = explained.case, explained.explanation.upstream
    if upstream.code not in (None, "AccessDenied") or upstream.request_id != shape.request_id:
        return False
    places = {(case.request.bucket, case.request.key)}
    places |= {(item.requirement.bucket, item.requirement.key) for item in case.evidence.authorizations}
    if not places.isdisjoint(case.snapshot.objects):
        return False
    if any(name.lower() in _OF_TIME for name in case.call.declared.context):
        return False
    return not any(key in _OF_TIME for policy in case.evidence.policies() for key in policy.keys)
