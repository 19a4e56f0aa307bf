"""The prose of what the caller changes: fields of the request, and whatever else it is evaluated with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from denyproxy.explain.addresses import is_private
from denyproxy.explain.prose.near_misses import place
from denyproxy.explain.prose.remedies import listed, shown
from denyproxy.iam.condition import Condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import Truth


def field_changes(changes: Sequence[tuple[str, str | None, bool]], *, presigned: bool = False) -> str:
    """(name, value or None to leave it out, is it a query parameter?). `presigned`: the URL is signed."""
    left_out = [name for name, value, _ in changes if value is None]
    said = [_field_change(name, value, query) for name, value, query in changes if value is not None]
    if presigned:
        carried = " and ".join(f"{name}={shown(value)}" for name, value, _ in changes if value is not None)
        parts = [f"with {carried} in its query"] if carried else []
        parts += [f"without {listed(left_out)}"] if left_out else []
        return f"sign a new URL {' and '.join(parts)}"
    return " and ".join([*said, *([f"leave out {listed(left_out)}"] if left_out else [])])


def _field_change(name: str, value: str | None, query: bool) -> str:
    if query:
        return f"send the query parameter {name}={value}" + ("" if value else " (empty)")
    return f"send {name}: {shown(value)}"


def with_partner(words: str, partner: str) -> str:
    """Of two headers that S3 takes only together, the value of one is not for denyproxy to choose."""
    return f"{words} together with {partner} (S3 takes neither alone)"


def of_folder(words: str, prefix: str) -> str:
    """A prefix with the slash that makes it a folder's."""
    return f"{words}: what is in the folder, rather than all that begins with {shown(prefix)}"


def field_pattern(name: str, tag: str, condition: Condition, statement: str, *, denies: bool) -> str:
    """A value that the policy knows by a pattern only, or one that is to be there (Null). `tag`: of x-amz-tagging."""
    if condition.operator is None:
        return f"send {name}{f' with the tag {tag}' if tag else ''}, which {place(statement)} demands"
    asked = f"{condition.operator_text} {shown(', '.join(condition.values))}"
    lets = f"does not deny (it denies {asked})" if denies else f"accepts ({asked})"
    return f"send {name} with a value that {place(statement)} {lets}"


_CREATE_IN = "create the bucket in a region that {statement} lets through ({operator} {values}), such as {value}"

_GET_TOKEN = "(aws sts get-session-token --serial-number ... --token-code ...)"
_ASSUME = "(aws sts assume-role --serial-number ... --token-code ...)"
_SHORTLY = "not long before the request"

_SURROUNDINGS: Mapping[str, str] = {
    "aws:securetransport": "send the request over TLS: use an https:// endpoint",
    "s3:tlsversion": "connect with TLS {value} or later",
    "aws:multifactorauthpresent": f"use session credentials that were obtained with MFA {_GET_TOKEN}",
    "aws:multifactorauthage": f"sign in with MFA {_GET_TOKEN} {_SHORTLY}",
    "aws:tokenissuetime": "get new session credentials: those issued before {value} are revoked",
    "aws:calledvia": "have {any} make the request on the caller's behalf",
    "aws:sourceidentity": "assume the role with the source identity of whoever acts (aws sts assume-role "
    "--source-identity ...), as {statement} demands",
    "ec2:roledelivery": "get the instance's credentials from its metadata service by IMDSv2 (with a session token)",
    "aws:sourcevpce": "send the request through the VPC endpoint {any}",
    "aws:sourcevpc": "send the request from the VPC {any}, through its endpoint for S3",
    "aws:vpcsourceip": "send the request through a VPC endpoint, from an address that {statement} {lists} ({values})",
    "aws:sourceip": "send the request from an address that {statement} {lists} ({values})",
    "s3:authtype": "use {auth}",
    "s3:signatureversion": "sign the request with {value}",
    "s3:signatureage": "sign the request anew: {statement} finds its signature too old",
    "s3:x-amz-content-sha256": "sign the payload too: {statement} refuses this x-amz-content-sha256",
    "s3:dataaccesspointarn": "send the request through the access point {any}",
    "s3:dataaccesspointaccount": "send the request through an access point of account {any}",
    "s3:accesspointnetworkorigin": "send the request through an access point with network origin {any}",
    "aws:requestedregion": _CREATE_IN,
    "s3:locationconstraint": _CREATE_IN,
    "s3:object-lock-mode": "ask for a retention in {value} mode",
    "s3:object-lock-remaining-retention-days": "ask for a retention of {value} days",
    "aws:principaltag": "only if the caller truly is {key} = {value}, tag it so, as {statement} demands",
    "s3:existingobjecttag": "only if the object truly is {key} = {value}, have it tagged so, as {statement} "
    "demands, by whoever attests that",
    "s3:buckettag": "only if the bucket truly is {key} = {value}, tag it so, as {statement} demands",
    "aws:resourcetag": "only if the bucket truly is {key} = {value}, tag it so, as {statement} demands",
}
"""Condition key or family (lower case) -> what gives it another value."""

_WITHOUT_MFA = f"sign as a user with MFA {_GET_TOKEN} or as a role {_ASSUME}: GetFederationToken takes no MFA"
_MFA: Mapping[PrincipalType, Mapping[str, str]] = {
    PrincipalType.ROLE_SESSION: {
        "aws:multifactorauthpresent": f"assume the role with MFA {_ASSUME}, which AWS does for no instance or function",
        "aws:multifactorauthage": f"assume the role with MFA {_ASSUME} {_SHORTLY}",
    },
    PrincipalType.FEDERATED: {
        "aws:multifactorauthpresent": _WITHOUT_MFA,
        "aws:multifactorauthage": _WITHOUT_MFA,
    },
}
"""The same, for sessions, with whose credentials nobody can get a session token.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html"""

_AUTH = {
    "REST-HEADER": "an Authorization header instead of a presigned URL",
    "REST-QUERY-STRING": "a presigned URL instead of an Authorization header",
}


def surroundings_change(
    condition: Condition, value: str | None, statement: str, caller: PrincipalType, endpoint: str | None = None
) -> str:
    """What gives a condition key another value. `endpoint`: the VPC endpoint that then must not be used."""
    key = condition.lower_key
    family, _, member = condition.key.partition("/")
    template = _MFA.get(caller, {}).get(key) or _SURROUNDINGS.get(key) or _SURROUNDINGS[family.lower()]
    listed_there = _is_listed(condition, value)
    named = condition.values
    if key == "aws:sourceip" and listed_there and not is_private(value or ""):
        named = tuple(text for text in named if not is_private(text))
    values = shown(", ".join(named))
    known = condition.values if listed_there and value in condition.values else (value or "",)
    words = template.format(
        value=shown(value),
        any=shown(" or ".join(known)),
        values=values,
        statement=place(statement),
        key=member,
        lists="lists" if listed_there else "does not list",
        auth=_AUTH.get(value or "", f"s3:authType {value}"),
        operator=condition.operator_text,
    )
    if endpoint is not None and key == "aws:sourceip":
        words += f", and not through the VPC endpoint {endpoint}: through one there is no aws:SourceIp"
    return words


def either(choices: Sequence[str]) -> str:
    """Any of them is enough."""
    return f"{', or '.join(dict.fromkeys(choices))}: either is enough"


_ONLY_WITH_ABAC = "S3 evaluates the tags of a bucket only then"


def with_abac(words: str, tag: str, value: str | None, *, tagged: bool) -> str:
    """The same for a bucket whose tags do not count yet."""
    if tagged:
        return f"enable ABAC for the bucket (PutBucketAbac), which is tagged {tag} = {shown(value)}: {_ONLY_WITH_ABAC}"
    return f"{words}, and enable ABAC for it (PutBucketAbac): {_ONLY_WITH_ABAC}"


ATTESTED = "a tag attests something: whether it would be true of this one is not known here"
ENABLED = "what else the tags of the bucket then allow or deny is not known here"
REPLACES_DEFAULT = " (it takes the place of how the bucket encrypts by default, which is not known here)"
SOURCE_IDENTITY = (
    "whether that one fits, and whether the role's trust policy allows sts:SetSourceIdentity, is not known"
)
ACCESS_POINT = "whether there is such an access point, and whether its policy allows the caller, is not known"
CALLING_SERVICE = "the service that makes the request"
CONFIGURED = "whether the service can be configured to do so is not known"
PATTERN = "which of the values that fit is right is not known"
VALUE = "which value is right is not known"


def _is_listed(condition: Condition, value: str | None) -> bool:
    """Is the value one of the condition's, whether the condition wants it to be or not?"""
    present = {} if value is None else {condition.lower_key: (value,)}
    return (condition.test(RequestContext(present=present)) is Truth.YES) is not condition.negated
