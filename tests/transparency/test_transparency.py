"""The same boto3 script, direct and through denyproxy, gets equal statuses, headers and bytes.

MiniStack verifies every signature, payload hashes included, so that what is not relayed as signed is refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from denyproxy.demo import front
from denyproxy.demo.clients import Credentials
from tests.backends import MiniStack
from tests.transparency.denials import DENIALS, MAY_READ_OPEN
from tests.transparency.play import EVERYTHING, make_user, play
from tests.transparency.steps import STEPS, Run
from tests.transparency.wire import Answer

Step = Callable[[Run], None]


@pytest.fixture(scope="module")
def proxy(ministack: MiniStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a denyproxy that knows no policies."""
    with front.running(tmp_path_factory.mktemp("proxy"), ministack.endpoint, None) as running:
        yield running.endpoint


@pytest.fixture(scope="module")
def user(ministack: MiniStack) -> Credentials:
    return make_user(ministack, "transparency", EVERYTHING)


@pytest.fixture(scope="module")
def restricted_user(ministack: MiniStack) -> Credentials:
    return make_user(ministack, "transparency-restricted", MAY_READ_OPEN)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_what_is_not_denied_is_equal(step: Step, ministack: MiniStack, proxy: str, user: Credentials) -> None:
    direct = play(step, ministack, user)
    assert 403 not in {answer.status for answer in direct}
    for one, other in zip(direct, play(step, ministack, user, proxy), strict=True):
        assert one == other


@pytest.mark.parametrize("step", DENIALS, ids=lambda step: step.__name__)
def test_of_what_is_denied_only_documented_things_change(
    step: Step, ministack: MiniStack, proxy: str, restricted_user: Credentials
) -> None:
    direct = play(step, ministack, restricted_user)
    assert {answer.status for answer in direct} == {403}
    for one, other in zip(direct, play(step, ministack, restricted_user, proxy), strict=True):
        assert without_explanation(other) == without_explanation(one)
        assert explanation(one) is None
        text = explanation(other)
        assert text
        if other.body:
            assert text in message(other)
            assert message(other).startswith(message(one))


def explanation(answer: Answer) -> str | None:
    return next((value for name, value in answer.headers if name.lower() == "x-deny-explanation"), None)


def message(answer: Answer) -> str:
    return ElementTree.fromstring(answer.body).findtext("Message", "")


def without_explanation(answer: Answer) -> Answer:
    """The answer without what denyproxy adds: its headers, and the Message with the Content-Length that follows."""
    headers = tuple(
        (name, "" if answer.body and name.lower() == "content-length" else value)
        for name, value in answer.headers
        if not name.lower().startswith("x-deny-")
    )
    if not answer.body:
        return replace(answer, headers=headers)
    root = ElementTree.fromstring(answer.body)
    for element in root.iter("Message"):
        element.text = None
    return replace(answer, headers=headers, body=ElementTree.tostring(root))
