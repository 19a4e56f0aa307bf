"""Which KMS key an operation uses, and whether it uses one at all.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

from dataclasses import dataclass

from denyproxy.iam.truth import UNKNOWN, Truth, Unknown
from denyproxy.s3.arn import Arn
from denyproxy.s3.scene import Scene
from denyproxy.s3.snapshot import AWS_MANAGED_KEY, BucketFacts, ObjectFacts
from denyproxy.s3.xml import descendant_text

_SSE = "x-amz-server-side-encryption"
_SSE_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
_SSE_C = "x-amz-server-side-encryption-customer-algorithm"
KMS_ALGORITHMS = ("aws:kms", "aws:kms:dsse")


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Whether a KMS key is used, and which."""

    used: Truth
    key: str | None = None
    """ARN, id or alias as named; None: not known."""
    new: bool = False
    """It is named for a new object, rather than by a stored one."""


NOT_USED = KeyUse(Truth.NO)


def object_key(facts: ObjectFacts | None) -> KeyUse:
    """The key of a stored object; NO where there is no object."""
    if facts is None:
        return NOT_USED
    if facts.sse is UNKNOWN:
        return KeyUse(Truth.UNKNOWN, _text(facts.kms_key))
    return KeyUse(Truth.YES, _text(facts.kms_key)) if facts.sse in KMS_ALGORITHMS else NOT_USED


def new_object_key(scene: Scene) -> KeyUse:
    """The key for a new object: that of the request's headers, else of the bucket's default encryption."""
    request = scene.request
    if request.header(_SSE_C) is not None:
        return NOT_USED
    requested = request.header(_SSE)
    if requested is not None:
        key = request.header(_SSE_KEY) or AWS_MANAGED_KEY
        return KeyUse(Truth.YES, key, new=True) if requested.strip() in KMS_ALGORITHMS else NOT_USED
    return _default_key(scene.snapshot.bucket(request.bucket or ""))


def upload_key(scene: Scene) -> KeyUse:
    """The key of a multipart upload. The request does not name it: it was chosen when the upload was created."""
    if scene.request.header(_SSE_C) is not None:
        return NOT_USED
    default = _default_key(scene.snapshot.bucket(scene.request.bucket or ""))
    facts = scene.object
    if facts is not None and facts.sse is UNKNOWN:
        return KeyUse(Truth.UNKNOWN, default.key)
    stored = object_key(facts)
    return stored if stored.used is Truth.YES else default


def body_key(scene: Scene) -> KeyUse:
    """The key that the body names; UNKNOWN where the body was not kept."""
    body = scene.request.body
    if body is None or (body and scene.body is None):
        return KeyUse(Truth.UNKNOWN)
    key = descendant_text(scene.body, "KMSKeyArn") or descendant_text(scene.body, "KmsKeyArn")
    return KeyUse(Truth.YES, key) if key else NOT_USED


def _default_key(bucket: BucketFacts) -> KeyUse:
    algorithm, key = bucket.default_encryption, bucket.default_kms_key
    if algorithm is UNKNOWN:
        return KeyUse(Truth.UNKNOWN, _text(key))
    if algorithm not in KMS_ALGORITHMS:
        return NOT_USED
    return KeyUse(Truth.YES, AWS_MANAGED_KEY if key is None else _text(key), new=True)


def _text(key: str | Unknown | None) -> str | None:
    return None if key is UNKNOWN else key


def managed_key_of_caller(scene: Scene, use: KeyUse) -> str | None:
    """The alias of the AWS managed key that encrypts a new object, where it is not the one at hand: KMS looks an alias
    up in the account of whoever asks, so another account than the bucket's uses its own.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html"""
    account, region = scene.caller_account, scene.request.region
    if not use.new or use.key != AWS_MANAGED_KEY or account is None or region is None:
        return None
    at_hand = scene.snapshot.kms_keys.get(AWS_MANAGED_KEY)
    if scene.snapshot.default_kms_key.policy.policies or (
        at_hand is not None and at_hand.account in (account, UNKNOWN)
    ):
        return None
    return str(Arn(scene.request.partition, "kms", region, account, AWS_MANAGED_KEY))


def key_arn(scene: Scene, key: str) -> str | None:
    """The ARN of a key named by ARN, id or alias; None: not known. A bare id belongs to the caller's account."""
    known = scene.snapshot.kms_keys.get(key)
    if known is not None and known.arn is not None:
        return known.arn
    arn = Arn.parse(key)
    if arn is not None:
        return key if arn.resource.startswith("key/") else None
    request = scene.request
    if key.startswith("alias/") or scene.caller_account is None or request.region is None:
        return None
    return str(Arn(request.partition, "kms", request.region, scene.caller_account, f"key/{key}"))
