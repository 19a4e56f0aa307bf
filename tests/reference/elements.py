"""Random statement elements around a question: patterns, principals, context and conditions that match or nearly do."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from denyproxy.iam.context import RequestContext
from tests.reference.operators import expand, glob

STRINGS: tuple[str, ...] = (
    "",
    "a",
    "A",
    "abc",
    "alice",
    "Alice",
    "dev-x",
    "*",
    "a?c",
    "a*",
    "ü",
    "Ü",
    "home/",
    "home/alice/x.txt",
)
STRINGS += (
    "private",
    "public-read",
    "$",
    "x y",
    "a,b",
    "o'neil",
    "111122223333",
    "true",
    "10",
    "${aws:username}",
    "//",
)
NUMBERS = ("0", "1", "1.2", "1.20", "1.3", "10", "100", "599999", "600000", "600001", "-1", "2.5")
DATES: tuple[str, ...] = ("2026-01-01T00:00:00Z", "2026-01-01", "1767225600", "1767225601", "2026-01-01T01:00:00+01:00")
DATES += ("2025-12-31T23:59:59Z", "2026-06-30T12:00:00Z", "1782820800")
ADDRESSES = ("10.0.0.1", "10.255.0.9", "203.0.113.7", "203.0.114.7", "2001:db8::1", "2001:db9::1")
NETWORKS = ("10.0.0.0/8", "10.0.0.0/16", "203.0.113.0/24", "203.0.113.7/32", "2001:db8::/32", "0.0.0.0/0", "::/0")
ARNS = ("arn:aws:s3:::data", "arn:aws:sns:eu-west-1:111122223333:topic:sub/x", "arn:aws:iam::111122223333:role/a/b")
DIGESTS = ("QUI=", "QUM=", "QUJD", "")
FLAGS = ("true", "false")

STRING_KEYS: tuple[str, ...] = (
    "aws:username",
    "aws:userid",
    "aws:PrincipalTag/team",
    "aws:RequestedRegion",
    "s3:prefix",
    "s3:x-amz-acl",
)
STRING_KEYS += ("s3:VersionId", "s3:ExistingObjectTag/Class")
MULTIVALUED_KEYS = ("aws:TagKeys", "s3:RequestObjectTagKeys")
TYPED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "String": (STRING_KEYS, STRINGS),
    "Set": (MULTIVALUED_KEYS, STRINGS[1:]),
    "Numeric": (("s3:max-keys", "s3:signatureAge", "s3:TlsVersion"), NUMBERS),
    "Date": (("aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime"), DATES),
    "Bool": (("aws:SecureTransport", "aws:MultiFactorAuthPresent", "aws:ViaAWSService"), FLAGS),
    "Ip": (("aws:SourceIp", "aws:VpcSourceIp"), ADDRESSES),
    "Arn": (("aws:PrincipalArn", "aws:SourceArn", "s3:DataAccessPointArn"), ARNS),
    "Binary": (("example:Digest",), DIGESTS),
}
"""Type of value -> (keys, values of requests)."""

ORDERS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
STRING_OPERATORS: tuple[str, ...] = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
)
STRING_OPERATORS += ("StringLike", "StringNotLike")
OPERATORS: dict[str, tuple[str, ...]] = {
    "String": STRING_OPERATORS,
    "Set": STRING_OPERATORS,
    "Numeric": tuple("Numeric" + order for order in ORDERS),
    "Date": tuple("Date" + order for order in ORDERS),
    "Bool": ("Bool",),
    "Ip": ("IpAddress", "NotIpAddress"),
    "Arn": ("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"),
    "Binary": ("BinaryEquals",),
}


def draw_context(rng: Random, principal: dict[str, Any]) -> dict[str, list[str]]:
    """Condition keys with their values, in the case AWS writes them; some are absent, some empty."""
    context: dict[str, list[str]] = {}
    for kind, (keys, values) in TYPED.items():
        for key in keys:
            if rng.random() < 0.6:
                count = rng.choice((0, 1, 1, 2, 3)) if kind == "Set" else 1
                context[key] = rng.sample(values, count)
    if principal["account"] is not None:
        context["aws:PrincipalAccount"] = [principal["account"]]
        context["aws:PrincipalArn"] = [(principal["issuer"] or principal["arn"])]
        if principal["type"] == "user":
            context["aws:username"] = [principal["arn"].rpartition("/")[2]]
        else:
            context.pop("aws:username", None)
    else:
        context.pop("aws:PrincipalArn", None)
    return context


def action_patterns(rng: Random, action: str, *, hit: bool) -> list[str]:
    """Patterns for Action, one of which matches, or none."""
    service, _, name = action.partition(":")
    cut = rng.randrange(len(name))
    misses = [f"{service}:{name[:cut]}{name[cut + 1 :]}", f"sqs:{name}", f"{service}:{name}?", f"{service}:Zz*"]
    misses += [f"sqs{service}:*", f"{service}:{name[:cut]}*x", f"{service}:?{name}"]
    hits = [action, action, action.lower(), action.upper(), f"{service}:*", "*", f"{service}:{name[:cut]}*"]
    hits += [f"{service}:{name[:cut]}?{name[cut + 1 :]}", f"{service}:*{name[cut:]}", f"{service}:{name}*"]
    chosen = rng.sample(misses, rng.choice((0, 0, 1, 2)) if hit else rng.choice((1, 1, 2)))
    chosen += [rng.choice(hits)] if hit else []
    rng.shuffle(chosen)
    return chosen


def resource_patterns(rng: Random, resource: str, context: RequestContext, version: str, *, hit: bool) -> list[str]:
    """Patterns for Resource, one of which matches, or none."""
    arn, own = resource.split(":")[:5], ":".join(resource.split(":")[5:])
    prefix = ":".join([*arn, ""]) if own else ""
    own = own or resource
    several = {key.lower() for key in MULTIVALUED_KEYS}
    single = sorted((key, values) for key, values in context.present.items() if key not in several and values[0])
    single = single or [("aws:username", ("alice",))]

    def candidate() -> str:
        cut = rng.randrange(len(own) + 1)
        key, values = rng.choice(single)
        with_variable = own
        if "${" not in own and rng.random() < 0.8:
            default = rng.choice(("", "", ", 'anon'"))
            with_variable = own.replace(values[0], "${" + key + default + "}")
        choices = [
            prefix + own,
            "*",
            prefix + "*",
            prefix + own + "*",
            prefix + own.swapcase(),
            prefix + own.rstrip("/"),
            prefix + own + "/",
            prefix + own + "/*",
            prefix + own.partition("/")[0],
            prefix + own.partition("/")[0] + "/*",
            prefix + with_variable,
            prefix + with_variable,
            prefix + own.partition("/")[0] + "/${aws:username}*",
            prefix + own.partition("/")[0] + "/${aws:PrincipalTag/team, 'alice'}/*",
            prefix + own.partition("/")[0] + "/${s3:prefix}",
            prefix + own.replace("*", "${*}") if prefix else "*",
            prefix + own.replace("?", "${?}"),
            prefix + "other/*",
        ]
        if "${" not in own:
            choices += [prefix + own[:cut] + "*", prefix + "*" + own[cut:], prefix + own[:cut] + "?" + own[cut + 1 :]]
            choices += [prefix + own[:cut] + "*" + own[cut + 2 :], prefix + own[:cut] + "?" + own[cut:]]
        return rng.choice(choices)

    def matches(pattern: str) -> bool:
        expanded = expand(pattern, version, context)
        return expanded is not None and glob(expanded, resource)

    return _mixture(rng, candidate, matches, hit=hit, fallback=resource if hit else f"{prefix or 'arn:aws:s3:::'}other")


def _mixture(
    rng: Random, candidate: Callable[[], str], matches: Callable[[str], bool], *, hit: bool, fallback: str
) -> list[str]:
    """Some candidates that miss, and one that hits if wanted."""
    drawn = {pattern: matches(pattern) for pattern in (candidate() for _ in range(6))}
    misses = [pattern for pattern, matched in drawn.items() if not matched]
    hits = [pattern for pattern, matched in drawn.items() if matched]
    chosen = misses[: rng.choice((0, 0, 1, 2)) if hit else rng.choice((1, 1, 2))]
    if hit:
        chosen.append(hits[0] if hits else fallback)
    rng.shuffle(chosen)
    return chosen or [fallback]


def _others(principal: dict[str, Any]) -> list[tuple[str, str]]:
    """(kind, value) of Principal elements that name somebody else."""
    account = principal["account"] or "777788889999"
    other = "999900001111"
    others = [("AWS", other), ("AWS", f"arn:aws:iam::{other}:root"), ("AWS", f"arn:aws:iam::{other}:user/alice")]
    others += [("AWS", f"arn:aws:iam::{account}:user/nobody"), ("AWS", "AIDAQ3EGQEXAMPLEAAAAA")]
    others += [
        ("AWS", f"arn:aws:sts::{account}:assumed-role/nobody/s1"),
        ("AWS", f"arn:aws-us-gov:iam::{account}:root"),
    ]
    others += [("Service", "delivery.logs.amazonaws.com"), ("Federated", "accounts.google.com")]
    if principal["arn"] and principal["type"] != "service":
        start, colon, end = (principal["issuer"] or principal["arn"]).rpartition(":")
        others += [("AWS", principal["arn"] + "x"), ("AWS", start + colon + end.swapcase())]
    return others


def _chain(principal: dict[str, Any]) -> list[tuple[str, str]]:
    """(kind, value) of every Principal element, but `*`, that names the caller."""
    if principal["type"] == "service":
        return [("Service", principal["arn"])]
    if principal["account"] is None:
        return []
    partition = principal["arn"].split(":")[1]
    chain = [("AWS", principal["account"]), ("AWS", f"arn:{partition}:iam::{principal['account']}:root")]
    chain += [("AWS", principal["arn"])] * 2
    chain += [("AWS", principal["issuer"])] * 3 if principal["issuer"] else []
    return chain


def _as_element(rng: Random, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    element: dict[str, Any] = {}
    for kind, value in pairs:
        element.setdefault(kind, []).append(value)
    return {k: v[0] if len(v) == 1 and rng.random() < 0.5 else v for k, v in element.items()}


def principal_element(rng: Random, principal: dict[str, Any], *, hit: bool) -> Any:
    """A Principal element that names the caller, or does not."""
    others = rng.sample(_others(principal), rng.choice((0, 0, 1, 2)) if hit else rng.choice((1, 1, 2)))
    if not hit:
        return _as_element(rng, others)
    chain = _chain(principal)
    if not chain or rng.random() < 0.3:
        return rng.choice(("*", {"AWS": "*"}, {"AWS": ["*"]}))
    pairs = [*others, rng.choice(chain)]
    rng.shuffle(pairs)
    return _as_element(rng, pairs)


def not_principal_element(rng: Random, principal: dict[str, Any], *, listed: bool, halves: bool) -> Any:
    """A NotPrincipal element that lists the caller (with role and account), or none of these, or (`halves`) some."""
    chain = _chain(principal)
    if not listed and halves and chain and rng.random() < 0.5:
        pairs = [("AWS", rng.choice(chain)[1])]
    elif listed and chain:
        account = rng.choice(chain[:2]) if principal["type"] != "service" else chain[0]
        pairs = list(dict.fromkeys([account, *chain[2:]]))
    else:
        pairs = rng.sample(_others(principal), rng.choice((1, 2)))
    rng.shuffle(pairs)
    return _as_element(rng, pairs)


def condition_block(rng: Random, context: RequestContext) -> dict[str, Any]:
    """A Condition element of one to three conditions."""
    block: dict[str, Any] = {}
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        operator, key, written = condition(rng, context)
        keys = block.setdefault(operator, {})
        if key.lower() not in {known.lower() for known in keys}:
            keys[key] = written
    return block


def condition(rng: Random, context: RequestContext) -> tuple[str, str, Any]:
    """(operator, key as written, values as written)."""
    kind = rng.choices(list(TYPED), (40, 14, 12, 12, 10, 10, 14, 4))[0]
    key = rng.choice(TYPED[kind][0])
    actual = context.present.get(key.lower())
    name = rng.choice(OPERATORS[kind])
    quantified = kind == "Set" or (rng.random() < 0.12 and actual != ("",))
    if rng.random() < 0.08 and actual != ():
        return "Null", _cased(rng, key), rng.choice(("true", "false", True, False, ["true"]))
    values = [_value(rng, kind, name, actual, context) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if rng.random() < 0.02:
        values = []
    operator = name + ("IfExists" if rng.random() < 0.25 else "")
    if quantified:
        operator = rng.choice(("ForAllValues:", "ForAnyValue:")) + (name if actual == () else operator)
    return operator, _cased(rng, key), values[0] if len(values) == 1 and rng.random() < 0.6 else values


def _cased(rng: Random, key: str) -> str:
    return rng.choice((key, key, key, key.lower(), key.upper()))


def _value(rng: Random, kind: str, operator: str, actual: tuple[str, ...] | None, context: RequestContext) -> Any:
    """One policy value, as written, often close to one of the request's values."""
    known = rng.choice(actual) if actual and rng.random() < 0.75 else None
    value: Any
    if kind in ("String", "Set"):
        return _string(rng, known if known is not None else rng.choice(STRINGS), context)
    if kind == "Arn":
        return _arn(rng, known if known is not None else rng.choice(ARNS), context)
    if kind == "Ip":
        if known is not None and rng.random() < 0.4:
            return known
        bad = ("10.0.0.0/33", "office") if "Not" not in operator else ()
        return rng.choice((*NETWORKS, *NETWORKS, *ADDRESSES, *bad))
    value = known if known is not None else rng.choice(TYPED[kind][1])
    if "Not" not in operator and kind in ("Numeric", "Date") and rng.random() < 0.03:
        return "soon"
    if kind == "Numeric" and rng.random() < 0.3:
        return float(value) if "." in value else int(value)
    if kind == "Bool" and rng.random() < 0.4:
        return rng.choice((value == "true", value.capitalize(), value.upper()))
    return value if rng.random() < 0.6 else rng.choice(TYPED[kind][1])


def _string(rng: Random, value: str, context: RequestContext) -> Any:
    cut = rng.randrange(len(value) + 1)
    single = sorted(key for key, values in context.present.items() if len(values) == 1)
    variable = rng.choice((*single, "aws:username", "aws:FederatedProvider"))
    key = rng.choice((variable, variable.upper()))
    if variable in {key.lower() for key in MULTIVALUED_KEYS}:
        key = "aws:username"
    choices: list[Any] = [value] * 3 + [
        value.swapcase(),
        value + "*",
        "*",
        "?" * len(value),
        "${" + key + "}",
        "${" + key + ", 'alice'}",
        "${" + key + ",'alice'}*",
        value.replace("*", "${*}").replace("?", "${?}") if "${" not in value else value,
        "${$}" + value[1:] if value.startswith("$") else value,
        rng.choice(STRINGS),
    ]
    if "${" not in value:
        choices += [value[:cut] + "*", "*" + value[cut:], value[:cut] + "?" + value[cut + 1 :]]
        choices += [value[:cut] + "*" + value[cut + 1 :], value[:cut] + "?" + value[cut:], "*" + value[cut:] + "*"]
    if value == "10":
        choices += [10, 10]
    if value == "true":
        choices += [True, True]
    return rng.choice(choices)


def _arn(rng: Random, value: str, context: RequestContext) -> str:
    parts = value.split(":", 5)
    changed = list(parts)
    index = rng.randrange(6)
    cut = rng.randrange(len(parts[5]) + 1)
    changed[index] = rng.choice(("*", parts[index] + "?", "x", parts[index][:1] + "*"))
    own = rng.choice(("*", parts[5][:cut] + "*", parts[5][:cut] + "?" + parts[5][cut + 1 :], "user/${aws:username}"))
    choices = [value, ":".join(changed), ":".join([*parts[:5], own]), f"arn:*:*:*:*:{own}", rng.choice(ARNS)]
    arns = [key for key in ("aws:principalarn", "aws:sourcearn") if key in context.present]
    choices += ["${" + key + "}" for key in arns]
    return rng.choice(choices)
