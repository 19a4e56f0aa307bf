"""Every case of the demo is decided by the enforcing server itself as the demo says, and for the reason it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from denyproxy.demo import backend, clients
from denyproxy.demo.cases import CASES, Case, send
from denyproxy.demo.clients import client
from denyproxy.demo.world import BUCKETS, PARTNER, STUDIO, USERS, World, build

DENIED = {case.who: case for case in CASES if case.cause}


@pytest.fixture(scope="module")
def boto() -> boto3.Session:
    return clients.session()


@pytest.fixture(scope="module")
def make_world(boto: boto3.Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], World]]:
    worlds = []

    def make() -> World:
        running = backend.running(tmp_path_factory.mktemp("demo"))
        worlds.append(running)
        try:
            return build(running.__enter__(), boto)
        except backend.BackendMissing as missing:
            worlds.pop()
            pytest.skip(str(missing))

    yield make
    for running in worlds:
        running.__exit__(None, None, None)


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    return make_world()


@pytest.fixture(scope="module")
def world_to_change(make_world: Callable[[], World]) -> World:
    return make_world()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_server_decides_as_the_demo_says(case: Case, world: World, boto: boto3.Session) -> None:
    answer = send(case, world, boto, world.backend.endpoint)
    assert answer.status == (403 if case.cause else 200)
    assert not [name for name in answer.headers if name.startswith("x-deny")]


def _ask(**parameters: str) -> Callable[[Case, World, boto3.Session], Case]:
    """Change the request."""
    return lambda case, world, boto: replace(case, parameters={**case.parameters, **parameters})


def _grant(**statement: str) -> Callable[[Case, World, boto3.Session], Case]:
    """Change the only statement of the user's policy."""

    def apply(case: Case, world: World, boto: boto3.Session) -> Case:
        name, policy = USERS[case.who]
        changed = {**policy, "Statement": [{**policy["Statement"][0], **statement}]}
        iam = client(boto, "iam", world.backend.endpoint, world.roots[STUDIO])
        iam.put_user_policy(UserName=case.who, PolicyName=name, PolicyDocument=json.dumps(changed))
        return case

    return apply


def _trust_the_studio(case: Case, world: World, boto: boto3.Session) -> Case:
    # MiniStack matches a foreign user only by its account, which then delegates to the user's own policies.
    policy: Any = BUCKETS["partner-data"].policy
    principal = {"AWS": f"arn:aws:iam::{STUDIO}:root"}
    changed = {**policy, "Statement": [{**policy["Statement"][0], "Principal": principal}]}
    s3 = client(boto, "s3", world.backend.endpoint, world.roots[PARTNER])
    s3.put_bucket_policy(Bucket="partner-data", Policy=json.dumps(changed))
    return case


REMEDIES: dict[str, Callable[[Case, World, boto3.Session], Case]] = {
    "ben": _grant(Action="s3:PutObject"),
    "carla": _ask(ServerSideEncryption="AES256"),
    "dora": _grant(Resource="arn:aws:s3:::holiday-photos/*"),
    "emil": _grant(Action="s3:GetObject"),
    "fay": _grant(Resource="arn:aws:s3:::weekly-reports/internal/*"),
    "gus": _trust_the_studio,
    "nightly-backup/monday": _ask(Prefix="nightly/"),
    "ivo": lambda case, world, boto: replace(case, wrong_secret=False),
}


def test_every_denial_has_a_remedy() -> None:
    assert REMEDIES.keys() == DENIED.keys()


@pytest.mark.parametrize("who", REMEDIES)
def test_removing_the_named_cause_and_nothing_else_lifts_the_denial(
    who: str, world_to_change: World, boto: boto3.Session
) -> None:
    case = REMEDIES[who](DENIED[who], world_to_change, boto)
    assert send(case, world_to_change, boto, world_to_change.backend.endpoint).status == 200
