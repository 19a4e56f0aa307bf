"""The same boto3 script, direct and through denyproxy, gets equal statuses, headers and bytes.

The servers verify every signature, payload hashes included: what is not relayed as it was signed is refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import botocore.exceptions
import pytest

from denyproxy.demo import front
from denyproxy.demo.clients import Credentials
from tests.backends import Server
from tests.transparency.compare import assert_equal_but_for_the_explanation
from tests.transparency.denials import DENIALS, MAY_READ_OPEN
from tests.transparency.play import play
from tests.transparency.steps import STEPS, Run

Step = Callable[[Run], None]


EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


@pytest.fixture(scope="module", params=["ministack", pytest.param("seaweedfs", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a denyproxy that knows no policies."""
    with front.running(tmp_path_factory.mktemp("proxy"), server.endpoint, None) as running:
        yield running.endpoint


@pytest.fixture(scope="module")
def user(server: Server) -> Credentials:
    return server.make_user("transparency", EVERYTHING)


@pytest.fixture(scope="module")
def restricted_user(server: Server) -> Credentials:
    return server.make_user("transparency-restricted", MAY_READ_OPEN)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_what_is_not_denied_is_equal(step: Step, server: Server, proxy: str, user: Credentials) -> None:
    try:
        direct = play(step, server, user)
    except botocore.exceptions.ConnectionClosedError:  # SeaweedFS resets a connection of its own now and then
        direct = play(step, server, user)
    assert {200, 206} & {answer.status for answer in direct}
    for one, other in zip(direct, play(step, server, user, proxy), strict=True):
        assert_equal_but_for_the_explanation(one, other)


@pytest.mark.parametrize("step", DENIALS, ids=lambda step: step.__name__)
def test_of_what_is_denied_only_documented_things_change(
    step: Step, server: Server, proxy: str, restricted_user: Credentials
) -> None:
    direct = play(step, server, restricted_user)
    assert 403 in {answer.status for answer in direct}
    for one, other in zip(direct, play(step, server, restricted_user, proxy), strict=True):
        assert_equal_but_for_the_explanation(one, other)
