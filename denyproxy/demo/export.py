"""Writes a policy directory from what the IAM and S3 APIs answer, in the shape in which they answer it.

It knows nothing of the demo: give it clients of a real account and it writes that account's directory.
What may not be read is left out, which means unknown; null means that there is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Clients (boto3) of one account, with the rights to read its configuration."""

    account: str
    iam: Any
    s3: Any
    s3control: Any = None
    """None: the account's own Block Public Access stays unknown."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One call about a bucket: boto3's method, the error codes that mean "there is none", the fields to keep."""

    method: str
    none_codes: frozenset[str]
    fields: Callable[[Fields], Fields]
    none: Fields


def _whole(name: str) -> Callable[[Fields], Fields]:
    return lambda answer: {name: answer}


def _member(name: str) -> Callable[[Fields], Fields]:
    return lambda answer: {name: answer[name]} if name in answer else {}


BLOCK_PUBLIC_ACCESS = Reading(
    "get_public_access_block",
    frozenset({"NoSuchPublicAccessBlockConfiguration"}),
    _member("PublicAccessBlockConfiguration"),
    {"PublicAccessBlockConfiguration": None},
)
"""Of a bucket; of an account, when asked through s3control."""

READINGS: tuple[Reading, ...] = (
    Reading(
        "get_bucket_location",
        frozenset(),
        lambda answer: {"Region": answer.get("LocationConstraint") or "us-east-1"},
        {},
    ),
    Reading(
        "get_bucket_policy",
        frozenset({"NoSuchBucketPolicy"}),
        lambda answer: {"Policy": json.loads(answer["Policy"])},
        {"Policy": None},
    ),
    Reading(
        "get_bucket_policy_status",
        frozenset({"NoSuchBucketPolicy"}),
        lambda answer: {"PolicyStatus": answer["PolicyStatus"]} if "IsPublic" in answer["PolicyStatus"] else {},
        {},
    ),
    BLOCK_PUBLIC_ACCESS,
    Reading(
        "get_bucket_ownership_controls",
        frozenset({"OwnershipControlsNotFoundError"}),
        _member("OwnershipControls"),
        {"OwnershipControls": None},
    ),
    Reading("get_bucket_acl", frozenset(), _whole("Acl"), {}),
    Reading(
        "get_bucket_encryption",
        frozenset({"ServerSideEncryptionConfigurationNotFoundError"}),
        _member("ServerSideEncryptionConfiguration"),
        {"ServerSideEncryptionConfiguration": None},
    ),
    Reading(
        "get_bucket_request_payment",
        frozenset(),
        lambda answer: {"RequestPayment": answer} if "Payer" in answer else {},
        {},
    ),
    Reading("get_bucket_versioning", frozenset(), _whole("Versioning"), {}),
    Reading("get_bucket_tagging", frozenset({"NoSuchTagSet"}), lambda answer: {"Tags": answer["TagSet"]}, {"Tags": []}),
    Reading(
        "get_object_lock_configuration",
        frozenset({"ObjectLockConfigurationNotFoundError"}),
        lambda answer: {"ObjectLock": answer["ObjectLockConfiguration"]},
        {"ObjectLock": None},
    ),
)


def export(sources: Iterable[Source], directory: Path, sessions: Mapping[str, str] | None = None) -> None:
    """Write `iam/`, `accounts/`, `buckets/` and `access-keys.json` of some accounts.

    `sessions` adds temporary keys, which no API lists: access key id -> assumed-role session ARN.
    Raises ClientError where IAM may not be read; what S3 refuses to tell is left out.
    """
    access_keys = dict(sessions or {})
    for source in sources:
        details = account_authorization_details(source.iam)
        _write(directory / "iam" / f"{source.account}.json", details)
        access_keys |= access_keys_of(source.iam, details["UserDetailList"])
        listing = source.s3.list_buckets()
        _write(directory / "accounts" / f"{source.account}.json", account(source, listing["Owner"]["ID"]))
        for bucket in listing["Buckets"]:
            _write(directory / "buckets" / f"{bucket['Name']}.json", bucket_facts(source, bucket["Name"]))
    _write(directory / "access-keys.json", access_keys)


def account_authorization_details(iam: Any) -> Fields:
    """The answer of GetAccountAuthorizationDetails, all pages, AWS managed policies in use included."""
    pages = iam.get_paginator("get_account_authorization_details").paginate()
    answer: Fields = pages.build_full_result()
    return answer


def access_keys_of(iam: Any, users: Iterable[Fields]) -> dict[str, str]:
    """Access key id -> user ARN."""
    return {
        key["AccessKeyId"]: user["Arn"]
        for user in users
        for page in iam.get_paginator("list_access_keys").paginate(UserName=user["UserName"])
        for key in page["AccessKeyMetadata"]
    }


def account(source: Source, canonical_id: str) -> Fields:
    """The facts of an account file: id, canonical user id, alias, Block Public Access."""
    facts: Fields = {"Id": source.account, "CanonicalUserId": canonical_id}
    aliases = source.iam.list_account_aliases()["AccountAliases"]
    facts["Alias"] = aliases[0] if aliases else None
    if source.s3control is not None:
        facts |= _read(source.s3control, BLOCK_PUBLIC_ACCESS, {"AccountId": source.account})
    return facts


def bucket_facts(source: Source, bucket: str) -> Fields:
    """The facts of a bucket file."""
    facts: Fields = {"Bucket": bucket, "Account": source.account}
    for reading in READINGS:
        facts |= _read(source.s3, reading, {"Bucket": bucket})
    return facts


def _read(client: Any, reading: Reading, parameters: Fields) -> Fields:
    try:
        answer = getattr(client, reading.method)(**parameters)
    except ClientError as error:
        return reading.none if error.response["Error"]["Code"] in reading.none_codes else {}
    return reading.fields({name: value for name, value in answer.items() if name != "ResponseMetadata"})


def _write(path: Path, content: Fields) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, default=_date) + "\n")


def _date(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
