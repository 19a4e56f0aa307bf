"""Plays a step against an endpoint in a bucket that is new each time, though its name is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from denyproxy.demo.clients import Credentials
from tests.backends import Server
from tests.transparency.steps import Run
from tests.transparency.wire import Answer, Recorder


def play(step: Callable[[Run], None], server: Server, who: Credentials, endpoint: str | None = None) -> list[Answer]:
    """What came back to a client of the endpoint; None: of the server itself."""
    bucket = f"step-{step.__name__.replace('_', '-')}"
    owner = server.client("s3", server.admin)
    owner.create_bucket(Bucket=bucket)
    s3 = server.client("s3", who, endpoint)
    s3_v2 = server.client("s3", who, endpoint, signature_version="s3")
    recorder = Recorder.of(s3)
    try:
        step(Run(s3, s3_v2, recorder, bucket))
    finally:
        remove(owner, bucket)
    return recorder.answers


def remove(owner: Any, bucket: str) -> None:
    """Delete a bucket with all that is in it."""
    for upload in owner.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
        owner.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    listed = owner.list_object_versions(Bucket=bucket)
    for version in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        owner.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    owner.delete_bucket(Bucket=bucket)
