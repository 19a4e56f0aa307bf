"""The fix that denyproxy proposes, applied through a server's own API: the same request then succeeds."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import botocore.exceptions
import jsonpatch

from denyproxy.exchange import ResponseHead
from denyproxy.explain.export import scenario_of
from denyproxy.explain.model import Fix
from denyproxy.explain.scenario import Scenario
from tests.backends import Server
from tests.enforcement.deviations import KNOWN
from tests.enforcement.generate import Case, cases
from tests.enforcement.test_enforcement import EXPLAINER, Outcome, question, run

WANTED = 60
PATIENCE = 5.0
"""Seconds that a server gets to see a policy that was changed."""


@dataclass
class Change:
    """A fix as the documents and the request that it makes."""

    outcome: Outcome
    family: str
    fix: Fix
    identity: dict[str, Any]
    bucket_policy: dict[str, Any] | None
    headers: dict[str, str]
    by: Literal["patch", "tls", "address"] = "patch"


_SURROUNDINGS: Mapping[str, Literal["tls", "address"]] = {
    "Send the request over TLS": "tls",
    "Send the request from an address": "address",
}


def change_for(outcome: Outcome, *, surroundings: bool = False) -> Change | None:
    """What denyproxy proposes for a denial; None: nothing that could be applied.

    `surroundings`: a server that can be sent the request over TLS, or from another address."""
    call, snapshot = question(outcome.case, outcome.head)
    body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    explained = EXPLAINER(replace(call, response=ResponseHead(403), response_body=body), snapshot)
    assert explained is not None
    cause, fixes = explained.explanation.cause, explained.explanation.fixes
    assert cause is not None
    assert fixes, (outcome.case, explained.explanation.summary)
    document = scenario_of(explained.case)
    by = next((way for text, way in _SURROUNDINGS.items() if fixes[0].summary.startswith(text)), None)
    if surroundings and by is not None and fixes[0].verified and not fixes[0].patch:
        case = outcome.case
        family = f"{cause.layer} {cause.effect} {by}"
        return Change(outcome, family, fixes[0], case.identity, case.bucket_policy, {}, by)
    fix = next((fix for fix in fixes if fix.verified and fix.patch), None)
    if fix is None or document is None:
        return None
    patched = jsonpatch.apply_patch(document, list(fix.patch))
    asked = Scenario.validate_document({**{name: patched[name] for name in patched if name != "response"}})
    again = EXPLAINER(asked.denied_call(call.received), asked.snapshot())
    assert again is not None
    if again.explanation.verdict != "allowed":
        assert "Caller: send the request " in fix.summary, (fix.summary, again.explanation.summary)
        return None  # Another part of it is none that a patch can make: TLS, another address.
    policies, request = patched["policies"], patched["request"]
    family = f"{cause.layer} {cause.effect} {(cause.element or 'nothing').partition(':')[0]}"
    return Change(
        outcome,
        family,
        fix,
        policies["identity"][0]["document"],
        policies.get("bucket_policy"),
        {name: value for name, value in request["headers"].items() if outcome.head.header(name) != value},
    )


def chosen(outcomes: list[Outcome], server: str) -> Iterator[Change]:
    """Denials of all families, the rare ones first, that no deviation of the server touches."""
    changes = []
    for outcome in outcomes:
        if outcome.denied and not any(row.touches(outcome.case) for row in KNOWN[server]):
            change = change_for(outcome)
            if change is not None:
                changes.append(change)
    sizes = Counter(change.family for change in changes)
    yield from sorted(changes, key=lambda change: (sizes[change.family], change.outcome.case.number))[:WANTED]


def put_policies(server: Server, case: Case, identity: Any, bucket_policy: Any) -> None:
    s3, iam = server.client("s3", server.admin), server.client("iam", server.admin)
    iam.put_user_policy(UserName=case.user, PolicyName="policy", PolicyDocument=json.dumps(identity))
    if bucket_policy is None:
        s3.delete_bucket_policy(Bucket=case.bucket)
    else:
        s3.put_bucket_policy(Bucket=case.bucket, Policy=json.dumps(bucket_policy))


def status(client: Any, case: Case) -> int:
    try:
        answer = getattr(client, case.ask.operation)(**case.ask.arguments)
    except botocore.exceptions.ClientError as error:
        answer = error.response
    code: int = answer["ResponseMetadata"]["HTTPStatusCode"]
    return code


def applied(server: Server, change: Change, credentials: Any) -> int:
    """The status of the same request once the fix is in place."""
    case = change.outcome.case
    put_policies(server, case, change.identity, change.bucket_policy)
    client = server.client("s3", credentials)

    def add(request: Any, **_: Any) -> None:
        for name, value in change.headers.items():
            request.headers[name] = value

    client.meta.events.register("before-sign.s3", add)
    limit = time.monotonic() + PATIENCE
    while True:
        code = status(client, case)
        if code != 403 or time.monotonic() > limit:
            return code
        time.sleep(0.05)


def check(server: Server, name: str, *, seed: int) -> None:
    outcomes = run(server, list(cases(300, seed)), managed=False)
    changes = list(chosen(outcomes, name))
    failed = []
    for change in changes:
        case = change.outcome.case
        code = applied(server, change, change.outcome.credentials)
        put_policies(server, case, case.identity, case.bucket_policy)
        if code == 403:
            failed.append((code, case.user, case.ask, case.statements, change.fix.summary, change.fix.patch))
    for failure in failed:
        print(*failure)
    families = Counter(change.family for change in changes)
    print(f"{name}: {len(changes)} fixes applied, {len(failed)} failed; {dict(families)}")
    assert len(changes) == WANTED
    assert len(families) >= 6
    assert failed == []


def test_ministack(ministack: Server) -> None:
    check(ministack, "ministack", seed=7)
