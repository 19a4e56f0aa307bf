"""Why an element of a policy missed, by general rules: a closed set of reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import pairwise

from denyproxy.iam.principal import Named, Principal, PrincipalType, account_of, named_aws
from denyproxy.iam.wildcard import SEPARATORS, Predicate, any_glob, everything, nothing, tokens_of


class Mismatch(StrEnum):
    """Why expected and actual do not match; of negated elements, why they do."""

    # What somebody meant is clear.
    API_NAME_INSTEAD_OF_ACTION = "api-name-instead-of-action"
    ACTION_WITHOUT_SERVICE = "action-without-service"
    TRAILING_SLASH = "trailing-slash"
    CASE_DIFFERS = "case-differs"
    BUCKET_ARN_INSTEAD_OF_OBJECT = "bucket-arn-instead-of-object"
    """The pattern names a container, and the resource lies below it."""
    OBJECT_ARN_INSTEAD_OF_BUCKET = "object-arn-instead-of-bucket"
    """The pattern names what is in a container, and the resource is the container."""
    COLON_FOR_SLASH = "colon-for-slash"
    LOCATED_BUCKET_ARN = "located-bucket-arn"
    """The ARN of a bucket with a Region or an account, of which it has neither."""
    ALIAS_INSTEAD_OF_KEY = "alias-instead-of-key"
    """An alias of a KMS key, which stands for the alias alone in a policy."""
    OBJECT_SEGMENT_MISSING = "object-segment-missing"
    """In the ARN of an access point, keys stand after `/object/`."""
    OTHER_PARTITION = "other-partition"
    OTHER_REGION = "other-region"
    OTHER_ACCOUNT = "other-account"
    NOT_AN_ARN = "not-an-arn"
    PREFIX_LACKS_WILDCARD = "prefix-lacks-wildcard"
    WILDCARD_IN_EXACT_OPERATOR = "wildcard-in-exact-operator"
    SESSION_NAME_DIFFERS = "session-name-differs"
    ROLE_NOT_SESSION = "role-not-session"
    """The role is named where the ARN of the session is needed."""
    PATH_DIFFERS = "path-differs"
    """User or role of that name, under another path."""
    DELETED_PRINCIPAL = "deleted-principal"
    """A unique id in place of an ARN: the user or role was deleted after the policy was written."""
    WILDCARD_IN_PRINCIPAL = "wildcard-in-principal"
    GROUP_AS_PRINCIPAL = "group-as-principal"
    ACCOUNT_NOT_LISTED = "account-not-listed"
    """NotPrincipal lists the caller without the caller's account."""
    PERMISSIONS_BOUNDARY = "permissions-boundary"
    """NotPrincipal with Deny spares nobody who has one."""
    VARIABLE_LITERAL = "variable-literal"
    """Variables are not replaced before Version 2012-10-17."""
    VARIABLE_UNRESOLVED = "variable-unresolved"
    VALUE_UNREADABLE = "value-unreadable"
    UNKNOWN_OPERATOR = "unknown-operator"
    KEY_ABSENT = "key-absent"
    KEY_UNKNOWN = "key-unknown"
    VALUE_UNCERTAIN = "value-uncertain"
    """The value is known to within a margin that can turn the comparison."""
    SEVERAL_VALUES = "several-values"
    """A key with several values and no ForAllValues or ForAnyValue."""
    # It is just another one.
    KEY_PRESENT = "key-present"
    VALUE_DIFFERS = "value-differs"
    VALUE_EXCLUDED = "value-excluded"
    ACTION_NOT_LISTED = "action-not-listed"
    ACTION_EXCLUDED = "action-excluded"
    RESOURCE_NOT_LISTED = "resource-not-listed"
    RESOURCE_EXCLUDED = "resource-excluded"
    PRINCIPAL_NOT_LISTED = "principal-not-listed"
    PRINCIPAL_EXCLUDED = "principal-excluded"


class Doubt(StrEnum):
    """Why a result is less than certain: AWS's own pages disagree, or say nothing."""

    WILDCARD_CROSSES_COLON = "wildcard-crosses-colon"
    """IAM lets `*` run over the segments of an ARN, the S3 page does not."""
    WILDCARD_IN_SERVICE = "wildcard-in-service"
    """AWS accepts no wildcard in the service segment."""
    ANONYMOUS_AWS_STAR = "anonymous-aws-star"
    """Whether {"AWS": "*"} means anonymous callers as "*" does."""
    NOT_PRINCIPAL_ALLOW = "not-principal-allow"
    """NotPrincipal with Allow is not supported, by AWS's current text."""
    NARROW_SCP_ALLOW = "narrow-scp-allow"
    """An SCP's Allow with conditions or resources, which older text says it cannot have."""
    BOOL_VARIABLE = "bool-variable"
    NEGATED_FOR_ALL_ABSENT = "negated-for-all-absent"
    """ForAllValues with a negated operator and no values."""
    SEVERAL_VALUES = "several-values"
    UNKNOWN_OPERATOR = "unknown-operator"
    UNREADABLE_VALUE = "unreadable-value"


Rule = tuple[Mismatch, Callable[[str], Predicate]]
"""A reason, and what makes of a pattern the test whether that is why it misses a text."""

Near = tuple[tuple[Mismatch, str, Predicate], ...]
"""Rules made concrete: reason, pattern, test; the first that holds counts."""


def near_by(patterns: Iterable[str], rules: Iterable[Rule]) -> Near:
    """Compile patterns by rules, the first rule first."""
    known = tuple(patterns)
    # Beside home/ann/*, or bucket/home/*, what comes before is listed for itself: home/, or the bucket.
    ordered = sorted(set(known))
    steps = frozenset(step for step, following in pairwise(ordered) if following.startswith(step))
    rows = (
        (reason, pattern, made(pattern))
        for reason, made in rules
        for pattern in known
        if pattern not in steps or made not in _REACHING
    )
    return tuple(row for row in rows if row[2] is not nothing)


def nearest(near: Near, actual: str) -> tuple[str, Mismatch] | None:
    """The pattern that nearly matches, and why it does not."""
    for reason, pattern, explains in near:
        if explains(actual):
            return pattern, reason
    return None


def _glob(*patterns: str) -> Predicate:
    return any_glob(map(tokens_of, patterns))


def _trailing_slash(pattern: str) -> Predicate:
    return _glob(pattern + "/", *((pattern[:-1],) if pattern.endswith("/") else ()))


def _case_differs(pattern: str) -> Predicate:
    matches = _glob(pattern.lower())
    return lambda actual: matches(actual.lower())


def _segments(text: str) -> list[str] | None:
    parts = text.split(":", SEPARATORS)
    return parts if len(parts) > SEPARATORS and parts[0] == "arn" else None


def _is_container(arn: str) -> bool:
    """Is it a bucket, an access point, rather than what is in one? arn:aws:s3:::NAME, or arn:...:ACCOUNT:KIND/NAME."""
    parts = _segments(arn)
    return parts is not None and parts[-1].count("/") <= bool(parts[4])


def _container_named(pattern: str) -> Predicate:
    return _glob(pattern + "/*") if _is_container(pattern) else nothing


def _content_named(pattern: str) -> Predicate:
    starts = _glob(*(pattern[:cut] for cut, character in enumerate(pattern) if character == "/"))
    # A wildcard in the name of the bucket runs over what is in it, too.
    return nothing if starts is nothing else lambda actual: _is_container(actual) and starts(actual)


def _colon_for_slash(pattern: str) -> Predicate:
    parts = _segments(pattern)
    if parts is None or ":" not in parts[-1]:
        return nothing
    return _glob(":".join((*parts[:-1], parts[-1].replace(":", "/"))))


def _located_bucket(pattern: str) -> Predicate:
    parts = _segments(pattern)
    if parts is None or parts[2] != "s3" or not (parts[3] or parts[4]) or parts[5].startswith("accesspoint"):
        return nothing
    return _glob(":".join((*parts[:3], "", "", parts[5])))


def _alias_of_key(pattern: str) -> Predicate:
    """https://docs.aws.amazon.com/kms/latest/developerguide/cmks-in-iam-policies.html"""
    parts = _segments(pattern)
    if parts is None or parts[2] != "kms" or not parts[5].startswith("alias/"):
        return nothing
    return _glob(":".join((*parts[:5], "key/*")))


def _without_object(pattern: str) -> Predicate:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html"""
    head, found, rest = pattern.partition(":accesspoint/")
    name, slash, key = rest.partition("/")
    return _glob(f"{head}{found}{name}/object/{key}") if found and slash else nothing


def _other_segment(index: int) -> Callable[[str], Predicate]:
    def made(pattern: str) -> Predicate:
        mine = _segments(pattern)
        if mine is None:
            return nothing
        same = _glob(mine[index])
        but_for_it = _glob(":".join((*mine[:index], "*", *mine[index + 1 :])))

        def explains(actual: str) -> bool:
            theirs = _segments(actual) if but_for_it(actual) else None
            return theirs is not None and not same(theirs[index])

        return nothing if same is everything else explains

    return made


def _not_an_arn(pattern: str) -> Predicate:
    return nothing if pattern.startswith("arn:") or pattern == "*" else lambda actual: actual.startswith("arn:")


def _prefix(pattern: str) -> Predicate:
    if not pattern:
        return nothing
    # What only begins alike is another name: role/app was not meant to reach role/app-admin.
    return _glob(pattern + "/*", pattern + ":*") if pattern[-1].isalnum() else _glob(pattern + "*")


def _name_alone(pattern: str) -> Predicate:
    if ":" in pattern:
        return nothing
    differs = _case_differs(pattern)
    return lambda action: differs(action.partition(":")[2])


def _service_alone(pattern: str) -> Predicate:
    if not pattern.endswith(":"):
        return nothing
    prefix = _prefix(pattern.lower())
    return lambda action: prefix(action.lower())


def _stripped(pattern: str) -> Predicate:
    pattern = pattern.rstrip("/")
    return lambda actual: pattern == actual.rstrip("/")


def _folded(pattern: str) -> Predicate:
    pattern = pattern.lower()
    return lambda actual: pattern == actual.lower()


_REACHING = frozenset({_container_named, _prefix})
"""By these a pattern was meant to reach further than it does."""

RESOURCE_RULES: tuple[Rule, ...] = (
    (Mismatch.TRAILING_SLASH, _trailing_slash),
    (Mismatch.CASE_DIFFERS, _case_differs),
    (Mismatch.BUCKET_ARN_INSTEAD_OF_OBJECT, _container_named),
    (Mismatch.OBJECT_ARN_INSTEAD_OF_BUCKET, _content_named),
    (Mismatch.COLON_FOR_SLASH, _colon_for_slash),
    (Mismatch.LOCATED_BUCKET_ARN, _located_bucket),
    (Mismatch.ALIAS_INSTEAD_OF_KEY, _alias_of_key),
    (Mismatch.OBJECT_SEGMENT_MISSING, _without_object),
    (Mismatch.OTHER_PARTITION, _other_segment(1)),
    (Mismatch.OTHER_REGION, _other_segment(3)),
    (Mismatch.OTHER_ACCOUNT, _other_segment(4)),
    (Mismatch.PREFIX_LACKS_WILDCARD, _prefix),
    (Mismatch.NOT_AN_ARN, _not_an_arn),
)

ACTION_RULES: tuple[Rule, ...] = (
    (Mismatch.ACTION_WITHOUT_SERVICE, _name_alone),
    (Mismatch.PREFIX_LACKS_WILDCARD, _service_alone),
)

EXACT_RULES: tuple[Rule, ...] = (
    (Mismatch.WILDCARD_IN_EXACT_OPERATOR, _glob),
    (Mismatch.CASE_DIFFERS, _folded),
    (Mismatch.TRAILING_SLASH, _stripped),
)

FOLDED_RULES: tuple[Rule, ...] = ((Mismatch.WILDCARD_IN_EXACT_OPERATOR, _case_differs),)

GLOB_RULES: tuple[Rule, ...] = (
    (Mismatch.CASE_DIFFERS, _case_differs),
    (Mismatch.TRAILING_SLASH, _trailing_slash),
    (Mismatch.PREFIX_LACKS_WILDCARD, _prefix),
)

ARN_RULES: tuple[Rule, ...] = (
    (Mismatch.NOT_AN_ARN, lambda pattern: nothing if _segments(pattern) is not None else everything),
    (Mismatch.CASE_DIFFERS, _case_differs),
    (Mismatch.OTHER_PARTITION, _other_segment(1)),
    (Mismatch.OTHER_REGION, _other_segment(3)),
    (Mismatch.OTHER_ACCOUNT, _other_segment(4)),
    (Mismatch.TRAILING_SLASH, _trailing_slash),
    (Mismatch.PREFIX_LACKS_WILDCARD, _prefix),
)


def principal_mismatch(entry: Named, principal: Principal) -> Mismatch:
    """Why an entry of a Principal element does not name a caller."""
    if entry.kind == "deleted":
        return Mismatch.DELETED_PRINCIPAL
    if entry.kind == "invalid":
        return _invalid(entry.text)
    arn = principal.issuer if entry.kind == "role" else principal.arn
    if principal.type in (PrincipalType.ANONYMOUS, PrincipalType.UNKNOWN) or arn is None:
        return Mismatch.PRINCIPAL_NOT_LISTED
    if entry.kind == "account":
        account = account_of(principal)
        if account is None:
            return Mismatch.PRINCIPAL_NOT_LISTED
        return Mismatch.OTHER_PARTITION if entry.account == account else Mismatch.OTHER_ACCOUNT
    if entry.text.lower() == arn.lower():
        return Mismatch.CASE_DIFFERS
    mine = named_aws(arn)
    if mine.kind != entry.kind:
        return Mismatch.PRINCIPAL_NOT_LISTED
    if mine.name != entry.name:
        if entry.account != mine.account or entry.role_name != mine.role_name:
            return Mismatch.PRINCIPAL_NOT_LISTED
        return Mismatch.SESSION_NAME_DIFFERS if entry.kind == "assumed-role" else Mismatch.PATH_DIFFERS
    return Mismatch.OTHER_ACCOUNT if entry.account != mine.account else Mismatch.OTHER_PARTITION


def _invalid(text: str) -> Mismatch:
    if "*" in text:
        return Mismatch.WILDCARD_IN_PRINCIPAL
    if ":group/" in text:
        return Mismatch.GROUP_AS_PRINCIPAL
    return Mismatch.ROLE_NOT_SESSION if ":assumed-role/" in text else Mismatch.PRINCIPAL_NOT_LISTED
