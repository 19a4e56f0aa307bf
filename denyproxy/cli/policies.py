"""`denyproxy policies`: what a policy directory tells, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from denyproxy.cli.output import reason, say
from denyproxy.iam.document import PolicyList
from denyproxy.iam.truth import UNKNOWN
from denyproxy.policies.directory import Content, build_snapshot, holds_nothing, one_line, read_directory
from denyproxy.policies.inventory import entries
from denyproxy.policies.lint import warnings
from denyproxy.s3.snapshot import UNKNOWN_BLOCK_PUBLIC_ACCESS, BucketFacts, PolicyProblem, PolicySnapshot

_MOST_BUCKETS = 20


@dataclass(frozen=True)
class _Found:
    directory: Path
    snapshot: PolicySnapshot
    warnings: tuple[PolicyProblem, ...]
    entries: Mapping[str, int]


def policies(
    directory: Annotated[Path, typer.Argument(help="Policy directory.", metavar="DIR")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Read a policy directory; print what it tells, every problem, and what is hardly meant (warnings).

    Exit status: 0 no problems (there may be warnings), 1 problems or an empty directory, 2 it cannot be read.
    """
    try:
        files = read_directory(directory)
    except OSError as error:
        typer.echo(f"denyproxy policies: {directory}: cannot be read: {reason(error)}", err=True)
        raise typer.Exit(2) from None
    found = _found(directory, files)
    say(_json(found) if as_json else _text(found))
    nothing = holds_nothing(found.snapshot)
    if nothing is not None:
        typer.echo(f"denyproxy policies: {directory}: {nothing}", err=True)
    raise typer.Exit(1 if found.snapshot.problems or nothing is not None else 0)


def _found(directory: Path, files: Mapping[str, Content]) -> _Found:
    snapshot = build_snapshot(files, datetime.now(UTC))
    return _Found(directory, snapshot, warnings(files), entries(files))


def _text(found: _Found) -> str:
    snapshot = found.snapshot
    lines = [f"{found.directory}: revision {snapshot.revision}"]
    partial = _known_in_part(snapshot)
    for kind, count in _counts(found).items():
        gap = f"  ({partial[kind]} with policies that are not, or not all, known)" if partial.get(kind) else ""
        lines.append(f"  {kind.replace('_', ' '):<16}{count:>6}{gap}")
    lines += _listed("problem", snapshot.problems) or ["no problems"]
    lines += _listed("warning", found.warnings)
    gaps = {name: ", ".join(_unknown(facts)) for name, facts in snapshot.buckets.items()}
    gaps = {name: text for name, text in gaps.items() if text}
    if gaps:
        lines.append("not known of buckets (each: aws s3api COMMAND --bucket NAME)")
        lines += (f"  {name}: {text}" for name, text in list(gaps.items())[:_MOST_BUCKETS])
        if len(gaps) > _MOST_BUCKETS:
            lines.append(f"  and something of {len(gaps) - _MOST_BUCKETS} more")
    return "\n".join(lines)


def _listed(what: str, problems: tuple[PolicyProblem, ...]) -> list[str]:
    if not problems:
        return []
    found = len(problems)
    return [f"{found} {what}{'' if found == 1 else 's'}", *(f"  {one_line(problem)}" for problem in problems)]


def _json(found: _Found) -> str:
    snapshot = found.snapshot
    return json.dumps(
        {
            "directory": str(found.directory),
            "revision": snapshot.revision,
            "counts": _counts(found),
            "known_in_part": _known_in_part(snapshot),
            "problems": [_problem(problem) for problem in snapshot.problems],
            "warnings": [_problem(problem) for problem in found.warnings],
            "unknown": {name: gaps for name, facts in snapshot.buckets.items() if (gaps := list(_unknown(facts)))},
        }
    )


def _problem(problem: PolicyProblem) -> dict[str, str]:
    return {"file": problem.file, "place": problem.place, "message": problem.message}


def _counts(found: _Found) -> Mapping[str, int]:
    snapshot = found.snapshot
    return {
        "principals": len(snapshot.principals),
        "users": sum(":user/" in arn for arn in snapshot.principals),
        "roles": sum(":role/" in arn for arn in snapshot.principals),
        **found.entries,
        "access_keys": len(snapshot.access_keys),
        "accounts": len(snapshot.accounts),
        "buckets": len(snapshot.buckets),
        "access_points": len({facts.arn for facts in snapshot.access_points.values()}),
        "vpc_endpoints": len(snapshot.vpc_endpoints),
        "kms_keys": len({facts.arn for facts in snapshot.kms_keys.values()}),
    }


def _known_in_part(snapshot: PolicySnapshot) -> Mapping[str, int]:
    """How many of a kind have policies of which something is not known."""
    accounts = [(*(facts.scp or ()), *(facts.rcp or ())) for facts in snapshot.accounts.values()]
    return {
        "principals": sum(not facts.identity.complete for facts in snapshot.principals.values()),
        "accounts": sum(not all(level.complete for level in levels) for levels in accounts),
        "buckets": sum(not facts.policy.complete for facts in snapshot.buckets.values()),
        "access_points": len({facts.arn for facts in snapshot.access_points.values() if not facts.policy.complete}),
        "vpc_endpoints": sum(not policies.complete for policies in snapshot.vpc_endpoints.values()),
        "kms_keys": len({facts.arn for facts in snapshot.kms_keys.values() if not facts.policy.complete}),
    }


def _unknown(facts: BucketFacts) -> Iterator[str]:
    """What is not known of a bucket: each member with the command that tells it."""
    if facts.account is UNKNOWN:
        yield "Account"
    for member, value, command in (
        ("Region", facts.region, "get-bucket-location"),
        ("Policy", UNKNOWN if not facts.policy.complete else PolicyList(), "get-bucket-policy"),
        ("OwnershipControls", facts.object_ownership, "get-bucket-ownership-controls"),
        (
            "PublicAccessBlockConfiguration",
            UNKNOWN if facts.block_public_access == UNKNOWN_BLOCK_PUBLIC_ACCESS else True,
            "get-public-access-block",
        ),
        ("ServerSideEncryptionConfiguration", facts.default_encryption, "get-bucket-encryption"),
        ("RequestPayment", facts.request_payer, "get-bucket-request-payment"),
        ("Versioning", facts.versioning, "get-bucket-versioning"),
        # Where ACLs are switched off, theirs does not matter.
        ("Acl", facts.grants if facts.object_ownership != "BucketOwnerEnforced" else (), "get-bucket-acl"),
    ):
        if value is UNKNOWN:
            yield f"{member} ({command})"
