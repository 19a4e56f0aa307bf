"""rclone, s3cmd and curl: a process for each command."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from denyproxy.demo.clients import REGION
from tests.matrix import names
from tests.matrix.steps import BIG, KEY, ODD_KEYS, PART, SIZE, Missing, Steps, Target, content

NAMES = str(Path(names.__file__))


def from_debian(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed; `make ci-packages` installs it on Debian")
    return path


def environment(target: Target, *, proxy: bool = True) -> dict[str, str]:
    """For a program: its keys, its proxy and nothing of the user's."""
    found = {
        "PATH": os.environ["PATH"],
        "HOME": str(target.directory),
        "LC_ALL": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": target.who.access_key_id,
        "AWS_SECRET_ACCESS_KEY": target.who.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "NAMES": json.dumps(target.names),
    }
    return {**found, "http_proxy": f"http://{target.proxy}"} if target.proxy and proxy else found


class Program:
    """A client program; `command` is what all its commands begin with."""

    def __init__(self, target: Target, command: Sequence[str], env: dict[str, str]) -> None:
        self.target = target
        self._command = command
        self._env = env
        self.received = target.directory / "received"

    def run(self, *arguments: str) -> str:
        """Standard output."""
        command = [*self._command, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self._env, timeout=120, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout

    def same(self, data: bytes) -> None:
        """The file that was received last has this content."""
        assert self.received.read_bytes() == data
        self.received.unlink()


class Rclone(Program):
    """https://rclone.org/s3/"""

    def __init__(self, target: Target) -> None:
        options = {
            "provider": "Other",
            "endpoint": target.endpoint,
            "region": REGION,
            "env-auth": "true",
            "force-path-style": json.dumps(not target.virtual),
            "upload-cutoff": "5Mi",
            "chunk-size": "5Mi",
            "upload-concurrency": "1",
            "no-check-bucket": "true",
        }
        flags = [f"--s3-{name}={value}" for name, value in options.items()]
        command = [
            from_debian("rclone"),
            *flags,
            "--config=",
            "--retries=1",
            "--low-level-retries=1",
            "--no-check-dest",
        ]
        # Go takes no proxy for localhost, but for names below it.
        super().__init__(target, command, environment(target))

    def remote(self, key: str) -> str:
        return f":s3:{self.target.bucket}/{key}"

    def put(self, key: str, data: bytes, *options: str) -> None:
        self.run("copyto", *options, str(self.target.file(data)), self.remote(key))

    def get(self, key: str, data: bytes) -> None:
        self.run("copyto", self.remote(key), str(self.received))
        self.same(data)

    def put_and_get(self, *keys: str, size: int) -> None:
        for key in keys:
            self.put(key, content(size))
            self.get(key, content(size))

    def range(self) -> None:
        assert self.run("cat", "--offset=40", "--count=10", self.remote(KEY)).encode() == content(SIZE)[40:50]

    def list(self) -> None:
        assert self.run("lsf", self.remote("folder/")).split() == ["key"]

    def copy(self) -> None:
        self.run("copyto", self.remote(KEY), self.remote("copy"))
        self.get("copy", content(SIZE))

    def presigned_get(self) -> None:
        assert self.target.open("GET", self.run("link", self.remote(KEY)).strip()) == content(SIZE)

    def steps(self) -> Steps:
        return {
            "put": lambda: self.put(KEY, content(SIZE)),
            "get": lambda: self.get(KEY, content(SIZE)),
            "head": lambda: self._has_size(),
            "range": self.range,
            "empty body": lambda: self.put_and_get("empty", size=0),
            "odd keys": lambda: self.put_and_get(*ODD_KEYS, size=10),
            "list": self.list,
            "copy": self.copy,
            "multipart": lambda: self.put_and_get("parts", size=PART + 7),
            "presigned GET": self.presigned_get,
            "64 MiB": lambda: self.put_and_get("big", size=BIG),
        }

    def _has_size(self) -> None:
        assert json.loads(self.run("lsjson", "--stat", self.remote(KEY)))["Size"] == SIZE


class S3cmd(Program):
    """https://s3tools.org/s3cmd; a Python program, so that `names` can resolve for it."""

    def __init__(self, target: Target) -> None:
        bucket = f"%(bucket)s.{target.host}" if target.virtual else target.host
        options = [f"--host={target.host}", f"--host-bucket={bucket}", f"--region={REGION}", "--no-ssl", "--force"]
        self._write_config(target)
        config = f"--config={target.directory / 's3cfg'}"
        # The interpreter of the distribution, as the script's first line has it.
        command = [
            "/usr/bin/python3",
            NAMES,
            from_debian("s3cmd"),
            config,
            "--no-progress",
            "--no-preserve",
            "--multipart-chunk-size-mb=5",
        ]
        super().__init__(target, [*command, *options], environment(target))

    @staticmethod
    def _write_config(target: Target) -> None:
        who = target.who
        (target.directory / "s3cfg").write_text(
            f"[default]\naccess_key = {who.access_key_id}\nsecret_key = {who.secret_access_key}\n"
        )

    def url(self, key: str = "") -> str:
        return f"s3://{self.target.bucket}/{key}"

    def put(self, key: str, data: bytes) -> None:
        self.run("put", str(self.target.file(data)), self.url(key))

    def get(self, key: str, data: bytes) -> None:
        self.run("get", self.url(key), str(self.received))
        self.same(data)

    def put_and_get(self, *keys: str, size: int) -> None:
        for key in keys:
            self.put(key, content(size))
            self.get(key, content(size))

    def head(self) -> None:
        assert f"File size: {SIZE}" in self.run("info", self.url(KEY))

    def range(self) -> None:
        self.received.write_bytes(content(SIZE)[:1000])
        self.run("get", "--continue", self.url(KEY), str(self.received))
        self.same(content(SIZE))

    def list(self) -> None:
        assert self.run("ls", self.url("folder/")).split()[-1] == self.url(KEY)

    def copy(self) -> None:
        self.run("cp", self.url(KEY), self.url("copy"))
        self.get("copy", content(SIZE))

    def presigned_get(self) -> None:
        assert self.target.open("GET", self.run("signurl", self.url(KEY), "+600").strip()) == content(SIZE)

    def delete_objects(self) -> None:
        self.run("del", "--recursive", self.url("folder/"))

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
            "multipart": lambda: self.put_and_get("parts", size=PART + 7),
            "presigned GET": self.presigned_get,
            "delete objects": self.delete_objects,
            "64 MiB": lambda: self.put_and_get("big", size=BIG),
        }


class Curl(Program):
    """curl --aws-sigv4; https://curl.se/docs/manpage.html. It resolves *.localhost by itself."""

    def __init__(self, target: Target) -> None:
        user = f"{target.who.access_key_id}:{target.who.secret_access_key}"
        options = ["-sS", "--fail-with-body", "--max-time", "60", "--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", user]
        super().__init__(target, [from_debian("curl"), *options], environment(target))

    def run(self, *arguments: str) -> str:
        """curl sends no hash of the body that it is not given; AWS wants one."""
        if not any(one.startswith("x-amz-content-sha256") for one in arguments):
            arguments = ("--header", f"x-amz-content-sha256: {hashlib.sha256().hexdigest()}", *arguments)
        return super().run(*arguments)

    def url(self, key: str = "", query: str = "") -> str:
        bucket = self.target.bucket
        place = f"{bucket}.{self.target.host}" if self.target.virtual else f"{self.target.host}/{bucket}"
        return f"http://{place}/{quote(key)}{'?' + query if query else ''}"

    def send(self, method: str, url: str, data: bytes = b"", *options: str) -> str:
        # curl 7.88 does not hash what --upload-file sends.
        file = self.target.directory / "sent"
        file.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        fields = (f"x-amz-content-sha256: {digest}", "Content-Type: application/octet-stream")
        headers = [word for one in fields for word in ("--header", one)]
        return self.run("--request", method, "--data-binary", f"@{file}", *headers, *options, url)

    def put(self, key: str, data: bytes) -> None:
        self.send("PUT", self.url(key), data)

    def get(self, key: str, data: bytes, *options: str) -> None:
        self.run("--output", str(self.received), *options, self.url(key))
        self.same(data)

    def put_and_get(self, *keys: str, size: int) -> None:
        for key in keys:
            self.put(key, content(size))
            self.get(key, content(size))

    def head(self) -> None:
        assert f"content-length: {SIZE}" in self.run("--head", self.url(KEY)).lower()

    def list(self) -> None:
        assert f"<Key>{KEY}</Key>" in self.run(self.url(query="list-type=2&prefix=folder%2F"))

    def copy(self) -> None:
        self.run("--request", "PUT", "--header", f"x-amz-copy-source: /{self.target.bucket}/{KEY}", self.url("copy"))
        self.get("copy", content(SIZE))

    def tagging(self) -> None:
        document = "<Tagging><TagSet><Tag><Key>team</Key><Value>blue</Value></Tag></TagSet></Tagging>"
        self.send("PUT", self.url(KEY, "tagging="), document.encode(), *_md5(document.encode()))
        assert "<Value>blue</Value>" in self.run(self.url(KEY, "tagging="))

    def multipart(self) -> None:
        data = content(PART + 7)
        upload = re.search("<UploadId>(.*?)</UploadId>", self.send("POST", self.url("parts", "uploads=")))
        assert upload
        done = ""
        for number, body in ((1, data[:PART]), (2, data[PART:])):
            query = f"partNumber={number}&uploadId={upload[1]}"
            head = self.send("PUT", self.url("parts", query), body, "--dump-header", "-")
            etag = re.search(r"(?i)etag: *(\S+)", head)
            assert etag
            done += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag[1]}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{done}</CompleteMultipartUpload>"
        self.send("POST", self.url("parts", f"uploadId={upload[1]}"), document.encode())
        self.get("parts", data)

    def delete_objects(self) -> None:
        document = f"<Delete><Object><Key>{KEY}</Key></Object><Object><Key>none</Key></Object></Delete>".encode()
        assert f"<Key>{KEY}</Key>" in self.send("POST", self.url(query="delete="), document, *_md5(document))

    def steps(self) -> Steps:
        return {
            "put": lambda: self.put(KEY, content(SIZE)),
            "get": lambda: self.get(KEY, content(SIZE)),
            "head": self.head,
            "range": lambda: self.get(KEY, content(SIZE)[10:20], "--range", "10-19"),
            "empty body": lambda: self.put_and_get("empty", size=0),
            "odd keys": lambda: self.put_and_get(*ODD_KEYS, size=10),
            "list": self.list,
            "copy": self.copy,
            "tagging": self.tagging,
            "multipart": self.multipart,
            "delete objects": self.delete_objects,
            "64 MiB": lambda: self.put_and_get("big", size=BIG),
        }


def _md5(data: bytes) -> tuple[str, ...]:
    return ("--header", f"Content-MD5: {base64.b64encode(hashlib.md5(data).digest()).decode()}")


@contextlib.contextmanager
def rclone(target: Target) -> Iterator[Steps]:
    yield Rclone(target).steps()


@contextlib.contextmanager
def s3cmd(target: Target) -> Iterator[Steps]:
    yield S3cmd(target).steps()


@contextlib.contextmanager
def curl(target: Target) -> Iterator[Steps]:
    yield Curl(target).steps()
