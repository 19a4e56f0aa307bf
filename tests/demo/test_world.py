"""Every case of the demo is decided by the enforcing server itself as the demo says, and for the reason it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from denyproxy.demo import backend, clients
from denyproxy.demo.cases import CASES, Case, send
from denyproxy.demo.world import STUDIO, USERS, World, allow, build, document


@pytest.fixture(scope="module")
def boto() -> boto3.Session:
    return clients.session()


@pytest.fixture(scope="module")
def world(boto: boto3.Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    try:
        with backend.running(tmp_path_factory.mktemp("demo")) as server:
            yield build(server, boto)
    except backend.BackendMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_server_decides(case: Case, world: World, boto: boto3.Session) -> None:
    answer = send(case, world, boto, world.backend.endpoint)
    assert answer.status == (403 if case.cause else 200)
    assert not [name for name in answer.headers if name.startswith("x-deny")]
