"""Condition keys that follow from who calls and with which credentials.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping

from denyproxy.iam.principal import PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.arn import Arn
from denyproxy.s3.snapshot import PrincipalFacts
from denyproxy.s3.view import Family, Value, View, one

_TYPES = {
    PrincipalType.USER: "User",
    PrincipalType.ROLE_SESSION: "AssumedRole",
    PrincipalType.ROOT: "Account",
    PrincipalType.FEDERATED: "FederatedUser",
    PrincipalType.ANONYMOUS: "Anonymous",
}

SERVICE_KEYS = (
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:principalservicenameslist",
)
"""Present only where the principal of an AWS service calls, as is aws:PrincipalServiceName."""

SESSION_KEYS = (
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:tokenissuetime",
    "aws:assumedroot",
    "aws:federatedprovider",
    "aws:sourceidentity",
    "aws:signinsessionarn",
    "aws:chatbotsourcearn",
    "aws:ec2instancesourcevpc",
    "aws:ec2instancesourceprivateipv4",
    "ec2:roledelivery",
    "ec2:sourceinstancearn",
    "glue:roleassumedby",
    "glue:credentialissuingservice",
    "codebuild:buildarn",
    "codebuild:projectarn",
    "lambda:sourcefunctionarn",
    "ssm:sourceinstancearn",
    "identitystore:userid",
)
"""Kept in the session of temporary credentials; no request shows them."""


def principal_keys(view: View) -> Mapping[str, Value]:
    """The keys of the caller and its session; families are in principal_tags."""
    principal = view.caller.principal
    anonymous = principal.type is PrincipalType.ANONYMOUS
    service = principal.type is PrincipalType.SERVICE
    account = view.snapshot.account(principal.account)
    return {
        "aws:principaltype": one(_TYPES.get(principal.type, UNKNOWN)),
        "aws:principalaccount": ("anonymous",) if anonymous else one(principal.account or UNKNOWN),
        "aws:principalarn": _arn(view),
        "aws:principalisawsservice": None if anonymous else (str(service).lower(),),
        "aws:userid": _user_id(view),
        "aws:username": _user_name(view),
        "aws:principalorgid": None if anonymous else _of_account(view, account.organization_id),
        "aws:principalorgpaths": None if anonymous else _of_account(view, account.organization_path),
        "aws:principalservicename": one(principal.arn or UNKNOWN) if service else None,
    }


def service_keys(view: View) -> Unknown | None:
    """What all SERVICE_KEYS are that nothing else tells."""
    return view.unsaid if view.caller.principal.type is PrincipalType.SERVICE else None


def session_keys(view: View) -> Unknown | None:
    """What all SESSION_KEYS are: absent for long-term credentials, and on servers that know no such sessions."""
    long_term = view.caller.temporary is Truth.NO
    return None if long_term or view.call.upstream_kind != "aws" else view.unsaid


def _of_account(view: View, value: str | Unknown | None) -> Value:
    if view.caller.principal.type is PrincipalType.SERVICE:
        return view.unsaid
    return one(value)


def _arn(view: View) -> Value:
    """A role session's is the ARN of the role, with its path."""
    principal = view.caller.principal
    if principal.type is PrincipalType.ANONYMOUS:
        return None
    if principal.type is PrincipalType.SERVICE:
        return view.unsaid
    return one((principal.issuer if principal.type is PrincipalType.ROLE_SESSION else principal.arn) or UNKNOWN)


def _user_id(view: View) -> Value:
    principal = view.caller.principal
    session = Arn.parse(principal.arn or "")
    name = session.resource.rpartition("/")[2] if session is not None else ""
    match principal.type:
        case PrincipalType.ANONYMOUS:
            return ("anonymous",)
        case PrincipalType.ROOT:
            return one(principal.account or UNKNOWN)
        case PrincipalType.FEDERATED if principal.account is not None:
            return (f"{principal.account}:{name}",)
        case PrincipalType.USER:
            return one(principal.unique_id or UNKNOWN)
        case PrincipalType.ROLE_SESSION if session is not None and session.service == "sts" and principal.unique_id:
            return (f"{principal.unique_id}:{name}",)
        case _:
            return UNKNOWN


def _user_name(view: View) -> Value:
    principal = view.caller.principal
    if principal.type is PrincipalType.UNKNOWN:
        return UNKNOWN
    if principal.type is not PrincipalType.USER or principal.arn is None:
        return None
    return (principal.arn.rpartition("/")[2],)


def principal_tags(view: View) -> Family:
    """Tags of the user or role, and of the session, which no API tells and which override the role's."""
    principal = view.caller.principal
    if principal.type in (PrincipalType.ANONYMOUS, PrincipalType.ROOT):
        return {}
    if principal.type is PrincipalType.USER:
        return _tags(view.snapshot.principal(principal.arn or ""))
    if not view.closed:
        return UNKNOWN
    return _tags(view.snapshot.principal(principal.issuer or principal.arn or ""))


def _tags(facts: PrincipalFacts) -> Family:
    if facts.tags is UNKNOWN:
        return UNKNOWN
    return {key.lower(): (value,) for key, value in facts.tags.items()}
