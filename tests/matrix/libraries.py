"""boto3 and minio-py, in this process."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3
from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject

from denyproxy.demo import clients
from tests.matrix.steps import BIG, KEY, MIB, ODD_KEYS, PART, SIZE, Steps, Target, content


class Boto3:
    """https://pypi.org/project/boto3/"""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.bucket = target.bucket
        self.s3 = clients.client(
            clients.session(),
            "s3",
            target.endpoint,
            target.who,
            proxies={"http": f"http://{target.proxy}"} if target.proxy else {},
            s3={"addressing_style": "virtual" if target.virtual else "path"},
        )

    def put(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key: str, data: bytes) -> None:
        assert self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() == data

    def head(self) -> None:
        assert self.s3.head_object(Bucket=self.bucket, Key=KEY)["ContentLength"] == SIZE

    def range(self) -> None:
        body = self.s3.get_object(Bucket=self.bucket, Key=KEY, Range="bytes=10-19")["Body"]
        assert body.read() == content(SIZE)[10:20]

    def list(self) -> None:
        self.s3.list_objects(Bucket=self.bucket, Delimiter="/")
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="folder/")
        assert [one["Key"] for one in listed["Contents"]] == [KEY]

    def copy(self) -> None:
        self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource={"Bucket": self.bucket, "Key": KEY})
        self.get("copy", content(SIZE))

    def tagging(self) -> None:
        tags = {"TagSet": [{"Key": "team", "Value": "a b+c"}]}
        self.s3.put_object_tagging(Bucket=self.bucket, Key=KEY, Tagging=tags)
        assert self.s3.get_object_tagging(Bucket=self.bucket, Key=KEY)["TagSet"] == tags["TagSet"]
        self.s3.delete_object_tagging(Bucket=self.bucket, Key=KEY)

    def multipart(self) -> None:
        data = content(PART + 7)
        upload = {"Bucket": self.bucket, "Key": "parts"}
        upload["UploadId"] = self.s3.create_multipart_upload(**upload)["UploadId"]
        parts = [
            {"PartNumber": number, "ETag": self.s3.upload_part(PartNumber=number, Body=body, **upload)["ETag"]}
            for number, body in ((1, data[:PART]), (2, data[PART:]))
        ]
        self.s3.list_parts(**upload)
        self.s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)
        self.get("parts", data)

    def presigned_get(self) -> None:
        url = self.s3.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": KEY})
        assert self.target.open("GET", url) == content(SIZE)

    def presigned_put(self) -> None:
        url = self.s3.generate_presigned_url("put_object", {"Bucket": self.bucket, "Key": "url"})
        self.target.open("PUT", url, content(SIZE))
        self.get("url", content(SIZE))

    def presigned_post(self) -> None:
        post = self.s3.generate_presigned_post(self.bucket, "form")
        self.target.open("POST", post["url"], content(SIZE), post["fields"])
        self.get("form", content(SIZE))

    def delete_objects(self) -> None:
        objects = [{"Key": KEY}, {"Key": "none"}, *({"Key": key} for key in ODD_KEYS)]
        deleted = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": objects})
        assert len(deleted["Deleted"]) == len(objects)

    def close(self) -> None:
        self.s3.close()


class MinioPy:
    """https://pypi.org/project/minio/"""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.bucket = target.bucket
        self.pool = urllib3.ProxyManager(f"http://{target.proxy}") if target.proxy else urllib3.PoolManager()
        who = target.who
        self.minio: Any
        self.minio = Minio(
            target.host,
            access_key=who.access_key_id,
            secret_key=who.secret_access_key,
            secure=False,
            region=clients.REGION,
            http_client=self.pool,
        )
        if target.virtual:
            self.minio.enable_virtual_style_endpoint()
        else:
            self.minio.disable_virtual_style_endpoint()

    def put(self, key: str, data: bytes) -> None:
        self.minio.put_object(self.bucket, key, io.BytesIO(data), len(data), part_size=64 * MIB)

    def get(self, key: str, data: bytes, **options: Any) -> None:
        response = self.minio.get_object(self.bucket, key, **options)
        try:
            assert response.read() == data
        finally:
            response.close()
            response.release_conn()

    def head(self) -> None:
        assert self.minio.stat_object(self.bucket, KEY).size == SIZE

    def range(self) -> None:
        self.get(KEY, content(SIZE)[10:20], offset=10, length=10)

    def list(self) -> None:
        assert [one.object_name for one in self.minio.list_objects(self.bucket, "folder/")] == [KEY]
        assert list(self.minio.list_objects(self.bucket, use_api_v1=True))

    def copy(self) -> None:
        self.minio.copy_object(self.bucket, "copy", CopySource(self.bucket, KEY))
        self.get("copy", content(SIZE))

    def tagging(self) -> None:
        tags = Tags.new_object_tags()
        tags["team"] = "a b+c"
        self.minio.set_object_tags(self.bucket, KEY, tags)
        assert self.minio.get_object_tags(self.bucket, KEY) == tags
        self.minio.delete_object_tags(self.bucket, KEY)

    def multipart(self) -> None:
        data = content(PART + 7)
        # Not one part at a time for its own sake: the order in which parts arrive is no matter of the relay.
        self.minio.put_object(self.bucket, "parts", io.BytesIO(data), -1, part_size=PART, num_parallel_uploads=1)
        self.get("parts", data)

    def presigned_get(self) -> None:
        assert self.target.open("GET", self.minio.presigned_get_object(self.bucket, KEY)) == content(SIZE)

    def presigned_put(self) -> None:
        self.target.open("PUT", self.minio.presigned_put_object(self.bucket, "url"), content(SIZE))
        self.get("url", content(SIZE))

    def presigned_post(self) -> None:
        policy = PostPolicy(self.bucket, datetime.now(UTC) + timedelta(hours=1))
        policy.add_equals_condition("key", "form")
        fields = {"key": "form", **self.minio.presigned_post_policy(policy)}
        host = f"{self.bucket}.{self.target.host}/" if self.target.virtual else f"{self.target.host}/{self.bucket}"
        self.target.open("POST", f"http://{host}", content(SIZE), fields)
        self.get("form", content(SIZE))

    def delete_objects(self) -> None:
        objects = [DeleteObject(key) for key in (KEY, "none", *ODD_KEYS)]
        assert not list(self.minio.remove_objects(self.bucket, objects))

    def close(self) -> None:
        self.pool.clear()


def _steps(client: Boto3 | MinioPy) -> Steps:
    def put_and_get(*keys: str, size: int) -> None:
        for key in keys:
            client.put(key, content(size))
            client.get(key, content(size))

    return {
        "put": lambda: client.put(KEY, content(SIZE)),
        "get": lambda: client.get(KEY, content(SIZE)),
        "head": client.head,
        "range": client.range,
        "empty body": lambda: put_and_get("empty", size=0),
        "odd keys": lambda: put_and_get(*ODD_KEYS, size=10),
        "list": client.list,
        "copy": client.copy,
        "tagging": client.tagging,
        "multipart": client.multipart,
        "presigned GET": client.presigned_get,
        "presigned PUT": client.presigned_put,
        "presigned POST": client.presigned_post,
        "delete objects": client.delete_objects,
        "64 MiB": lambda: put_and_get("big", size=BIG),
    }


@contextlib.contextmanager
def boto3(target: Target) -> Iterator[Steps]:
    with contextlib.closing(Boto3(target)) as client:
        yield _steps(client)


@contextlib.contextmanager
def minio_py(target: Target) -> Iterator[Steps]:
    with contextlib.closing(MinioPy(target)) as client:
        yield _steps(client)
