"""One question to both evaluators as plain JSON, so that a disagreement can be shrunk, printed and kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evaluation import AuthorizationRequest, Grant, PolicySet, ResourceLayer
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth

Case = dict[str, Any]
"""principal {type, arn, account, issuer, bounded}, action, resource, context {key: [values]}, same_account,
identity [documents], boundary, session, vpc_endpoint (documents or null), scp, rcp (levels of documents or null),
layers [{layer, policies, resource, deny_only, other_grant [names]}], must_delegate; perhaps hidden (see `Hidden`)."""

Hidden = dict[str, Any]
"""What the product is not told: keys [condition keys], margins {key: [value shown, how far off]}, open_world,
layers {name: how many of its policies it sees}, same_account, role (a session's role), session (a session's
name), bounded, principal: true if hidden."""

OPTIONAL = ("boundary", "session", "vpc_endpoint")
LEVELS = ("scp", "rcp")


def _principal(case: Case, hidden: Hidden) -> Principal:
    facts = case["principal"]
    principal = Principal(
        PrincipalType(facts["type"]),
        facts["arn"],
        facts["account"],
        facts["issuer"],
        bounded=Truth.of(facts["bounded"]),
    )
    if hidden.get("principal"):
        return Principal(PrincipalType.UNKNOWN, bounded=Truth.UNKNOWN)
    if hidden.get("bounded"):
        principal = replace(principal, bounded=Truth.UNKNOWN)
    if hidden.get("session"):
        principal = replace(principal, arn=principal.issuer)
    if hidden.get("role"):
        principal = replace(principal, issuer=None)
    return principal


def plain(case: Case) -> tuple[AuthorizationRequest, PolicySet]:
    """The question as the reference takes it: all is known, and of the policies there is nothing but the documents."""
    return _build(case, {}, lambda document, index: Policy(f"policy {index}", document))


def compiled(case: Case) -> tuple[AuthorizationRequest, PolicySet]:
    """The question as the product takes it: what the case names as hidden is unknown."""
    return _build(case, case.get("hidden", {}), lambda document, index: Policy.parse(document, name=f"policy {index}"))


def _build(case: Case, hidden: Hidden, read: Callable[[Any, int], Policy]) -> tuple[AuthorizationRequest, PolicySet]:
    keys = frozenset(hidden.get("keys", ()))
    layers: dict[str, int] = hidden.get("layers", {})

    def listed(documents: list[Any] | None, place: str) -> PolicyList:
        shown = (documents or [])[: layers.get(place)]
        return PolicyList(tuple(map(read, shown, range(len(shown)))), complete=place not in layers)

    present = {key.lower(): tuple(values) for key, values in case["context"].items()}
    families = {key.partition("/")[0] + "/*" for key in keys if "/" in key}
    margins: dict[str, tuple[str, float]] = hidden.get("margins", {})
    shown = present | {key: (value,) for key, (value, _) in margins.items()}
    context = RequestContext(
        {key: values for key, values in shown.items() if key not in keys},
        unknown=keys | families,
        open_world=bool(hidden.get("open_world")),
        margin={key: margin for key, (_, margin) in margins.items()},
    )
    optional: dict[str, Any] = {
        name: None if case[name] is None and name not in layers else listed(case[name], name) for name in OPTIONAL
    }
    levels: dict[str, Any] = {
        name: (PolicyList((), complete=False),)
        if name in layers
        else None
        if case[name] is None
        else tuple(listed(level, f"{name}:{index}") for index, level in enumerate(case[name]))
        for name in LEVELS
    }
    resource = tuple(
        ResourceLayer(
            layer["layer"],
            listed(layer["policies"], f"layers:{index}"),
            layer["resource"],
            layer["deny_only"],
            Grant(**dict.fromkeys(layer["other_grant"], Truth.YES)),
        )
        for index, layer in enumerate(case["layers"])
    )
    same_account = Truth.UNKNOWN if hidden.get("same_account") else Truth.of(case["same_account"])
    policies = PolicySet(
        same_account,
        identity=listed(case["identity"], "identity"),
        resource=resource,
        resource_must_delegate=case["must_delegate"],
        **optional,
        **levels,
    )
    return AuthorizationRequest(_principal(case, hidden), case["action"], case["resource"], context), policies


def _smaller(value: Any) -> Iterator[Any]:
    """The same JSON value with one part taken out or made plainer, larger cuts first."""
    if isinstance(value, dict):
        for key in value:
            yield {name: member for name, member in value.items() if name != key}
        for key, member in value.items():
            for smaller in _smaller(member):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        for index in range(len(value)):
            yield value[:index] + value[index + 1 :]
        for index, member in enumerate(value):
            for smaller in _smaller(member):
                yield [*value[:index], smaller, *value[index + 1 :]]


def minimised(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The smallest case found, by cutting parts away, of which `fails` still holds. A part that must not be
    missing makes `fails` raise, and stays."""

    def still_fails(smaller: Case) -> bool:
        try:
            return fails(smaller)
        except Exception:
            return False

    current = copy.deepcopy(case)
    while True:
        optional = [name for name in (*OPTIONAL, *LEVELS) if current.get(name) is not None]
        attempts = [{**current, name: None} for name in optional]
        for smaller in (*attempts, *_smaller(current)):
            if still_fails(smaller):
                current = smaller
                break
        else:
            return current
