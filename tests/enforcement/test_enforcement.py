"""The same policies and requests, decided by denyproxy and by servers that enforce."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
import pytest

from denyproxy.exchange import Declared, DeniedCall, RequestHead
from denyproxy.explain.explainer import Explainer
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.s3.snapshot import (
    AccountFacts,
    BlockPublicAccess,
    BucketFacts,
    ObjectFacts,
    PolicySnapshot,
    PrincipalFacts,
)
from denyproxy.service_model import s3_operations
from tests.backends import Server
from tests.enforcement.deviations import KNOWN
from tests.enforcement.generate import ACCOUNT, KEYS, Case, cases

EXPLAINER = Explainer(s3_operations())


@dataclass
class Outcome:
    """What a server made of a case."""

    case: Case
    status: int
    head: RequestHead
    credentials: Any
    ours: str | None = None
    by: list[str] = field(default_factory=list)

    @property
    def denied(self) -> bool:
        return self.status == 403


def question(case: Case, head: RequestHead, source_ip: str = "127.0.0.1") -> tuple[DeniedCall, PolicySnapshot]:
    """Would this request be allowed, and all that bears on it."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/{case.user}"
    bucket = BucketFacts(
        name=case.bucket,
        account=ACCOUNT,
        policy=PolicyList(()) if case.bucket_policy is None else _policies(case.bucket_policy, "bucket policy"),
        policy_is_public=False,
        block_public_access=BlockPublicAccess(),
        object_ownership="BucketOwnerEnforced",
        grants=(),
        request_payer="BucketOwner",
        default_encryption="AES256",
        blocked_encryption_types=(),
        mfa_delete=False,
    )
    stored = ObjectFacts(exists=True, sse="AES256", tags={}, owner_account=ACCOUNT, storage_class="STANDARD")
    snapshot = PolicySnapshot(
        principals={arn: PrincipalFacts(arn, None, _policies(case.identity, "identity"), None, None, {})},
        accounts={ACCOUNT: AccountFacts(ACCOUNT, scp=None, rcp=None, block_public_access=BlockPublicAccess())},
        buckets={case.bucket: bucket},
        default_object=stored,
        vpc_endpoint=None,
    )
    call = DeniedCall(
        id="question",
        request=head,
        upstream_request=head,
        response=None,
        received=datetime.now(UTC),
        secure=False,
        upstream_kind="other",
        declared=Declared(principal=arn, resource_account=ACCOUNT, context={"aws:SourceIp": (source_ip,)}),
    )
    return call, snapshot


def decide(outcome: Outcome) -> str:
    """denyproxy's decision on the request as it was sent: allowed or denied."""
    explained = EXPLAINER(*question(outcome.case, outcome.head))
    assert explained is not None
    decisions = [item.decision for item in explained.explanation.authorization]
    assert None not in decisions, (outcome.case, explained.explanation)
    return "allowed" if all(decision == "allowed" for decision in decisions) else "denied"


def _policies(document: dict[str, Any], name: str) -> PolicyList:
    return PolicyList((Policy.parse(document, name=name),))


@contextmanager
def heads_of(client: Any) -> Iterator[list[RequestHead]]:
    """The request heads that a client sends."""
    heads: list[RequestHead] = []

    def note(request: Any, **_: Any) -> None:
        target = "/" + request.url.split("/", 3)[3]
        texts = (
            (name, value.decode() if isinstance(value, bytes) else value) for name, value in request.headers.items()
        )
        heads.append(RequestHead(request.method, target, tuple(texts)))

    client.meta.events.register("before-send.s3", note)
    yield heads


def run(server: Server, generated: list[Case], *, managed: bool) -> list[Outcome]:
    """Install all policies, then send all requests."""
    s3, iam = server.client("s3", server.admin), server.client("iam", server.admin)
    users, refused = {}, set()
    for bucket in dict.fromkeys(case.bucket for case in generated):
        s3.create_bucket(Bucket=bucket)
        if not managed:
            s3.delete_public_access_block(Bucket=bucket)
        for key in KEYS:
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for case in {case.user: case for case in generated}.values():
        if managed:
            users[case.user] = _user_with_managed_policy(server, iam, case)
        else:
            users[case.user] = server.make_user(case.user, case.identity)
    for case in {case.bucket: case for case in generated}.values():
        if case.bucket_policy is not None and not _stored(s3, case):
            refused.add(case.bucket)
    if managed:
        _await_policies(server, users[generated[-1].user])
    print(f"bucket policies that the server does not take: {len(refused)}")
    outcomes = []
    for generated_case in generated:
        case = replace(generated_case, bucket_policy=None) if generated_case.bucket in refused else generated_case
        client = server.client("s3", users[case.user])
        with heads_of(client) as heads:
            try:
                answer = getattr(client, case.ask.operation)(**case.ask.arguments)
            except botocore.exceptions.ClientError as error:
                answer = error.response
        outcomes.append(Outcome(case, answer["ResponseMetadata"]["HTTPStatusCode"], heads[0], users[case.user]))
        if case.ask.operation == "delete_object":
            # SeaweedFS holds its administrator to bucket policies too; the key then stays away.
            with suppress(botocore.exceptions.ClientError):
                s3.put_object(Bucket=case.bucket, Key=case.ask.key, Body=b"x")
    return outcomes


def _stored(s3: Any, case: Case) -> bool:
    """A server may not take a policy that AWS takes; the case then has none."""
    try:
        s3.put_bucket_policy(Bucket=case.bucket, Policy=json.dumps(case.bucket_policy))
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 400:
            raise
        return False
    return True


def _user_with_managed_policy(server: Server, iam: Any, case: Case) -> Any:
    from denyproxy.demo.clients import Credentials

    arn = iam.create_user(UserName=case.user)["User"].get("Arn", "")
    policy = iam.create_policy(PolicyName=case.user, PolicyDocument=json.dumps(case.identity))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=case.user, PolicyArn=policy)
    key = iam.create_access_key(UserName=case.user)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"], arn)


def _await_policies(server: Server, last: Any, seconds: float = 20.0) -> None:
    """Until the server knows the key that was made last."""
    client, limit = server.client("s3", last), time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            client.list_buckets()
            return
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "InvalidAccessKeyId":
                return
        time.sleep(0.1)
    raise AssertionError("the server never knew the last access key")


def compare(name: str, outcomes: list[Outcome]) -> list[Outcome]:
    """The disagreements that no known deviation explains. Prints the figures."""
    strange = []
    explained: dict[str, int] = {}
    for outcome in outcomes:
        outcome.ours = decide(outcome)
        if (outcome.ours == "denied") is outcome.denied:
            continue
        outcome.by = [row.what for row in KNOWN[name] if row.touches(outcome.case)]
        for what in outcome.by[:1]:
            explained[what] = explained.get(what, 0) + 1
        if not outcome.by:
            strange.append(outcome)
    denied = sum(outcome.denied for outcome in outcomes)
    for outcome in strange:
        print(outcome.status, outcome.ours, outcome.case.user, outcome.case.ask, outcome.case.statements)
    print(f"{name}: {len(outcomes)} cases, {denied} denied; deviations {explained}; strange {len(strange)}")
    return strange


def test_ministack(ministack: Server) -> None:
    outcomes = run(ministack, list(cases(300)), managed=False)
    assert 60 <= sum(outcome.denied for outcome in outcomes) <= 240
    assert compare("ministack", outcomes) == []


@pytest.mark.slow
def test_seaweedfs(seaweedfs: Server) -> None:
    outcomes = run(seaweedfs, list(cases(300)), managed=True)
    assert 60 <= sum(outcome.denied for outcome in outcomes) <= 240
    assert compare("seaweedfs", outcomes) == []
