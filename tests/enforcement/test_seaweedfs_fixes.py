"""Sixty denials on SeaweedFS, each in a bucket and with a user of its own; what denyproxy proposes lets each through.

Left out, because the server has not the rule or cannot be told of it:

* the rows of `deviations`;
* conditions of identity policies on anything but s3:prefix, s3:max-keys and aws:SourceIp, which they do not see;
* users and accounts as principals of bucket policies: its users have no ARN in an account of 12 digits;
* IfExists operators in identity policies;
* headers that a bucket policy demands: it denies a user who sends them too;
* bucket policies that it refuses to store (IfExists, NotPrincipal, ArnNotEquals, a Resource such as `bucket*`);
* a bucket policy that denies everybody its own replacement: its administrator is held to bucket policies too;
* addresses other than loopback's.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import botocore.awsrequest
import botocore.exceptions
import pytest
from botocore.httpsession import URLLib3Session

from denyproxy.exchange import RequestHead
from tests.backends import Server
from tests.enforcement.deviations import KNOWN
from tests.enforcement.generate import KEYS, Ask, Case, Document, cases
from tests.enforcement.test_enforcement import Outcome, decide, heads_of
from tests.enforcement.test_fixes import Change, change_for

WANTED = 60
PATIENCE = 10.0
"""Seconds that the server gets to see a policy that was changed."""


def _document(*statements: dict[str, Any]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def by_hand() -> Iterator[Case]:
    """Families whose remedy is TLS or another address."""
    plain_http = {"Bool": {"aws:SecureTransport": "false"}}
    elsewhere = {"NotIpAddress": {"aws:SourceIp": "127.0.0.2/32"}}
    rows = (
        ("Deny", "bucket", plain_http, ("get_object", "list_objects_v2", "put_object")),
        ("Deny", "bucket", elsewhere, ("get_object", "list_objects_v2")),
        ("Deny", "identity", elsewhere, ("get_object", "list_objects_v2")),
        ("Allow", "identity", {"IpAddress": {"aws:SourceIp": "127.0.0.2/32"}}, ("get_object", "list_objects_v2")),
    )
    cases_of = ((effect, place, condition, name) for effect, place, condition, names in rows for name in names)
    for number, (effect, place, condition, operation) in enumerate(cases_of):
        bucket = f"by-hand-{number}"
        actions = ["s3:PutObject"] if operation == "put_object" else ["s3:GetObject", "s3:ListBucket"]
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        statement: dict[str, Any] = {"Sid": "Conditional", "Effect": effect, "Action": actions, "Resource": resources}
        statement["Condition"] = condition
        own = [{"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}] if effect == "Deny" else []
        arguments: dict[str, Any] = {"Bucket": bucket}
        if operation != "list_objects_v2":
            arguments["Key"] = KEYS[0]
        if operation == "put_object":
            arguments["Body"] = b"x"
        shared = _document({**statement, "Principal": "*"}) if place == "bucket" else None
        identity = _document(*own, *([] if shared is not None else [statement]))
        yield Case(9000 + number, bucket, bucket, identity, shared, Ask(operation, arguments, arguments.get("Key")))


ENCRYPTION = "s3:x-amz-server-side-encryption"
SEEN_BY_IDENTITY = frozenset({"s3:prefix", "s3:max-keys", "aws:SourceIp"})


def implemented(identity: Document, bucket_policy: Document | None) -> bool:
    """Has the server the rules that these policies rest on, and may its administrator replace them?"""
    own, shared = identity["Statement"], bucket_policy["Statement"] if bucket_policy is not None else []
    return (
        all(SEEN_BY_IDENTITY.issuperset(block) for item in own for block in item.get("Condition", {}).values())
        and not any(operator.endswith("IfExists") for item in (*own, *shared) for operator in item.get("Condition", {}))
        and not any(
            item.get("Principal") not in ("*", {"AWS": "*"})
            or (item["Effect"] == "Deny" and item.get("Action") == "s3:*")
            or any(ENCRYPTION in block for block in item.get("Condition", {}).values())
            for item in shared
        )
    )


class _Nothing:
    """The body of a response that no server sent."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        return iter((b"",))


def head_of(server: Server, case: Case) -> RequestHead:
    """The request of a case, not sent."""
    client = server.client("s3", server.admin)

    def answer(request: Any, **_: Any) -> Any:
        return botocore.awsrequest.AWSResponse(request.url, 403, {}, _Nothing())

    with heads_of(client) as heads:
        client.meta.events.register_last("before-send.s3", answer)
        with pytest.raises(botocore.exceptions.ClientError):
            getattr(client, case.ask.operation)(**case.ask.arguments)
    return heads[0]


def _within_reach(change: Change) -> bool:
    return change.by != "address" or "127.0.0.2/32" in change.fix.summary


def proposed(server: Server) -> Iterator[Change]:
    """Denials of all families by turns, with what denyproxy proposes."""
    changes: dict[str, list[Change]] = {}
    for case in (*by_hand(), *cases(1200, seed=11, apart=True)):
        if not implemented(case.identity, case.bucket_policy) or any(row.touches(case) for row in KNOWN["seaweedfs"]):
            continue
        outcome = Outcome(case, 403, head_of(server, case), server.admin)
        change = change_for(outcome, surroundings=True) if decide(outcome) == "denied" else None
        if change is not None and implemented(change.identity, change.bucket_policy) and _within_reach(change):
            changes.setdefault(change.family, []).append(change)
    families = sorted(changes.values(), key=len)
    for place in range(WANTED):
        yield from (family[place] for family in families if place < len(family))


def _add(headers: dict[str, str], request: Any, **_: Any) -> None:
    for name, value in headers.items():
        request.headers[name] = value


@dataclass
class Account:
    """The server's side of a case: how its policies are changed, through its API."""

    server: Server
    case: Case

    def create(self, repaired: Document | None) -> None:
        """`repaired`: the bucket policy that it is going to have. Raises ClientError if the server takes neither."""
        case, s3, iam = self.case, self._s3(), self._iam()
        s3.create_bucket(Bucket=case.bucket)
        for key in KEYS:
            s3.put_object(Bucket=case.bucket, Key=key, Body=b"x")
        for document in (repaired, case.bucket_policy):
            if document is not None:
                self.put_bucket_policy(document)
        iam.create_user(UserName=case.user)
        self.attach(case.identity)
        key = iam.create_access_key(UserName=case.user)["AccessKey"]
        self.credentials = replace(
            self.server.admin, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"]
        )

    def attach(self, document: Document) -> None:
        iam, name = self._iam(), self.case.user
        self.arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        iam.attach_user_policy(UserName=name, PolicyArn=self.arn)

    def put_identity(self, document: Document) -> None:
        iam, name = self._iam(), self.case.user
        iam.detach_user_policy(UserName=name, PolicyArn=self.arn)
        iam.delete_policy(PolicyArn=self.arn)
        self.attach(document)

    def put_bucket_policy(self, document: Document | None) -> None:
        if document is None:
            self._s3().delete_bucket_policy(Bucket=self.case.bucket)
        else:
            self._s3().put_bucket_policy(Bucket=self.case.bucket, Policy=json.dumps(document))

    def status(self, change: Change | None = None) -> int:
        """Of the request as it is, or as the remedy makes it."""
        by = change.by if change is not None else "patch"
        client = self.server.client("s3", self.credentials, self.server.tls_endpoint if by == "tls" else None)
        session = URLLib3Session(verify=str(self.server.authority))
        if by == "address":
            session._manager.connection_pool_kw["source_address"] = ("127.0.0.2", 0)
        client._endpoint.http_session = session
        if change is not None:
            client.meta.events.register("before-sign.s3", partial(_add, change.headers))
        try:
            answer = getattr(client, self.case.ask.operation)(**self.case.ask.arguments)
        except botocore.exceptions.ClientError as error:
            answer = error.response
        code: int = answer["ResponseMetadata"]["HTTPStatusCode"]
        return code

    def _s3(self) -> Any:
        return self.server.client("s3", self.server.admin)

    def _iam(self) -> Any:
        return self.server.client("iam", self.server.admin)


def settled(ask: Callable[[], int], wanted: Callable[[int], bool], limit: float) -> int:
    """Ask until the answer is what is wanted, or the time is over."""
    while True:
        code = ask()
        if wanted(code) or time.monotonic() > limit:
            return code
        time.sleep(0.1)


@pytest.mark.slow
def test_seaweedfs(seaweedfs: Server) -> None:
    changes, accounts, refused = [], [], []
    for change in proposed(seaweedfs):
        account = Account(seaweedfs, change.outcome.case)
        try:
            account.create(change.bucket_policy)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "InvalidPolicyDocument":
                raise
            refused.append(change)
            continue
        changes.append(change)
        accounts.append(account)
        if len(accounts) == WANTED:
            break
    limit = time.monotonic() + PATIENCE
    before = [settled(account.status, lambda code: code == 403, limit) for account in accounts]
    for account, change in zip(accounts, changes, strict=True):
        if change.identity != account.case.identity:
            account.put_identity(change.identity)
        if change.bucket_policy != account.case.bucket_policy:
            account.put_bucket_policy(change.bucket_policy)
    limit = time.monotonic() + PATIENCE
    after = [
        settled(lambda: account.status(change), lambda code: code < 300, limit)  # noqa: B023 - called at once
        for account, change in zip(accounts, changes, strict=True)
    ]
    families = Counter(change.family for change in changes)
    for code_before, code_after, change in zip(before, after, changes, strict=True):
        if code_before != 403 or code_after >= 300:
            case = change.outcome.case
            print(code_before, code_after, change.family, case.ask, case.statements, change.fix.summary, change.by)
    ways = dict(Counter(change.by for change in changes))
    print(
        f"seaweedfs: {len(changes)} fixes applied {ways}; bucket policies not taken: {len(refused)}; {dict(families)}"
    )
    assert len(changes) == WANTED
    assert len(families) >= 6
    assert [code for code in before if code != 403] == []
    assert [code for code in after if code >= 300] == []
