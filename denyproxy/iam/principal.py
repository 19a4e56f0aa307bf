"""Who makes a request, and which Principal elements of a resource-based policy name it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from denyproxy.iam.truth import Truth

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


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
    canonical_id: str | None = None
    """Canonical user id of the account, where known."""


ANONYMOUS = Principal(PrincipalType.ANONYMOUS)

SERVICE_LINKED_PATH = ":role/aws-service-role/"
_SERVICE_LINKED_NAME = "AWSServiceRoleFor"


def is_service_linked(principal: Principal) -> Truth:
    """Is it a session of a service-linked role? SCPs, RCPs and boundaries do not apply to those."""
    if principal.type is not PrincipalType.ROLE_SESSION:
        return UNSURE if principal.type is PrincipalType.UNKNOWN else NO
    role = principal.issuer
    if role is None:
        role = principal.arn
        if role is not None and ":assumed-role/" in role:
            return UNSURE if role.partition(":assumed-role/")[2].startswith(_SERVICE_LINKED_NAME) else NO
        if role is None:
            return UNSURE
    return Truth.of(SERVICE_LINKED_PATH in role)


class Naming(NamedTuple):
    """How a Principal element names a caller: these kinds of naming are worth different things in evaluation.

    `direct`: the very principal, or everyone; `issuer`: the role behind a session, the user behind a federated
    session; `account`: the account.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"""

    direct: Truth = NO
    issuer: Truth = NO
    account: Truth = NO

    @property
    def truth(self) -> Truth:
        """Is it named in any way?"""
        return max(self.direct, self.issuer, self.account)


NOBODY = Naming()
EVERYBODY = Naming(direct=YES)
_BY_ACCOUNT = Naming(account=YES)

_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_ARN = re.compile(r"arn:([^:]*):(iam|sts)::([^:]*):(root|user|role|assumed-role|federated-user)(?:/(.*))?", re.DOTALL)
_UNIQUE_ID = re.compile(r"A(?:IDA|ROA)[A-Z0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Named:
    """One entry of a Principal element, taken apart."""

    kind: str
    """everyone, account, user, role, assumed-role, federated-user, canonical, service, federated, deleted, invalid."""
    text: str
    """As written."""
    partition: str | None = None
    """None: any."""
    account: str = ""
    name: str = ""
    """What follows `role/` and so on: path and name, for assumed roles role and session name."""
    bare: bool = False
    """The `*` that stands alone, in no member."""

    @property
    def role_name(self) -> str:
        """Of a user, a role or an assumed role: the name without path (and session)."""
        return self.name.partition("/")[0] if self.kind == "assumed-role" else self.name.rpartition("/")[2]


def named_aws(text: str) -> Named:
    """An entry under `AWS` (or the bare `*`)."""
    if text == "*":
        return Named("everyone", text)
    if _ACCOUNT_ID.fullmatch(text):
        return Named("account", text, None, text)
    found = _ARN.fullmatch(text)
    if found is not None:
        partition, service, account, kind, name = found.groups()
        if kind == "root" and name is None and service == "iam":
            return Named("account", text, partition, account)
        complete = bool(name) and "*" not in name and (kind != "assumed-role" or "/" in name)
        if complete and service == ("iam" if kind in ("user", "role") else "sts"):
            return Named(kind, text, partition, account, name)
    return Named("deleted" if _UNIQUE_ID.fullmatch(text) else "invalid", text)


_KINDS = {"CanonicalUser": "canonical", "Service": "service", "Federated": "federated"}


def named(member: str, text: str) -> Named:
    """An entry under a member of the Principal element: AWS, CanonicalUser, Service, Federated."""
    return named_aws(text) if member == "AWS" else Named(_KINDS[member], text)


class PrincipalElement:
    """A compiled Principal or NotPrincipal element."""

    __slots__ = ("_by_kind", "entries", "everyone")

    def __init__(self, entries: Iterable[Named]) -> None:
        self.entries = tuple(entries)
        self.everyone = any(entry.kind == "everyone" for entry in self.entries)
        """Does it name everyone, anonymous callers among them?"""
        by_kind: dict[str, list[Named]] = {}
        for entry in self.entries:
            by_kind.setdefault(entry.kind, []).append(entry)
        self._by_kind = {kind: tuple(found) for kind, found in by_kind.items()}

    def names(self, principal: Principal) -> Naming:
        """How does it name this caller?"""
        if self.everyone:
            return EVERYBODY
        kind = principal.type
        if kind is PrincipalType.ANONYMOUS:
            return NOBODY
        if kind is PrincipalType.SERVICE:
            return EVERYBODY if self._names_service(principal.arn) else NOBODY
        if kind is PrincipalType.UNKNOWN:
            return self._may_name(principal)
        account = self._names_account(principal)
        if kind is PrincipalType.ROOT:
            return _BY_ACCOUNT if account is YES else Naming(account=account)
        if kind is PrincipalType.USER:
            return Naming(direct=self._names_arn("user", principal.arn, principal), account=account)
        if kind is PrincipalType.FEDERATED:
            direct = self._names_arn("federated-user", principal.arn, principal)
            return Naming(direct, self._names_arn("user", principal.issuer, principal), account)
        return Naming(self._names_session(principal), self._names_role(principal), account)

    def lists(self, principal: Principal) -> Truth:
        """Does a NotPrincipal element list this caller in full?

        The account has to be listed too, and for a session both the role and the session.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html"""
        naming = self.names(principal)
        kind = principal.type
        if self.everyone or kind is PrincipalType.SERVICE:
            return naming.direct
        if kind is PrincipalType.UNKNOWN:
            return min(naming.truth, UNSURE)
        if kind is PrincipalType.ROOT:
            return naming.account
        if kind is PrincipalType.ROLE_SESSION:
            return min(naming.direct, naming.issuer, naming.account)
        if kind is PrincipalType.FEDERATED:
            # Whether the user behind the session has to be listed as well is not documented.
            return min(naming.direct, naming.account, max(naming.issuer, UNSURE))
        return min(naming.direct, naming.account)

    def _names_service(self, service: str | None) -> bool:
        return any(entry.text in (service, "*") for entry in self._by_kind.get("service", ()))

    def _names_account(self, principal: Principal) -> Truth:
        result = NO
        for entry in self._by_kind.get("account", ()):
            result = max(result, _same_account(entry, principal))
        for entry in self._by_kind.get("canonical", ()):
            known = principal.canonical_id
            result = max(result, UNSURE if known is None else Truth.of(entry.text == known))
        return result

    def _names_arn(self, kind: str, arn: str | None, principal: Principal) -> Truth:
        entries = self._by_kind.get(kind, ())
        if arn is None:
            return max((min(UNSURE, _same_account(entry, principal)) for entry in entries), default=NO)
        return Truth.of(any(entry.text == arn for entry in entries))

    def _names_session(self, principal: Principal) -> Truth:
        entries = self._by_kind.get("assumed-role", ())
        if not entries:
            return NO
        arn = principal.arn
        if arn is not None and ":assumed-role/" in arn:
            return Truth.of(any(entry.text == arn for entry in entries))
        return max(_may_be_of_role(entry, principal) for entry in entries)

    def _names_role(self, principal: Principal) -> Truth:
        entries = self._by_kind.get("role", ())
        if not entries:
            return NO
        role = principal.issuer
        if role is None and principal.arn is not None and ":role/" in principal.arn:
            role = principal.arn
        if role is not None:
            return Truth.of(any(entry.text == role for entry in entries))
        # The ARN of a session shows the role's name without its path.
        return max(_may_be_of_role(entry, principal) for entry in entries)

    def _may_name(self, principal: Principal) -> Naming:
        """A caller of unknown kind."""
        account = self._names_account(principal)
        direct = issuer = NO
        for entry in self.entries:
            if entry.kind in ("user", "role", "assumed-role", "federated-user"):
                possible = min(UNSURE, _same_account(entry, principal))
                direct = max(direct, possible)
                issuer = max(issuer, possible)
            elif entry.kind in ("service", "federated") and principal.account is None:
                direct = UNSURE
        return Naming(direct, issuer, account)


def account_of(principal: Principal) -> str | None:
    """The caller's account, where it is known."""
    if principal.account is not None:
        return principal.account
    arn = principal.arn or principal.issuer
    return arn.split(":", 5)[4] if arn is not None and arn.startswith("arn:") and arn.count(":") >= 5 else None


def _partition(principal: Principal) -> str | None:
    arn = principal.arn or principal.issuer
    return arn.split(":", 2)[1] if arn is not None and arn.startswith("arn:") else None


def _same_account(entry: Named, principal: Principal) -> Truth:
    """Is the entry about the caller's account, in the caller's partition?"""
    partition = _partition(principal)
    if entry.partition is not None and partition is not None and entry.partition != partition:
        return NO
    account = account_of(principal)
    return UNSURE if account is None else Truth.of(entry.account == account)


def _may_be_of_role(entry: Named, principal: Principal) -> Truth:
    """Can a session whose name or role is not fully known be, or belong to, this entry?"""
    known = principal.issuer or principal.arn
    if known is None:
        return min(UNSURE, _same_account(entry, principal))
    mine = named_aws(known)
    same = (entry.partition, entry.account, entry.role_name) == (mine.partition, mine.account, mine.role_name)
    return UNSURE if same else NO
