"""What applications do with S3 through boto3, as steps that each work in a new bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from tests.transparency.wire import Recorder

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Run:
    """What a step works with."""

    s3: Any
    """A boto3 client that signs with SigV4."""
    s3_v2: Any
    """The same with SigV2."""
    recorder: Recorder
    bucket: str

    def call(self, operation: str, **parameters: Any) -> Any:
        """Call an operation on the bucket; None where S3 refuses it. The recorder keeps the answer either way."""
        try:
            return getattr(self.s3, operation)(Bucket=self.bucket, **parameters)
        except ClientError:
            return None


def content(size: int) -> bytes:
    """Bytes that repeat with no power of two, so that a lost or doubled block shows."""
    pattern = bytes(range(251))
    return (pattern * (size // 251 + 1))[:size]


def bodies(run: Run) -> None:
    for size in (0, 1, 1024, 64 * 1024, 64 * 1024 + 1, MIB, 8 * MIB + 1, 64 * MIB):
        run.call("put_object", Key=f"{size}", Body=content(size))
        run.call("head_object", Key=f"{size}")
        run.call("get_object", Key=f"{size}")


RANGES = (
    "bytes=0-0",
    "bytes=5-9",
    "bytes=-3",
    "bytes=900-",
    "bytes=0-99999",
    "bytes=0-0,2-3",
    "bytes=2000-",
    "bytes=x",
)


def ranges(run: Run) -> None:
    run.call("put_object", Key="k", Body=content(1000))
    for value in RANGES:
        run.call("get_object", Key="k", Range=value)
        run.call("head_object", Key="k", Range=value)


def conditions(run: Run) -> None:
    etag = run.call("put_object", Key="k", Body=b"x")["ETag"]
    past, future = datetime(2001, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
    for operation in ("get_object", "head_object"):
        for condition in (
            {"IfMatch": etag},
            {"IfMatch": '"no"'},
            {"IfNoneMatch": etag},
            {"IfModifiedSince": future},
            {"IfUnmodifiedSince": past},
        ):
            run.call(operation, Key="k", **condition)
    run.call("put_object", Key="k", Body=b"y", IfNoneMatch="*")
    run.call("put_object", Key="k", Body=b"y", IfMatch='"no"')


KEYS = (
    "plain",
    "with space",
    "with+plus",
    "with%2Fescape",
    "with%percent",
    "a//b",
    "//leading",
    "/leading",
    "trailing/",
    "a/./b",
    "a/../b",
    "..",
    ".",
    "question?mark",
    "hash#mark",
    "amp&ersand=1;2,3:4@5$6!7*8'9(0)",
    'quote"angle<>back\\slash',
    "til~de^caret|pipe`tick{}[]",
    "späße",
    "日本語/キー",
    "emoji-🎉",
    "combining-e\u0301",
    "tab\tnewline\n",
    "x" * 1024,
)


def keys(run: Run) -> None:
    for key in KEYS:
        run.call("put_object", Key=key, Body=key.encode())
        run.call("get_object", Key=key)
        run.call("copy_object", Key=f"{key[:500]}.copy", CopySource={"Bucket": run.bucket, "Key": key})
    run.call("list_objects_v2")
    run.call("list_objects_v2", EncodingType="url", Delimiter="/")
    for key in KEYS:
        run.call("delete_object", Key=key)


def metadata(run: Run) -> None:
    run.call(
        "put_object",
        Key="k",
        Body=content(2000),
        ContentType="text/html; charset=utf-8",
        ContentEncoding="gzip",
        ContentLanguage="de",
        ContentDisposition='attachment; filename="a b.html"',
        CacheControl="max-age=60,  private",
        Expires=datetime(2101, 1, 1, tzinfo=UTC),
        Metadata={"Colour": "blue", "spaces": "two  inside", "empty": ""},
        StorageClass="STANDARD_IA",
        ServerSideEncryption="AES256",
        WebsiteRedirectLocation="/elsewhere",
    )
    run.call("get_object", Key="k")
    run.call("head_object", Key="k")
    run.call("get_object", Key="k", ResponseContentType="text/plain", ResponseContentDisposition="inline; x=ü")
    run.call("get_object_attributes", Key="k", ObjectAttributes=["ETag", "ObjectSize", "StorageClass"])


def checksums(run: Run) -> None:
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        run.call("put_object", Key=algorithm, Body=content(5000), ChecksumAlgorithm=algorithm)
        run.call("get_object", Key=algorithm, ChecksumMode="ENABLED")
    run.call("put_object", Key="md5", Body=b"hello", ContentMD5="XUFAKrxLKna5cZ2REBfFkg==")
    run.call("put_object", Key="md5", Body=b"other", ContentMD5="XUFAKrxLKna5cZ2REBfFkg==")


def multipart(run: Run) -> None:
    upload = {"Key": "big", "UploadId": run.call("create_multipart_upload", Key="big")["UploadId"]}
    run.call("list_multipart_uploads")
    parts = [
        {"PartNumber": n, "ETag": run.call("upload_part", PartNumber=n, Body=content(size), **upload)["ETag"]}
        for n, size in ((1, 5 * MIB), (2, 5 * MIB + 3), (3, 7))
    ]
    run.call("list_parts", **upload)
    run.call("complete_multipart_upload", MultipartUpload={"Parts": list(reversed(parts))}, **upload)
    run.call("complete_multipart_upload", MultipartUpload={"Parts": parts}, **upload)
    run.call("get_object", Key="big")
    run.call("get_object", Key="big", PartNumber=3)
    source = {"Bucket": run.bucket, "Key": "big"}
    copy = {"Key": "copy", "UploadId": run.call("create_multipart_upload", Key="copy")["UploadId"]}
    copied = run.call("upload_part_copy", PartNumber=1, CopySource=source, CopySourceRange="bytes=0-99", **copy)
    done = {"Parts": [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]}
    run.call("complete_multipart_upload", MultipartUpload=done, **copy)
    small = {"Key": "small", "UploadId": run.call("create_multipart_upload", Key="small")["UploadId"]}
    etags = [run.call("upload_part", PartNumber=n, Body=b"tiny", **small)["ETag"] for n in (1, 2)]
    too_small = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}
    run.call("complete_multipart_upload", MultipartUpload=too_small, **small)
    run.call("abort_multipart_upload", **small)
    run.call("abort_multipart_upload", **small)


def listing(run: Run) -> None:
    for n in range(12):
        run.call("put_object", Key=f"dir{n % 3}/f {n}", Body=b"")
    run.call("list_objects")
    run.call("list_objects", Delimiter="/", Prefix="dir1/", MaxKeys=2)
    token = run.call("list_objects_v2", MaxKeys=5, Delimiter="/", FetchOwner=True)
    while token and token.get("NextContinuationToken"):
        token = run.call("list_objects_v2", MaxKeys=5, ContinuationToken=token["NextContinuationToken"])
    run.call("list_objects_v2", StartAfter="dir1/f 4", Prefix="dir")
    run.call("list_object_versions")
    run.call("list_objects_v2", MaxKeys=0)


def copying(run: Run) -> None:
    run.call("put_object", Key="a", Body=content(3000), Metadata={"n": "1"})
    source = {"Bucket": run.bucket, "Key": "a"}
    run.call("copy_object", Key="b", CopySource=source)
    run.call("copy_object", Key="c", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "2"})
    run.call("copy_object", Key="d", CopySource={"Bucket": run.bucket, "Key": "none"})
    run.call("copy_object", Key="a", CopySource=source)
    run.call("copy_object", Key="e", CopySource=source, CopySourceIfMatch='"no"')
    run.call("head_object", Key="c")


def tagging(run: Run) -> None:
    tags = {"TagSet": [{"Key": "team", "Value": "a & b"}, {"Key": "größe", "Value": "<1>"}]}
    run.call("put_object", Key="k", Body=b"x", Tagging="one=1&two=a%20b")
    run.call("get_object_tagging", Key="k")
    run.call("put_object_tagging", Key="k", Tagging=tags)
    run.call("get_object_tagging", Key="k")
    run.call("delete_object_tagging", Key="k")
    run.call("get_bucket_tagging")
    run.call("put_bucket_tagging", Tagging=tags)
    run.call("get_bucket_tagging")


def deleting(run: Run) -> None:
    for n in range(5):
        run.call("put_object", Key=f"<{n}> & ü", Body=b"x")
    objects = [{"Key": f"<{n}> & ü"} for n in range(7)]
    run.call("delete_objects", Delete={"Objects": objects[:3]})
    run.call("delete_objects", Delete={"Objects": objects[3:], "Quiet": True})
    run.call("delete_object", Key="none")


def versions(run: Run) -> None:
    run.call("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})
    run.call("get_bucket_versioning")
    first = run.call("put_object", Key="k", Body=b"one")["VersionId"]
    run.call("put_object", Key="k", Body=b"two")
    run.call("get_object", Key="k", VersionId=first)
    run.call("get_object", Key="k", VersionId="0000000000000000000000000000000000")
    run.call("delete_object", Key="k")
    run.call("get_object", Key="k")
    run.call("list_object_versions")
    run.call("delete_object", Key="k", VersionId=first)


def configuration(run: Run) -> None:
    for operation in (
        "get_bucket_location",
        "get_bucket_acl",
        "get_bucket_policy",
        "get_bucket_policy_status",
        "get_bucket_encryption",
        "get_bucket_cors",
        "get_bucket_website",
        "get_bucket_lifecycle_configuration",
        "get_bucket_ownership_controls",
        "get_public_access_block",
        "get_bucket_notification_configuration",
        "get_object_lock_configuration",
        "head_bucket",
    ):
        run.call(operation)
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}
    run.call("put_bucket_cors", CORSConfiguration={"CORSRules": [rule]})
    run.call("get_bucket_cors")
    run.call("put_bucket_policy", Policy="not JSON")
    with contextlib.suppress(ClientError):
        run.s3.list_buckets()


def errors(run: Run) -> None:
    run.call("get_object", Key="none")
    run.call("head_object", Key="none")
    run.call("create_bucket")
    run.call("upload_part", Key="k", PartNumber=1, UploadId="none", Body=b"x")
    run.call("put_object", Key="x" * 1025, Body=b"x")
    run.call("put_object", Key="k", Body=b"x", StorageClass="NONE")
    run.call("put_object", Key="k", Body=b"x")
    run.call("delete_bucket")
    for operation in (run.s3.list_objects_v2, run.s3.head_bucket):
        with contextlib.suppress(ClientError):
            operation(Bucket=f"{run.bucket}-none")


def presigned(run: Run) -> None:
    for s3 in (run.s3, run.s3_v2):
        for key in ("k", "a//b ü+%2F"):
            target = {"Bucket": run.bucket, "Key": key}
            run.recorder.open("PUT", s3.generate_presigned_url("put_object", target), content(3000))
            run.recorder.open("GET", s3.generate_presigned_url("get_object", target))
            run.recorder.open("HEAD", s3.generate_presigned_url("head_object", target))
            plain = s3.generate_presigned_url("get_object", {**target, "ResponseContentType": "text/plain"})
            run.recorder.open("GET", plain, headers={"Range": "bytes=10-19"})
            run.recorder.open("DELETE", s3.generate_presigned_url("delete_object", target))


def bodies_of_unknown_length(run: Run) -> None:
    """Chunked uploads: no Content-Length on the wire."""
    for size in (0, 1, 100_000):
        target = {"Bucket": run.bucket, "Key": f"{size}"}
        url = run.s3.generate_presigned_url("put_object", target)
        run.recorder.open("PUT", url, (content(size)[at : at + 7000] for at in range(0, size, 7000)))
        run.recorder.open("GET", run.s3.generate_presigned_url("get_object", target))


STEPS: tuple[Callable[[Run], None], ...] = (
    bodies,
    ranges,
    conditions,
    keys,
    metadata,
    checksums,
    multipart,
    listing,
    copying,
    tagging,
    deleting,
    versions,
    configuration,
    errors,
    presigned,
    bodies_of_unknown_length,
)
