"""The documentation of the format, and the example directory, are true."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from botocore import xform_name

from denyproxy.policies.directory import KINDS, build_snapshot, load_directory
from denyproxy.s3.snapshot import PolicySnapshot

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/policy-directory.md").read_text()
EXAMPLES = dict(re.findall(r"^`([\w./-]+\.json)`[^\n]*:\n\n```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = sorted(set(re.findall(r"aws (iam|s3api|s3control|sts|organizations|ec2|kms)\s+([a-z-]+)", PAGE)))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_loads(name: str) -> None:
    made = build_snapshot({name: EXAMPLES[name].encode()}, NOW)
    assert made.problems == ()


def test_every_json_block_is_an_example_and_every_kind_has_one() -> None:
    assert len(EXAMPLES) == PAGE.count("```json")
    kinds = {name if "/" not in name else name.partition("/")[0] + "/" for name in EXAMPLES}
    assert kinds == set(KINDS)


def incomplete(made: PolicySnapshot) -> list[str]:
    return [arn for arn, facts in made.principals.items() if not facts.identity.complete]


def test_the_examples_together_are_a_directory() -> None:
    made = build_snapshot({name: text.encode() for name, text in EXAMPLES.items()}, NOW)
    assert made.problems == ()
    assert incomplete(made) == []
    dora = made.principals["arn:aws:iam::111122223333:user/team/dora"]
    assert [policy.name for policy in dora.identity.policies] == ["own-folder", "storage-only"]
    studio = made.account("111122223333")
    assert (studio.alias, studio.organization_path) == ("studio", "o-exampleorgid/r-ab12/ou-ab12-11111111/")
    assert studio.scp is not None
    assert [[policy.name for policy in level.policies] for level in studio.scp] == [
        ["FullAWSAccess"],
        ["FullAWSAccess", "KeepBackups"],
        ["FullAWSAccess"],
    ]
    assert made.account("123456789012").management is True
    assert set(made.buckets) == {"amzn-s3-demo-bucket", "amzn-s3-demo-bucket2"}


@cache
def operations(service: str) -> set[str]:
    model: dict[str, Any] = botocore.loaders.Loader().load_service_model(service, "service-2")
    return {xform_name(name, "-") for name in model["operations"]}


@pytest.mark.parametrize(("service", "command"), COMMANDS)
def test_every_command_exists(service: str, command: str) -> None:
    assert command in operations("s3" if service == "s3api" else service)


def test_commands_are_found() -> None:
    assert ("iam", "get-account-authorization-details") in COMMANDS
    assert len(COMMANDS) > 25


def test_the_example_directory_loads_without_problems() -> None:
    made = load_directory(ROOT / "config/policies", NOW)
    assert made.problems == ()
    assert incomplete(made) == []
    assert {arn.partition(":user/")[2] for arn in made.access_keys.values()} >= {"ben", "team/dora"}
    assert "arn:aws:iam::111122223333:role/service/nightly-backup" in made.principals
    studio = made.account("111122223333")
    assert studio.scp is not None
    assert [policy.name for level in studio.scp for policy in level.policies].count("KeepBackups") == 1
    assert studio.rcp is None
    for mapping in (made.access_points, made.vpc_endpoints, made.kms_keys):
        assert mapping


def test_the_example_directory_has_no_secrets() -> None:
    for path in (ROOT / "config/policies").rglob("*.json"):
        assert not re.search(r'Secret|(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}"', path.read_text()), path
