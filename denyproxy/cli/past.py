"""The past denials of `denyproxy explain`: what the log has of them, and how they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from denyproxy.cli.asking import Usage
from denyproxy.cli.output import reason
from denyproxy.denylog.lookup import look_up
from denyproxy.explain.instructions import all_instructions
from denyproxy.explain.model import Explanation, Fix
from denyproxy.explain.patches import PatchError, apply_patch
from denyproxy.explain.record import DenialRecord

NO_SCENARIO = "the policies are not at hand: give --policies DIR (the log keeps them only where log.scenario is set)"


def records(log: Path, ids: Sequence[str]) -> dict[str, DenialRecord]:
    """Id as asked for (in any case) -> its record. Raises Usage."""
    wanted = dict.fromkeys(spelling for identity in ids for spelling in (identity, identity.upper()))
    try:
        found = look_up(log, tuple(wanted))
    except OSError as error:
        raise Usage(f"--log: {log}: {reason(error)}") from None
    for problem in found.problems:
        typer.echo(f"denyproxy explain: {log}: {problem}", err=True)
    for identity in sorted(found.shed - found.records.keys()):
        what = f"{identity} came in a storm of denials and was shed: nothing but its id is known"
        typer.echo(f"denyproxy explain: {log}: {what}", err=True)
    have = ((identity, found.records.get(identity) or found.records.get(identity.upper())) for identity in ids)
    return {identity: record for identity, record in have if record is not None}


def title(record: DenialRecord, policies: Path | None) -> str:
    """When it was, under which ids, and by which policies it is explained."""
    parts = [f"Denied at {record.time:%Y-%m-%d %H:%M:%SZ}", f"id {record.id}"]
    if record.upstream.request_id is not None:
        parts.append(f"S3 request id {record.upstream.request_id}")
    if policies is not None:
        parts.append(f"explained by today's policies ({policies})")
    else:
        revision = record.policies.revision
        parts.append(f"policy revision {revision}" if revision else "no policies at hand")
    return ", ".join(parts) + "."


def as_of_then(explanation: Explanation, record: DenialRecord) -> Explanation:
    """What today's policies explain anew, with what only the log knows of the call: how the caller was known, whose
    request was signed again, and S3's request id."""
    then = record.principal
    principal = explanation.principal
    if principal.arn == then.arn and principal.type == then.type:
        principal = principal.model_copy(update={"known_by": then.known_by, "access_key_id": then.access_key_id})
    upstream = explanation.upstream.model_copy(update={"request_id": record.upstream.request_id})
    return explanation.model_copy(
        update={"principal": principal, "client": explanation.client or record.client, "upstream": upstream}
    )


def fixes_of_request(record: DenialRecord) -> str:
    """How to make the fixes that change nothing but the request, which the record has. Raises Usage if there are
    others only."""
    facts = record.call
    request: dict[str, Any] = {"headers": dict(facts.headers), "query": dict(facts.query), "context": {}}
    document = {"request": request, "policies": {}, "resource_state": {}}
    fixes = record.fixes
    shown = [fix for fix in fixes if not fix.patch or _of_request(fix, document)]
    if fixes and not any(fix.patch for fix in shown) and len(shown) < len(fixes):
        raise Usage(NO_SCENARIO)
    text = all_instructions(shown, document)
    for fix in fixes:
        if fix not in shown:
            text += f"# Not shown ({fix.owner}): {fix.summary}\n#   {NO_SCENARIO}\n"
    return text


def _of_request(fix: Fix, document: Mapping[str, Any]) -> bool:
    if not all(str(step["path"]).startswith(("/request/headers", "/request/query")) for step in fix.patch):
        return False
    try:
        apply_patch(document, fix.patch)
    except PatchError:  # of what no record keeps
        return False
    return True
