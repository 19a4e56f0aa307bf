"""`denyproxy policies`: what a policy directory tells, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from denyproxy.cli.output import reason, say
from denyproxy.policies.directory import load_directory, one_line
from denyproxy.s3.snapshot import PolicySnapshot


def policies(
    directory: Annotated[Path, typer.Argument(help="Policy directory.", metavar="DIR")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Read a policy directory; print what it tells and every problem.

    Exit status: 0 no problems, 1 problems, 2 the directory cannot be read.
    """
    try:
        snapshot = load_directory(directory)
    except OSError as error:
        typer.echo(f"denyproxy policies: {directory}: cannot be read: {reason(error)}", err=True)
        raise typer.Exit(2) from None
    say(_json(directory, snapshot) if as_json else _text(directory, snapshot))
    raise typer.Exit(1 if snapshot.problems else 0)


def _text(directory: Path, snapshot: PolicySnapshot) -> str:
    lines = [f"{directory}: revision {snapshot.revision}"]
    partial = _known_in_part(snapshot)
    for kind, count in _counts(snapshot).items():
        gap = f"  ({partial[kind]} with policies that are not, or not all, known)" if partial.get(kind) else ""
        lines.append(f"  {kind.replace('_', ' '):<16}{count:>6}{gap}")
    found = len(snapshot.problems)
    lines.append(f"{found or 'no'} problem{'' if found == 1 else 's'}")
    lines += (f"  {one_line(problem)}" for problem in snapshot.problems)
    return "\n".join(lines)


def _json(directory: Path, snapshot: PolicySnapshot) -> str:
    return json.dumps(
        {
            "directory": str(directory),
            "revision": snapshot.revision,
            "counts": _counts(snapshot),
            "known_in_part": _known_in_part(snapshot),
            "problems": [
                {"file": problem.file, "place": problem.place, "message": problem.message}
                for problem in snapshot.problems
            ],
        }
    )


def _counts(snapshot: PolicySnapshot) -> Mapping[str, int]:
    return {
        "principals": len(snapshot.principals),
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
