"""Prose for one element of a statement: in plain words, why it does not match."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from denyproxy.explain.near_misses import kind_of
from denyproxy.iam.evidence import ElementEvidence, StatementEvidence
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.truth import Truth
from denyproxy.s3.arn import is_of_access_point, objects_of
from denyproxy.s3.condition_keys import is_never_set
from denyproxy.s3.spelling import condition_key_problem

Phrase = Callable[[ElementEvidence], str]


def near_miss_sentence(evidence: StatementEvidence) -> str:
    """Why one Allow does not apply, or may not, all its failing elements named."""
    told = evidence.failing or tuple(item for item in evidence.elements if item.truth is Truth.UNKNOWN)
    phrases = "; ".join(near_miss_phrase(evidence, item) for item in told)
    label = place(evidence.statement.label)
    applies = "does not apply" if evidence.failing else "may not apply"
    return f"{label[:1].upper()}{label[1:]} of {evidence.policy.name} {applies}: {phrases}."


def near_miss_phrase(evidence: StatementEvidence, item: ElementEvidence) -> str:
    """Why one element does not match."""
    if item.reason in (Mismatch.KEY_ABSENT, Mismatch.VARIABLE_UNRESOLVED):
        return _absent(item, evidence.elements[0].actual or "")
    phrase = _PHRASES.get(item.reason) if item.reason is not None else None
    return (phrase or _DEFAULTS[kind_of(item.element)])(item)


def place(label: str) -> str:
    """A statement by its Sid, or by where it stands."""
    if label.startswith("Statement["):
        return label
    return f'statement "{label}"' if " " in label else f"statement {label}"


def who_has(key: str, action: str) -> str:
    """`, which only IAM users have`: of a condition key that a request does not have; empty where that is plain."""
    if is_never_set(action, key):
        return f", which S3 never sets for {action}"
    if condition_key_problem(key) is not None:
        return ", which is no condition key"
    name = key.lower()
    return next((f", which {clause}" for start, clause in _WHO_HAS_IT if name.startswith(start)), "")


_WHO_HAS_IT = (
    ("aws:sourcearn", "only requests by AWS services have"),
    ("aws:sourceaccount", "only requests by AWS services have"),
    ("aws:sourceorg", "only requests by AWS services have"),
    ("aws:multifactorauth", "requests signed with long-term access keys never have, and those of sessions may lack"),
    ("aws:sourcevpc", "only requests through a VPC endpoint have"),
    ("aws:vpc", "only requests through a VPC endpoint have"),
    ("aws:sourceip", "requests through a VPC endpoint never have"),
    ("aws:sourceidentity", "only sessions of roles have that were assumed with one"),
    ("aws:username", "only IAM users have"),
    ("aws:principalorg", "only callers of an organization's accounts have"),
    ("aws:principaltag/", "is a tag that the caller does not have"),
    ("aws:resourcetag/", "only a resource with that tag has (a bucket only once ABAC is enabled for it)"),
    ("s3:buckettag/", "only a bucket with that tag has, once ABAC is enabled for it"),
    ("s3:existingobjecttag/", "is a tag that the object does not have"),
    ("s3:dataaccesspoint", "only requests through an access point have"),
    ("s3:accesspointnetworkorigin", "only requests through an access point have"),
)
"""Start of a condition key -> which requests have it."""


def short(text: str | None, limit: int = 200) -> str:
    """Cut off where it would be too long for a sentence."""
    text = text or ""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def quoted(value: str | None) -> str:
    """As a value within a sentence."""
    return f'"{short(value)}"'


def wanted(item: ElementEvidence) -> str:
    """The values of a condition: `"vpce-1" or "vpce-2"`."""
    return short(" or ".join(f'"{value}"' for value in item.values or (item.expected,)))


def tested_key(item: ElementEvidence) -> str:
    """The key that a condition tests. `item.key` is that of a variable in its value, where one is to blame."""
    kind, _, name = item.element.partition(":")
    return name if kind == "condition" else item.key or ""


def condition_written(item: ElementEvidence) -> str:
    """`StringEquals aws:SourceVpce "vpce-1"`."""
    return f"{item.operator} {tested_key(item)} {wanted(item)}"


def _action(item: ElementEvidence) -> str:
    if item.negated:
        return f"its NotAction ({short(item.expected)}) leaves out {item.actual}"
    return f"its Action ({short(item.expected)}) does not include {item.actual}"


def _resource(item: ElementEvidence) -> str:
    if item.negated:
        return f"its NotResource ({short(item.expected)}) leaves out {item.actual}"
    miss = f"its Resource ({short(item.expected)}) does not cover {item.actual}"
    buckets_alone = all(":s3:::" in pattern for pattern in item.expected.split(", "))
    if buckets_alone and is_of_access_point(item.actual or ""):
        return f"{miss}: what goes through an access point is authorized on the access point, not on its bucket"
    return miss


def _principal(item: ElementEvidence) -> str:
    """The caller by the kind that the policy names, so that a reader sees the wrong role at once."""
    if item.truth is Truth.UNKNOWN:
        return f"whether its Principal ({short(item.expected)}) names {item.actual or 'this caller'} is not known"
    role = role_of(item.actual)
    if role is not None and item.expected.startswith("arn:") and ":role/" in item.expected:
        return f"its Principal names {short(item.expected)}, and the caller is signed in as role {role} ({item.actual})"
    if role is not None and all(name.endswith(_OF_SERVICES) for name in item.expected.split(", ")):
        return (
            f"its Principal names {short(item.expected)} acting as itself, and the caller is signed in as role {role} "
            f"({item.actual})"
        )
    return f"its Principal ({short(item.expected)}) does not name {item.actual or 'this caller'}"


_OF_SERVICES = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu")


def role_of(arn: str | None) -> str | None:
    """The name of a session's role."""
    _, found, rest = (arn or "").partition(":assumed-role/")
    return rest.split("/")[0] if found else None


def _path(item: ElementEvidence) -> str:
    """The ARN of a session has no path, that of its role has."""
    role = role_of(item.actual)
    caller = f"the caller, {item.actual}" if role is None else f"the caller's role {role}"
    return f"its Principal ({short(item.expected)}) has another path than {caller}"


def _condition(item: ElementEvidence) -> str:
    put_in = "".join(f", and {key} is {quoted(value)}" for key, value in item.variables)
    return (
        f"its condition ({condition_written(item)}) does not hold: {tested_key(item)} is {quoted(item.actual)}{put_in}"
    )


def _name(item: ElementEvidence) -> str:
    """Of what holds the pattern."""
    return item.key or "value" if item.part == "condition" else item.part.capitalize()


def _container(item: ElementEvidence) -> str:
    return "access point" if is_of_access_point(item.expected) else "bucket"


def _wildcard_needed(item: ElementEvidence) -> str:
    if item.part == "action":
        return f"its Action ({short(item.expected)}) lacks the name of an action or a * at its end"
    return f"its {_name(item)} ({short(item.expected)}) lacks a * at its end to cover {item.actual}"


def _not_an_arn(item: ElementEvidence) -> str:
    return f"its {_name(item)} ({short(item.expected)}) is no ARN, so it cannot match {item.actual}"


def _absent(item: ElementEvidence, action: str) -> str:
    key = f"{item.key}{who_has(item.key or '', action)}"
    if item.reason is Mismatch.VARIABLE_UNRESOLVED:
        return f"the policy variable in {short(item.expected)} cannot be resolved: this request has no {key}"
    if item.element.startswith("variable:"):
        return (
            f"this request has no {key}, and with the default in its place, {short(item.expected)} does not match "
            f"{item.actual}"
        )
    if item.negated:
        return f"its condition ({condition_written(item)}) does not hold where the request has no {key}"
    absent = "" if "," in key else ", which this request does not have"
    return f"its condition ({condition_written(item)}) needs {key}{absent}"


def _differs(item: ElementEvidence) -> str:
    if item.element.startswith("variable:"):
        value = f" ({short(item.put_in)})" if item.put_in is not None else ""
        return f"with the caller's {item.key}{value} in its place, {short(item.expected)} does not match {item.actual}"
    return _DEFAULTS[kind_of(item.element)](item)


def _session_name(item: ElementEvidence) -> str:
    element = "NotPrincipal" if item.negated else "Principal"
    return (
        f"its {element} ({short(item.expected)}) names one session of the role, and this session has another name "
        f"({item.actual})"
    )


def _role_not_session(item: ElementEvidence) -> str:
    if item.negated:
        return (
            f"its NotPrincipal ({short(item.expected)}) names the role, but has to name the session as well "
            f"({item.actual})"
        )
    return f"its Principal ({short(item.expected)}) is no ARN of a role session, which is {item.actual}"


_DEFAULTS: Mapping[str, Phrase] = {
    "action": _action,
    "resource": _resource,
    "principal": _principal,
    "notprincipal": lambda item: f"its NotPrincipal ({short(item.expected)}) names this caller",
    "condition": _condition,
    "variable": lambda item: f"{short(item.expected)} does not match {item.actual}",
}

_PHRASES: Mapping[Mismatch, Phrase] = {
    Mismatch.API_NAME_INSTEAD_OF_ACTION: lambda item: (
        f"{item.expected} is not an IAM action; the action is {item.actual}"
    ),
    Mismatch.ACTION_WITHOUT_SERVICE: lambda item: (
        f"its Action ({short(item.expected)}) lacks the service; the action is {item.actual}"
    ),
    Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT: lambda item: (
        f"its Resource lists {short(item.expected)}, the {_container(item)}; objects are {objects_of(item.expected)}"
    ),
    Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET: lambda item: (
        f"its Resource lists {short(item.expected)}, the objects; this action is authorized on the {_container(item)}, "
        f"{item.actual}"
    ),
    Mismatch.TRAILING_SLASH: lambda item: (
        f"its {_name(item)} ({short(item.expected)}) and {item.actual} differ by a trailing slash"
    ),
    Mismatch.CASE_DIFFERS: lambda item: (
        f"its {_name(item)} ({short(item.expected)}) differs from {item.actual} in upper and lower case"
    ),
    Mismatch.COLON_FOR_SLASH: lambda item: (
        f"its Resource ({short(item.expected)}) has a colon where {item.actual} has a slash"
    ),
    Mismatch.LOCATED_BUCKET_ARN: lambda item: (
        f"its Resource ({short(item.expected)}) has a Region or an account, which no ARN of a bucket has: it is "
        f"{item.actual}"
    ),
    Mismatch.ALIAS_INSTEAD_OF_KEY: lambda item: (
        f"its Resource ({short(item.expected)}) is an alias, and the use of a key is authorized on the key, "
        f"{item.actual}"
    ),
    Mismatch.OBJECT_SEGMENT_MISSING: lambda item: (
        f"its {_name(item)} ({short(item.expected)}) lacks /object/ after the name of the access point, as "
        f"{item.actual} has it"
    ),
    Mismatch.PREFIX_LACKS_WILDCARD: _wildcard_needed,
    Mismatch.WILDCARD_IN_EXACT_OPERATOR: lambda item: (
        f"the wildcard in its condition ({condition_written(item)}) is literal text to {item.operator}, and {item.key} "
        f"is {quoted(item.actual)}; only the Like operators have wildcards"
    ),
    Mismatch.NOT_AN_ARN: _not_an_arn,
    Mismatch.OTHER_PARTITION: lambda item: (
        f"its {_name(item)} ({short(item.expected)}) is of another AWS partition than {item.actual}"
    ),
    Mismatch.OTHER_REGION: lambda item: (
        f"its {_name(item)} ({short(item.expected)}) is of another Region than {item.actual}"
    ),
    Mismatch.OTHER_ACCOUNT: lambda item: (
        f"its {_name(item)} ({short(item.expected)}) names another account than {item.actual}"
    ),
    Mismatch.SESSION_NAME_DIFFERS: _session_name,
    Mismatch.ROLE_NOT_SESSION: _role_not_session,
    Mismatch.PATH_DIFFERS: _path,
    Mismatch.DELETED_PRINCIPAL: lambda item: (
        f"its Principal ({short(item.expected)}) is the id of a principal that existed before and was deleted; one "
        "made again under the same name is another principal"
    ),
    Mismatch.WILDCARD_IN_PRINCIPAL: lambda item: (
        f"its Principal ({short(item.expected)}) has a wildcard within an ARN, which matches nobody; aws:PrincipalArn "
        "in a condition can have one"
    ),
    Mismatch.GROUP_AS_PRINCIPAL: lambda item: (
        f"its Principal ({short(item.expected)}) is a group, which cannot be a principal; name its users"
    ),
    Mismatch.ACCOUNT_NOT_LISTED: lambda item: (
        f"its NotPrincipal ({short(item.expected)}) names the caller, but has to name the caller's account as well"
    ),
    Mismatch.PERMISSIONS_BOUNDARY: lambda item: (
        f"its NotPrincipal ({short(item.expected)}) spares nobody with a permissions boundary, and "
        + ("the caller has one" if item.truth is Truth.YES else "whether the caller has one is not known")
    ),
    Mismatch.VARIABLE_LITERAL: lambda item: (
        f"the document has no Version 2012-10-17, so policy variables in {short(item.expected)} are literal text"
    ),
    Mismatch.VALUE_DIFFERS: _differs,
    Mismatch.VALUE_UNREADABLE: lambda item: (
        f"its condition ({condition_written(item)}) has a value that {item.operator} cannot read, so nothing matches"
    ),
    Mismatch.UNKNOWN_OPERATOR: lambda item: f"its condition has an operator that is not one of IAM's ({item.operator})",
    Mismatch.KEY_UNKNOWN: lambda item: (
        f"whether its condition ({condition_written(item)}) holds depends on {item.key}, which is not known"
    ),
    Mismatch.SEVERAL_VALUES: lambda item: (
        f"{item.key} has several values ({short(item.actual)}), and its condition ({condition_written(item)}) has "
        "neither ForAllValues nor ForAnyValue to say how they compare"
    ),
    Mismatch.KEY_PRESENT: lambda item: (
        f"its condition ({condition_written(item)}) wants no {item.key}, and the request has {quoted(item.actual)}"
    ),
}
"""Reasons that are told in words of their own."""
