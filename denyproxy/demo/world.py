"""Two accounts with users, a role, buckets and objects, made through the server's own IAM, STS and S3 APIs.

One user per story, each with the policy that people really write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from denyproxy.demo.backend import Backend
from denyproxy.demo.clients import Credentials, client

STUDIO = "111122223333"
PARTNER = "444455556666"

Document = dict[str, Any]


def document(*statements: Document) -> Document:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(sid: str, actions: str | list[str], resources: str | list[str], **more: Any) -> Document:
    """An Allow statement."""
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources, **more}


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A bucket to make: its owner's account, policy, and the keys of its objects."""

    account: str
    policy: Document | None = None
    keys: tuple[str, ...] = ()


BUCKETS: Mapping[str, BucketRow] = {
    "holiday-photos": BucketRow(STUDIO, keys=("beach.jpg", "sunset.jpg")),
    "payroll": BucketRow(
        STUDIO,
        document(
            {
                "Sid": "DenyUnencryptedUploads",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::payroll/*",
                "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}},
            }
        ),
    ),
    "weekly-reports": BucketRow(STUDIO, keys=("public/week-47.pdf", "internal/salaries.pdf")),
    "backups": BucketRow(STUDIO),
    "partner-data": BucketRow(
        PARTNER,
        document(
            allow(
                "EtlRead",
                "s3:GetObject",
                "arn:aws:s3:::partner-data/*",
                Principal={"AWS": f"arn:aws:iam::{STUDIO}:role/etl"},
            )
        ),
        keys=("feed.csv",),
    ),
}

USERS: Mapping[str, tuple[str, Document]] = {
    "ana": ("photo-viewer", document(allow("ReadPhotos", "s3:GetObject", "arn:aws:s3:::holiday-photos/*"))),
    "ben": ("photo-reader", document(allow("ReadPhotos", "s3:GetObject", "arn:aws:s3:::holiday-photos/*"))),
    "carla": ("payroll-upload", document(allow("UploadPayslips", "s3:PutObject", "arn:aws:s3:::payroll/*"))),
    "dora": (
        "photo-archive",
        document(allow("ArchivePhotos", ["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::holiday-photos")),
    ),
    "emil": ("photo-check", document(allow("CheckPhotos", "s3:HeadObject", "arn:aws:s3:::holiday-photos/*"))),
    "fay": (
        "share-reports",
        document(allow("SharePublicReports", "s3:GetObject", "arn:aws:s3:::weekly-reports/public/*")),
    ),
    "gus": ("partner-feed", document(allow("ReadPartnerFeed", "s3:GetObject", "arn:aws:s3:::partner-data/*"))),
    "hana": (
        "may-run-backups",
        document(allow("AssumeBackup", "sts:AssumeRole", f"arn:aws:iam::{STUDIO}:role/nightly-backup")),
    ),
    "ivo": ("photo-editor", document(allow("EditPhotos", "s3:*", "arn:aws:s3:::holiday-photos/*"))),
}
"""User -> (name of its inline policy, the policy). All in the studio's account."""

ROLES: Mapping[str, tuple[str, str, Document]] = {
    "etl": (
        f"arn:aws:iam::{STUDIO}:root",
        "partner-feed",
        document(allow("ReadPartnerFeed", "s3:GetObject", "arn:aws:s3:::partner-data/*")),
    ),
    "nightly-backup": (
        f"arn:aws:iam::{STUDIO}:user/hana",
        "backup-rotation",
        document(
            allow(
                "ListNightlyBackups",
                "s3:ListBucket",
                "arn:aws:s3:::backups",
                Condition={"StringLike": {"s3:prefix": "nightly/*"}},
            )
        ),
    ),
}
"""Role -> (who may assume it, name of its inline policy, the policy). All in the studio's account."""

SESSION = ("hana", "nightly-backup", "monday")
"""Who assumes which role under which session name."""


@dataclass(frozen=True, slots=True)
class World:
    """What was made."""

    backend: Backend
    roots: Mapping[str, Credentials]
    """Account id -> credentials of its root user."""
    people: Mapping[str, Credentials] = field(default_factory=dict)
    """User name, or `role/session` name -> credentials."""


def build(backend: Backend, boto: boto3.Session) -> World:
    """Create all of it. Raises botocore's ClientError if the server refuses something."""
    roots = {
        account: Credentials(account, backend.root_secret, f"arn:aws:iam::{account}:root")
        for account in (STUDIO, PARTNER)
    }
    iam = client(boto, "iam", backend.endpoint, roots[STUDIO])
    people = {name: _make_user(iam, name, *policy) for name, policy in USERS.items()}
    for name, role in ROLES.items():
        _make_role(iam, name, *role)
    user, role_name, session_name = SESSION
    people[f"{role_name}/{session_name}"] = _assume(
        client(boto, "sts", backend.endpoint, people[user]), role_name, session_name
    )
    for account, root in roots.items():
        s3 = client(boto, "s3", backend.endpoint, root)
        for name, bucket in BUCKETS.items():
            if bucket.account == account:
                _make_bucket(s3, name, bucket)
    return World(backend, roots, people)


def _make_user(iam: Any, name: str, policy_name: str, policy: Document) -> Credentials:
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    iam.put_user_policy(UserName=name, PolicyName=policy_name, PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"], arn)


def _make_role(iam: Any, name: str, trusted: str, policy_name: str, policy: Document) -> None:
    trust = document({"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=json.dumps(policy))


def _assume(sts: Any, role: str, session_name: str) -> Credentials:
    answer = sts.assume_role(RoleArn=f"arn:aws:iam::{STUDIO}:role/{role}", RoleSessionName=session_name)
    key = answer["Credentials"]
    return Credentials(
        key["AccessKeyId"], key["SecretAccessKey"], answer["AssumedRoleUser"]["Arn"], key["SessionToken"]
    )


def _make_bucket(s3: Any, name: str, row: BucketRow) -> None:
    s3.create_bucket(Bucket=name)
    if row.policy is not None:
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(row.policy))
    for key in row.keys:
        s3.put_object(Bucket=name, Key=key, Body=f"the contents of {key}\n".encode())
