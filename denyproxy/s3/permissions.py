"""All that an S3 call has to be allowed: the rows of the permission table, made concrete.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.arn import Arn, access_point_arn, access_point_object_arn, bucket_arn, object_arn
from denyproxy.s3.kms_keys import (
    KeyUse,
    body_key,
    key_arn,
    managed_key_of_caller,
    new_object_key,
    object_key,
    upload_key,
)
from denyproxy.s3.open_facts import REQUEST_BODY, deciding, default_encryption_of, encryption_of_object
from denyproxy.s3.permission_table import DIRECTORY_BUCKET_OPERATIONS, OPERATIONS, Row, Target
from denyproxy.s3.request import Caller, Requirement, Role, S3Request
from denyproxy.s3.scene import Scene
from denyproxy.s3.snapshot import AWS_MANAGED_KEY, PolicySnapshot
from denyproxy.s3.xml import child_text, children, descendant_text

_ANY = "*"
_DIRECTORY_BUCKET = ("--x-s3", "--xa-s3")


def requirements(request: S3Request, snapshot: PolicySnapshot, caller: Caller | None = None) -> Iterator[Requirement]:
    """What the call has to be allowed, in the order of the gates as far as it is known; lazily, for a DeleteObjects
    may name a thousand keys. Requirements that are known not to apply are left out; nothing for an operation that
    was not recognised. The caller's account completes KMS key ids."""
    scene = Scene(request, snapshot, None if caller is None else caller.principal.account)
    for row in _rows(request):
        when = row.when(scene)
        if when is Truth.NO:
            continue
        facts = deciding(row.when, scene) if when is Truth.UNKNOWN else ()
        for place in _PLACES[row.target](scene):
            needed = place.needed if place.needed < when else when
            if needed is not Truth.NO:
                yield _requirement(row, place, needed, (*facts, *place.facts) if needed is Truth.UNKNOWN else ())


def missing_key_requirement(request: S3Request, snapshot: PolicySnapshot) -> Requirement | None:
    """What decides whether a missing key (of a copy: a missing source) is a 404 or a 403: s3:ListBucket on its bucket,
    with s3:prefix = key.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
    scene = Scene(request, snapshot)
    source = request.copy_source
    key = request.key if source is None else source.key
    if key is None:
        return None
    place = _on(scene, None, None) if source is None else _in_source(scene, source.bucket, None, None)
    return _requirement(Row("s3:ListBucket", Target.BUCKET), place, place.needed)._replace(key=key)


class _Place(NamedTuple):
    """A resource, as far as it is known."""

    resource: str
    needed: Truth = Truth.YES
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    via_access_point: str | None = None
    bucket_resource: str | None = None
    source: bool = False
    kms_key: str | None = None
    express: bool = False
    object_lambda: bool = False
    facts: tuple[str, ...] = ()
    """The facts that would tell whether it is needed."""


def _requirement(row: Row, place: _Place, needed: Truth, facts: tuple[str, ...] = ()) -> Requirement:
    action = row.action
    if place.express and action.startswith("s3:"):
        action = "s3express:CreateSession"
    if place.object_lambda:
        action = action.replace("s3:", "s3-object-lambda:", 1)
    return Requirement(
        action=action,
        resource=place.resource,
        role=row.role,
        needed=needed,
        bucket=place.bucket,
        key=place.key,
        version_id=place.version_id,
        via_access_point=place.via_access_point,
        bucket_resource=place.bucket_resource,
        source=place.source,
        kms_key=place.kms_key,
        conflict=row.conflict,
        caller_only=row.caller_only,
        facts=facts,
    )


def is_directory_bucket(bucket: str | None) -> bool:
    """Is it a bucket of S3 Express One Zone?"""
    return bucket is not None and bucket.endswith(_DIRECTORY_BUCKET)


def _rows(request: S3Request) -> tuple[Row, ...]:
    operation = request.operation or ""
    rows = OPERATIONS.get(operation, ())
    if not is_directory_bucket(request.bucket):
        return rows
    action = DIRECTORY_BUCKET_OPERATIONS.get(operation, "s3express:CreateSession")
    keys = tuple(row for row in rows if row.role is Role.KMS) if operation == "CreateSession" else ()
    source = tuple(row for row in rows if row.target is Target.SOURCE and row.action.startswith("s3:GetObject"))
    return (Row(action, Target.BUCKET), *keys, *source) if rows else ()


def _bucket(scene: Scene) -> Iterator[_Place]:
    yield _on(scene, None, None)


def _object(scene: Scene) -> Iterator[_Place]:
    request = scene.request
    place = _on(scene, request.key or _ANY, request.parameter("versionId"))
    facts = (REQUEST_BODY,) if request.operation == "PostObject" else ()
    yield place if request.key is not None else place._replace(key=None, needed=Truth.UNKNOWN, facts=facts)


def _on(scene: Scene, key: str | None, version_id: str | None) -> _Place:
    """The request's bucket, or an object in it, by the name under which it was reached."""
    request = scene.request
    if request.access_point is not None or request.alias is not None:
        return _through(scene, request.access_point, request.bucket, key, version_id)
    return _in_bucket(scene, request.bucket or "", key, version_id)


def _in_bucket(scene: Scene, bucket: str, key: str | None, version_id: str | None) -> _Place:
    partition = scene.request.partition
    if is_directory_bucket(bucket):
        account = scene.snapshot.bucket(bucket).account
        known = account is not UNKNOWN and scene.request.region is not None
        arn = Arn(
            partition,
            "s3express",
            scene.request.region or _ANY,
            _ANY if account is UNKNOWN else account,
            f"bucket/{bucket}",
        )
        return _Place(str(arn), Truth.YES if known else Truth.UNKNOWN, bucket, express=True)
    resource = bucket_arn(partition, bucket) if key is None else object_arn(partition, bucket, key)
    return _Place(resource, Truth.YES, bucket, key, version_id)


def _through(scene: Scene, arn: str | None, bucket: str | None, key: str | None, version_id: str | None) -> _Place:
    """Through an access point: its ARN is the resource; the bucket's own ARN only for the bucket policy."""
    request = scene.request
    point = arn or access_point_arn(request.partition, request.region or _ANY, _ANY, _ANY)
    if ":s3-object-lambda:" in point:
        return _Place(point, object_lambda=True)
    own = None
    if bucket is not None:
        own = bucket_arn(request.partition, bucket) if key is None else object_arn(request.partition, bucket, key)
    return _Place(
        resource=point if key is None else access_point_object_arn(point, key),
        needed=Truth.YES if arn is not None else Truth.UNKNOWN,
        bucket=bucket or arn or request.alias,
        key=key,
        version_id=version_id,
        via_access_point=point,
        bucket_resource=own,
    )


def _source(scene: Scene) -> Iterator[_Place]:
    source = scene.request.copy_source
    if source is None:
        yield _in_bucket(scene, _ANY, _ANY, None)._replace(needed=Truth.UNKNOWN, bucket=None, key=None, source=True)
    else:
        yield _in_source(scene, source.bucket, source.key, source.version_id)


def _in_source(scene: Scene, bucket: str, key: str | None, version_id: str | None) -> _Place:
    """The bucket from which a copy reads, or an object in it, by the name under which it was reached."""
    point = scene.snapshot.access_points.get(bucket)
    if point is not None:
        place = _through(scene, point.arn, point.bucket, key, version_id)
    elif bucket.startswith("arn:"):
        place = _through(scene, bucket, None, key, version_id)
    else:
        place = _in_bucket(scene, bucket, key, version_id)
    return place._replace(source=True)


def _listed(*, versions: bool | None) -> Callable[[Scene], Iterator[_Place]]:
    """The objects in a DeleteObjects body: with versions, without, or (None) all."""

    def places(scene: Scene) -> Iterator[_Place]:
        if scene.body is None:
            yield _on(scene, _ANY, None)._replace(key=None, needed=Truth.UNKNOWN, facts=(REQUEST_BODY,))
            return
        for item in children(scene.body, "Object"):
            key, version = child_text(item, "Key"), child_text(item, "VersionId")
            if key is not None and versions in (None, bool(version)):
                yield _on(scene, key, version or None)

    return places


def _key(use: Callable[[Scene], KeyUse], *, source: bool = False) -> Callable[[Scene], Iterator[_Place]]:
    """A KMS key. Where it is not known which, only what holds for all keys counts, and that not for sure."""

    def places(scene: Scene) -> Iterator[_Place]:
        request, found = scene.request, use(scene)
        copied = request.copy_source if source else None
        bucket = copied.bucket if copied is not None else request.bucket
        key = copied.key if copied is not None else request.key
        own = managed_key_of_caller(scene, found)
        arn = own or (key_arn(scene, found.key) if found.key is not None else None)
        managed = found.key is not None and found.key.endswith(AWS_MANAGED_KEY)
        region = request.region or _ANY
        resource = arn or str(Arn(request.partition, "kms", region, _ANY, AWS_MANAGED_KEY if managed else "key/*"))
        named = found.key if arn is None or (found.key in scene.snapshot.kms_keys and own is None) else arn
        needed = found.used if arn is not None or managed else min(found.used, Truth.UNKNOWN)
        facts = _about_the_key(scene, found, use is new_object_key, bucket or "", key or "")
        yield _Place(resource, needed, bucket, key, source=source, kms_key=named, facts=facts)

    return places


def _about_the_key(scene: Scene, found: KeyUse, new: bool, bucket: str, key: str) -> tuple[str, ...]:
    """What is missing to tell whether a KMS key is used, and which."""
    if found.used is not Truth.UNKNOWN:
        return () if found.key is not None else (f"KMS key of the object {bucket}/{key}",)
    return (default_encryption_of(bucket) if new else encryption_of_object(scene, bucket, key),)


def _table_bucket(scene: Scene) -> Iterator[_Place]:
    request = scene.request
    named = descendant_text(scene.body, "TableBucketArn")
    account = scene.snapshot.bucket(request.bucket or "").account
    if named:
        yield _Place(named)
    elif account is UNKNOWN or request.region is None:
        yield _Place(str(Arn(request.partition, "s3tables", request.region or _ANY, _ANY, _ANY)), Truth.UNKNOWN)
    else:
        yield _Place(str(Arn(request.partition, "s3tables", request.region, account, "bucket/aws-s3")))


def _role(scene: Scene) -> Iterator[_Place]:
    role = descendant_text(scene.body, "Role")
    if role:
        yield _Place(role)
    else:
        yield _Place(str(Arn(scene.request.partition, "iam", "", _ANY, "role/*")), Truth.UNKNOWN)


def _all_buckets(scene: Scene) -> Iterator[_Place]:
    yield _Place(bucket_arn(scene.request.partition, _ANY))


def _service(_: Scene) -> Iterator[_Place]:
    yield _Place(_ANY)


_PLACES: dict[Target, Callable[[Scene], Iterator[_Place]]] = {
    Target.SERVICE: _service,
    Target.ALL_BUCKETS: _all_buckets,
    Target.BUCKET: _bucket,
    Target.OBJECT: _object,
    Target.SOURCE: _source,
    Target.LISTED_OBJECTS: _listed(versions=False),
    Target.LISTED_VERSIONS: _listed(versions=True),
    Target.LISTED: _listed(versions=None),
    Target.OBJECT_KEY: _key(lambda scene: object_key(scene.object)),
    Target.NEW_KEY: _key(new_object_key),
    Target.UPLOAD_KEY: _key(upload_key),
    Target.SOURCE_KEY: _key(lambda scene: object_key(scene.source), source=True),
    Target.BODY_KEY: _key(body_key),
    Target.TABLE_BUCKET: _table_bucket,
    Target.BODY_ROLE: _role,
}
