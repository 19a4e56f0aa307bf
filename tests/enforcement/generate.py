"""Policies and requests, generated: what real servers can hold and S3 clients can send."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
CASES_PER_USER, CASES_PER_BUCKET = 5, 10
KEYS = ("a.txt", "docs/a.txt", "docs/deep/b.txt", "Docs/a.txt", "docs2/a.txt")

Statement = dict[str, Any]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as boto3 takes it."""

    operation: str
    """Name of the boto3 method."""
    arguments: dict[str, Any]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One user with an identity policy, a bucket with a policy, and a request."""

    number: int
    bucket: str
    user: str
    identity: Document
    bucket_policy: Document | None
    ask: Ask

    @property
    def statements(self) -> list[Statement]:
        """All of them."""
        own = self.bucket_policy["Statement"] if self.bucket_policy is not None else []
        return [*self.identity["Statement"], *own]


def cases(count: int, seed: int = 1, *, apart: bool = False) -> Iterator[Case]:
    """`count` cases, the same for the same seed. `apart`: each with a user and a bucket of its own."""
    choose = random.Random(seed)
    per_user, per_bucket = (1, 1) if apart else (CASES_PER_USER, CASES_PER_BUCKET)
    for number in range(count):
        if number % per_bucket == 0:
            bucket = f"enforced-{seed}-{number // per_bucket}"
            users = [_user(seed, (number + place) // per_user) for place in range(per_bucket)]
            bucket_policy = _bucket_policy(choose, bucket, users)
        if number % per_user == 0:
            identity = _document([_statement(choose, bucket) for _ in range(choose.randint(1, 3))])
        yield Case(number, bucket, _user(seed, number // per_user), identity, bucket_policy, _ask(choose, bucket))


def _user(seed: int, number: int) -> str:
    return f"enforced-{seed}-{number}"


def _document(statements: list[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}


def _bucket_policy(choose: random.Random, bucket: str, known: list[str]) -> Document | None:
    if choose.random() < 0.3:
        return None
    statements = []
    for _ in range(choose.randint(1, 2)):
        statement = _statement(choose, bucket, deny=0.5)
        users = [
            f"arn:aws:iam::{ACCOUNT}:user/{known[choose.randrange(len(known))]}" for _ in range(choose.randint(1, 3))
        ]
        principals: list[Any] = [
            "*",
            {"AWS": "*"},
            {"AWS": users},
            {"AWS": users[0]},
            {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
        ]
        statements.append({**statement, "Principal": choose.choice(principals)})
    return _document(statements)


def _statement(choose: random.Random, bucket: str, deny: float = 0.25) -> Statement:
    own, objects = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"
    resources: list[Any] = [
        objects,
        [own, objects],
        own,
        f"arn:aws:s3:::{bucket}*",
        f"arn:aws:s3:::{bucket}/docs/*",
        f"arn:aws:s3:::{bucket}/docs*",
        f"arn:aws:s3:::{bucket}/*/a.txt",
        f"arn:aws:s3:::{bucket}/?.txt",
        f"arn:aws:s3:::{bucket}/docs/a.txt",
    ]
    actions: list[Any] = [
        "s3:*",
        "s3:Get*",
        "s3:*Object",
        ["s3:GetObject", "s3:PutObject"],
        ["s3:ListBucket", "s3:GetObject"],
        "s3:ListBucket",
        "s3:putobject",
        "s3:DeleteObject",
        ["s3:GetObjectTagging", "s3:PutObjectTagging"],
    ]
    statement: Statement = {
        "Sid": f"S{choose.randrange(10**6)}",
        "Effect": "Deny" if choose.random() < deny else "Allow",
        "Action": choose.choice(actions),
        "Resource": choose.choice(resources),
    }
    if choose.random() < 0.35:
        statement["Condition"] = choose.choice(_CONDITIONS)
    return statement


_CONDITIONS: tuple[dict[str, Any], ...] = (
    {"StringEquals": {"s3:prefix": "docs/"}},
    {"StringLike": {"s3:prefix": ["docs/*", "a*"]}},
    {"StringNotEquals": {"s3:prefix": "docs/"}},
    {"StringEqualsIfExists": {"s3:prefix": "docs/"}},
    {"Null": {"s3:prefix": "true"}},
    {"StringEquals": {"s3:prefix": "docs/", "s3:delimiter": "/"}},
    {"NumericLessThanEquals": {"s3:max-keys": "10"}},
    {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}},
    {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}},
    {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
    {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
)


def _ask(choose: random.Random, bucket: str) -> Ask:
    key = choose.choice(KEYS)
    here = {"Bucket": bucket}
    # Whether s3:max-keys is absent where the parameter is not sent is not documented: it is always sent.
    listing: dict[str, Any] = {**here, "MaxKeys": choose.choice((5, 10, 11))}
    if choose.random() < 0.7:
        listing["Prefix"] = choose.choice(("docs/", "", "a", "Docs/"))
    if choose.random() < 0.5:
        listing["Delimiter"] = "/"
    body = {**here, "Key": key, "Body": b"x"}
    encrypted = {**body, "ServerSideEncryption": "AES256"}
    return choose.choice(
        (
            Ask("get_object", {**here, "Key": key}, key),
            Ask("get_object", {**here, "Key": key}, key),
            Ask("head_object", {**here, "Key": key}, key),
            Ask("put_object", body, key),
            Ask("put_object", encrypted, key),
            Ask("delete_object", {**here, "Key": key}, key),
            Ask("list_objects_v2", listing),
            Ask("list_objects_v2", listing),
            Ask("get_object_tagging", {**here, "Key": key}, key),
        )
    )
