"""The actions of Amazon S3, and the names that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from denyproxy.s3.actions import ACTIONS, actions_for_api_name, mistaken_for, resource_type
from denyproxy.s3.permission_table import OPERATIONS

DATA = Path(__file__).parent / "data"


def test_every_documented_action_is_known() -> None:
    documented = json.loads((DATA / "documented_permissions.json").read_text())
    actions = {(row[0], row[1]) for rows in documented.values() for row in rows if row[0].startswith("s3:")}
    for action, target in actions:
        if action != "s3:TagResource":
            expected = {"copy_source_object": "object", "service": "*"}.get(target, target)
            assert ACTIONS[action] == expected
    for supported in json.loads((DATA / "documented_condition_keys.json").read_text()).values():
        names = supported["all_except"] if isinstance(supported, dict) else supported or []
        assert {f"s3:{name}" for name in names} <= set(ACTIONS)
    assert len(ACTIONS) == 180


def test_every_action_of_the_permission_table_exists() -> None:
    needed = {row.action for rows in OPERATIONS.values() for row in rows if row.action.startswith("s3:")}
    assert needed <= set(ACTIONS)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("s3:GetObject", "object"),
        ("S3:getobject", "object"),
        ("s3:ListBucket", "bucket"),
        ("s3:ListBucketMultipartUploads", "bucket"),
        ("s3:ListMultipartUploadParts", "object"),
        ("s3:ListAllMyBuckets", "*"),
        ("s3:GetAccountPublicAccessBlock", "*"),
        ("s3:CreateAccessPoint", "accesspoint"),
        ("s3:ListObjects", None),
        ("ec2:RunInstances", None),
    ],
)
def test_resource_types(action: str, kind: str | None) -> None:
    assert resource_type(action) == kind


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("s3:HeadObject", ("s3:GetObject",)),
        ("s3:HeadBucket", ("s3:ListBucket",)),
        ("s3:ListObjects", ("s3:ListBucket",)),
        ("s3:ListObjectsV2", ("s3:ListBucket",)),
        ("S3:LISTOBJECTSV2", ("s3:ListBucket",)),
        ("ListObjectsV2", ("s3:ListBucket",)),
        ("s3:ListBuckets", ("s3:ListAllMyBuckets",)),
        ("s3:CopyObject", ("s3:GetObject", "s3:PutObject")),
        ("s3:UploadPart", ("s3:PutObject",)),
        ("s3:UploadPartCopy", ("s3:GetObject", "s3:PutObject")),
        ("s3:CreateMultipartUpload", ("s3:PutObject",)),
        ("s3:CompleteMultipartUpload", ("s3:PutObject",)),
        ("s3:DeleteObjects", ("s3:DeleteObject",)),
        ("s3:ListParts", ("s3:ListMultipartUploadParts",)),
        ("s3:ListMultipartUploads", ("s3:ListBucketMultipartUploads",)),
        ("s3:ListObjectVersions", ("s3:ListBucketVersions",)),
        ("s3:GetBucketEncryption", ("s3:GetEncryptionConfiguration",)),
        ("s3:GetBucketLifecycle", ("s3:GetLifecycleConfiguration",)),
        ("s3:PutBucketLifecycleConfiguration", ("s3:PutLifecycleConfiguration",)),
        ("s3:GetBucketReplication", ("s3:GetReplicationConfiguration",)),
        ("s3:DeleteBucketTagging", ("s3:PutBucketTagging",)),
        ("s3:DeleteBucketCors", ("s3:PutBucketCORS",)),
        ("s3:PutPublicAccessBlock", ("s3:PutBucketPublicAccessBlock",)),
        ("s3:GetObjectLockConfiguration", ("s3:GetBucketObjectLockConfiguration",)),
        ("s3:PutBucketNotificationConfiguration", ("s3:PutBucketNotification",)),
        ("s3:DeleteLifecycleConfiguration", ("s3:PutLifecycleConfiguration",)),
        ("s3:DeleteBucketPolicy", ()),
        ("s3:ListObject", ("s3:ListBucket",)),
        ("s3:GetObject", ()),
        ("s3:getobject", ()),
        ("s3:Get*", ()),
        ("s3:Frobnicate", ()),
        ("", ()),
    ],
)
def test_api_names_that_are_no_actions(name: str, actions: tuple[str, ...]) -> None:
    assert actions_for_api_name(name) == actions


def test_names_that_stand_where_an_action_is_meant() -> None:
    listing = mistaken_for("s3:ListBucket")
    assert {"s3:listobjects", "s3:listobjectsv2", "s3:headbucket"} <= set(listing)
    assert set(listing.values()) == {"s3:ListBucket"}
    assert mistaken_for("s3:RestoreObject") == {}
