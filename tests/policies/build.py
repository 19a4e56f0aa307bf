"""Policy directories made in memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from denyproxy.policies.directory import build_snapshot
from denyproxy.s3.snapshot import PolicySnapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ACCOUNT = "111122223333"

Json = dict[str, Any]


def document(sid: str = "S", action: str = "s3:GetObject", effect: str = "Allow", **more: Any) -> Json:
    """An identity policy of one statement."""
    statement = {"Sid": sid, "Effect": effect, "Action": action, "Resource": "*", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def resource_document(sid: str = "S", **more: Any) -> Json:
    """A resource-based policy of one statement."""
    return document(sid, Principal="*", **more)


BROKEN = {"Version": "2012-10-17", "Statement": [document()["Statement"][0], {"Effect": "allow", "Action": "*"}]}
"""A document whose second statement has a misspelt Effect."""

BROKEN_RESOURCE = {
    "Version": "2012-10-17",
    "Statement": [resource_document()["Statement"][0], {"Effect": "allow", "Principal": "*", "Action": "*"}],
}
"""The same, as a resource-based policy."""


def snapshot(files: dict[str, Any]) -> PolicySnapshot:
    """The snapshot of files given as text, or as what JSON is to say."""
    return build_snapshot({name: encoded(content) for name, content in files.items()}, NOW)


def encoded(content: Any) -> bytes:
    """A file's bytes."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def user(name: str, **more: Any) -> Json:
    """A UserDetail as AWS writes it."""
    detail = {
        "Path": "/",
        "UserName": name,
        "UserId": f"AIDA{name.upper()}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "GroupList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }
    return detail | more


def role(name: str, **more: Any) -> Json:
    """A RoleDetail as AWS writes it."""
    detail = {
        "Path": "/",
        "RoleName": name,
        "RoleId": f"AROA{name.upper()}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        "RolePolicyList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }
    return detail | more


def group(name: str, **more: Any) -> Json:
    """A GroupDetail as AWS writes it."""
    detail = {
        "Path": "/",
        "GroupName": name,
        "Arn": f"arn:aws:iam::{ACCOUNT}:group/{name}",
        "GroupPolicyList": [],
        "AttachedManagedPolicies": [],
    }
    return detail | more


def inline(name: str, content: Any = None) -> Json:
    """An inline policy."""
    return {"PolicyName": name, "PolicyDocument": document() if content is None else content}


def managed(name: str, *versions: Any, default: str = "v1", account: str = ACCOUNT) -> Json:
    """A managed policy with documents v1, v2 and so on."""
    return {
        "PolicyName": name,
        "Arn": f"arn:aws:iam::{account}:policy/{name}",
        "DefaultVersionId": default,
        "PolicyVersionList": [
            {"VersionId": f"v{at}", "IsDefaultVersion": f"v{at}" == default, "Document": version}
            for at, version in enumerate(versions or (document(),), start=1)
        ],
    }


def attached(name: str, account: str = ACCOUNT) -> Json:
    """A managed policy, attached."""
    return {"PolicyName": name, "PolicyArn": f"arn:aws:iam::{account}:policy/{name}"}


def details(**lists: Any) -> Json:
    """An answer of GetAccountAuthorizationDetails; what is not given is an empty list."""
    empty: Json = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    return empty | lists
