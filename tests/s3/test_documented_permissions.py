"""Every operation, serialised by botocore with and without each conditional parameter, needs what AWS documents.

`data/documented_permissions.json` restates AWS's pages: operation -> [action, target, role, condition]; the small
interpreter of its conditions below shares nothing with the product.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.s3.operation import identify
from denyproxy.s3.permissions import requirements
from denyproxy.s3.request import Requirement, Role
from denyproxy.s3.snapshot import BucketFacts, ObjectFacts, PolicySnapshot
from denyproxy.service_model import s3_operations
from tests.s3.aws_requests import minimal, operation_model, operation_names, sample, serialised

DOCUMENTED = json.loads((Path(__file__).parent / "data" / "documented_permissions.json").read_text())
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PLAIN = PolicySnapshot(
    default_bucket=BucketFacts(account="111122223333", default_encryption="AES256", versioning="Enabled"),
    default_object=ObjectFacts(sse="AES256", tags={}),
)
"""No KMS, no tags, versioned."""
SPECIAL = PolicySnapshot(
    default_bucket=BucketFacts(
        account="111122223333", default_encryption="aws:kms", default_kms_key=KEY, versioning=None
    ),
    default_object=ObjectFacts(sse="aws:kms", kms_key=KEY, tags={"team": "blue"}),
)
"""Everything encrypted with a KMS key, tagged, unversioned."""

VALUES = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-tagging-directive": "REPLACE",
    "x-amz-object-annotation-directive": "COPY",
}
BODY_DECIDES = {"s3:TagResource", "kms:DescribeKey", "iam:PassRole", "organizations:DescribeAccount"}
"""Conditions on the body are tested on their own."""


def holds(when: Any, head: RequestHead, query: dict[str, str], headers: dict[str, str], special: bool) -> bool:
    if when == "always":
        return True
    ((name, value),) = when.items()
    match name:
        case "query_present":
            return value in query
        case "query_absent":
            return value not in query
        case "header_present":
            return value in headers
        case "header_absent":
            return value not in headers
        case "any_header_present":
            return any(item in headers for item in value)
        case "header_equals":
            return headers.get(value[0]) in value[1].split("|")
        case "header_present_and_not_in":
            return value[0] in headers and headers[value[0]] not in value[1]
        case "copy_source_has_version":
            return "versionId=" in headers.get("x-amz-copy-source", "")
        case "state":
            return special
        case "all":
            return all(holds(item, head, query, headers, special) for item in value)
        case "any":
            return any(holds(item, head, query, headers, special) for item in value)
        case "not":
            return not holds(value, head, query, headers, special)
    raise AssertionError(name)


def documented(name: str, head: RequestHead, special: bool) -> set[tuple[str, str, bool]]:
    """(action, role, on the source) that AWS's pages ask for, with the rulings on which they disagree."""
    headers = {field.lower(): value for field, value in head.headers}
    query = dict(part.partition("=")[::2] for part in head.target.partition("?")[2].split("&") if part)
    found: set[tuple[str, str, bool]] = set()
    for action, target, role, when in DOCUMENTED[name]:
        if action in BODY_DECIDES or not holds(when, head, query, headers, special):
            continue
        if when == {"header_equals": ["x-amz-tagging-directive", "REPLACE"]} and "x-amz-tagging" not in headers:
            continue  # Only if x-amz-tagging carries tags.
        if role == "filter" and action == "s3:GetObjectTagging" and "versionId" in query:
            action = "s3:GetObjectVersionTagging"  # As a public test-suite saw it at AWS.
        names = ["kms:ReEncryptFrom", "kms:ReEncryptTo"] if action == "kms:ReEncrypt*" else [action]
        found.update((item, role, target.startswith("copy_source")) for item in names)
    return found


def needed(head: RequestHead, body: bytes, snapshot: PolicySnapshot) -> list[Requirement]:
    return list(requirements(identify(head, table=s3_operations(), body=body), snapshot))


def conditional(name: str) -> Iterator[dict[str, Any]]:
    """No parameter beyond the required, then each one that a documented condition speaks of."""
    yield {}
    shape = operation_model(name).input_shape
    conditions = json.dumps(DOCUMENTED[name])
    for member, place in (shape.members if shape else {}).items():
        location = place.serialization.get("name", "")
        if (
            place.serialization.get("location") in ("header", "querystring")
            and f'"{location.lower()}"' in conditions.lower()
        ):
            yield {member: VALUES.get(location.lower(), sample(place, member))}
    if name == "CopyObject":
        yield {"TaggingDirective": "REPLACE", "Tagging": "a=b"}
        yield {"CopySource": "source-bkt/source-key?versionId=1"}


NAMES = [name for name in operation_names() if name in DOCUMENTED]
CASES = [(name, extra) for name in NAMES for extra in conditional(name)]


def test_there_are_cases_for_every_condition() -> None:
    assert len(CASES) > 180
    newer_than_oldest_botocore = {name for name in DOCUMENTED if "Annotation" in name}
    assert set(DOCUMENTED) - set(NAMES) <= newer_than_oldest_botocore


@pytest.mark.parametrize("special", [False, True], ids=["plain", "special"])
@pytest.mark.parametrize(("name", "extra"), CASES, ids=[f"{name}-{'-'.join(extra)}" for name, extra in CASES])
def test_needs_what_is_documented(name: str, extra: dict[str, Any], special: bool) -> None:
    head, body = serialised(name, {**minimal(name), **extra})
    if name == "DeleteObjects":
        body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>1</VersionId></Object></Delete>"
        expected = {
            (action, role, False)
            for action, _, role, when in DOCUMENTED[name]
            if "body" in when or holds(when, head, {}, {f.lower(): v for f, v in head.headers}, special)
        }
    else:
        expected = documented(name, head, special)
    found = needed(head, body, SPECIAL if special else PLAIN)
    ours = {(item.action, item.role.value, item.source) for item in found if item.action not in BODY_DECIDES}
    assert ours == expected


RESOURCES = {
    "bucket": "arn:aws:s3:::bkt",
    "object": "arn:aws:s3:::bkt/dir/key.txt",
    "copy_source_object": "arn:aws:s3:::source-bkt/source-key",
}


@pytest.mark.parametrize(("name", "extra"), CASES, ids=[f"{name}-{'-'.join(extra)}" for name, extra in CASES])
def test_resources(name: str, extra: dict[str, Any]) -> None:
    head, body = serialised(name, {**minimal(name), **extra})
    targets: dict[tuple[str, bool], str] = {}
    for action, target, _, _ in DOCUMENTED[name]:
        targets[action, target.startswith("copy_source")] = target
    for item in needed(head, body, SPECIAL):
        target = targets.get((item.action, item.source), "")
        if item.role in (Role.GATE, Role.DENY_ONLY) and target in RESOURCES:
            assert item.resource == RESOURCES[target]
            assert item.bucket == ("source-bkt" if item.source else "bkt")
