"""Signed again with other credentials, a boto3 script gets the answers that it gets direct from the server.

The client has a key pair that only denyproxy knows; the server verifies every signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from denyproxy.cli.credentials import new_pair
from denyproxy.demo import front
from denyproxy.demo.clients import Credentials
from tests.backends import Server
from tests.transparency.compare import assert_equal_but_for_the_explanation
from tests.transparency.denials import MAY_READ_OPEN, denied_anonymous, denied_reads, denied_writes
from tests.transparency.play import play
from tests.transparency.steps import STEPS, Run
from tests.transparency.test_transparency import EVERYTHING
from tests.transparency.wire import Answer

Step = Callable[[Run], None]


@pytest.fixture(scope="module", params=["ministack", pytest.param("seaweedfs", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def resigning(server: Server, upstream: Credentials, local: Credentials) -> tuple[str, ...]:
    return (
        f'resign.upstream = "{server.endpoint}"',
        'resign.kind = "aws"',
        f'resign.key = {{access_key_id = "{upstream.access_key_id}", secret = "{upstream.secret_access_key}"}}',
        f'resign.credentials.{local.access_key_id} = {{secret = "{local.secret_access_key}"}}',
    )


@pytest.fixture(scope="module")
def local() -> Credentials:
    return Credentials(*new_pair(), "")


@pytest.fixture(scope="module")
def user(server: Server) -> Credentials:
    return server.make_user("resigned", EVERYTHING)


@pytest.fixture(scope="module")
def restricted_user(server: Server) -> Credentials:
    return server.make_user("resigned-restricted", MAY_READ_OPEN)


@pytest.fixture(scope="module")
def proxy(
    server: Server, user: Credentials, local: Credentials, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with front.running(tmp_path_factory.mktemp("resign"), None, None, *resigning(server, user, local)) as running:
        yield running.endpoint


@pytest.fixture(scope="module")
def restricted_proxy(
    server: Server, restricted_user: Credentials, local: Credentials, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    lines = resigning(server, restricted_user, local)
    with front.running(tmp_path_factory.mktemp("resign-restricted"), None, None, *lines) as running:
        yield running.endpoint


def as_addressed(answer: Answer, server: Server) -> Answer:
    """The server names itself in a body (CompleteMultipartUpload) as denyproxy addressed it."""
    host = urlsplit(server.endpoint).netloc.encode()
    if not isinstance(answer.body, bytes) or host not in answer.body:
        return answer
    headers = tuple((name, "" if name.lower() == "content-length" else value) for name, value in answer.headers)
    return replace(answer, headers=headers, body=answer.body.replace(host, b"HOST"))


def is_misread(answer: Answer) -> bool:
    """Both servers refuse SigV2 URLs that ask for response headers; signed again with SigV4 they are understood."""
    asks = "response-content-type" in answer.request and "AWSAccessKeyId" in answer.request
    return asks and answer.status in (400, 403)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_what_is_not_denied_is_equal(
    step: Step, server: Server, proxy: str, user: Credentials, local: Credentials
) -> None:
    direct = play(step, server, user)
    assert {200, 206} & {answer.status for answer in direct}
    for one, other in zip(direct, play(step, server, local, proxy), strict=True):
        if is_misread(one):
            assert other.status == 206
            continue
        assert_equal_but_for_the_explanation(one, as_addressed(other, server))


@pytest.mark.parametrize("step", [denied_reads, denied_writes, denied_anonymous], ids=lambda step: step.__name__)
def test_of_what_is_denied_only_documented_things_change(
    step: Step, server: Server, restricted_proxy: str, restricted_user: Credentials, local: Credentials
) -> None:
    direct = play(step, server, restricted_user)
    assert 403 in {answer.status for answer in direct}
    for one, other in zip(direct, play(step, server, local, restricted_proxy), strict=True):
        assert_equal_but_for_the_explanation(one, as_addressed(other, server))
