"""Statements as JSON: an Allow of exactly one thing, and a Deny less exactly one thing.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from denyproxy.iam.wildcard import glob
from denyproxy.s3.actions import ACTIONS

Json = dict[str, Any]
Condition = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be let through, as a statement of a certain policy writes it."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    """Patterns that match these resources alone, as far as the policy's version can say so."""
    principal: Any = None
    """The Principal element that names the caller; None: this layer's statements have none."""
    only: Condition = field(default_factory=dict)
    """Conditions that hold for this caller alone, where Principal cannot say so."""
    others: Condition = field(default_factory=dict)
    """Conditions that hold for everyone but this caller; empty: the layer concerns nobody else."""
    literal: tuple[str, ...] = ()
    """The resources themselves."""
    unless: tuple[Condition, ...] = ()
    """Conditions one of which holds for any request but one like this."""


def pattern(resource: str, *, substitutes: bool) -> tuple[str, bool]:
    """A pattern for one resource, and whether it matches nothing else. Without policy variables `*` has no escape."""
    if resource == "arn:aws:s3:::*" or resource == "*":
        return "*", True
    if not substitutes:
        return resource, not any(mark in resource for mark in "*?")
    escaped = resource.replace("${", "${$}{")
    marks = {"*": "${*}", "?": "${?}"}
    return "".join(marks.get(character, character) for character in escaped), True


def one_or_all(values: Sequence[str]) -> str | list[str]:
    """A single value stands by itself."""
    return values[0] if len(values) == 1 else list(values)


def allow(scope: Scope, conditions: Condition) -> Json:
    """An Allow of the scope under conditions, and of nothing else."""
    statement: Json = {"Effect": "Allow"}
    if scope.principal is not None:
        statement["Principal"] = scope.principal
    statement |= {"Action": one_or_all(scope.actions), "Resource": one_or_all(scope.resources)}
    return with_conditions(statement, merged(scope.only, conditions))


def merged(one: Condition, other: Condition) -> dict[str, dict[str, Any]]:
    """Both blocks of conditions; of two on the same operator and key, the former."""
    result = {operator: dict(keys) for operator, keys in one.items()}
    for operator, keys in other.items():
        result[operator] = {**keys, **result.get(operator, {})}
    return result


def with_conditions(statement: Json, conditions: Condition) -> Json:
    """The statement with further conditions."""
    together = merged(conditions, statement.get("Condition", {}))
    return {**statement, "Condition": together} if together else statement


def and_also(statement: Json, conditions: Condition) -> Json | None:
    """The statement with further negated conditions: of two on the same operator and key, the values together. None:
    with them it never applies."""
    block = {operator: dict(keys) for operator, keys in statement.get("Condition", {}).items()}
    for operator, keys in conditions.items():
        there = block.setdefault(operator, {})
        for key, value in keys.items():
            written = next((known for known in there if known.lower() == key.lower()), None)
            values = list(dict.fromkeys([*texts(there[written]), *texts(value)])) if written else texts(value)
            if operator == "Null" and len(values) > 1:
                return None
            there[written or key] = one_or_all(values)
    return {**statement, "Condition": block}


def texts(value: Any) -> list[str]:
    """A scalar stands for a list of one."""
    return [value] if isinstance(value, str) else list(value or ())


def _covering(patterns: list[str], resources: Sequence[str]) -> list[str]:
    return [text for text in patterns if any(glob(text, resource) for resource in resources)]


@dataclass(frozen=True, slots=True)
class Lessened:
    """What stays of a Deny: the statements in its place."""

    statements: tuple[Json, ...]
    instead: tuple[str, ...] = ()
    """The patterns that are freed whole, since no statement can leave the scope's resources out of them."""
    named: tuple[str, ...] = ()
    """Patterns of actions in whose place stand the actions of today, since no pattern leaves out the scope's."""

    @property
    def exact(self) -> bool:
        """Everything but the scope is denied as before."""
        return not self.instead and not self.named


def deny_less(statement: Json, scope: Scope, container: str | None, sids: Collection[str] = ()) -> Lessened:
    """A Deny less a scope: for everyone else as it was, and for this caller on all other resources and for every other
    action.

    `container`: the bucket or access point that all resources of the layer belong to; None: there is no such bound.
    `sids`: those of the policy, which no new statement may have."""
    elsewhere = _elsewhere(statement, scope, container)
    here = list(scope.resources) if elsewhere is not None else None
    same_action = _with(statement, "Action", {"Action": one_or_all(scope.actions)})
    parts = _all_with(statement, [scope.others] if scope.others else [])
    parts += elsewhere or ()
    parts += _all_with(_on(same_action, here), scope.unless)
    rest, named = _other_actions(statement, scope, bounded=here is not None or _is_of_service(statement, scope))
    if rest is not None:
        parts.append(_on(_with(statement, "Action", rest), here))
    instead = () if elsewhere is not None else tuple(_covering(texts(statement.get("Resource")), scope.literal))
    return Lessened(tuple(_labelled(parts, statement.get("Sid"), sids)), instead, named)


def _all_with(statement: Json, conditions: Sequence[Condition]) -> list[Json]:
    """The statement with each of further conditions."""
    return [part for condition in conditions if (part := and_also(statement, condition)) is not None]


def _labelled(parts: Sequence[Json], sid: str | None, taken: Collection[str]) -> Iterator[Json]:
    """The first keeps the Sid, the others get one like it: letters and digits, as IAM demands, and no other's."""
    known = {*taken, sid}
    for index, part in enumerate(parts):
        if not sid:
            yield part
        elif index == 0:
            yield {"Sid": sid, **_unnamed(part)}
        else:
            stem = "".join(character for character in sid if character.isascii() and character.isalnum())
            new = next(name for number in count(index + 1) if (name := f"{stem}{number}") not in known)
            known.add(new)
            yield {"Sid": new, **_unnamed(part)}


def _unnamed(statement: Json) -> Json:
    return {name: value for name, value in statement.items() if name != "Sid"}


def _with(statement: Json, element: str, new: Json) -> Json:
    """With another element (negated or not) in the place of one."""
    names = (element, f"Not{element}")
    result: Json = {}
    for name, value in statement.items():
        result |= new if name in names else {name: value}
    return result


def _on(statement: Json, resources: list[str] | None) -> Json:
    """On these resources; None: on those it has."""
    if resources is None:
        return statement
    return _with(statement, "Resource", {"Resource": one_or_all(resources)})


def _elsewhere(statement: Json, scope: Scope, container: str | None) -> tuple[Json, ...] | None:
    """The statement on all its resources but those of the scope. None: no statement can say that."""
    if "NotResource" in statement:
        kept = [*texts(statement["NotResource"]), *scope.resources]
        return ({**statement, "NotResource": kept},)
    patterns = texts(statement.get("Resource"))
    covering = _covering(patterns, scope.literal)
    if not covering:
        return None
    if all(text in scope.literal for text in covering):
        rest = [text for text in patterns if text not in covering]
        return ({**statement, "Resource": one_or_all(rest)},) if rest else ()
    if "*" in covering:
        return (_with(statement, "Resource", {"NotResource": one_or_all(scope.resources)}),)
    if container is None:
        return None
    excluded = _outside(patterns, container)
    if excluded is None:
        return None
    return (_with(statement, "Resource", {"NotResource": one_or_all([*excluded, *scope.resources])}),)


def _outside(patterns: list[str], container: str) -> list[str] | None:
    """What of a container (a bucket, an access point) the patterns do not cover. None: it has no short name."""
    separator = "/object/" if ":accesspoint/" in container else "/"
    everything = f"{container}{separator}*"
    excluded = [] if _covering(patterns, [container]) else [container]
    covers_content = any(
        glob(text, f"{container}{separator}") and text.endswith("*") and everything.startswith(text.rstrip("*"))
        for text in patterns
    )
    if covers_content:
        return excluded
    if not any(text.startswith(f"{container}{separator}") or "*" in text for text in patterns):
        return [*excluded, everything]
    return None


def _is_of_service(statement: Json, scope: Scope) -> bool:
    """Are all its resources of the scope's service, so that no other's actions concern them?"""
    service = scope.actions[0].partition(":")[0].lower()
    return all(text.split(":")[2:3] == [service] for text in texts(statement.get("Resource")))


def _other_actions(statement: Json, scope: Scope, *, bounded: bool) -> tuple[Json | None, tuple[str, ...]]:
    """The Action element without the actions of the scope (None: nothing is left), and the patterns in whose place it
    has names. `bounded`: it is for resources that only one service's actions concern."""
    if "NotAction" in statement:
        return {"NotAction": [*texts(statement["NotAction"]), *scope.actions]}, ()
    patterns = texts(statement["Action"])
    taken = {action.lower() for action in scope.actions}
    covering = [text for text in patterns if any(glob(text.lower(), action) for action in taken)]
    service = scope.actions[0].partition(":")[0].lower()
    if "*" in covering or (bounded and any(text.lower() == f"{service}:*" for text in covering)):
        return {"NotAction": one_or_all(scope.actions)}, ()
    rest = [text for text in patterns if text not in covering]
    named: list[str] = []
    for text in covering:
        if "*" in text or "?" in text:
            kept, complete = _without(text, taken)
            rest += [item for item in kept if item not in rest]
            named += [] if complete else [text]
    return ({"Action": one_or_all(rest)} if rest else None), tuple(named)


def _without(text: str, taken: Collection[str]) -> tuple[list[str], bool]:
    """What of a pattern is left without some actions, and whether that is all of it, actions of later days included."""
    stem = text.removesuffix("*")
    if stem.lower() in taken and text != stem and not any(mark in stem for mark in "*?"):
        longer = f"{stem}?*"
        if not any(glob(longer.lower(), action) for action in taken):
            return [longer], True
    names = [name for name in ACTIONS if glob(text.lower(), name.lower()) and name.lower() not in taken]
    return names, False
