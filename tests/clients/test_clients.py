"""Other S3 clients than boto3: they transfer through denyproxy, and show its explanation in their own errors."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from denyproxy.demo import front
from denyproxy.demo.clients import Credentials
from denyproxy.demo.export import Source, export
from tests.backends import ACCOUNT, ROOT, Server
from tests.clients.programs import PROGRAMS, Transfer
from tests.transparency.steps import MIB, content

pytestmark = pytest.mark.slow

BUCKET = "clients"
ONLY_OPEN = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ListAll",
            "Effect": "Allow",
            "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": f"arn:aws:s3:::{BUCKET}",
        },
        {
            "Sid": "UseOpen",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": f"arn:aws:s3:::{BUCKET}/open/*",
        },
    ],
}


@pytest.fixture(scope="module")
def user(ministack: Server) -> Credentials:
    s3 = ministack.client("s3", ministack.admin)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="closed/file", Body=b"x")
    return ministack.make_user("clients", ONLY_OPEN)


@pytest.fixture(scope="module")
def proxy(ministack: Server, user: Credentials, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("proxy")
    source = Source(ACCOUNT, ministack.client("iam", ministack.admin), ministack.client("s3", ministack.admin))
    export([source], directory / "policies")
    with front.running(directory, ministack.endpoint, directory / "policies") as running:
        yield running.endpoint


def run(program: str, verb: str, transfer: Transfer) -> subprocess.CompletedProcess[str]:
    client = PROGRAMS[program]
    command = [client.find(), *(client.put if verb == "put" else client.get)(transfer)]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(transfer.file.parent),
        "NODE_PATH": str(ROOT / ".node" / "node_modules"),
        "AWS_ACCESS_KEY_ID": transfer.who.access_key_id,
        "AWS_SECRET_ACCESS_KEY": transfer.who.secret_access_key,
    }
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)


@pytest.mark.parametrize("key", ["plain", "with space+plus/späße%2F.bin"])
@pytest.mark.parametrize("size", [0, 1000, 20 * MIB])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_round_trip(program: str, size: int, key: str, proxy: str, user: Credentials, tmp_path: Path) -> None:
    sent, received = tmp_path / "sent", tmp_path / "received"
    sent.write_bytes(content(size))
    for verb, file in (("put", sent), ("get", received)):
        done = run(program, verb, Transfer(proxy, user, BUCKET, f"open/{program}/{key}", file))
        assert done.returncode == 0, done.stdout + done.stderr
    assert received.read_bytes() == sent.read_bytes()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_denied_upload_shows_the_explanation(program: str, proxy: str, user: Credentials, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(content(3 * MIB))
    done = run(program, "put", Transfer(proxy, user, BUCKET, "closed/file", tmp_path / "sent"))
    assert done.returncode != 0
    shown = " ".join((done.stdout + done.stderr).split())
    assert f"No identity-based policy allows s3:PutObject on arn:aws:s3:::{BUCKET}/closed/file" in shown
    assert "UseOpen" in shown
