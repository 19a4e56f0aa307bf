"""The requests of the demo, and for each denial the cause that denyproxy must name."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree

import boto3
from botocore.exceptions import ClientError

from denyproxy.demo.clients import Credentials, client
from denyproxy.demo.world import World


@dataclass(frozen=True, slots=True)
class Cause:
    """What an explanation's `cause` must say; None there means null."""

    layer: str
    effect: str
    element: str
    action: str | None = None
    policy: str | None = None
    statement: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One request. `cause` None: it must succeed."""

    title: str
    who: str
    """A key of World.people."""
    operation: str
    """boto3's method name."""
    parameters: Mapping[str, Any]
    cause: Cause | None
    presigned: bool = False
    """Sign a URL with boto3 and open it with urllib."""
    wrong_secret: bool = False

    @property
    def api_name(self) -> str:
        """The operation's name in S3's API."""
        return "".join(word.capitalize() for word in self.operation.split("_"))


CASES: tuple[Case, ...] = (
    Case("Ana reads a photo", "ana", "get_object", {"Bucket": "holiday-photos", "Key": "beach.jpg"}, None),
    Case(
        "Ben may read photos, and uploads one",
        "ben",
        "put_object",
        {"Bucket": "holiday-photos", "Key": "mountain.jpg", "Body": b"a mountain"},
        Cause("identity", "implicit", "action", "s3:PutObject", "photo-reader", "ReadPhotos"),
    ),
    Case(
        "Carla may upload payslips, and forgets encryption",
        "carla",
        "put_object",
        {"Bucket": "payroll", "Key": "2026/november.csv", "Body": b"carla;4711"},
        Cause(
            "bucket-policy",
            "explicit",
            "condition:s3:x-amz-server-side-encryption",
            "s3:PutObject",
            "bucket policy",
            "DenyUnencryptedUploads",
        ),
    ),
    Case(
        "Dora's policy names the bucket where objects are meant",
        "dora",
        "get_object",
        {"Bucket": "holiday-photos", "Key": "beach.jpg"},
        Cause("identity", "implicit", "resource", "s3:GetObject", "photo-archive", "ArchivePhotos"),
    ),
    Case(
        "Emil checks that a photo exists; a HEAD has no error body",
        "emil",
        "head_object",
        {"Bucket": "holiday-photos", "Key": "sunset.jpg"},
        Cause("identity", "implicit", "action", "s3:GetObject", "photo-check", "CheckPhotos"),
    ),
    Case(
        "Fay sends a presigned link to a report that she may not read",
        "fay",
        "get_object",
        {"Bucket": "weekly-reports", "Key": "internal/salaries.pdf"},
        Cause("identity", "implicit", "resource", "s3:GetObject", "share-reports", "SharePublicReports"),
        presigned=True,
    ),
    Case(
        "Gus reads from a partner's account, which trusts somebody else",
        "gus",
        "get_object",
        {"Bucket": "partner-data", "Key": "feed.csv"},
        Cause("bucket-policy", "implicit", "principal", "s3:GetObject", "bucket policy", "EtlRead"),
    ),
    Case(
        "A role session lists outside its prefix",
        "nightly-backup/monday",
        "list_objects_v2",
        {"Bucket": "backups", "Prefix": "weekly/"},
        Cause("identity", "implicit", "condition:s3:prefix", "s3:ListBucket", "backup-rotation", "ListNightlyBackups"),
    ),
    Case(
        "Ivo's secret key has a typing error",
        "ivo",
        "get_object",
        {"Bucket": "holiday-photos", "Key": "beach.jpg"},
        Cause("signature-mismatch", "not-policy", "secret"),
        wrong_secret=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    code: str | None = None
    """S3's error code; None on success, and where no body came."""
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""


def send(case: Case, world: World, boto: boto3.Session, endpoint: str) -> Answer:
    """Send a case's request to an endpoint: the server itself, or denyproxy in front of it."""
    who = world.people[case.who]
    if case.wrong_secret:
        who = replace(who, secret_access_key=_mistyped(who))
    s3 = client(boto, "s3", endpoint, who)
    if case.presigned:
        return _open(s3.generate_presigned_url(case.operation, Params=dict(case.parameters), ExpiresIn=300))
    try:
        metadata = getattr(s3, case.operation)(**case.parameters)["ResponseMetadata"]
        return Answer(metadata["HTTPStatusCode"], headers=metadata["HTTPHeaders"])
    except ClientError as error:
        response: Any = error.response
        metadata = response["ResponseMetadata"]
        is_empty = case.operation.startswith("head_")
        return Answer(
            metadata["HTTPStatusCode"],
            None if is_empty else response["Error"]["Code"],
            None if is_empty else response["Error"]["Message"],
            metadata["HTTPHeaders"],
        )


def _mistyped(credentials: Credentials) -> str:
    secret = credentials.secret_access_key
    return secret[:-1] + ("x" if secret[-1] != "x" else "y")


def _open(url: str) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url) as answer:
            return Answer(answer.status, headers=_lower(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            body = ElementTree.fromstring(error.read())
            return Answer(error.code, body.findtext("Code"), body.findtext("Message"), _lower(error.headers))


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
