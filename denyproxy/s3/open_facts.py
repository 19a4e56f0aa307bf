"""The facts that would tell whether a permission is needed, or granted: those that are not known, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.request import Requirement, Role
from denyproxy.s3.scene import Scene, When
from denyproxy.s3.snapshot import PolicySnapshot

REQUEST_BODY = "the request's body"


def deciding(when: When, scene: Scene) -> tuple[str, ...]:
    """The facts that are missing to tell whether a condition holds: those with which it is told."""
    if when(scene) is not Truth.UNKNOWN:
        return ()
    return tuple(name for name, told in _told(scene) if any(when(each) is not Truth.UNKNOWN for each in told))


def _told(scene: Scene) -> Iterator[tuple[str, tuple[Scene, ...]]]:
    """Each fact that is not known, and the scene as it would be if it were."""
    request, snapshot = scene.request, scene.snapshot
    bucket = snapshot.bucket(request.bucket or "")
    if bucket.versioning is UNKNOWN and request.bucket is not None:
        facts = (replace(bucket, versioning=status) for status in (None, "Enabled"))
        told = (replace(snapshot, buckets={**snapshot.buckets, request.bucket: each}) for each in facts)
        yield f"versioning of bucket {request.bucket}", tuple(replace(scene, snapshot=each) for each in told)
    source = request.copy_source
    if source is not None and scene.source is not None and scene.source.tags is UNKNOWN:
        place = (source.bucket, source.key)
        stored = replace(scene.source, tags={})
        yield (
            f"tags of the source object {source.bucket}/{source.key}",
            (replace(scene, snapshot=replace(snapshot, objects={**snapshot.objects, place: stored})),),
        )
    if request.body is None:
        yield REQUEST_BODY, (replace(scene, request=replace(request, body=b"")),)


def encryption_of_object(scene: Scene, bucket: str, key: str) -> str:
    """How a stored object is encrypted: by its bucket's default, where it is given for an ordinary one."""
    if (bucket, key) in scene.snapshot.objects:
        return default_encryption_of(bucket)
    return f"encryption of the object {bucket}/{key}"


def default_encryption_of(bucket: str) -> str:
    """How a new object is encrypted that does not say it."""
    return f"default encryption of bucket {bucket}"


def owned_thing(requirement: Requirement) -> str:
    """Of what the owner decides whether caller and resource belong to one account."""
    if requirement.role is Role.KMS:
        return "the KMS key"
    return requirement.resource if requirement.bucket is None else f"bucket {requirement.bucket}"


def acl_facts(
    requirement: Requirement, snapshot: PolicySnapshot, account: str | None, *, of_bucket: bool
) -> tuple[str, ...]:
    """What is not known of the ACL that bears on a requirement, and of Object Ownership, which may switch it off."""
    bucket = requirement.bucket or ""
    facts = snapshot.bucket(bucket)
    missing: list[str] = []
    if facts.object_ownership is UNKNOWN:
        missing.append(f"object ownership of bucket {bucket}")
    stored = snapshot.object(bucket, requirement.key or "")
    grants = facts.grants if of_bucket else () if stored is None else stored.grants
    if grants is UNKNOWN:
        missing.append(f"ACL of bucket {bucket}" if of_bucket else f"ACL of the object {bucket}/{requirement.key}")
    elif (
        account is not None
        and snapshot.account(account).canonical_id is UNKNOWN
        and any(len(grant.grantee) != 12 for grant in grants)
    ):
        missing.append(f"canonical user id of account {account}")
    return tuple(missing)
