"""How S3 client programs are told to put and get one object."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from denyproxy.demo import backend
from denyproxy.demo.clients import Credentials
from tests.backends import ROOT

REGION = "us-east-1"
SCRIPT = Path(__file__).parent / "client.cjs"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object to put or get."""

    endpoint: str
    who: Credentials
    bucket: str
    key: str
    file: Path

    @property
    def url(self) -> str:
        """The S3 URL."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Program:
    """A client program; commands without the program itself."""

    find: Callable[[], str]
    """Its path; skips the test where it is missing."""
    put: Callable[[Transfer], list[str]]
    get: Callable[[Transfer], list[str]]


def _from_debian(name: str) -> Callable[[], str]:
    def find() -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed; `make ci-packages` installs it on Debian")
        return path

    return find


def _aws() -> str:
    try:
        return str(backend.install("awscli~=1.46", ROOT / ".venv-awscli") / "aws")
    except backend.BackendMissing as missing:
        pytest.skip(str(missing))


def _node() -> str:
    node, npm = _from_debian("node")(), _from_debian("npm")()
    modules = ROOT / ".node"
    if not (modules / "node_modules" / "@aws-sdk" / "client-s3").is_dir():
        modules.mkdir(exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(modules), "@aws-sdk/client-s3@^3"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install @aws-sdk/client-s3: {done.stderr}")
    return node


def _rclone(transfer: Transfer) -> list[str]:
    options = {
        "provider": "Other",
        "endpoint": transfer.endpoint,
        "region": REGION,
        "access-key-id": transfer.who.access_key_id,
        "secret-access-key": transfer.who.secret_access_key,
    }
    flags = [word for name, value in options.items() for word in (f"--s3-{name}", value)]
    return ["copyto", *flags, "--s3-no-check-bucket", "--config=", "--retries=1", "--low-level-retries=1"]


def _s3cmd(transfer: Transfer) -> list[str]:
    host = urlsplit(transfer.endpoint).netloc
    keys = [f"--access_key={transfer.who.access_key_id}", f"--secret_key={transfer.who.secret_access_key}"]
    return ["--config=/dev/null", "--no-ssl", "--force", f"--host={host}", f"--host-bucket={host}", *keys]


def _curl(transfer: Transfer) -> list[str]:
    user = f"{transfer.who.access_key_id}:{transfer.who.secret_access_key}"
    url = f"{transfer.endpoint}/{transfer.bucket}/{quote(transfer.key)}"
    return ["-sS", "--fail-with-body", "--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", user, url]


def _js(verb: str) -> Callable[[Transfer], list[str]]:
    return lambda it: [str(SCRIPT), verb, it.endpoint, it.bucket, it.key, str(it.file)]


def _aws_options(transfer: Transfer) -> list[str]:
    return ["--endpoint-url", transfer.endpoint, "--region", REGION, "s3", "cp", "--no-progress"]


def _remote(transfer: Transfer) -> str:
    return f":s3:{transfer.bucket}/{transfer.key}"


PROGRAMS: Mapping[str, Program] = {
    "aws": Program(
        _aws,
        put=lambda it: [*_aws_options(it), str(it.file), it.url],
        get=lambda it: [*_aws_options(it), it.url, str(it.file)],
    ),
    "rclone": Program(
        _from_debian("rclone"),
        put=lambda it: [*_rclone(it), "--no-check-dest", str(it.file), _remote(it)],
        get=lambda it: [*_rclone(it), _remote(it), str(it.file)],
    ),
    "s3cmd": Program(
        _from_debian("s3cmd"),
        put=lambda it: [*_s3cmd(it), "put", str(it.file), it.url],
        get=lambda it: [*_s3cmd(it), "get", it.url, str(it.file)],
    ),
    "curl": Program(
        _from_debian("curl"),
        # curl 7.88 does not hash what --upload-file sends.
        put=lambda it: [*_curl(it), "--request", "PUT", "--data-binary", f"@{it.file}"],
        get=lambda it: [*_curl(it), "--output", str(it.file)],
    ),
    "js": Program(_node, put=_js("put"), get=_js("get")),
}
