"""Requests that S3 denies to a user who may only read `open/`, as steps like those that succeed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from botocore.exceptions import ClientError

from tests.transparency.steps import MIB, Run, content

MAY_READ_OPEN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/open/*"}],
}


def denied_reads(run: Run) -> None:
    for key in ("k", "a//b", "..", "späße & <x>"):
        run.call("get_object", Key=key)
        run.call("get_object", Key=key, Range="bytes=0-9")
        run.call("head_object", Key=key)
    run.call("list_objects_v2")
    run.call("head_bucket")
    run.call("get_object_tagging", Key="k")
    with contextlib.suppress(ClientError):
        run.s3.list_buckets()


def denied_writes(run: Run) -> None:
    for size in (0, 1024, MIB, 16 * MIB):
        run.call("put_object", Key="k", Body=content(size))
    run.call("create_multipart_upload", Key="k")
    run.call("upload_part", Key="k", PartNumber=1, UploadId="none", Body=content(5 * MIB))
    run.call("copy_object", Key="k", CopySource={"Bucket": run.bucket, "Key": "open/k"})
    run.call("put_object_tagging", Key="k", Tagging={"TagSet": []})
    run.call("delete_object", Key="k")
    run.call("delete_objects", Delete={"Objects": [{"Key": "k"}, {"Key": "open/k"}]})
    run.call("delete_bucket")
    run.call("put_bucket_policy", Policy='{"Version": "2012-10-17", "Statement": []}')


def denied_urls(run: Run) -> None:
    target = {"Bucket": run.bucket, "Key": "k"}
    for s3 in (run.s3, run.s3_v2):
        for operation, method in (("get_object", "GET"), ("head_object", "HEAD"), ("put_object", "PUT")):
            url = s3.generate_presigned_url(operation, target)
            body = b"x" if method == "PUT" else None
            run.recorder.open(method, url, body)
            run.recorder.open(method, url.replace("/k?", "/l?"), body)
        run.recorder.open("GET", s3.generate_presigned_url("get_object", target, ExpiresIn=-1))


def denied_anonymous(run: Run) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        run.recorder.open(method, f"{run.s3.meta.endpoint_url}/{run.bucket}/k", b"x" if method == "PUT" else None)


DENIALS: tuple[Callable[[Run], None], ...] = (denied_reads, denied_writes, denied_urls, denied_anonymous)
