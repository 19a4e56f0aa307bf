"""Who makes a request, and which Principal elements of a resource-based policy name it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from denyproxy.iam.truth import Truth


class PrincipalType(StrEnum):
    """The kinds of principal that evaluation tells apart."""

    USER = "user"
    ROLE_SESSION = "role-session"
    ROOT = "root"
    FEDERATED = "federated"
    ANONYMOUS = "anonymous"
    SERVICE = "service"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller as IAM sees it."""

    type: PrincipalType
    arn: str | None = None
    """User, assumed-role session, federated-user or root ARN; the name of a service; None: anonymous or unknown.

    A role session whose name is not known carries the role's ARN."""
    account: str | None = None
    issuer: str | None = None
    """ARN with path of the role behind a session, or of the user behind a federated session."""
    unique_id: str | None = None
    """AIDA... of a user, AROA... of a role, where known."""
    bounded: Truth = Truth.NO
    """Has it a permissions boundary? (NotPrincipal with Deny always denies such principals.)"""


ANONYMOUS = Principal(PrincipalType.ANONYMOUS)
