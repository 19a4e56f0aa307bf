"""Generated policies and requests, biased so that matches, near misses and both effects are common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from hypothesis import strategies as st

from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evaluation import AuthorizationRequest, Grant, PolicySet, ResourceLayer
from denyproxy.iam.principal import ANONYMOUS, Principal
from denyproxy.iam.truth import Truth
from tests.iam.build import (
    FEDERATED,
    FEDERATED_ARN,
    LINKED,
    NEW,
    OLD,
    OURS,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    SERVICE,
    SESSION,
    SESSION_ARN,
    THEIRS,
    USER,
    USER_ARN,
)

ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
ACTION_PATTERNS = ["s3:GetObject", "s3:getobject", "s3:Put*", "s3:*", "*", "s3:?etObject", "sqs:*"]
RESOURCES = ["arn:aws:s3:::b", "arn:aws:s3:::b/k", "arn:aws:s3:::b/home/alice/x", "arn:aws:s3:::c/k"]
RESOURCE_PATTERNS = [
    "*",
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::?/*",
    "arn:aws:s3:::*/home/*",
    "arn:aws:s3:::b/home/${aws:username}/*",
    "arn:aws:s3:::b/${tag/none, 'home'}/*",
]
DOMAIN: Mapping[str, tuple[str, ...]] = {
    "aws:username": ("alice", "bob", "*"),
    "aws:sourceip": ("10.0.0.1", "192.0.2.1", "2001:db8::1"),
    "s3:prefix": ("", "home/", "home/alice/", "logs"),
    "aws:securetransport": ("true", "false"),
    "s3:max-keys": ("10", "1000"),
    "aws:principalarn": (USER_ARN, ROLE_ARN, "arn:aws:iam::444455556666:user/eve"),
    "aws:currenttime": ("2026-01-01T00:00:00Z", "1767225601"),
}
"""Single-valued keys and what they may hold."""
SETS: Mapping[str, tuple[str, ...]] = {"s3:requestobjecttagkeys": ("a", "b", "c")}
"""Multivalued keys."""
OPERATORS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "aws:username": (
        ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike"),
        ("alice", "ALICE", "a*", "*", "${aws:username}", "${*}"),
    ),
    "aws:sourceip": (("IpAddress", "NotIpAddress"), ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "bad")),
    "s3:prefix": (
        ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"),
        ("", "home/*", "home/${aws:username}/*", "*", "${none}"),
    ),
    "aws:securetransport": (("Bool",), ("true", "false", "maybe")),
    "s3:max-keys": (
        ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"),
        ("10", "100", "x"),
    ),
    "aws:principalarn": (
        ("ArnEquals", "ArnLike", "ArnNotLike", "ArnNotEquals"),
        (USER_ARN, "arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:user/${aws:username}", "*"),
    ),
    "aws:currenttime": (("DateGreaterThan", "DateLessThanEquals", "DateNotEquals"), ("2026-01-01T00:00:00Z", "0")),
}
PRINCIPALS = [USER, SESSION, FEDERATED, ROOT, SERVICE, LINKED, ANONYMOUS]
ENTRIES = [
    USER_ARN,
    ROLE_ARN,
    SESSION_ARN,
    FEDERATED_ARN,
    ROOT_ARN,
    OURS,
    THEIRS,
    "*",
    "AIDACKCEVSQ6C2EXAMPLE",
    SESSION_ARN.replace("s1", "s2"),
]

Effects = tuple[str, ...]
MIXED: Effects = ("Allow", "Allow", "Deny")
DENYING: Effects = ("Allow", "Deny", "Deny")

principals = st.sampled_from(PRINCIPALS)
truths = st.sampled_from(list(Truth))
unsure_or = st.sampled_from([Truth.NO, Truth.NO, Truth.UNKNOWN, Truth.YES])


Block = dict[str, dict[str, Any]]


def lines(key: str) -> list[tuple[str, Any]]:
    """Every operator with values that one may write for a key."""
    operators, values = OPERATORS.get(key, (("StringEquals", "StringNotLike"), ("a", "b", "*")))
    written = [[], *([one] for one in values), *map(list, combinations(values, 2))]
    prefixes = ("ForAllValues:", "ForAnyValue:") if key in SETS else ("",)
    names = [prefix + name + suffix for prefix in prefixes for name in operators for suffix in ("", "IfExists")]
    nulls = [("Null", value) for value in ("true", "false", ["true", "false"])]
    return [*product(names, written), *nulls]


LINES: list[Block] = [{operator: {key: values}} for key in (*DOMAIN, *SETS) for operator, values in lines(key)]
ONE_ENTRY = [{"AWS": entry} for entry in ENTRIES]
ENTRY_LISTS = [{"AWS": list(some)} for size in (2, 3) for some in combinations(ENTRIES, size)]
PRINCIPAL_ELEMENTS = [
    *({"Principal": entries} for entries in [*ONE_ENTRY * 20, *ENTRY_LISTS, *[{"Service": SERVICE.arn}] * 10]),
    *({"NotPrincipal": entries} for entries in [*ONE_ENTRY, *ENTRY_LISTS[::5]]),
    *[{"Principal": "*"}] * 60,
]


def _merged(*blocks: Block) -> Block:
    merged: Block = {}
    for block in blocks:
        for operator, keys in block.items():
            merged.setdefault(operator, {}).update(keys)
    return merged


line = st.sampled_from(LINES)
blocks: st.SearchStrategy[Block] = st.one_of(st.just({}), line, st.builds(_merged, line, line))
"""Condition blocks of up to two lines."""
ACTION_ELEMENTS = [
    *({"Action": list(some)} for some in combinations(ACTION_PATTERNS, 2)),
    *({"Action": one} for one in ACTION_PATTERNS * 3),
    *({"NotAction": one} for one in ACTION_PATTERNS),
]
RESOURCE_ELEMENTS = [
    *({"Resource": list(some)} for some in combinations(RESOURCE_PATTERNS, 2)),
    *({"Resource": one} for one in RESOURCE_PATTERNS * 3),
    *({"NotResource": one} for one in RESOURCE_PATTERNS),
]


def statements(*, of_resource: bool = False, effects: Effects = MIXED) -> st.SearchStrategy[dict[str, Any]]:
    """A statement; with a principal if it stands in a resource-based policy."""
    who = st.sampled_from(PRINCIPAL_ELEMENTS) if of_resource else st.just({})
    return st.builds(
        lambda effect, action, resource, principal, block: {
            "Effect": effect,
            **action,
            **resource,
            **principal,
            "Condition": block,
        },
        st.sampled_from(effects),
        st.sampled_from(ACTION_ELEMENTS),
        st.sampled_from(RESOURCE_ELEMENTS),
        who,
        blocks,
    )


@st.composite
def policy_lists(
    draw: st.DrawFn, *, of_resource: bool = False, max_policies: int = 2, effects: Effects = MIXED
) -> PolicyList:
    """A layer, complete."""
    written = st.lists(statements(of_resource=of_resource, effects=effects), min_size=1, max_size=3)
    parts = draw(st.lists(written, max_size=max_policies))
    versions = draw(st.sampled_from([(NEW, NEW), (NEW, NEW), (NEW, OLD)]))
    return PolicyList(
        tuple(
            Policy.parse({"Version": version, "Statement": part}, name=f"p{number}")
            for number, (version, part) in enumerate(zip(versions, parts, strict=False))
        )
    )


FULL = PolicyList(
    (
        Policy.parse(
            {"Version": NEW, "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, name="FullAccess"
        ),
    )
)


@st.composite
def policy_sets(draw: st.DrawFn, *, effects: Effects = MIXED) -> PolicySet:
    """Everything that bears on a request; layers that do not apply, and layers that allow all, are common."""
    layer = policy_lists(effects=effects)
    optional = st.one_of(st.none(), st.just(FULL), layer)
    levels = st.one_of(st.none(), st.lists(st.one_of(st.just(FULL), layer), max_size=2).map(tuple))
    grants = st.one_of(st.just(Grant()), st.just(Grant()), st.builds(Grant, truths, truths, truths))
    layers = [
        ResourceLayer(
            name,
            draw(policy_lists(of_resource=True, max_policies=1, effects=effects)),
            deny_only=draw(st.integers(0, 9)) == 0,
            other_grant=draw(grants),
        )
        for name in ("access-point-policy", "bucket-policy")[draw(st.integers(0, 2)) :]
    ]
    return PolicySet(
        same_account=draw(st.sampled_from([Truth.YES, Truth.YES, Truth.NO])),
        identity=draw(st.one_of(st.just(FULL), layer)),
        boundary=draw(optional),
        session=draw(optional),
        scp=draw(levels),
        rcp=draw(levels),
        vpc_endpoint=draw(optional),
        resource=tuple(layers),
        resource_must_delegate=draw(st.integers(0, 4)) == 0,
    )


def _values(key: str) -> st.SearchStrategy[tuple[str, ...] | None]:
    if key in SETS:
        return st.one_of(st.none(), st.lists(st.sampled_from(SETS[key]), max_size=2).map(tuple))
    return st.one_of(st.none(), st.sampled_from(DOMAIN[key]).map(lambda value: (value,)))


complete_keys: st.SearchStrategy[dict[str, tuple[str, ...] | None]] = st.fixed_dictionaries(
    {key: _values(key) for key in (*DOMAIN, *SETS)}
)
"""Every key with its values, or None: absent."""


def world_of(keys: Mapping[str, tuple[str, ...] | None], unknown: frozenset[str] = frozenset()) -> RequestContext:
    """The context in which these keys hold, but for those that are not known."""
    present = {key: values for key, values in keys.items() if values is not None and key not in unknown}
    return RequestContext(present, unknown)


@st.composite
def requests(draw: st.DrawFn, who: st.SearchStrategy[Principal] = principals) -> AuthorizationRequest:
    """A request about which everything is known."""
    principal = draw(who)
    return AuthorizationRequest(
        replace(principal, bounded=draw(st.sampled_from([Truth.NO, Truth.NO, Truth.YES]))),
        draw(st.sampled_from(ACTIONS)),
        draw(st.sampled_from(RESOURCES)),
        world_of(draw(complete_keys)),
    )
