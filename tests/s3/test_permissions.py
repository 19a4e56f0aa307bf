"""What calls have to be allowed, spelled out for the cases that people meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.operation import identify
from denyproxy.s3.permissions import missing_key_requirement, requirements
from denyproxy.s3.request import Caller, KnownBy, Requirement, Role, S3Request
from denyproxy.s3.snapshot import AccessPointFacts, BucketFacts, KmsKeyFacts, ObjectFacts, PolicySnapshot
from denyproxy.service_model import s3_operations

ACCOUNT = "111122223333"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{KEY_ID}"
POINT = f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/reports"
OPEN = PolicySnapshot()
"""Nothing is known."""


def closed(**bucket: Any) -> PolicySnapshot:
    """All is known, and nothing special."""
    facts = {"account": ACCOUNT, "default_encryption": None, "default_kms_key": None, "versioning": "Enabled", **bucket}
    return PolicySnapshot(default_bucket=BucketFacts(**facts), default_object=ObjectFacts(sse=None, tags={}))


def with_object(facts: ObjectFacts | None, bucket: str = "b", key: str = "k") -> PolicySnapshot:
    return PolicySnapshot(
        objects={(bucket, key): facts},
        default_bucket=closed().default_bucket,
        default_object=ObjectFacts(sse=None, tags={}),
    )


def request(
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    host: str = "s3.us-east-1.amazonaws.com",
    points: Mapping[str, AccessPointFacts] | None = None,
) -> S3Request:
    head = RequestHead(method, target, (("Host", host), *(headers or {}).items()))
    return identify(head, table=s3_operations(), body=body, access_points=points)


def needs(asked: S3Request, snapshot: PolicySnapshot, caller: Caller | None = None) -> list[Requirement]:
    return list(requirements(asked, snapshot, caller))


def gates(asked: S3Request, snapshot: PolicySnapshot) -> list[tuple[str, str]]:
    found = needs(asked, snapshot)
    return [(item.action, item.resource) for item in found if item.role is not Role.FILTER]


def only(found: list[Requirement], action: str) -> Requirement:
    (requirement,) = [item for item in found if item.action == action]
    return requirement


def test_reading() -> None:
    assert gates(request("GET", "/b/a//k"), closed()) == [("s3:GetObject", "arn:aws:s3:::b/a//k")]
    assert gates(request("HEAD", "/b/k"), closed()) == [("s3:GetObject", "arn:aws:s3:::b/k")]
    assert gates(request("GET", "/b/k?versionId=1"), closed()) == [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]
    version = only(needs(request("GET", "/b/k?versionId=1"), closed()), "s3:GetObjectVersion")
    assert (version.bucket, version.key, version.version_id) == ("b", "k", "1")


def test_filters_never_deny_and_are_marked() -> None:
    roles = {item.action: item.role for item in needs(request("GET", "/b/k"), closed())}
    assert roles == {
        "s3:GetObject": Role.GATE,
        "s3:GetObjectTagging": Role.FILTER,
        "s3:GetObjectRetention": Role.FILTER,
        "s3:GetObjectLegalHold": Role.FILTER,
    }


def test_listing() -> None:
    assert gates(request("GET", "/"), closed()) == [("s3:ListAllMyBuckets", "arn:aws:s3:::*")]
    assert gates(request("GET", "/b"), closed()) == [("s3:ListBucket", "arn:aws:s3:::b")]
    owners = only(needs(request("GET", "/b?list-type=2&fetch-owner=true"), closed()), "s3:GetObjectAcl")
    assert (owners.resource, owners.key, owners.role) == ("arn:aws:s3:::b/*", None, Role.FILTER)
    assert gates(request("GET", "/b?versions"), closed()) == [("s3:ListBucketVersions", "arn:aws:s3:::b")]
    assert gates(request("HEAD", "/b"), closed()) == [("s3:ListBucket", "arn:aws:s3:::b")]
    assert gates(request("GET", "/b?uploads"), closed()) == [("s3:ListBucketMultipartUploads", "arn:aws:s3:::b")]


def test_partitions() -> None:
    china = request("GET", "/k", host="b.s3.cn-north-1.amazonaws.com.cn")
    assert gates(china, closed()) == [("s3:GetObject", "arn:aws-cn:s3:::b/k")]
    assert gates(request("GET", "/", host="s3.us-gov-west-1.amazonaws.com"), closed()) == [
        ("s3:ListAllMyBuckets", "arn:aws-us-gov:s3:::*")
    ]


def test_writing_with_headers() -> None:
    headers = {
        "x-amz-acl": "public-read",
        "x-amz-tagging": "a=b",
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-legal-hold": "ON",
        "if-match": '"etag"',
    }
    assert [action for action, _ in gates(request("PUT", "/b/k", headers), closed())] == [
        "s3:PutObject",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
        "s3:PutObjectRetention",
        "s3:PutObjectLegalHold",
        "s3:GetObject",
    ]
    assert gates(request("PUT", "/b/k", {"if-none-match": "*"}), closed()) == [("s3:PutObject", "arn:aws:s3:::b/k")]


@pytest.mark.parametrize(
    ("acl", "truth"),
    [
        ("public-read", Truth.YES),
        ("authenticated-read", Truth.YES),
        ("private", Truth.UNKNOWN),
        ("bucket-owner-full-control", Truth.UNKNOWN),
    ],
)
def test_harmless_acls_are_never_a_sure_cause(acl: str, truth: Truth) -> None:
    found = needs(request("PUT", "/b/k", {"x-amz-acl": acl}), closed())
    assert only(found, "s3:PutObjectAcl").needed is truth


def test_presigned_headers_count() -> None:
    target = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0&x-amz-acl=public-read"
    assert "s3:PutObjectAcl" in [action for action, _ in gates(request("PUT", target), closed())]


def test_deleting() -> None:
    assert gates(request("DELETE", "/b/k"), closed()) == [("s3:DeleteObject", "arn:aws:s3:::b/k")]
    headers = {"x-amz-bypass-governance-retention": "true", "if-match": '"etag"'}
    assert gates(request("DELETE", "/b/k?versionId=1", headers), closed()) == [
        ("s3:DeleteObjectVersion", "arn:aws:s3:::b/k"),
        ("s3:BypassGovernanceRetention", "arn:aws:s3:::b/k"),
        ("s3:GetObject", "arn:aws:s3:::b/k"),
    ]
    assert gates(request("DELETE", "/b/k", {"if-match": "*"}), closed()) == [("s3:DeleteObject", "arn:aws:s3:::b/k")]


@pytest.mark.parametrize(
    ("versioning", "truth"),
    [(None, Truth.YES), (UNKNOWN, Truth.UNKNOWN), ("Enabled", None), ("Suspended", None)],
)
def test_a_deny_of_version_deletes_counts_in_unversioned_buckets(versioning: Any, truth: Truth | None) -> None:
    found = [
        item for item in needs(request("DELETE", "/b/k"), closed(versioning=versioning)) if item.role is Role.DENY_ONLY
    ]
    assert [(item.action, item.needed) for item in found] == (
        [] if truth is None else [("s3:DeleteObjectVersion", truth)]
    )


def test_delete_objects_is_authorized_per_key() -> None:
    body = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a &amp; b</Key></Object>'
        b"<Object><Key>c//d</Key><VersionId>v1</VersionId></Object><Quiet>true</Quiet></Delete>"
    )
    found = needs(request("POST", "/b?delete", {"x-amz-bypass-governance-retention": "true"}, body), closed())
    assert [(item.action, item.resource, item.key, item.version_id) for item in found] == [
        ("s3:DeleteObject", "arn:aws:s3:::b/a & b", "a & b", None),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::b/c//d", "c//d", "v1"),
        ("s3:BypassGovernanceRetention", "arn:aws:s3:::b/a & b", "a & b", None),
        ("s3:BypassGovernanceRetention", "arn:aws:s3:::b/c//d", "c//d", "v1"),
    ]
    assert {item.role for item in found} == {Role.GATE_PER_KEY}


def test_delete_objects_without_its_body_is_uncertain() -> None:
    found = needs(request("POST", "/b?delete", {"Content-Length": "99"}), closed())
    assert [(item.action, item.key, item.needed) for item in found] == [
        ("s3:DeleteObject", None, Truth.UNKNOWN),
        ("s3:DeleteObjectVersion", None, Truth.UNKNOWN),
    ]


TAGGED = ObjectFacts(sse=None, tags={"team": "blue"})


@pytest.mark.parametrize(
    ("source", "headers", "expected"),
    [
        (ObjectFacts(sse=None, tags={}), {}, {}),
        (TAGGED, {}, {"s3:GetObjectTagging": Truth.YES, "s3:PutObjectTagging": Truth.YES}),
        (ObjectFacts(sse=None), {}, {"s3:GetObjectTagging": Truth.UNKNOWN, "s3:PutObjectTagging": Truth.UNKNOWN}),
        (None, {}, {}),
        (TAGGED, {"x-amz-tagging-directive": "REPLACE"}, {}),
        (
            TAGGED,
            {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "a=b"},
            {"s3:PutObjectTagging": Truth.YES},
        ),
    ],
)
def test_copies_take_tags_along(
    source: ObjectFacts | None, headers: dict[str, str], expected: dict[str, Truth]
) -> None:
    copy = request("PUT", "/b/k", {"x-amz-copy-source": "/src/s%20k", **headers})
    found = needs(copy, with_object(source, "src", "s k"))
    assert {item.action: item.needed for item in found if item.action.endswith("Tagging")} == expected


def test_copies_read_the_source_and_write_the_target() -> None:
    copy = request("PUT", "/b/k", {"x-amz-copy-source": "src/s?versionId=3"})
    found = needs(copy, with_object(TAGGED, "src", "s"))
    assert [(item.action, item.resource, item.source) for item in found] == [
        ("s3:GetObjectVersion", "arn:aws:s3:::src/s", True),
        ("s3:GetObjectVersionTagging", "arn:aws:s3:::src/s", True),
        ("s3:PutObject", "arn:aws:s3:::b/k", False),
        ("s3:PutObjectTagging", "arn:aws:s3:::b/k", False),
    ]
    assert (found[0].bucket, found[0].key, found[0].version_id) == ("src", "s", "3")


def test_a_copy_source_that_cannot_be_read_is_uncertain() -> None:
    found = needs(request("PUT", "/b/k", {"x-amz-copy-source": "nonsense"}), closed())
    assert only(found, "s3:GetObject").needed is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ObjectFacts(sse="aws:kms", kms_key=KEY), (Truth.YES, KEY, KEY)),
        (ObjectFacts(sse="aws:kms:dsse", kms_key=KEY), (Truth.YES, KEY, KEY)),
        (ObjectFacts(sse="AES256"), None),
        (ObjectFacts(sse=None), None),
        (None, None),
        (ObjectFacts(), (Truth.UNKNOWN, "arn:aws:kms:us-east-1:*:key/*", None)),
        (ObjectFacts(sse="aws:kms"), (Truth.UNKNOWN, "arn:aws:kms:us-east-1:*:key/*", None)),
        (
            ObjectFacts(sse="aws:kms", kms_key="alias/aws/s3"),
            (Truth.YES, "arn:aws:kms:us-east-1:*:alias/aws/s3", "alias/aws/s3"),
        ),
    ],
)
def test_reading_an_encrypted_object(facts: ObjectFacts | None, expected: tuple[Truth, str, str | None] | None) -> None:
    found = [item for item in needs(request("GET", "/b/k"), with_object(facts)) if item.role is Role.KMS]
    assert [item.action for item in found] == ([] if expected is None else ["kms:Decrypt"])
    assert [(item.needed, item.resource, item.kms_key) for item in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("headers", "bucket", "expected"),
    [
        ({}, {}, None),
        ({}, {"default_encryption": "AES256"}, None),
        ({}, {"default_encryption": "aws:kms", "default_kms_key": KEY}, (Truth.YES, KEY)),
        ({}, {"default_encryption": "aws:kms"}, (Truth.YES, "arn:aws:kms:us-east-1:*:alias/aws/s3")),
        (
            {},
            {"default_encryption": UNKNOWN, "default_kms_key": UNKNOWN},
            (Truth.UNKNOWN, "arn:aws:kms:us-east-1:*:key/*"),
        ),
        ({"x-amz-server-side-encryption": "AES256"}, {"default_encryption": "aws:kms", "default_kms_key": KEY}, None),
        (
            {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
            {"default_encryption": "aws:kms", "default_kms_key": KEY},
            None,
        ),
        (
            {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": KEY},
            {},
            (Truth.YES, KEY),
        ),
        (
            {"x-amz-server-side-encryption": "aws:kms"},
            {"default_encryption": "aws:kms", "default_kms_key": KEY},
            (Truth.YES, "arn:aws:kms:us-east-1:*:alias/aws/s3"),
        ),
    ],
)
def test_writing_an_encrypted_object(
    headers: dict[str, str], bucket: dict[str, Any], expected: tuple[Truth, str] | None
) -> None:
    found = [item for item in needs(request("PUT", "/b/k", headers), closed(**bucket)) if item.role is Role.KMS]
    assert [item.action for item in found] == ([] if expected is None else ["kms:GenerateDataKey"])
    assert [(item.needed, item.resource) for item in found] == ([] if expected is None else [expected])


def test_key_ids_and_aliases_are_completed() -> None:
    sse = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": KEY_ID}
    caller = Caller(Principal(PrincipalType.USER, "arn:aws:iam::444455556666:user/u", "444455556666"), KnownBy.DECLARED)
    bare = only(needs(request("PUT", "/b/k", sse), closed(), caller), "kms:GenerateDataKey")
    assert bare.resource == f"arn:aws:kms:us-east-1:444455556666:key/{KEY_ID}"
    sse["x-amz-server-side-encryption-aws-kms-key-id"] = "alias/app"
    unresolved = only(needs(request("PUT", "/b/k", sse), closed(), caller), "kms:GenerateDataKey")
    assert (unresolved.needed, unresolved.kms_key) == (Truth.UNKNOWN, "alias/app")
    snapshot = PolicySnapshot(kms_keys={"alias/app": KmsKeyFacts(arn=KEY)}, default_bucket=closed().default_bucket)
    resolved = only(needs(request("PUT", "/b/k", sse), snapshot, caller), "kms:GenerateDataKey")
    assert (resolved.needed, resolved.resource, resolved.kms_key) == (Truth.YES, KEY, "alias/app")


def test_the_managed_key_of_a_new_object_is_that_of_the_caller() -> None:
    caller = Caller(Principal(PrincipalType.USER, "arn:aws:iam::444455556666:user/u", "444455556666"), KnownBy.DECLARED)
    of_caller = "arn:aws:kms:us-east-1:444455556666:alias/aws/s3"
    sse = request("PUT", "/b/k", {"x-amz-server-side-encryption": "aws:kms"})
    by_default = closed(default_encryption="aws:kms")
    at_hand = {"alias/aws/s3": KmsKeyFacts(arn=KEY, account=ACCOUNT)}
    for asked, snapshot in [
        (sse, closed()),
        (sse, replace(closed(), kms_keys=at_hand)),
        (request("PUT", "/b/k"), by_default),
    ]:
        found = only(needs(asked, snapshot, caller), "kms:GenerateDataKey")
        assert (found.needed, found.resource, found.kms_key) == (Truth.YES, of_caller, of_caller)
        assert snapshot.kms_key(found.kms_key).account == "444455556666"
    part = needs(request("PUT", "/b/k?partNumber=1&uploadId=u"), by_default, caller)
    assert only(part, "kms:Decrypt").kms_key == of_caller
    stored = with_object(ObjectFacts(sse="aws:kms", kms_key="alias/aws/s3"))
    assert only(needs(request("GET", "/b/k"), stored, caller), "kms:Decrypt").kms_key == "alias/aws/s3"


def test_multipart_uploads() -> None:
    part = request("PUT", "/b/k?partNumber=1&uploadId=u")
    assert gates(part, closed()) == [("s3:PutObject", "arn:aws:s3:::b/k")]
    encrypted = needs(part, closed(default_encryption="aws:kms", default_kms_key=KEY))
    assert [(item.action, item.needed) for item in encrypted] == [
        ("s3:PutObject", Truth.YES),
        ("kms:GenerateDataKey", Truth.YES),
        ("kms:Decrypt", Truth.YES),
    ]
    assert encrypted[1].conflict is not None
    assert [item.needed for item in needs(part, OPEN)] == [Truth.YES, Truth.UNKNOWN, Truth.UNKNOWN]
    own_key = request(
        "PUT", "/b/k?partNumber=1&uploadId=u", {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    )
    assert gates(own_key, closed(default_encryption="aws:kms")) == [("s3:PutObject", "arn:aws:s3:::b/k")]
    assert gates(request("POST", "/b/k?uploadId=u"), closed()) == [("s3:PutObject", "arn:aws:s3:::b/k")]
    assert gates(request("GET", "/b/k?uploadId=u"), closed()) == [("s3:ListMultipartUploadParts", "arn:aws:s3:::b/k")]


POINTS = {POINT: AccessPointFacts(POINT, "reports", "data", ACCOUNT)}


def test_through_an_access_point() -> None:
    host = f"reports-{ACCOUNT}.s3-accesspoint.us-east-1.amazonaws.com"
    snapshot = PolicySnapshot(access_points=POINTS, default_object=ObjectFacts(sse=None))
    read = needs(request("GET", "/dir/k", host=host, points=POINTS), snapshot)[0]
    assert read.resource == f"{POINT}/object/dir/k"
    assert (read.via_access_point, read.bucket, read.key) == (POINT, "data", "dir/k")
    assert read.bucket_resource == "arn:aws:s3:::data/dir/k"
    listing = needs(request("GET", "/", host=host, points=POINTS), snapshot)[0]
    assert (listing.action, listing.resource, listing.bucket_resource) == ("s3:ListBucket", POINT, "arn:aws:s3:::data")


def test_an_access_point_that_is_not_known() -> None:
    host = f"reports-{ACCOUNT}.s3-accesspoint.us-east-1.amazonaws.com"
    read = needs(request("GET", "/k", host=host), OPEN)[0]
    assert (read.resource, read.needed) == (f"{POINT}/object/k", Truth.YES)
    assert read.bucket is not None
    assert read.bucket_resource is None
    alias = needs(request("GET", "/k", host="x-s3alias.s3.us-east-1.amazonaws.com"), OPEN)[0]
    assert alias.needed is Truth.UNKNOWN
    assert alias.via_access_point is not None


def test_copy_from_an_access_point() -> None:
    copy = request("PUT", "/b/k", {"x-amz-copy-source": f"{POINT}/object/s"})
    snapshot = PolicySnapshot(
        access_points=POINTS, objects={("data", "s"): TAGGED}, default_object=ObjectFacts(sse=None)
    )
    read = only(needs(copy, snapshot), "s3:GetObject")
    assert (read.resource, read.bucket, read.source) == (f"{POINT}/object/s", "data", True)
    assert only(needs(copy, snapshot), "s3:GetObjectTagging").needed is Truth.YES


def test_copy_from_an_access_point_that_is_not_known() -> None:
    read = only(needs(request("PUT", "/b/k", {"x-amz-copy-source": f"{POINT}/object/s"}), OPEN), "s3:GetObject")
    assert (read.resource, read.via_access_point, read.bucket_resource) == (f"{POINT}/object/s", POINT, None)


def test_copy_from_a_directory_bucket() -> None:
    copy = request("PUT", "/b/k", {"x-amz-copy-source": "src--use1-az4--x-s3/s"})
    session = only(needs(copy, closed()), "s3express:CreateSession")
    assert session.resource == f"arn:aws:s3express:us-east-1:{ACCOUNT}:bucket/src--use1-az4--x-s3"
    assert session.source


def test_object_lambda_access_points() -> None:
    host = f"olap-{ACCOUNT}.s3-object-lambda.us-east-1.amazonaws.com"
    read = needs(request("GET", "/k", host=host), closed())[0]
    assert read.action == "s3-object-lambda:GetObject"
    assert read.resource == f"arn:aws:s3-object-lambda:us-east-1:{ACCOUNT}:accesspoint/olap"


def test_creating_a_bucket() -> None:
    headers = {
        "x-amz-acl": "public-read",
        "x-amz-bucket-object-lock-enabled": "True",
        "x-amz-object-ownership": "ObjectWriter",
    }
    assert [action for action, _ in gates(request("PUT", "/b", headers), closed())] == [
        "s3:CreateBucket",
        "s3:PutBucketAcl",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutBucketVersioning",
        "s3:PutBucketOwnershipControls",
    ]
    assert gates(request("PUT", "/b", {"x-amz-acl": "private"}), closed()) == [("s3:CreateBucket", "arn:aws:s3:::b")]
    tagged = (
        b"<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>"
    )
    assert only(needs(request("PUT", "/b", body=tagged), closed()), "s3:TagResource").needed is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("headers", "body", "truth"),
    [
        ({}, None, None),
        ({}, b"<CreateBucketConfiguration/>", None),
        ({}, b"<CreateBucketConfiguration", Truth.UNKNOWN),
        ({"Content-Length": "9"}, None, Truth.UNKNOWN),
    ],
)
def test_tags_of_a_new_bucket(headers: dict[str, str], body: bytes | None, truth: Truth | None) -> None:
    found = needs(request("PUT", "/b", headers, body), closed())
    assert [item.needed for item in found if item.action == "s3:TagResource"] == ([] if truth is None else [truth])


def test_the_default_key_is_that_of_the_bucket_written_to() -> None:
    snapshot = PolicySnapshot(
        buckets={"b": BucketFacts("b", default_encryption="aws:kms", default_kms_key=KEY)},
        default_bucket=BucketFacts(default_encryption="AES256"),
        default_object=ObjectFacts(sse=None),
    )
    for target in ("/b/k", "/b/k?partNumber=1&uploadId=u"):
        assert only(needs(request("PUT", target), snapshot), "kms:GenerateDataKey").resource == KEY
        elsewhere = needs(request("PUT", target.replace("/b/", "/other/")), snapshot)
        assert not [item for item in elsewhere if item.role is Role.KMS]


def test_post_forms() -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nup/a\r\n'
        b'--x\r\nContent-Disposition: form-data; name="acl"\r\n\r\npublic-read\r\n--x--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "9"}
    assert gates(request("POST", "/b", headers, form), closed()) == [
        ("s3:PutObject", "arn:aws:s3:::b/up/a"),
        ("s3:PutObjectAcl", "arn:aws:s3:::b/up/a"),
    ]
    unread = needs(request("POST", "/b", headers), closed())
    assert [(item.action, item.key, item.needed) for item in unread] == [("s3:PutObject", None, Truth.UNKNOWN)]


def test_roles_and_keys_named_in_bodies() -> None:
    role = "arn:aws:iam::111122223333:role/replication"
    body = f"<ReplicationConfiguration><Role>{role}</Role></ReplicationConfiguration>".encode()
    passed = only(needs(request("PUT", "/b?replication", body=body), closed()), "iam:PassRole")
    assert (passed.resource, passed.bucket, passed.needed) == (role, None, Truth.YES)
    assert passed.conflict is not None
    encryption = f"<ObjectEncryption><SSE-KMS><KMSKeyArn>{KEY}</KMSKeyArn></SSE-KMS></ObjectEncryption>".encode()
    found = needs(request("PUT", "/b/k?encryption", body=encryption), closed())
    assert {(item.resource, item.needed) for item in found if item.role is Role.KMS} == {(KEY, Truth.YES)}
    unread = needs(request("PUT", "/b/k?encryption", {"Content-Length": "9"}), closed())
    assert {item.needed for item in unread if item.role is Role.KMS} == {Truth.UNKNOWN}


def test_metadata_tables() -> None:
    body = b"<MetadataConfiguration><JournalTableConfiguration/></MetadataConfiguration>"
    found = needs(request("POST", "/b?metadataConfiguration", body=body), closed())
    assert {item.resource for item in found if item.action.startswith("s3tables:")} == {
        f"arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/aws-s3"
    }
    assert not [item for item in found if item.role is Role.KMS]
    encrypted = f"<MetadataConfiguration><KmsKeyArn>{KEY}</KmsKeyArn></MetadataConfiguration>".encode()
    found = needs(request("POST", "/b?metadataConfiguration", body=encrypted), closed())
    assert [(item.action, item.resource) for item in found if item.role is Role.KMS] == [("kms:DescribeKey", KEY)]
    unknown = needs(request("POST", "/b?metadataConfiguration", body=body), OPEN)
    assert {(item.resource, item.needed) for item in unknown if item.action.startswith("s3tables:")} == {
        ("arn:aws:s3tables:us-east-1:*:*", Truth.UNKNOWN)
    }
    named = "arn:aws:s3tables:eu-west-1:444455556666:bucket/tables"
    old = f"<MetadataTableConfiguration><TableBucketArn>{named}</TableBucketArn></MetadataTableConfiguration>".encode()
    found = needs(request("POST", "/b?metadataTable", body=old), OPEN)
    assert {item.resource for item in found if item.action.startswith("s3tables:")} == {named}


def test_directory_buckets() -> None:
    host = "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com"
    snapshot = closed()
    arn = f"arn:aws:s3express:us-east-1:{ACCOUNT}:bucket/b--use1-az4--x-s3"
    for method, target in (("GET", "/k"), ("PUT", "/k"), ("GET", "/?list-type=2"), ("GET", "/?session"), ("HEAD", "/")):
        assert gates(request(method, target, host=host), snapshot) == [("s3express:CreateSession", arn)]
    control = request("PUT", "/b--use1-az4--x-s3?policy", host="s3express-control.us-east-1.amazonaws.com")
    assert gates(control, snapshot) == [("s3express:PutBucketPolicy", arn)]
    assert needs(control, OPEN)[0].needed is Truth.UNKNOWN
    assert needs(control, snapshot)[0].needed is Truth.YES
    nowhere = needs(request("GET", "/b--use1-az4--x-s3/k", host="127.0.0.1:9000"), snapshot)[0]
    assert (nowhere.needed, nowhere.resource) == (Truth.UNKNOWN, arn.replace("us-east-1", "*"))
    directories = request("GET", "/", host="s3express-control.us-east-1.amazonaws.com")
    assert gates(directories, snapshot) == [("s3express:ListAllMyDirectoryBuckets", "*")]


def test_nothing_is_needed_for_preflights_and_unknown_operations() -> None:
    assert needs(request("OPTIONS", "/b/k"), OPEN) == []
    assert needs(request("PATCH", "/b/k"), OPEN) == []


def test_websites_read_objects() -> None:
    site = request("GET", "/index.html", host="b.s3-website-us-east-1.amazonaws.com")
    assert gates(site, closed()) == [("s3:GetObject", "arn:aws:s3:::b/index.html")]


def test_a_missing_key_asks_for_listing_with_the_key_as_prefix() -> None:
    listing = missing_key_requirement(request("GET", "/b/dir/k"), OPEN)
    assert listing is not None
    assert (listing.action, listing.resource, listing.key) == ("s3:ListBucket", "arn:aws:s3:::b", "dir/k")
    assert missing_key_requirement(request("GET", "/b"), OPEN) is None


def test_requirements_are_lazy() -> None:
    body = b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1000 + b"</Delete>"
    found = requirements(request("POST", "/b?delete", body=body), OPEN)
    assert next(found).key == "k"
