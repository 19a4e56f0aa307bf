"""Short ways to write policies and requests in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from denyproxy.iam.condition import Condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evaluation import AuthorizationRequest
from denyproxy.iam.evidence import StatementEvidence
from denyproxy.iam.examination import examine
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth

OURS, THEIRS = "111122223333", "444455556666"
ROOT_ARN = f"arn:aws:iam::{OURS}:root"
USER_ARN = f"arn:aws:iam::{OURS}:user/alice"
ROLE_ARN = f"arn:aws:iam::{OURS}:role/team/reader"
SESSION_ARN = f"arn:aws:sts::{OURS}:assumed-role/reader/s1"
FEDERATED_ARN = f"arn:aws:sts::{OURS}:federated-user/bob"

USER = Principal(PrincipalType.USER, USER_ARN, OURS)
SESSION = Principal(PrincipalType.ROLE_SESSION, SESSION_ARN, OURS, ROLE_ARN)
FEDERATED = Principal(PrincipalType.FEDERATED, FEDERATED_ARN, OURS, USER_ARN)
ROOT = Principal(PrincipalType.ROOT, ROOT_ARN, OURS)
SERVICE = Principal(PrincipalType.SERVICE, "logging.s3.amazonaws.com")
SOMEBODY = Principal(PrincipalType.UNKNOWN)
LINKED = Principal(
    PrincipalType.ROLE_SESSION,
    f"arn:aws:sts::{OURS}:assumed-role/AWSServiceRoleForX/s",
    OURS,
    f"arn:aws:iam::{OURS}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
)

NEW, OLD = "2012-10-17", "2008-10-17"
BUCKET, OBJECT = "arn:aws:s3:::b", "arn:aws:s3:::b/k"
NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


def context(present: Mapping[str, str | Sequence[str]] | None = None, *unknown: str) -> RequestContext:
    """A closed world of these keys."""
    values = {
        key.lower(): (value,) if isinstance(value, str) else tuple(value) for key, value in (present or {}).items()
    }
    return RequestContext(values, frozenset(key.lower() for key in unknown))


def policy(*statements: dict[str, Any], name: str = "p", version: str | None = NEW) -> Policy:
    """A policy of these statements."""
    document: dict[str, Any] = {"Statement": list(statements)}
    if version is not None:
        document["Version"] = version
    return Policy.parse(document, name=name)


def policies(*statements: dict[str, Any], complete: bool = True) -> PolicyList:
    """A layer with one policy of these statements."""
    return PolicyList((policy(*statements),) if statements else (), complete)


def allow(action: str | list[str] = "s3:GetObject", resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str] = "s3:GetObject", resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A Deny statement."""
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def statement(written: dict[str, Any], version: str | None = NEW) -> Statement:
    """The one statement of a policy."""
    return policy(written, version=version).statements[0]


def examined(
    written: dict[str, Any],
    asked: AuthorizationRequest,
    resource: str | None = None,
    *,
    version: str | None = NEW,
    api_names: Mapping[str, str] = MappingProxyType({}),
) -> StatementEvidence:
    """The evidence on the one statement of a policy."""
    of = policy(written, version=version)
    return examine(of, of.statements[0], asked, resource, api_names=api_names)


def matches(given: Statement, asked: AuthorizationRequest, resource: str | None = None) -> Truth:
    """Does a statement match a request? `resource` stands in for the request's own."""
    if not given.concerns(asked.action.lower()):
        return Truth.NO
    return given.matches_relevant(asked.principal, resource or asked.resource, asked.context)


def condition(operator: str, key: str, values: Any, version: str | None = NEW) -> Condition:
    """The one condition of a statement."""
    return statement(allow(Condition={operator: {key: values}}), version).conditions[0]


def request(
    principal: Principal = USER,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    keys: RequestContext | None = None,
) -> AuthorizationRequest:
    """An authorization request."""
    return AuthorizationRequest(principal, action, resource, keys or RequestContext())
