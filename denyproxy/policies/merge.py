"""One snapshot from what all files tell. Nothing is lost silently: what two files define is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from denyproxy.policies.facts import Entry, FileFacts
from denyproxy.s3.snapshot import (
    AccessPointFacts,
    AccountFacts,
    KmsKeyFacts,
    PolicyProblem,
    PolicySnapshot,
)

T = TypeVar("T")


def combine(told: Mapping[str, FileFacts]) -> PolicySnapshot:
    """File name -> what it tells, as a snapshot without revision and time. Its problems are those of combining."""
    problems: list[PolicyProblem] = []
    principals = _merged("the principal", told, lambda facts: facts.principals, problems)
    snapshot = PolicySnapshot(
        access_keys=_merged("the access key", told, lambda facts: facts.access_keys, problems),
        principals=principals,
        accounts=_accounts(told, principals, problems),
        buckets=_merged("the bucket", told, lambda facts: facts.buckets, problems),
        access_points=_with_aliases(
            _merged("the access point", told, lambda facts: facts.access_points, problems), _access_point_aliases
        ),
        vpc_endpoints=_merged("the VPC endpoint", told, lambda facts: facts.vpc_endpoints, problems),
        kms_keys=_with_aliases(_merged("the key", told, lambda facts: facts.kms_keys, problems), _kms_key_aliases),
    )
    return replace(snapshot, problems=tuple(problems))


def _merged(
    kind: str,
    told: Mapping[str, FileFacts],
    select: Callable[[FileFacts], Iterable[Entry[T]]],
    problems: list[PolicyProblem],
) -> dict[str, T]:
    """Key -> facts. What is defined twice and differently is not known."""
    first: dict[str, tuple[str, Entry[T]]] = {}
    disputed: set[str] = set()
    for file, facts in told.items():
        for entry in select(facts):
            other_file, other = first.setdefault(entry.key, (file, entry))
            if other is entry:
                continue
            where = f"{other_file} ({other.place})" if other.place else other_file
            message = f"{kind} {entry.key} is defined in {where} as well"
            if other.facts != entry.facts:
                disputed.add(entry.key)
                message += ", differently, so that neither is used"
            problems.append(PolicyProblem(file, entry.place, f"{message}; remove one of the two"))
    return {key: entry.facts for key, (_, entry) in first.items() if key not in disputed}


def _accounts(
    told: Mapping[str, FileFacts], principals: Iterable[str], problems: list[PolicyProblem]
) -> dict[str, AccountFacts]:
    """Account id -> its own facts and its place in the organization."""
    own = _merged("the account", told, lambda facts: facts.accounts, problems)
    memberships = _merged("the account", told, lambda facts: facts.memberships, problems)
    ids = {*own, *memberships}
    if any(facts.no_organization for facts in told.values()):
        ids |= {arn.split(":")[4] for arn in principals}
        memberships = {account: _in_no_organization(account) for account in ids}
    accounts: dict[str, AccountFacts] = {}
    for account in sorted(ids):
        facts = memberships.get(account, AccountFacts(id=account))
        known = own.get(account, AccountFacts())
        accounts[account] = replace(
            facts,
            canonical_id=known.canonical_id,
            alias=known.alias,
            block_public_access=known.block_public_access,
        )
    return accounts


def _in_no_organization(account: str) -> AccountFacts:
    return AccountFacts(id=account, organization_id=None, organization_path=None, management=False, scp=None, rcp=None)


def _with_aliases(facts: dict[str, T], aliases: Callable[[T], Iterator[str]]) -> dict[str, T]:
    """The mapping extended by other names. A name that several things share is left out."""
    named: dict[str, list[T]] = {}
    for fact in facts.values():
        for alias in aliases(fact):
            named.setdefault(alias, []).append(fact)
    return facts | {alias: several[0] for alias, several in named.items() if len(several) == 1}


def _access_point_aliases(access_point: AccessPointFacts) -> Iterator[str]:
    if access_point.alias is not None:
        yield access_point.alias


def _kms_key_aliases(key: KmsKeyFacts) -> Iterator[str]:
    """Key id (multi-Region keys share one), alias ARN, and alias name (which every Region may use)."""
    prefix, _, key_id = (key.arn or "").rpartition(":key/")
    yield key_id
    for alias in key.aliases:
        yield f"{prefix}:{alias}"
        yield alias
