"""What one file of a policy directory tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from denyproxy.iam.document import PolicyList
from denyproxy.s3.snapshot import (
    AccessPointFacts,
    AccountFacts,
    BucketFacts,
    KmsKeyFacts,
    PolicyProblem,
    PrincipalFacts,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One thing that a file defines: its key in the snapshot, its facts, and where in the file it stands."""

    key: str
    facts: T
    place: str = ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All that a file tells, and what is wrong with it. What it does not tell, or not legibly, is simply not here."""

    access_keys: tuple[Entry[str], ...] = ()
    principals: tuple[Entry[PrincipalFacts], ...] = ()
    accounts: tuple[Entry[AccountFacts], ...] = ()
    """With their own facts only."""
    memberships: tuple[Entry[AccountFacts], ...] = ()
    """With their place in the organization only."""
    no_organization: bool = False
    """Said outright: there is no organization."""
    buckets: tuple[Entry[BucketFacts], ...] = ()
    access_points: tuple[Entry[AccessPointFacts], ...] = ()
    vpc_endpoints: tuple[Entry[PolicyList], ...] = ()
    kms_keys: tuple[Entry[KmsKeyFacts], ...] = ()
    problems: tuple[PolicyProblem, ...] = ()
    broken: bool = False
    """Something in it could not be used: a bad edit, or a damaged copy."""
