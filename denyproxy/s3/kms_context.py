"""Condition keys of the request that S3 makes to KMS for the caller.

https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from denyproxy.iam.context import Values
from denyproxy.iam.truth import UNKNOWN
from denyproxy.s3.arn import bucket_arn, dns_suffix, object_arn
from denyproxy.s3.view import Value, View, one

ENDPOINT_KEYS = (
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:vpcsourceip",
)
"""Present on requests through a VPC endpoint; aws:SourceIp on all others."""
CALLED_VIA = ("aws:calledvia", "aws:calledviafirst", "aws:calledvialast")
_READS_CONTENT = frozenset({"GetObject", "HeadObject", "GetObjectAttributes", "SelectObjectContent"})


def forwarded_keys(view: View, declared: Mapping[str, Values | None]) -> Mapping[str, Value]:
    """Of the call that S3 makes to KMS with the caller's identity (forward access session).

    Whether it carries the caller's address and transport is documented both ways."""
    stated = {key for key, values in declared.items() if values is not None}
    if view.request.vpc_endpoint is not None:
        stated.add("aws:sourcevpce")
    keys: dict[str, Value] = {key: UNKNOWN for key in (*ENDPOINT_KEYS, "aws:sourceip") if key in stated}
    secure = view.closed and view.call.secure is not False and "aws:securetransport" not in stated
    keys["aws:securetransport"] = ("true",) if secure else UNKNOWN
    keys["aws:useragent"] = UNKNOWN
    keys["aws:referer"] = UNKNOWN if "aws:referer" in stated else view.unsaid
    return keys


def kms_keys(view: View) -> Mapping[str, Value]:
    """What the request to KMS says of itself, of the caller and of the object."""
    requirement, request = view.requirement, view.request
    facts = view.snapshot.kms_key(requirement.kms_key)
    region = request.region
    named = request.header("x-amz-server-side-encryption-aws-kms-key-id")
    alias = named.partition(":alias/")[2] or named.removeprefix("alias/") if named and "alias/" in named else None
    context = _encryption_context(view)
    pairs = {f"kms:encryptioncontext:{key.lower()}": (text,) for key, text in (context or {}).items()}
    return {
        "aws:requestedregion": one(region or UNKNOWN),
        "aws:viaawsservice": ("true",),
        **dict.fromkeys(CALLED_VIA, ("s3.amazonaws.com",)),
        "kms:viaservice": UNKNOWN if region is None else (f"s3.{region}.{dns_suffix(request.partition)}",),
        "kms:calleraccount": one(view.caller.principal.account or UNKNOWN),
        "kms:encryptionalgorithm": ("SYMMETRIC_DEFAULT",),
        "kms:encryptioncontextkeys": UNKNOWN if context is None else ("aws:s3:arn", *context),
        "kms:encryptioncontext:aws:s3:arn": _encrypted_arn(view),
        **pairs,
        "kms:resourcealiases": facts.aliases or view.unsaid,
        "kms:requestalias": None if alias is None else (f"alias/{alias}",),
        "kms:grantisforawsresource": None,
    }


def _encrypted_arn(view: View) -> Value:
    """The object's ARN; with an S3 Bucket Key the bucket's."""
    requirement, request = view.requirement, view.request
    if requirement.bucket is None or requirement.key is None:
        return UNKNOWN
    bucket = view.snapshot.bucket(requirement.bucket)
    facts = view.snapshot.object(requirement.bucket, requirement.key)
    asked = request.header("x-amz-server-side-encryption-bucket-key-enabled")
    if requirement.source or request.operation in _READS_CONTENT:
        uses = UNKNOWN if facts is None else facts.bucket_key
    else:
        uses = bucket.bucket_key if asked is None else asked.strip().lower() == "true"
    if uses is UNKNOWN:
        return UNKNOWN
    if uses:
        return (bucket_arn(request.partition, requirement.bucket),)
    return (object_arn(request.partition, requirement.bucket, requirement.key),)


def _encryption_context(view: View) -> dict[str, str] | None:
    """Further pairs of the request's own encryption context; None: it cannot be read."""
    header = view.request.header("x-amz-server-side-encryption-context")
    if header is None or view.requirement.source:
        return {}
    try:
        pairs = json.loads(base64.b64decode(header))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(pairs, dict):
        return None
    return {str(key): str(text) for key, text in pairs.items() if key != "aws:s3:arn"}
