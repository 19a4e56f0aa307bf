"""The AWS CLI and the JavaScript SDK: one process that is asked for one command after the other, line by line."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from denyproxy.demo import backend
from tests.backends import ROOT
from tests.matrix.programs import NAMES, environment, from_debian
from tests.matrix.steps import BIG, KEY, ODD_KEYS, PART, SIZE, Missing, Steps, Target, content

HERE = Path(__file__).parent
JS_PACKAGES = ("@aws-sdk/client-s3", "@aws-sdk/s3-presigned-post", "@aws-sdk/s3-request-presigner")


class Driver:
    """A process that reads a JSON value and answers with {"out"} or {"error"}."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, *words: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{words}: the driver ended"
        answer = json.loads(line)
        assert "error" not in answer, f"{words}: {answer['error']}"
        return answer["out"]

    def close(self) -> None:
        self._process.communicate(timeout=10)


class Aws:
    """The AWS CLI; https://pypi.org/project/awscli/"""

    def __init__(self, target: Target, driver: Driver) -> None:
        self.target = target
        self.received = target.directory / "received"
        self._driver = driver

    def api(self, operation: str, *arguments: str) -> Any:
        out = self._run("s3api", operation, "--bucket", self.target.bucket, *arguments)
        return json.loads(out) if out else None

    def put(self, key: str, data: bytes) -> None:
        self._run("s3", "cp", "--no-progress", str(self.target.file(data)), f"s3://{self.target.bucket}/{key}")

    def get(self, key: str, data: bytes) -> None:
        self._run("s3", "cp", "--no-progress", f"s3://{self.target.bucket}/{key}", str(self.received))
        self._same(data)

    def put_and_get(self, *keys: str, size: int) -> None:
        for key in keys:
            self.put(key, content(size))
            self.get(key, content(size))

    def head(self) -> None:
        assert self.api("head-object", "--key", KEY)["ContentLength"] == SIZE

    def range(self) -> None:
        self.api("get-object", "--key", KEY, "--range", "bytes=10-19", str(self.received))
        self._same(content(SIZE)[10:20])

    def list(self) -> None:
        assert [one["Key"] for one in self.api("list-objects-v2", "--prefix", "folder/")["Contents"]] == [KEY]
        assert "folder/" in self._run("s3", "ls", f"s3://{self.target.bucket}")

    def copy(self) -> None:
        self._run("s3", "cp", f"s3://{self.target.bucket}/{KEY}", f"s3://{self.target.bucket}/copy")
        self.get("copy", content(SIZE))

    def tagging(self) -> None:
        self.api("put-object-tagging", "--key", KEY, "--tagging", '{"TagSet": [{"Key": "team", "Value": "a b+c"}]}')
        assert self.api("get-object-tagging", "--key", KEY)["TagSet"] == [{"Key": "team", "Value": "a b+c"}]
        self.api("delete-object-tagging", "--key", KEY)

    def presigned_get(self) -> None:
        url = self._run("s3", "presign", f"s3://{self.target.bucket}/{KEY}").strip()
        assert self.target.open("GET", url) == content(SIZE)

    def delete_objects(self) -> None:
        objects = {"Objects": [{"Key": KEY}, {"Key": "none"}]}
        assert len(self.api("delete-objects", "--delete", json.dumps(objects))["Deleted"]) == 2

    def steps(self) -> Steps:
        return {
            "put": lambda: self.put(KEY, content(SIZE)),
            "get": lambda: self.get(KEY, content(SIZE)),
            "head": self.head,
            "range": self.range,
            "empty body": lambda: self.put_and_get("empty", size=0),
            "odd keys": lambda: self.put_and_get(*ODD_KEYS, size=10),
            "list": self.list,
            "copy": self.copy,
            "tagging": self.tagging,
            "multipart": lambda: self.put_and_get("parts", size=2 * PART),
            "presigned GET": self.presigned_get,
            "delete objects": self.delete_objects,
            "64 MiB": lambda: self.put_and_get("big", size=BIG),
        }

    def _run(self, *arguments: str) -> str:
        out: str = self._driver.ask("--endpoint-url", self.target.endpoint, *arguments)
        return out

    def _same(self, data: bytes) -> None:
        assert self.received.read_bytes() == data
        self.received.unlink()


@contextlib.contextmanager
def aws(target: Target) -> Iterator[Steps]:
    try:
        python = backend.install("awscli~=1.46", ROOT / ".venv-awscli") / "python"
    except backend.BackendMissing as missing:
        raise Missing(str(missing)) from None
    config = target.directory / "config"
    config.write_text(
        f"[default]\ns3 =\n  addressing_style = {'virtual' if target.virtual else 'path'}\n"
        "  multipart_threshold = 6MB\n  multipart_chunksize = 5MB\n  max_concurrent_requests = 2\n"
    )
    env = {**environment(target), "AWS_CONFIG_FILE": str(config), "AWS_MAX_ATTEMPTS": "1"}
    driver = Driver([str(python), NAMES, str(HERE / "aws_driver.py")], env)
    with contextlib.closing(driver):
        yield Aws(target, driver).steps()


@contextlib.contextmanager
def js(target: Target) -> Iterator[Steps]:
    node = from_debian("node")
    modules = _node_modules()
    env = {**environment(target), "NODE_PATH": str(modules)}
    place = {"endpoint": target.endpoint, "virtual": target.virtual, "bucket": target.bucket, "names": target.names}
    driver = Driver([node, str(HERE / "js_driver.cjs"), json.dumps(place)], env)
    with contextlib.closing(driver):
        yield _js_steps(target, driver)


def _node_modules() -> Path:
    npm, home = from_debian("npm"), ROOT / ".node"
    modules = home / "node_modules"
    if not all((modules / package).is_dir() for package in JS_PACKAGES):
        home.mkdir(exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(home), *(f"{p}@^3" for p in JS_PACKAGES)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"npm could not install {', '.join(JS_PACKAGES)}: {done.stderr}")
    return modules


def _js_steps(target: Target, driver: Driver) -> Steps:
    """Operations by the names of the SDK's commands."""
    received = target.directory / "received"

    def put(key: str, data: bytes, streamed: bool = False) -> None:
        driver.ask("stream" if streamed else "put", key, str(target.file(data)))

    def get(key: str, data: bytes, **more: str) -> None:
        driver.ask("get", {"Key": key, **more}, str(received))
        assert received.read_bytes() == data

    def put_and_get(*keys: str, size: int, streamed: bool = False) -> None:
        for key in keys:
            put(key, content(size), streamed)
            get(key, content(size))

    def both_ways() -> None:
        put(KEY, content(SIZE), streamed=True)
        put(KEY, content(SIZE))

    def head() -> None:
        assert driver.ask("send", "HeadObject", {"Key": KEY})["ContentLength"] == SIZE

    def listing() -> None:
        listed = driver.ask("send", "ListObjectsV2", {"Prefix": "folder/"})
        assert [one["Key"] for one in listed["Contents"]] == [KEY]

    def copy() -> None:
        driver.ask("send", "CopyObject", {"Key": "copy", "CopySource": f"{target.bucket}/{KEY}"})
        get("copy", content(SIZE))

    def tagging() -> None:
        tags = [{"Key": "team", "Value": "a b+c"}]
        driver.ask("send", "PutObjectTagging", {"Key": KEY, "Tagging": {"TagSet": tags}})
        assert driver.ask("send", "GetObjectTagging", {"Key": KEY})["TagSet"] == tags
        driver.ask("send", "DeleteObjectTagging", {"Key": KEY})

    def multipart() -> None:
        data = content(PART + 7)
        upload = {"Key": "parts"}
        upload["UploadId"] = driver.ask("send", "CreateMultipartUpload", upload)["UploadId"]
        parts = []
        for number, body in ((1, data[:PART]), (2, data[PART:])):
            sent = driver.ask("send", "UploadPart", {"PartNumber": number, **upload}, str(target.file(body)))
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        driver.ask("send", "CompleteMultipartUpload", {"MultipartUpload": {"Parts": parts}, **upload})
        get("parts", data)

    def presigned_get() -> None:
        assert target.open("GET", driver.ask("presign", "GetObject", {"Key": KEY})) == content(SIZE)

    def presigned_put() -> None:
        target.open("PUT", driver.ask("presign", "PutObject", {"Key": "url"}), content(SIZE))
        get("url", content(SIZE))

    def presigned_post() -> None:
        post = driver.ask("post", "form")
        target.open("POST", post["url"], content(SIZE), post["fields"])
        get("form", content(SIZE))

    def delete_objects() -> None:
        objects = [{"Key": key} for key in (KEY, "none", *ODD_KEYS)]
        assert len(driver.ask("send", "DeleteObjects", {"Delete": {"Objects": objects}})["Deleted"]) == len(objects)

    return {
        "put": both_ways,
        "get": lambda: get(KEY, content(SIZE)),
        "head": head,
        "range": lambda: get(KEY, content(SIZE)[10:20], Range="bytes=10-19"),
        "empty body": lambda: put_and_get("empty", size=0),
        "odd keys": lambda: put_and_get(*ODD_KEYS, size=10),
        "list": listing,
        "copy": copy,
        "tagging": tagging,
        "multipart": multipart,
        "presigned GET": presigned_get,
        "presigned PUT": presigned_put,
        "presigned POST": presigned_post,
        "delete objects": delete_objects,
        "64 MiB": lambda: put_and_get("big", size=BIG, streamed=True),
    }
