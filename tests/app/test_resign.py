"""The resign mode as it is run: what the client is told, and what the log says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from denyproxy.demo import front
from denyproxy.demo.clients import Credentials
from tests.backends import Server

APP = "arn:aws:iam::111122223333:user/app"
LOCAL = Credentials("DENYAPPTEST", "local secret", APP)
READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


@pytest.fixture(scope="module")
def upstream(ministack: Server) -> Credentials:
    return ministack.make_user("resign-app", READS)


@pytest.fixture(scope="module")
def running(
    ministack: Server, upstream: Credentials, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[front.Front]:
    directory = tmp_path_factory.mktemp("resign-app")
    policies = directory / "policies"
    policies.mkdir()
    (policies / "access-keys.json").write_text(json.dumps({upstream.access_key_id: upstream.arn}))
    lines = (
        f'resign.upstream = "{ministack.endpoint}"',
        'resign.kind = "aws"',
        f'resign.key = {{access_key_id = "{upstream.access_key_id}", secret = "{upstream.secret_access_key}"}}',
        f'resign.credentials.{LOCAL.access_key_id} = {{secret = "{LOCAL.secret_access_key}", principal = "{APP}"}}',
    )
    ministack.client("s3", ministack.admin).create_bucket(Bucket="resign-app")
    with front.running(directory, None, policies, *lines) as found:
        yield found


def denied(running: front.Front, s3: Any, operation: str, **parameters: Any) -> tuple[ClientError, dict[str, Any]]:
    """The exception, and the record of the denial."""
    with pytest.raises(ClientError) as error:
        getattr(s3, operation)(**parameters)
    headers = error.value.response["ResponseMetadata"]["HTTPHeaders"]
    record = running.record(headers["x-deny-explanation-id"])
    assert record is not None
    return error.value, record


def test_a_denial_is_about_whom_s3_saw_and_names_the_client(
    running: front.Front, ministack: Server, upstream: Credentials
) -> None:
    s3 = ministack.client("s3", LOCAL, running.endpoint)
    error, record = denied(running, s3, "put_object", Bucket="resign-app", Key="k", Body=b"x")
    assert error.response["Error"]["Code"] == "AccessDenied"
    assert record["principal"]["arn"] == upstream.arn
    assert record["principal"]["access_key_id"] == upstream.access_key_id
    assert record["client"] == {
        "arn": APP,
        "account": "111122223333",
        "type": "user",
        "known_by": "settings",
        "access_key_id": "DENYAPPTEST",
    }
    assert record["refused_by"] == "s3"
    assert record["call"]["mode"] == "resign"
    assert any(APP in note for note in record["notes"])


def test_a_wrong_secret_is_refused_and_explained_by_denyproxy(running: front.Front, ministack: Server) -> None:
    wrong = Credentials(LOCAL.access_key_id, "wrong", APP)
    s3 = ministack.client("s3", wrong, running.endpoint)
    error, record = denied(running, s3, "get_object", Bucket="resign-app", Key="k")
    assert error.response["Error"]["Code"] == "SignatureDoesNotMatch"
    message = error.response["Error"]["Message"]
    assert message.startswith("The request signature we calculated does not match the signature you provided.")
    assert "denyproxy refused it itself" in message
    assert (record["refused_by"], record["verdict"], record["certain"]) == ("denyproxy", "not-policy", True)
    assert record["cause"]["layer"] == "signature-mismatch"
    assert record["cause"]["element"] is None
    assert record["upstream"]["status"] is None
    assert record["client"] is None
    text = json.dumps(record)
    assert "Signature=" not in text
    assert "local secret" not in text


def test_a_key_that_denyproxy_does_not_know(running: front.Front, ministack: Server, upstream: Credentials) -> None:
    """The upstream's own key is none of the table: with it nobody gets past denyproxy."""
    s3 = ministack.client("s3", upstream, running.endpoint)
    error, record = denied(running, s3, "get_object", Bucket="resign-app", Key="k")
    assert error.response["Error"]["Code"] == "InvalidAccessKeyId"
    assert record["cause"]["layer"] == "unknown-access-key"
    assert "resign.credentials" in record["fixes"][0]["summary"]


def test_a_head_is_refused_in_its_header(running: front.Front, ministack: Server) -> None:
    s3 = ministack.client("s3", Credentials(LOCAL.access_key_id, "wrong", APP), running.endpoint)
    error, _ = denied(running, s3, "head_object", Bucket="resign-app", Key="k")
    headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    assert "denyproxy refused it itself" in headers["x-deny-explanation"]
